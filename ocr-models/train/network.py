"""The networks: convolutions, some of their pairs with a way around, and two dense layers; and their
ONNX files."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tile import RECIPE, SIDE


class Shape(NamedTuple):
    """Of each convolution kernel, stride, channels, and how many convolutions back the input lies that is added
    before the ReLU (0: none); the width of the dense layer behind them; and which shares of what the dense layers
    see are kept in training."""

    convolutions: tuple
    dense: int
    kept: tuple


# 36 -> 18 -> 9 -> 5 pixels a side. 28 and 5 million multiplications a tile.
SHAPES = {
    "wide": Shape(
        (
            (5, 2, 32, 0), (3, 1, 32, 0), (3, 1, 32, 2),
            (3, 2, 80, 0), (3, 1, 80, 0), (3, 1, 80, 2),
            (3, 2, 128, 0), (3, 1, 128, 0), (3, 1, 128, 2),
        ),
        160,
        (0.8, 0.75),
    ),
    "narrow": Shape(
        ((5, 2, 24, 0), (3, 2, 48, 0), (3, 1, 48, 0), (3, 1, 48, 2), (3, 2, 80, 0), (3, 1, 80, 0)), 96, (0.9, 0.9)
    ),
}
FLAT_SIDE = 5
EPSILON = 1e-5


def initial(key, classes, shape):
    """Parameters, and the running means and variances of the normalisations."""
    weights, running, inputs = {}, {}, 1
    for index, (kernel, _, channels, back) in enumerate(shape.convolutions):
        key, use = jax.random.split(key)
        size = (kernel, kernel, inputs, channels)
        weights[f"conv{index}"] = {
            "w": jax.random.normal(use, size) * np.sqrt(2 / (inputs * kernel * kernel)),
            "scale": jnp.full(channels, 0.5 if back else 1.0),
            "shift": jnp.zeros(channels),
        }
        running[f"conv{index}"] = {"mean": jnp.zeros(channels), "variance": jnp.ones(channels)}
        inputs = channels
    for name, (rows, columns) in {"dense0": (FLAT_SIDE**2 * inputs, shape.dense), "dense1": (shape.dense, classes)}.items():
        key, use = jax.random.split(key)
        weights[name] = {"w": jax.random.normal(use, (rows, columns)) * np.sqrt(1 / rows), "b": jnp.zeros(columns)}
    return weights, running


def padding(size, kernel, stride):
    """ONNX 'SAME_UPPER' as explicit (before, after)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def apply(shape, weights, running, tiles, key=None):
    """Logits of tiles [n, SIDE, SIDE, 1], and the means and variances that the normalisations used:
    those given or, in training (with a key for the dropout), the batch's own."""
    x, size, used, outputs = tiles, SIDE, {}, []
    for index, (kernel, stride, _, back) in enumerate(shape.convolutions):
        layer, statistics = weights[f"conv{index}"], running[f"conv{index}"]
        pads = padding(size, kernel, stride)
        x = jax.lax.conv_general_dilated(x, layer["w"], (stride, stride), (pads, pads), dimension_numbers=("NHWC", "HWIO", "NHWC"))
        size = -(-size // stride)
        if key is not None:
            statistics = {"mean": x.mean((0, 1, 2)), "variance": x.var((0, 1, 2))}
        used[f"conv{index}"] = statistics
        factor = layer["scale"] / jnp.sqrt(statistics["variance"] + EPSILON)
        x = x * factor + (layer["shift"] - statistics["mean"] * factor)
        x = jax.nn.relu(x + outputs[-back] if back else x)
        outputs.append(x)
    x = x.reshape(len(x), -1)
    if key is not None:
        first, second = jax.random.split(key)
        x = x * jax.random.bernoulli(first, shape.kept[0], x.shape) / shape.kept[0]
    x = jax.nn.relu(x @ weights["dense0"]["w"] + weights["dense0"]["b"])
    if key is not None:
        x = x * jax.random.bernoulli(second, shape.kept[1], x.shape) / shape.kept[1]
    return x @ weights["dense1"]["w"] + weights["dense1"]["b"], used


def save(path, shape, weights, running, classes, facts):
    """ONNX, opset 13: 'tiles' [n, 1, SIDE, SIDE] to 'logits' [n, classes]; normalisations folded
    into the convolutions. The metadata carry the classes (joined by tabs), the recipe and `facts`."""
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    value, size, outputs = "tiles", SIDE, []
    for index, (kernel, stride, _, back) in enumerate(shape.convolutions):
        layer, statistics = weights[f"conv{index}"], running[f"conv{index}"]
        factor = np.asarray(layer["scale"] / np.sqrt(statistics["variance"] + EPSILON))
        w = (np.asarray(layer["w"]) * factor).transpose(3, 2, 0, 1)
        b = np.asarray(layer["shift"] - statistics["mean"] * factor)
        before, after = padding(size, kernel, stride)
        size = -(-size // stride)
        name = f"conv{index}"
        inputs = [value, constant(f"{name}.w", w), constant(f"{name}.b", b)]
        nodes.append(
            helper.make_node(
                "Conv", inputs, [name], kernel_shape=[kernel, kernel], strides=[stride, stride],
                pads=[before, before, after, after],
            )
        )
        value = name
        if back:
            nodes.append(helper.make_node("Add", [value, outputs[-back]], [f"{name}.sum"]))
            value = f"{name}.sum"
        nodes.append(helper.make_node("Relu", [value], [f"{name}.relu"]))
        value = f"{name}.relu"
        outputs.append(value)
    nodes.append(helper.make_node("Flatten", [value], ["flat"], axis=1))
    # Flattened here with the channels last, in ONNX with them first.
    flat = np.asarray(weights["dense0"]["w"])
    flat = flat.reshape(FLAT_SIDE, FLAT_SIDE, -1, shape.dense).transpose(2, 0, 1, 3).reshape(flat.shape)
    nodes.append(helper.make_node("Gemm", ["flat", constant("dense0.w", flat), constant("dense0.b", weights["dense0"]["b"])], ["dense0"]))
    nodes.append(helper.make_node("Relu", ["dense0"], ["dense0.relu"]))
    inputs = ["dense0.relu", constant("dense1.w", weights["dense1"]["w"]), constant("dense1.b", weights["dense1"]["b"])]
    nodes.append(helper.make_node("Gemm", inputs, ["logits"]))
    graph = helper.make_graph(
        nodes,
        "cell",
        [helper.make_tensor_value_info("tiles", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(classes)])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="uketsuke")
    model.ir_version = 8
    helper.set_model_props(model, {"classes": "\t".join(classes), "recipe": str(RECIPE), **facts})
    onnx.checker.check_model(model)
    onnx.save(model, path)
