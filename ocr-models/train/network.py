"""The network: five convolutions and two dense layers; and its ONNX file."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tile import RECIPE, SIDE

# Kernel, stride, channels: 36 -> 18 -> 18 -> 9 -> 9 -> 5 pixels a side.
CONVOLUTIONS = [(5, 2, 24), (3, 1, 32), (3, 2, 64), (3, 1, 64), (3, 2, 96)]
FLAT = 5 * 5 * 96
DENSE = 128
EPSILON = 1e-5


def initial(key, classes):
    """Parameters, and the running means and variances of the normalisations."""
    weights, running, inputs = {}, {}, 1
    for index, (kernel, _, channels) in enumerate(CONVOLUTIONS):
        key, use = jax.random.split(key)
        shape = (channels, inputs, kernel, kernel)
        weights[f"conv{index}"] = {
            "w": jax.random.normal(use, shape) * np.sqrt(2 / (inputs * kernel * kernel)),
            "scale": jnp.ones(channels),
            "shift": jnp.zeros(channels),
        }
        running[f"conv{index}"] = {"mean": jnp.zeros(channels), "variance": jnp.ones(channels)}
        inputs = channels
    for name, (rows, columns) in {"dense0": (FLAT, DENSE), "dense1": (DENSE, classes)}.items():
        key, use = jax.random.split(key)
        weights[name] = {"w": jax.random.normal(use, (rows, columns)) * np.sqrt(2 / rows), "b": jnp.zeros(columns)}
    return weights, running


def padding(size, kernel, stride):
    """ONNX 'SAME_UPPER' as explicit (before, after)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def apply(weights, running, tiles, key=None):
    """Logits of tiles [n, 1, SIDE, SIDE]; in training (with a key) also the new running statistics."""
    x, size, seen = tiles, SIDE, {}
    for index, (kernel, stride, _) in enumerate(CONVOLUTIONS):
        layer = weights[f"conv{index}"]
        pads = padding(size, kernel, stride)
        x = jax.lax.conv_general_dilated(x, layer["w"], (stride, stride), (pads, pads))
        size = -(-size // stride)
        if key is None:
            mean, variance = running[f"conv{index}"]["mean"], running[f"conv{index}"]["variance"]
        else:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            before = running[f"conv{index}"]
            seen[f"conv{index}"] = {
                "mean": 0.95 * before["mean"] + 0.05 * mean,
                "variance": 0.95 * before["variance"] + 0.05 * variance,
            }
        factor = layer["scale"] / jnp.sqrt(variance + EPSILON)
        x = jax.nn.relu(x * factor[:, None, None] + (layer["shift"] - mean * factor)[:, None, None])
    x = x.reshape(len(x), -1)
    if key is not None:
        first, second = jax.random.split(key)
        x = x * jax.random.bernoulli(first, 0.8, x.shape) / 0.8
    x = jax.nn.relu(x @ weights["dense0"]["w"] + weights["dense0"]["b"])
    if key is not None:
        x = x * jax.random.bernoulli(second, 0.7, x.shape) / 0.7
    return x @ weights["dense1"]["w"] + weights["dense1"]["b"], seen


def save(path, weights, running, classes, facts):
    """ONNX, opset 13: 'tiles' [n, 1, SIDE, SIDE] to 'logits' [n, classes]; normalisations folded
    into the convolutions. The metadata carry the classes (joined by tabs), the recipe and `facts`."""
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    value, size = "tiles", SIDE
    for index, (kernel, stride, _) in enumerate(CONVOLUTIONS):
        layer, statistics = weights[f"conv{index}"], running[f"conv{index}"]
        factor = np.asarray(layer["scale"] / np.sqrt(statistics["variance"] + EPSILON))
        w = np.asarray(layer["w"]) * factor[:, None, None, None]
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
        nodes.append(helper.make_node("Relu", [name], [f"{name}.relu"]))
        value = f"{name}.relu"
    nodes.append(helper.make_node("Flatten", [value], ["flat"], axis=1))
    value = "flat"
    for name, result in (("dense0", "dense0"), ("dense1", "logits")):
        inputs = [value, constant(f"{name}.w", weights[name]["w"]), constant(f"{name}.b", weights[name]["b"])]
        nodes.append(helper.make_node("Gemm", inputs, [result]))
        if name == "dense0":
            nodes.append(helper.make_node("Relu", [result], [f"{name}.relu"]))
            value = f"{name}.relu"
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
