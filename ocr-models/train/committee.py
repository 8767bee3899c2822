"""Joins networks that were trained apart to one that asks them all: python committee.py ONE.onnx OTHER.onnx
--out FILE.onnx

Its posterior is the mean of theirs. Networks of other shapes and seeds err on other cells, and what one of them
alone is sure of comes out doubtful; what they share stays as sure as it was (Lakshminarayanan et al.,
arXiv:1612.01474). The metadata are the first one's, which must agree on classes and recipe.
"""

import argparse

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

# Before the logarithm: no posterior of a mean is as small.
LEAST = 1e-9


# The weights that most of a file is made of; eight bits do for them.
HEAVY = "dense0.w"


def facts(model):
    return {entry.key: entry.value for entry in model.metadata_props}


def in_eight_bits(constant):
    """A matrix as whole numbers of -127 to 127, a scale for each column: the nodes and constants that give it its
    name, off by at most 1/254 of the column's largest weight."""
    weights, name = numpy_helper.to_array(constant), constant.name
    scales = np.abs(weights).max(0).astype(np.float32) / 127
    scales[scales == 0] = 1
    parts = {
        f"{name}.whole": np.round(weights / scales).astype(np.int8),
        f"{name}.scale": scales,
        f"{name}.zero": np.zeros(len(scales), np.int8),
    }
    node = helper.make_node("DequantizeLinear", list(parts), [name], axis=1)
    return [node], [numpy_helper.from_array(value, name) for name, value in parts.items()]


def joined(models):
    """One model of the same input 'tiles' and output 'logits', which are logarithms of the mean posteriors."""
    of_all = facts(models[0])
    nodes, constants, posteriors = [], [], []
    for index, model in enumerate(models):
        if any(facts(model)[name] != of_all[name] for name in ("classes", "recipe")):
            raise SystemExit("the networks know other classes, or tiles of another recipe")
        graph = compose.add_prefix(model, f"{index}.").graph
        for node in graph.node:
            node.input[:] = ["tiles" if name == f"{index}.tiles" else name for name in node.input]
        for constant in graph.initializer:
            scaling, stored = in_eight_bits(constant) if constant.name.endswith(HEAVY) else ([], [constant])
            nodes, constants = nodes + scaling, constants + stored
        nodes += graph.node
        nodes.append(helper.make_node("Softmax", [f"{index}.logits"], [f"{index}.posteriors"], axis=1))
        posteriors.append(f"{index}.posteriors")
    total = posteriors[0]
    for index, name in enumerate(posteriors[1:], 1):
        nodes.append(helper.make_node("Add", [total, name], [f"sum{index}"]))
        total = f"sum{index}"
    for name, value in (("share", 1 / len(models)), ("least", LEAST)):
        constants.append(numpy_helper.from_array(np.float32(value), name))
    nodes += [
        helper.make_node("Mul", [total, "share"], ["mean"]),
        helper.make_node("Add", ["mean", "least"], ["positive"]),
        helper.make_node("Log", ["positive"], ["logits"]),
    ]
    graph = helper.make_graph(nodes, "cell", models[0].graph.input, models[0].graph.output, constants)
    model = helper.make_model(graph, opset_imports=models[0].opset_import, producer_name="uketsuke")
    model.ir_version = models[0].ir_version
    several = {name: "; ".join(facts(model)[name] for model in models) for name in ("seed", "tiles", "passes")}
    helper.set_model_props(model, of_all | several | {"networks": str(len(models))})
    onnx.checker.check_model(model)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    onnx.save(joined([onnx.load(path) for path in options.networks]), options.out)


if __name__ == "__main__":
    main()
