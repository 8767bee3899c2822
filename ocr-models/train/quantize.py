"""PP-OCRv6 small (vendor/, as scripts/setup fetches it) to ../lines.onnx: half the time a line.

1. Characters that no Japanese keyboard writes are left out of the last layer: what cannot be written on
   a form need not be told apart from what can.
2. The dense 1 x 1 convolutions, two thirds of the work, multiply integers: what goes in and comes out
   has 8 bits and one step a tensor, chosen on made-up lines (lines.py) so that the squares of the errors
   are least, which cuts off what is rare; weights have 8 bits and one step a channel, rounded one input
   at a time, so that later ones make good for earlier ones (GPTQ, Frantar et al. 2022).

Processors without VNNI add products in pairs into 16 bits, which overflow. The weights' steps are
chosen so that no pair can.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnxruntime.quantization.shape_inference import quant_pre_process

import lines
from material import HERE

SOURCE = HERE / "../../vendor/PP-OCRv6_rec_small.onnx"
TARGET = HERE / "../lines.onnx"
# Scales per channel need 13.
OPSET = 13
LINES = 200
COLUMNS_OF_A_LINE = 250
SEED = 20261126
# Below it GELU is -0.0001 and less.
GELU_IS_ZERO = -4.0
SHARES_OF_THE_RANGE = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
# The largest weight, and the largest sum of a pair that leaves 255 * sum in 16 bits.
LARGEST, LARGEST_PAIR = 127, 128


def simplified(source):
    """The model at OPSET with constants folded into initializers, and its dictionary."""
    model = onnx.load(source)
    dictionary = next(entry.value for entry in model.metadata_props if entry.key == "character").split("\n")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        onnx.save(version_converter.convert_version(model, OPSET), before)
        quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
        return onnx.load(after), [line.removesuffix("\r") for line in dictionary]


def can_be_written(character):
    try:
        return bool(character.encode("cp932"))
    except UnicodeEncodeError:
        return False


def weights_of(model):
    return {tensor.name: tensor for tensor in model.graph.initializer}


def leave_out_classes(model, dictionary):
    """Cuts the last layer to CTC's blank, the characters that can be written and the space."""
    weights = weights_of(model)
    classes = len(dictionary) + 2
    kept_characters = [character for character in dictionary if can_be_written(character)]
    kept = [0, *(place for place, character in enumerate(dictionary, start=1) if can_be_written(character)), classes - 1]
    of_classes = [tensor for tensor in weights.values() if tensor.dims and tensor.dims[-1] == classes]
    if sorted(len(tensor.dims) for tensor in of_classes) != [1, 2]:
        raise SystemExit(f"{SOURCE} has not one weight and one bias of {classes} classes")
    for tensor in of_classes:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[..., kept].copy(), tensor.name))
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[-1].dim_value = len(kept)
    del model.metadata_props[:]
    helper.set_model_props(model, {"character": "\n".join(kept_characters)})
    return len(kept)


def pointwise(model):
    """Dense 1 x 1 convolutions, but for those that squeeze a channel's mean: these take no time."""
    weights = weights_of(model)

    def is_one(node):
        if node.op_type != "Conv" or any(attribute.name == "group" and attribute.i != 1 for attribute in node.attribute):
            return False
        outputs, inputs, *sides = weights[node.input[1]].dims
        return sides == [1, 1] and max(outputs, inputs) < 4 * min(outputs, inputs)

    return [node for node in model.graph.node if is_one(node)]


def observed(model, names):
    """Of each tensor a sample, [channels, columns], with the least and the greatest of all its values."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    random, text = np.random.default_rng(SEED), lines.texts()
    samples, ranges = {name: [] for name in names}, {name: (0.0, 0.0) for name in names}
    for _ in range(LINES):
        for name, values in zip(names, session.run(names, {session.get_inputs()[0].name: lines.line(random, text)})):
            values = values[0].reshape(values.shape[1], -1)
            low, high = ranges[name]
            ranges[name] = (min(low, values.min()), max(high, values.max()))
            samples[name].append(values[:, random.permutation(values.shape[1])[:COLUMNS_OF_A_LINE]])
    return {name: (np.concatenate(samples[name], axis=1), *ranges[name]) for name in names}


class Levels:
    """256 values at equal steps, of which one is 0."""

    def __init__(self, low, high):
        self.step = np.float32((high - low) / 255)
        self.zero = np.uint8(round(-low / self.step))

    def nearest(self, values):
        return (np.clip(np.round(values / self.step) + self.zero, 0, 255) - self.zero) * self.step

    @classmethod
    def of(cls, sample, low, high):
        """With the least squares of errors; `low` and `high` are what all values lie between."""
        candidates = [cls(share * low, share * high) for share in SHARES_OF_THE_RANGE]
        return min(candidates, key=lambda levels: np.square(levels.nearest(sample) - sample).mean())


def weight_steps(weight):
    """[outputs, inputs] to one step an output: rounding adds at most 1 to a pair."""
    pairs = np.abs(weight[:, 0::2]) + np.abs(weight[:, 1::2])
    return np.maximum(np.abs(weight).max(axis=1) / LARGEST, pairs.max(axis=1) / (LARGEST_PAIR - 1)).astype(np.float32)


def rounded(weight, inputs, steps):
    """[outputs, inputs] to int8: each input's error is made good by those after it, as `inputs` vary together."""
    inputs = inputs.astype(np.float64)
    moments = inputs @ inputs.T / inputs.shape[1]
    moments += np.eye(len(moments)) * 0.01 * np.mean(np.diag(moments))
    upper = np.linalg.cholesky(np.linalg.inv(moments)).T
    rest, whole = weight.astype(np.float64), np.zeros(weight.shape)
    for place in range(weight.shape[1]):
        room = LARGEST if place % 2 == 0 else np.minimum(LARGEST, LARGEST_PAIR - np.abs(whole[:, place - 1]))
        whole[:, place] = np.clip(np.round(rest[:, place] / steps), -room, room)
        error = (rest[:, place] - whole[:, place] * steps) / upper[place, place]
        rest[:, place + 1 :] -= np.outer(error, upper[place, place + 1 :])
    return whole.astype(np.int8)


def quantized(model, node, samples):
    """The node between integers: nodes, initializers."""
    weights = weights_of(model)
    weight, bias = (numpy_helper.to_array(weights[name]) for name in node.input[1:])
    (source, *_), (target,) = node.input, node.output
    inputs = samples[source][0]
    taken = Levels.of(*samples[source])
    outputs, low, high = samples[target]
    if goes_into_gelu(model, target):
        outputs, low = np.maximum(outputs, GELU_IS_ZERO), max(low, GELU_IS_ZERO)
    given = Levels.of(outputs, low, high)
    matrix = weight.reshape(len(weight), -1)
    steps = weight_steps(matrix)
    name = node.name
    values = {
        "in_step": taken.step, "in_zero": taken.zero, "out_step": given.step, "out_zero": given.zero,
        "weight": rounded(matrix, taken.nearest(inputs), steps).reshape(weight.shape),
        "weight_steps": steps, "weight_zeros": np.zeros(len(steps), np.int8),
        "bias": np.round(bias / (taken.step * steps)).astype(np.int32),
        "bias_steps": taken.step * steps, "bias_zeros": np.zeros(len(steps), np.int32),
    }

    def linear(kind, output, tensor, step, zero, **attributes):
        return helper.make_node(f"{kind}Linear", [tensor, f"{name}.{step}", f"{name}.{zero}"], [output], **attributes)

    conv = onnx.NodeProto()
    conv.CopyFrom(node)
    conv.input[:] = [f"{name}.seen", f"{name}.weights", f"{name}.biases"]
    conv.output[:] = [f"{name}.sum"]
    nodes = [
        linear("Quantize", f"{name}.whole", source, "in_step", "in_zero"),
        linear("Dequantize", f"{name}.seen", f"{name}.whole", "in_step", "in_zero"),
        linear("Dequantize", f"{name}.weights", f"{name}.weight", "weight_steps", "weight_zeros", axis=0),
        linear("Dequantize", f"{name}.biases", f"{name}.bias", "bias_steps", "bias_zeros", axis=0),
        conv,
        linear("Quantize", f"{name}.whole_sum", f"{name}.sum", "out_step", "out_zero"),
        linear("Dequantize", target, f"{name}.whole_sum", "out_step", "out_zero"),
    ]
    return nodes, [numpy_helper.from_array(np.asarray(tensor), f"{name}.{key}") for key, tensor in values.items()]


def goes_into_gelu(model, tensor):
    """x / sqrt(2), erf, 1 + , x * , * 0.5"""
    readers = [node for node in model.graph.node if tensor in node.input]
    divided = [node.output[0] for node in readers if node.op_type == "Div"]
    return any(node.op_type == "Erf" and node.input[0] in divided for node in model.graph.node)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    model, dictionary = simplified(SOURCE)
    classes = leave_out_classes(model, dictionary)
    # It names shapes of before.
    del model.graph.value_info[:]
    chosen = pointwise(model)
    samples = observed(model, list(dict.fromkeys(name for node in chosen for name in (node.input[0], node.output[0]))))
    nodes = []
    for node in model.graph.node:
        replacement, tensors = quantized(model, node, samples) if node in chosen else ([node], [])
        nodes.extend(replacement)
        model.graph.initializer.extend(tensors)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, arguments.out)
    print(f"{arguments.out}: {classes} classes, {len(chosen)} convolutions of integers, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
