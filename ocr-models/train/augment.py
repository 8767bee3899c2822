"""Clean ink to gray cells as a scanner and the form's line removal leave them, in batches."""

import numpy as np
from PIL import Image, ImageDraw
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
    room = np.maximum(0.5 * SIDE * (1.0 - 0.7 * size), 2.0)
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


def drawn(lines):
    """Float32 ink of polylines, each (points in pixels of the cell, pen width, level 0..1)."""
    picture = Image.new("L", (SIDE * 2, SIDE * 2), 0)
    pen = ImageDraw.Draw(picture)
    for points, width, level in lines:
        pen.line([(2 * x, 2 * y) for x, y in points], fill=round(255 * level), width=max(1, round(2 * width)), joint="curve")
    return np.asarray(picture.resize((SIDE, SIDE), Image.BOX), np.float32) / 255


def box_of(ink):
    """Left, top, right, bottom of the writing; the whole cell where there is none."""
    rows, columns = np.flatnonzero(ink.max(1) > 0.4), np.flatnonzero(ink.max(0) > 0.4)
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else (16, 16, 48, 48)


def struck_out(random, ink, crossed_once, crossed_twice):
    """Writing struck out: by one line, two, a cross, a zigzag or a scribble. Lines may run on
    through the neighbouring cells. Where one or two lines would make another character, they don't."""
    left, top, right, bottom = box_of(ink)
    width, high = random.uniform(1.2, 4.0), bottom - top
    ways = ["scribble", "zigzag"] + ["two", "two"] * crossed_twice + ["cross", "one", "one"] * crossed_once
    way = ways[random.integers(len(ways))]
    # Beyond the writing on both sides, or from border to border.
    through = random.random() < 0.5
    start, stop = (-2, SIDE + 2) if through else (left - random.uniform(3, 12), right + random.uniform(3, 12))
    middle, tilt = (top + bottom) / 2 + random.normal(0, 0.12) * high, random.normal(0, 3 if through else 6)

    def line(y):
        sag = random.normal(0, 1.5)
        return [(start, y + tilt), ((start + stop) / 2, y + sag), (stop, y - tilt)], width, 1.0

    if way == "one":
        if random.random() < 0.4:
            lines = [([(left - 4, bottom + 4), (right + 4, top - 4)], width, 1.0)]
        else:
            lines = [line(middle)]
    elif way == "two":
        apart = max(random.uniform(0.12, 0.45) * high, width + 2.5)
        lines = [line(middle - apart / 2), line(middle + apart / 2)]
    elif way == "cross":
        ends = [(left, top, right, bottom), (left, bottom, right, top)]
        lines = [([tuple(end[:2] + random.normal(0, 3, 2)), tuple(end[2:] + random.normal(0, 3, 2))], width, 1.0) for end in ends]
    elif way == "zigzag":
        turns = int(random.integers(5, 11))
        x = np.linspace(left - 3, right + 3, turns) + random.normal(0, 1.5, turns)
        y = np.where(np.arange(turns) % 2, top, bottom) + random.normal(0, 2.5, turns)
        lines = [(list(zip(x, y)), width, 1.0)]
    else:
        points = random.uniform(-0.1, 1.1, (random.integers(9, 22), 2)) * [right - left, high] + [left, top]
        lines = [([tuple(point) for point in points], width, 1.0)]
    return np.maximum(ink, drawn(lines))


def overwritten(random, first, second):
    """One character written over another; None where they nearly coincide and so read as one."""
    boxes = [np.array(box_of(ink), float) for ink in (first, second)]
    centres = [(box[:2] + box[2:]) / 2 for box in boxes]
    shift = np.round(centres[0] - centres[1] + random.normal(0, 3, 2)).astype(int)
    second = np.roll(second, (shift[1], shift[0]), (0, 1)) * random.uniform(0.75, 1.0)
    for one, other in ((first, second), (second, first)):
        beyond = one * (ndimage.maximum_filter(other, 5) < 0.3)
        if beyond.sum() < 0.45 * one.sum():
            return None
    return np.maximum(first, second)


def side_by_side(random, first, second):
    """Two characters that share a box, each in half of it or the second smaller."""
    gap, part = random.integers(0, 5), random.uniform(0.42, 0.6)
    place = 3 + random.integers(0, 4)
    room = SIDE - 2 * place - gap
    result = np.zeros((SIDE, SIDE), np.float32)
    left = place
    for ink, share in ((first, part), (second, 1 - part)):
        box = box_of(ink)
        wide = max(6, int(room * share))
        high = int(np.clip((box[3] - box[1]) * wide / max(box[2] - box[0], 1) * random.uniform(1, 1.8), 14, SIDE - 10))
        picture = Image.fromarray((ink[box[1] : box[3], box[0] : box[2]] * 255).astype(np.uint8)).resize((wide, high), Image.BILINEAR)
        top = int(np.clip((SIDE - high) / 2 + random.normal(0, 3), 0, SIDE - high))
        result[top : top + high, left : left + wide] = np.asarray(picture, np.float32) / 255
        left += wide + gap
    return result


def rubbish(random, other):
    """What an empty cell holds at times: rests of lines, specks, a scanner's streak, show-through of
    the other side, a fragment of a seal, the end of a neighbour's stroke."""
    ink = np.zeros((SIDE, SIDE), np.float32)
    for way in random.choice(["lines", "specks", "streak", "ghost", "seal", "neighbour", "dot"], random.integers(1, 3), replace=False):
        level = random.uniform(0.4, 1.0)
        lines = []
        if way == "lines":
            for _ in range(random.integers(1, 5)):
                at, start = random.uniform(0, 6) if random.random() < 0.8 else random.uniform(0, 10), random.uniform(-10, 50)
                points = np.array([(start, at), (start + random.uniform(6, 64), at + random.normal(0, 1.5))])
                # On any of the four sides.
                points = points[:, ::-1] if random.random() < 0.5 else points
                points = SIDE - points if random.random() < 0.5 else points
                lines.append((points, random.uniform(0.7, 3.0), level))
        elif way in ("specks", "dot"):
            for _ in range(random.integers(2, 9) if way == "specks" else 1):
                point = random.uniform(2, SIDE - 2, 2)
                size = random.uniform(0.8, 2.2)
                lines.append(([point - size / 2, point + random.normal(0, size / 2, 2)], size, level))
        elif way == "streak":
            # In pieces: a whole one cannot be told from a 1 or a ー by its tile.
            x, flat, width = random.uniform(2, SIDE - 2), random.random() < 0.3, random.uniform(0.5, 1.4)
            for start in np.arange(-4, SIDE, random.uniform(9, 22)):
                points = np.array([(x, start), (x, start + random.uniform(2, 7))])
                lines.append((points[:, ::-1] if flat else points, width, level))
        elif way == "ghost":
            ink = np.maximum(ink, ndimage.gaussian_filter(np.roll(other[:, ::-1], random.integers(-20, 21, 2), (0, 1)), random.uniform(2.2, 3.5)) * 0.9)
        elif way == "seal":
            # A piece of the ring with pieces of the name in it, or of the name alone.
            centre, radius, width = random.uniform(-25, SIDE + 25, 2), random.uniform(28, 60), random.uniform(1, 3)
            angles = np.linspace(0, 2 * np.pi, 60)
            lines.append((centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1), width, level * (random.random() < 0.8)))
            for _ in range(random.integers(4, 12)):
                angle, within = random.uniform(0, 2 * np.pi), radius * random.uniform(0.3, 0.85)
                point = centre + within * np.array([np.cos(angle), np.sin(angle)])
                lines.append(([point, point + random.normal(0, 6, 2)], width, level))
        else:
            reach = int(random.integers(3, 9))
            left, _, right, _ = box_of(other)
            if random.random() < 0.5:
                ink[:, :reach] = np.maximum(ink[:, :reach], other[:, max(right - reach, 0) : max(right - reach, 0) + reach])
            else:
                left = min(left, SIDE - reach)
                ink[:, -reach:] = np.maximum(ink[:, -reach:], other[:, left : left + reach])
        if lines:
            ink = np.maximum(ink, drawn([([tuple(p) for p in points], width, l) for points, width, l in lines]))
    return ink
