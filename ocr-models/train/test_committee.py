import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import committee
import network
from tile import SIDE

CLASSES = ["0", "1", "blank"]


def saved(folder, shape, seed, facts):
    path = Path(folder) / f"{seed}.onnx"
    weights, running = network.initial(seed, len(CLASSES), network.SHAPES[shape])
    network.save(path, network.SHAPES[shape], weights, running, CLASSES, facts)
    return path


def posteriors(model, tiles):
    logits = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"tiles": tiles})[0]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


class Committee(unittest.TestCase):
    def test_its_posterior_is_the_mean_of_its_networks(self):
        tiles = np.random.default_rng(1).random((5, 1, SIDE, SIDE), np.float32)
        with tempfile.TemporaryDirectory() as folder:
            facts = {"tiles": "10", "passes": "1"}
            models = [onnx.load(saved(folder, shape, seed, facts | {"seed": str(seed)})) for shape, seed in (("wide", 1), ("narrow", 2))]
        together = committee.joined(models)
        mean = sum(posteriors(model, tiles) for model in models) / 2
        # The heaviest weights are whole numbers there.
        np.testing.assert_allclose(posteriors(together, tiles), mean, atol=0.01)
        self.assertEqual(committee.facts(together)["seed"], "1; 2")
        self.assertEqual(committee.facts(together)["classes"].split("\t"), CLASSES)


if __name__ == "__main__":
    unittest.main()
