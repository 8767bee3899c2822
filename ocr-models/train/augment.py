"""Clean ink to gray cells as a scanner and the form's line removal leave them, in batches."""

import numpy as np
from scipy import ndimage

SIDE = 64


def sample(images, y, x):
    """Bilinear; images [n, SIDE, SIDE], coordinates [n, SIDE, SIDE] in pixels, outside is 0."""
    count = len(images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    y, x = np.clip(y + 1, 0, SIDE + 0.999), np.clip(x + 1, 0, SIDE + 0.999)
    top, left = y.astype(np.int32), x.astype(np.int32)
    dy, dx = (y - top).astype(np.float32), (x - left).astype(np.float32)
    flat = padded.reshape(-1)
    base = (np.arange(count, dtype=np.int32) * (SIDE + 2) ** 2)[:, None, None] + top * (SIDE + 2) + left
    upper = flat[base] * (1 - dx) + flat[base + 1] * dx
    lower = flat[base + SIDE + 2] * (1 - dx) + flat[base + SIDE + 3] * dx
    return upper * (1 - dy) + lower * dy


def field(random, count, knots, amplitude):
    """Smooth random fields [count, SIDE, SIDE]; amplitude per item."""
    coarse = random.normal(0, 1, (count, knots, knots)).astype(np.float32)
    at = np.linspace(0, knots - 1, SIDE)
    low = np.minimum(at.astype(int), knots - 2)
    weight = np.zeros((SIDE, knots), np.float32)
    part = at - low
    part = part * part * (3 - 2 * part)
    weight[np.arange(SIDE), low], weight[np.arange(SIDE), low + 1] = 1 - part, part
    return np.einsum("ik,nkl,jl->nij", weight, coarse, weight, optimize=True) * np.reshape(amplitude, (-1, 1, 1))


def written(random, images, gentle, free):
    """Moved, turned, slanted, stretched and bent. gentle [n] halves it (skeletons vary by
    themselves); free [n] items may shrink and wander in their cell."""
    n = len(images)
    strength = np.where(gentle, 0.6, 1.0)
    turn, slant = random.normal(0, 0.09, n) * strength, random.normal(0, 0.15, n) * strength
    # The clean material fills about 70 % of the canvas.
    size = np.where(free, np.exp(random.normal(-0.12, 0.24, n)), np.exp(random.normal(0, 0.1, n)))
    size = np.clip(size, 0.5, 1.35)
    ratio = np.exp(random.normal(0, 0.11, n) * strength)
    scale_x, scale_y = 1 / (size * ratio), 1 / (size / ratio)
    room = np.maximum(0.5 * SIDE * (1.05 - 0.7 * size), 2.0)
    shift_x, shift_y = (np.where(free, random.uniform(-1, 1, n), random.normal(0, 0.25, n)) * room for _ in range(2))
    yy, xx = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) - (SIDE - 1) / 2
    px, py = xx[None] - shift_x[:, None, None], yy[None] - shift_y[:, None, None]
    cos, sin = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    px, py = cos * px + sin * py, -sin * px + cos * py
    px = px + slant[:, None, None] * py
    bend = np.abs(random.normal(0, 1.6, n)) * strength
    x = px * scale_x[:, None, None] + (SIDE - 1) / 2 + field(random, n, 5, bend)
    y = py * scale_y[:, None, None] + (SIDE - 1) / 2 + field(random, n, 5, bend)
    return sample(images, y.astype(np.float32), x.astype(np.float32))


def blurred(images, sigma):
    """Gaussian per item, by interpolation between three fixed blurs."""
    steps = [0.0, 0.7, 1.4, 2.4]
    levels = [images] + [ndimage.gaussian_filter(images, (0, s, s)) for s in steps[1:]]
    result = np.zeros_like(images)
    for low in range(len(steps) - 1):
        part = (sigma - steps[low]) / (steps[low + 1] - steps[low])
        inside = (sigma >= steps[low]) & ((sigma < steps[low + 1]) | (low == len(steps) - 2))
        part = np.where(inside, np.clip(part, 0, 1), 0)[:, None, None]
        result += np.where(inside[:, None, None], levels[low] * (1 - part) + levels[low + 1] * part, 0)
    return result.astype(np.float32)


def with_pen(random, ink):
    """Thicker and thinner strokes, uneven ink, gaps."""
    n = len(ink)
    soft = blurred(ink, random.uniform(0.5, 1.3, n))
    threshold = np.clip(random.normal(0.36, 0.13, n), 0.12, 0.66)[:, None, None]
    steep = random.uniform(6, 16, n)[:, None, None]
    # Thin strokes must not vanish: the threshold is a share of what the item has.
    peak = np.maximum(soft.max((1, 2), keepdims=True), 0.3)
    ink = 1 / (1 + np.exp(-(soft / peak - threshold) * steep))
    ink = np.clip((ink - 0.08) / 0.84, 0, 1)
    uneven = 1 + field(random, n, 7, np.where(random.random(n) < 0.4, 0.25, 0.05))
    return np.clip(ink * uneven, 0, 1).astype(np.float32)


def with_remnants(random, ink):
    """Pieces of box lines along the borders, and strokes of the neighbours that reach in."""
    n = len(ink)
    for item in np.flatnonzero(random.random(n) < 0.25):
        for _ in range(random.integers(1, 4)):
            place, start = random.integers(0, 4), random.integers(0, SIDE - 8)
            stop, depth = start + random.integers(3, 40), random.integers(1, 4)
            level = random.uniform(0.4, 1.0)
            piece = np.zeros((SIDE, SIDE), np.float32)
            piece[:depth, start:stop] = level
            ink[item] = np.maximum(ink[item], np.rot90(piece, place))
    for item in np.flatnonzero(random.random(n) < 0.15):
        other = ink[random.integers(n)]
        reach = int(random.integers(2, 9))
        columns = np.flatnonzero(other.max(0) > 0.5)
        if len(columns) == 0:
            continue
        if random.random() < 0.5:
            piece = other[:, max(columns[-1] + 1 - reach, 0) : columns[-1] + 1]
            ink[item][:, : piece.shape[1]] = np.maximum(ink[item][:, : piece.shape[1]], piece)
        else:
            piece = other[:, columns[0] : columns[0] + reach]
            ink[item][:, -piece.shape[1] :] = np.maximum(ink[item][:, -piece.shape[1] :], piece)
    return ink


def scanned(random, ink):
    """uint8 gray [n, SIDE, SIDE]: paper, contrast, blur, noise, bilevel."""
    n = len(ink)
    shape = (n, 1, 1)
    ink = blurred(ink, np.abs(random.normal(0.45, 0.4, n)))
    paper = random.uniform(190, 255, shape)
    darkness = random.uniform(0.35, 1.0, shape) ** 0.7
    gray = paper * (1 - ink * darkness) + field(random, n, 3, np.abs(random.normal(0, 2.5, n)))
    gray += random.standard_normal(ink.shape, dtype=np.float32) * np.abs(random.normal(0, 5, shape))
    bilevel = random.random(shape) < 0.25
    threshold = paper * (1 - darkness * random.uniform(0.3, 0.65, shape))
    gray = np.where(bilevel, np.where(gray < threshold, 0, 255), gray)
    coarse = np.flatnonzero(random.random(n) < 0.2)
    gray[coarse] = gray[coarse].reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4)).repeat(2, 1).repeat(2, 2)
    return np.clip(np.round(gray), 0, 255).astype(np.uint8)


def struck_out(random, ink):
    """Two lines through the writing, or a scribble over it."""
    from PIL import Image, ImageDraw

    for item in range(len(ink)):
        picture = Image.new("L", (SIDE * 2, SIDE * 2), 0)
        pen = ImageDraw.Draw(picture)
        width = int(random.integers(3, 8))
        if random.random() < 0.75:
            middle, apart = SIDE + random.normal(0, 10), random.uniform(8, 24)
            tilt = random.normal(0, 12)
            for offset in (-apart / 2, apart / 2):
                left, right = random.uniform(-4, 24), SIDE * 2 - random.uniform(-4, 24)
                y = middle + offset + random.normal(0, 2)
                pen.line([(left, y - tilt), (right, y + tilt + random.normal(0, 3))], fill=255, width=width)
        else:
            points = random.uniform(0.15, 0.85, (random.integers(8, 16), 2)) * SIDE * 2
            pen.line([tuple(point) for point in points], fill=255, width=width, joint="curve")
        ink[item] = np.maximum(ink[item], np.asarray(picture.resize((SIDE, SIDE), Image.BOX), np.float32) / 255)
    return ink
