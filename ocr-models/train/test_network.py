import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnxruntime
import tensorflow as tf

import distort
import network
from tile import SIDE

CLASSES = ["0", "1", "blank"]


class Network(unittest.TestCase):
    def test_its_file_computes_what_was_trained(self):
        random = np.random.default_rng(1)
        tiles = random.random((6, SIDE, SIDE, 1), np.float32)
        for name, shape in network.SHAPES.items():
            weights, running = network.initial(7, len(CLASSES), shape)
            for layer in running.values():
                layer["mean"] += random.normal(0, 0.1, layer["mean"].shape).astype(np.float32)
                layer["variance"] *= random.uniform(0.5, 2, layer["variance"].shape).astype(np.float32)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "network.onnx"
                network.save(path, shape, weights, running, CLASSES, {})
                session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            exported = session.run(None, {"tiles": tiles.reshape(-1, 1, SIDE, SIDE)})[0]
            trained = network.apply(shape, weights, running, tiles)[0].numpy()
            # TensorFlow multiplies in bfloat16: eight bits.
            np.testing.assert_allclose(trained, exported, atol=0.05 * np.abs(exported).max(), err_msg=name)


class Distortion(unittest.TestCase):
    def test_tiles_stay_tiles_and_differ_by_seed_alone(self):
        tile = np.zeros((SIDE, SIDE), np.uint8)
        tile[6:30, 16:20] = 255
        tiles = np.stack([tile] * 8)
        one, same, other = (distort.distorted(tf.constant(seed), tiles).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
        self.assertEqual(one.shape, (8, SIDE, SIDE, 1))
        self.assertTrue(one.min() >= 0 and one.max() <= 1)
        np.testing.assert_array_equal(one, same)
        self.assertGreater(np.abs(one - other).max(), 0.1)
        # Nothing moves by more than a few pixels, and no two in the same way.
        self.assertGreater((one[:, 12:24, 14:22].max((1, 2, 3))).min(), 0.9)
        self.assertGreater(np.abs(one[0] - one[1]).max(), 0.1)


if __name__ == "__main__":
    unittest.main()
