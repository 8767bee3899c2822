"""Distorts tiles on the fly, a little, so that no pass sees the same ones: moved, turned, slanted,
stretched, bent, thinner or thicker, blotted, noisy."""

import numpy as np
import tensorflow as tf

from tile import SIDE

KNOTS = 5


def smooth_weights():
    """float32 [SIDE, KNOTS]: smooth interpolation between knots."""
    at = np.linspace(0, KNOTS - 1, SIDE)
    low = np.minimum(at.astype(int), KNOTS - 2)
    part = at - low
    part = part * part * (3 - 2 * part)
    weights = np.zeros((SIDE, KNOTS), np.float32)
    weights[np.arange(SIDE), low], weights[np.arange(SIDE), low + 1] = 1 - part, part
    return weights


WEIGHTS = smooth_weights()
GRID = np.stack(np.mgrid[0:SIDE, 0:SIDE]).astype(np.float32) - (SIDE - 1) / 2


def sampled(tiles, y, x):
    """Bilinear; outside is 0."""
    shape = tf.shape(tiles)
    padded = tf.reshape(tf.pad(tiles, ((0, 0), (1, 2), (1, 2))), (shape[0], -1))
    y, x = tf.clip_by_value(y + 1, 0, SIDE + 0.999), tf.clip_by_value(x + 1, 0, SIDE + 0.999)
    top, left = tf.cast(y, tf.int32), tf.cast(x, tf.int32)
    dy, dx = y - tf.cast(top, tf.float32), x - tf.cast(left, tf.float32)
    base = tf.reshape(top * (SIDE + 3) + left, (shape[0], -1))

    def at(offset):
        return tf.reshape(tf.gather(padded, base + offset, batch_dims=1), shape)

    upper = at(0) * (1 - dx) + at(1) * dx
    lower = at(SIDE + 3) * (1 - dx) + at(SIDE + 4) * dx
    return upper * (1 - dy) + lower * dy


def distorted(seed, tiles):
    """uint8 [n, SIDE, SIDE] to float32 [n, SIDE, SIDE, 1], 0 to 1; `seed` is two integers."""
    n = tf.shape(tiles)[0]
    seeds = tf.unstack(tf.random.split(seed, 6))
    tiles = tf.cast(tiles, tf.float32) / 255
    turn, slant, wide, high, right, down = (
        spread * part[:, None, None]
        for spread, part in zip((0.05, 0.07, 0.05, 0.05, 0.9, 0.9), tf.unstack(tf.random.stateless_normal((6, n), seeds[0])))
    )
    bend = tf.einsum("ik,ankl,jl->anij", WEIGHTS, tf.random.stateless_normal((2, n, KNOTS, KNOTS), seeds[1]), WEIGHTS)
    bend = bend * 0.7 * tf.abs(tf.random.stateless_normal((n, 1, 1), seeds[2]))
    y, x = GRID[0] - down, GRID[1] - right
    y, x = y * tf.cos(turn) - x * tf.sin(turn), x * tf.cos(turn) + y * tf.sin(turn)
    x = x + slant * y
    middle = (SIDE - 1) / 2
    tiles = sampled(tiles, y * tf.exp(high) + middle + bend[0], x * tf.exp(wide) + middle + bend[1])

    # Thicker (towards the maximum of the neighbourhood) or thinner (towards the minimum), half of them.
    thick = tf.nn.max_pool2d(tiles[..., None], 3, 1, "SAME")[..., 0]
    thin = -tf.nn.max_pool2d(-tiles[..., None], 3, 1, "SAME")[..., 0]
    way = tf.clip_by_value(tf.random.stateless_normal((n, 1, 1), seeds[3]) * 0.25, -0.45, 0.6)
    way = tf.where(tf.abs(way) < 0.12, 0.0, way)
    tiles = tiles + tf.maximum(way, 0) * (thick - tiles) - tf.maximum(-way, 0) * (tiles - thin)

    # A tenth lose a small patch, as under a scanner's streak or a dry pen; a third are noisy.
    patch = tf.random.stateless_uniform((5, n, 1, 1), seeds[4])
    hit = (tf.abs(GRID[0] + middle - patch[0] * SIDE) < 1 + 2 * patch[1]) & (tf.abs(GRID[1] + middle - patch[2] * SIDE) < 1 + 2 * patch[3])
    tiles = tf.where(hit & (patch[4] < 0.1), 0.0, tiles)
    noise = tf.random.stateless_normal(tf.shape(tiles), seeds[5]) * 0.06 * tf.cast(patch[0] < 0.33, tf.float32)
    tiles = tf.clip_by_value(tiles + noise * tf.cast(tiles > 0.05, tf.float32), 0, 1)
    return (tiles / tf.maximum(tf.reduce_max(tiles, (1, 2), keepdims=True), 0.2))[..., None]
