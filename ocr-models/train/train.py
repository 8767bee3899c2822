"""Trains one model: python train.py digits|katakana --out FILE.onnx [--passes N] [--etl FOLDER]

Tiles are made once (and kept below BUILD), then seen several times, each time distorted anew. After
every pass the averaged weights are written, so that a training cut short leaves a model. Seeded; the
same machine, versions and seed give the same file up to the order of floating-point sums.
"""

import argparse
import hashlib
import os
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import optax

import distort
import network
import samples
from alphabet import CLASSES
from material import BUILD, HERE

BATCH = 256
# Tiles, and how often each is seen: what two cores do in about two hours, one with both networks of digits, the other
# with katakana. The shipped ones saw more (README.md).
TILES = {("digits", "wide"): 704_000, ("katakana", "wide"): 512_000, ("digits", "narrow"): 246_399}
PASSES = {("digits", "wide"): 2, ("katakana", "wide"): 4, ("digits", "narrow"): 8}
# No label smoothing: it hides which readings are the doubtful ones (Xia et al., arXiv:2403.14715).
RATE, WEIGHT_DECAY = 3e-3, 0.02
# Share of the old weights in their running average, a step.
AVERAGE = 0.999
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


# Compiled by itself: fused into the step below it would be computed anew by every user of its result.
distorted = jax.jit(distort.distorted)


def loss_of(shape, weights, running, tiles, labels, key):
    logits, used = network.apply(shape, weights, running, tiles, key)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), used


def statistics(shape, weights, running, tiles, key):
    return network.apply(shape, weights, running, tiles, key)[1]


statistics = jax.jit(statistics, static_argnums=0)


def settled(shape, weights, running, tiles, key):
    """The means and variances for averaged weights: the mean over all full batches of the tiles."""
    keys = [jax.random.fold_in(key, at) for at in range(0, len(tiles) - BATCH + 1, BATCH)]
    seen = [statistics(shape, weights, running, distorted(key, tiles[at * BATCH :][:BATCH]), key) for at, key in enumerate(keys)]
    return jax.tree.map(lambda *parts: sum(parts) / len(parts), *seen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=CLASSES)
    parser.add_argument("--out", required=True)
    parser.add_argument("--etl", help="a folder with the operator's own ETL1 and ETL6 files, to be trained on too")
    parser.add_argument("--shape", choices=network.SHAPES, default="wide")
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

    weights, running = network.initial(jax.random.key(options.seed), len(classes), shape)
    steps = count // BATCH * passes
    rate = optax.warmup_cosine_decay_schedule(1e-4, RATE, min(500, steps // 10), steps, 1e-5)
    optimiser = optax.chain(optax.clip_by_global_norm(2.0), optax.adamw(rate, weight_decay=WEIGHT_DECAY))
    state, average = optimiser.init(weights), weights

    @jax.jit
    def step(weights, average, state, tiles, labels, key, done):
        (loss, _), gradient = jax.value_and_grad(partial(loss_of, shape), has_aux=True)(weights, running, tiles, labels, key)
        updates, state = optimiser.update(gradient, state, weights)
        weights = optax.apply_updates(weights, updates)
        keep = jnp.minimum(AVERAGE, (1.0 + done) / (10.0 + done))
        average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, average, weights)
        return weights, average, state, loss

    infer = jax.jit(lambda weights, running, tiles: network.apply(shape, weights, running, tiles.astype(jnp.float32)[..., None] / 255)[0])
    random, key, done = np.random.default_rng(options.seed + 1), jax.random.key(options.seed + 1), 0
    facts = {"seed": str(options.seed), "tiles": str(count), "passes": str(passes), "etl": str(bool(options.etl))}
    for turn in range(passes):
        order, losses = random.permutation(count), []
        for at in range(0, count - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            distortion, dropout = jax.random.split(jax.random.fold_in(key, done))
            weights, average, state, loss = step(
                weights, average, state, distorted(distortion, tiles[chosen]), labels[chosen].astype(np.int32), dropout, done
            )
            losses.append(loss)
            done += 1
            if done % 250 == 0:
                tell(f"step {done}/{steps} loss {np.mean(losses[-250:]):.4f}")
        running = settled(shape, average, running, tiles[random.permutation(count)[: 30 * BATCH]], key)
        right = [f"{use} {(np.asarray(infer(average, running, known)).argmax(1) == wanted).mean():.4f}" for use, (known, wanted) in watched.items()]
        network.save(options.out, shape, average, running, classes, facts)
        tell(f"pass {turn + 1}/{passes} right of what is watched: {', '.join(right)}")

    known = watched["watch"][0]
    session = onnxruntime.InferenceSession(options.out, providers=["CPUExecutionProvider"])
    apart = np.abs(session.run(None, {"tiles": known[:, None].astype(np.float32) / 255})[0] - np.asarray(infer(average, running, known))).max()
    tell(f"wrote {options.out}; ONNX and JAX differ by at most {apart:.1e}")
    if apart > 1e-2:
        raise SystemExit("the exported model computes something else; it is not to be used")


if __name__ == "__main__":
    main()
