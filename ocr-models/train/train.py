"""Trains one network: python train.py digits|katakana --shape SHAPE --out FILE.onnx [--passes N] [--etl FOLDER]

Tiles are made once (and kept below BUILD), then seen several times, each time distorted anew. After
every pass the averaged weights are written, so that a training cut short leaves a model. Seeded; the
same machine, versions and seed give the same file up to the order of floating-point sums.
"""

import argparse
import hashlib
import os
import sys
import time

import keras
import numpy as np
import onnxruntime
import tensorflow as tf

import distort
import network
import samples
from alphabet import CLASSES
from material import BUILD, HERE

BATCH = 256
# Tiles, and how often each is seen: what two cores do in less than two hours, one with both networks of digits, the
# other with katakana.
TILES = {("digits", "middle"): 400_000, ("digits", "narrow"): 400_000, ("katakana", "wide"): 512_000}
PASSES = {("digits", "middle"): 9, ("digits", "narrow"): 10, ("katakana", "wide"): 9}
# No label smoothing: it hides which readings are the doubtful ones (Xia et al., arXiv:2403.14715).
RATE, WEIGHT_DECAY = 3e-3, 0.02
# Share of the old weights in their running average, a step.
AVERAGE = 0.999
# Batches whose means and variances the normalisations of averaged weights go by.
SETTLING = 30
# Tiles to watch the training with: of what is trained on but another seed, and of what is kept back.
WATCHED, WATCH_SEED = 4_000, 900_001


def recipe():
    """A digest of what tiles are made by, so that none are kept that are made otherwise by now."""
    names = ["alphabet.py", "augment.py", "etl.py", "material.py", "packages.txt", "samples.py", "skeletons.py", "tile.py"]
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in names)).hexdigest()[:12]


def pool(kind, use, count, seed, etl):
    """Tiles and labels, made or taken from BUILD; those with an operator's ETL characters are not kept."""
    path = BUILD / f"tiles-{kind}-{use}-{seed}-{count}-{recipe()}.npz"
    if etl:
        return samples.make(samples.Sources(kind, use, etl), count, seed)
    if not path.exists():
        tiles, labels = samples.make(samples.Sources(kind, use), count, seed)
        part = path.with_suffix(".part.npz")
        np.savez(part, tiles=tiles, labels=labels)
        os.replace(part, path)
    with np.load(path) as known:
        return known["tiles"], known["labels"]


class Training:
    """A network being trained, and the running average of its weights, which is what is kept of it."""

    def __init__(self, shape, classes, seed, steps):
        weights, self.running = network.initial(seed, classes, shape)
        self.shape, self.seed = shape, seed + 1
        self.weights = tf.nest.map_structure(keras.Variable, weights)
        self.average = tf.nest.map_structure(tf.Variable, weights)
        warming = min(500, steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            1e-4, steps - warming, alpha=1e-5 / RATE, warmup_target=RATE, warmup_steps=warming
        )
        self.optimiser = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, epsilon=1e-8, global_clipnorm=2.0)
        self.optimiser.build(tf.nest.flatten(self.weights))

    @tf.function
    def step(self, done, tiles, labels):
        """One batch, distorted; the loss."""
        distortion, dropout = tf.unstack(tf.random.split(tf.stack([self.seed, done])))
        variables = tf.nest.flatten(self.weights)
        with tf.GradientTape() as tape:
            logits, _ = network.apply(self.shape, self.weights, self.running, distort.distorted(distortion, tiles), dropout)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        self.optimiser.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        done = tf.cast(done, tf.float32)
        keep = tf.minimum(AVERAGE, (1 + done) / (10 + done))
        for average, variable in zip(tf.nest.flatten(self.average), variables):
            average.assign(keep * average + (1 - keep) * variable.value)
        return loss

    @tf.function
    def statistics(self, at, tiles):
        seed = tf.stack([self.seed, -1 - at])
        return network.apply(self.shape, self.average, self.running, distort.distorted(seed, tiles), seed)[1]

    def settle(self, tiles):
        """The means and variances for the averaged weights: the mean over all full batches of the tiles."""
        seen = [self.statistics(tf.constant(at), tiles[at * BATCH :][:BATCH]) for at in range(len(tiles) // BATCH)]
        self.running = tf.nest.map_structure(lambda *parts: np.mean(parts, 0), *seen)

    def logits(self, tiles):
        """Of the averaged weights; tiles uint8 [n, SIDE, SIDE]."""
        return network.apply(self.shape, self.average, self.running, tiles[..., None].astype(np.float32) / 255)[0].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=CLASSES)
    parser.add_argument("--out", required=True)
    parser.add_argument("--etl", help="a folder with the operator's own ETL1 and ETL6 files, to be trained on too")
    parser.add_argument("--shape", choices=network.SHAPES, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--passes", type=int, help="how often each tile is seen")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tiles, for a trial")
    options = parser.parse_args()
    kind, classes, shape = options.kind, CLASSES[options.kind], network.SHAPES[options.shape]
    made = (kind, options.shape)
    if made not in TILES:
        parser.error(f"there is no {options.shape} network for {kind}")
    count, passes = int(TILES[made] * options.scale), options.passes or PASSES[made]

    start = time.time()

    def tell(text):
        print(f"{kind}: {text}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)

    tiles, labels = pool(kind, "train", count, options.seed, options.etl)
    watched = {use: pool(kind, use, WATCHED, WATCH_SEED, None) for use in ("train", "watch")}
    tell(f"{count} tiles made")

    steps = count // BATCH * passes
    training = Training(shape, len(classes), options.seed, steps)
    random, done = np.random.default_rng(options.seed + 1), 0
    facts = {"seed": str(options.seed), "tiles": str(count), "passes": str(passes), "etl": str(bool(options.etl))}
    for turn in range(passes):
        order, losses = random.permutation(count), []
        for at in range(0, count - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            losses.append(training.step(tf.constant(done), tiles[chosen], labels[chosen].astype(np.int32)))
            done += 1
            if done % 250 == 0:
                tell(f"step {done}/{steps} loss {np.mean(losses[-250:]):.4f}")
        training.settle(tiles[random.permutation(count)[: SETTLING * BATCH]])
        right = [f"{use} {(training.logits(known).argmax(1) == wanted).mean():.4f}" for use, (known, wanted) in watched.items()]
        network.save(options.out, shape, training.average, training.running, classes, facts)
        tell(f"pass {turn + 1}/{passes} right of what is watched: {', '.join(right)}")

    known = watched["watch"][0]
    session = onnxruntime.InferenceSession(options.out, providers=["CPUExecutionProvider"])
    exported = session.run(None, {"tiles": known[:, None].astype(np.float32) / 255})[0]
    same = (exported.argmax(1) == training.logits(known).argmax(1)).mean()
    tell(f"wrote {options.out}; ONNX and TensorFlow read {same:.2%} alike")
    # TensorFlow multiplies in bfloat16 here, ONNX does not.
    if same < 0.99:
        raise SystemExit("the exported model computes something else; it is not to be used")


if __name__ == "__main__":
    main()
