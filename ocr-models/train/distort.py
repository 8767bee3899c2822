"""Distorts tiles on the fly, a little, so that no pass sees the same ones: moved, turned, slanted,
stretched, bent, thinner or thicker, blotted, noisy."""

import jax
import jax.numpy as jnp
import numpy as np

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
    padded = jnp.pad(tiles, ((0, 0), (1, 2), (1, 2))).reshape(len(tiles), -1)
    y, x = jnp.clip(y + 1, 0, SIDE + 0.999), jnp.clip(x + 1, 0, SIDE + 0.999)
    top, left = y.astype(jnp.int32), x.astype(jnp.int32)
    dy, dx = y - top, x - left
    base = (top * (SIDE + 3) + left).reshape(len(tiles), -1)

    def at(offset):
        return jnp.take_along_axis(padded, base + offset, 1).reshape(tiles.shape)

    upper = at(0) * (1 - dx) + at(1) * dx
    lower = at(SIDE + 3) * (1 - dx) + at(SIDE + 4) * dx
    return upper * (1 - dy) + lower * dy


def distorted(key, tiles):
    """uint8 [n, SIDE, SIDE] to float32 [n, SIDE, SIDE, 1], 0 to 1."""
    n = len(tiles)
    keys = jax.random.split(key, 6)
    tiles = tiles.astype(jnp.float32) / 255
    turn, slant, wide, high, right, down = (
        spread * part[:, None, None]
        for spread, part in zip((0.05, 0.07, 0.05, 0.05, 0.9, 0.9), jax.random.normal(keys[0], (6, n)))
    )
    bend = jnp.einsum("ik,ankl,jl->anij", WEIGHTS, jax.random.normal(keys[1], (2, n, KNOTS, KNOTS)), WEIGHTS)
    bend = bend * 0.7 * jnp.abs(jax.random.normal(keys[2], (n, 1, 1)))
    y, x = GRID[0] - down, GRID[1] - right
    y, x = y * jnp.cos(turn) - x * jnp.sin(turn), x * jnp.cos(turn) + y * jnp.sin(turn)
    x = x + slant * y
    middle = (SIDE - 1) / 2
    tiles = sampled(tiles, y * jnp.exp(high) + middle + bend[0], x * jnp.exp(wide) + middle + bend[1])

    # Thicker (towards the maximum of the neighbourhood) or thinner (towards the minimum), half of them.
    window, strides = (1, 3, 3), (1, 1, 1)
    thick = jax.lax.reduce_window(tiles, -jnp.inf, jax.lax.max, window, strides, "SAME")
    thin = jax.lax.reduce_window(tiles, jnp.inf, jax.lax.min, window, strides, "SAME")
    way = jnp.clip(jax.random.normal(keys[3], (n, 1, 1)) * 0.25, -0.45, 0.6)
    way = jnp.where(jnp.abs(way) < 0.12, 0.0, way)
    tiles = tiles + jnp.maximum(way, 0) * (thick - tiles) - jnp.maximum(-way, 0) * (tiles - thin)

    # A tenth lose a small patch, as under a scanner's streak or a dry pen; a third are noisy.
    patch = jax.random.uniform(keys[4], (5, n, 1, 1))
    hit = (jnp.abs(GRID[0] + middle - patch[0] * SIDE) < 1 + 2 * patch[1]) & (jnp.abs(GRID[1] + middle - patch[2] * SIDE) < 1 + 2 * patch[3])
    tiles = jnp.where(hit & (patch[4] < 0.1), 0.0, tiles)
    noise = jax.random.normal(keys[5], tiles.shape) * 0.06 * (patch[0] < 0.33)
    tiles = jnp.clip(tiles + noise * (tiles > 0.05), 0, 1)
    return (tiles / jnp.maximum(tiles.max((1, 2), keepdims=True), 0.2))[..., None]
