"""The networks: convolutions, some of their pairs with a way around, and two dense layers; and their
ONNX files."""

from typing import NamedTuple

import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from tile import RECIPE, SIDE


class Shape(NamedTuple):
    """Of each convolution kernel, stride, channels, and how many convolutions back the input lies that is added
    before the ReLU (0: none); the width of the dense layer behind them; and which shares of what the dense layers
    see are kept in training."""

    convolutions: tuple
    dense: int
    kept: tuple


# 36 -> 18 -> 9 -> 5 pixels a side. 28, 15 and 5 million multiplications a tile.
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
    "middle": Shape(
        (
            (5, 2, 24, 0), (3, 2, 64, 0), (3, 1, 64, 0), (3, 1, 64, 2),
            (3, 2, 112, 0), (3, 1, 112, 0), (3, 1, 112, 2),
        ),
        128,
        (0.9, 0.9),
    ),
    "narrow": Shape(
        ((5, 2, 24, 0), (3, 2, 48, 0), (3, 1, 48, 0), (3, 1, 48, 2), (3, 2, 80, 0), (3, 1, 80, 0)), 96, (0.9, 0.9)
    ),
}
FLAT_SIDE = 5
EPSILON = 1e-5


def initial(seed, classes, shape):
    """Parameters, and the running means and variances of the normalisations, as NumPy arrays."""
    random = np.random.default_rng(seed)
    weights, running, inputs = {}, {}, 1

    def normal(size, spread):
        return (random.standard_normal(size) * spread).astype(np.float32)

    for index, (kernel, _, channels, back) in enumerate(shape.convolutions):
        weights[f"conv{index}"] = {
            "w": normal((kernel, kernel, inputs, channels), np.sqrt(2 / (inputs * kernel * kernel))),
            "scale": np.full(channels, 0.5 if back else 1.0, np.float32),
            "shift": np.zeros(channels, np.float32),
        }
        running[f"conv{index}"] = {"mean": np.zeros(channels, np.float32), "variance": np.ones(channels, np.float32)}
        inputs = channels
    for name, (rows, columns) in {"dense0": (FLAT_SIDE**2 * inputs, shape.dense), "dense1": (shape.dense, classes)}.items():
        weights[name] = {"w": normal((rows, columns), np.sqrt(1 / rows)), "b": np.zeros(columns, np.float32)}
    return weights, running


def padding(size, kernel, stride):
    """ONNX 'SAME_UPPER' as explicit (before, after)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def apply(shape, weights, running, tiles, seed=None):
    """Logits of tiles [n, SIDE, SIDE, 1], and the means and variances that the normalisations used:
    those given or, in training (with a seed, two integers, for the dropout), the batch's own. Multiplies in
    bfloat16, which a processor with AVX-512 BF16 or AMX does in two thirds of the time."""
    x, used, outputs = tf.cast(tiles, tf.bfloat16), {}, []
    for index, (_, stride, _, back) in enumerate(shape.convolutions):
        layer, known = weights[f"conv{index}"], running[f"conv{index}"]
        x = tf.nn.conv2d(x, tf.cast(layer["w"], tf.bfloat16), stride, "SAME")
        x, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=layer["scale"], offset=layer["shift"], epsilon=EPSILON, is_training=seed is not None,
            mean=[] if seed is not None else known["mean"], variance=[] if seed is not None else known["variance"],
        )
        used[f"conv{index}"] = {"mean": mean, "variance": variance}
        x = tf.nn.relu(x + outputs[-back] if back else x)
        outputs.append(x)
    x = tf.reshape(x, (tf.shape(x)[0], -1))
    seeds = tf.unstack(tf.random.split(seed)) if seed is not None else (None, None)
    x = dropped(x, shape.kept[0], seeds[0])
    x = tf.nn.relu(tf.cast(x @ tf.cast(weights["dense0"]["w"], tf.bfloat16), tf.float32) + weights["dense0"]["b"])
    x = dropped(x, shape.kept[1], seeds[1])
    return x @ weights["dense1"]["w"] + weights["dense1"]["b"], used


def dropped(x, kept, seed):
    """A share of `kept` of the values, scaled up by as much, in training; otherwise all."""
    return x if seed is None else tf.nn.experimental.stateless_dropout(x, 1 - kept, seed)


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
