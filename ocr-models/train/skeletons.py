"""Stroke skeletons of digits, as Japanese people write them, and of katakana; each written down
once and varied per writer. Our own work, under the project's licence.

A character is a list of variants, a variant strokes joined by '|', a stroke points 'x,y' on a grid
of 100 (y down) in the order of writing. Strokes are smooth; '!' marks a corner.
"""

import numpy as np
from PIL import Image, ImageDraw

DIGITS = {
    "0": ["52,8 26,22 18,52 28,84 50,93 74,82 82,52 74,22 52,8", "58,10 30,16 18,50 28,86 56,92 78,76 82,44 70,18 50,12 40,18"],
    "1": ["50,6 50,94", "54,6 48,94", "32,26 54,8! 54,94", "34,24 52,8! 52,94 | 30,94 76,94", "44,14 54,6! 52,94"],
    "2": ["20,30 36,10 64,10 78,28 66,52 16,92! 84,92", "22,26 44,8 72,16 76,36 56,62 22,88 34,76 54,86 84,90"],
    "3": ["22,18 50,8 74,22 66,42 42,48! 72,56 78,76 52,94 20,84", "20,10 74,10! 44,42! 74,54 76,80 46,94 20,84"],
    "4": ["58,6 12,66! 88,66 | 64,40 64,94", "28,8 18,56! 84,56 | 66,10 62,94", "62,94 62,8! 14,68! 88,68", "36,8 14,60! 88,58 | 64,28 60,94"],
    "5": ["28,10 24,46! 54,40 80,58 72,86 44,94 16,84 | 28,10 80,10", "80,10 30,10! 24,46! 56,40 80,60 70,88 40,94 18,84"],
    "6": ["62,6 34,34 18,68 36,94 66,92 80,70 62,52 36,56 20,72", "48,6 28,44 20,74 40,94 70,90 78,68 58,54 30,64"],
    "7": ["14,12 84,12! 60,50 46,94", "16,38 16,14! 84,14! 58,54 48,94", "14,12 84,12! 58,52 46,94 | 34,52 74,50", "20,34 18,12! 82,14! 80,50 74,94"],
    "8": ["74,22 50,8 26,24 42,46 70,64 76,82 50,94 24,82 30,62 62,42 74,22", "50,48 26,28 48,8 74,26 50,48 24,74 50,94 78,74 50,48"],
    "9": ["76,30 54,46 26,36 24,16 50,6 76,18 76,34! 70,94", "76,28 54,46 24,36 28,12 58,6 78,24 74,60 46,94", "76,30 50,46 24,30 44,8 74,14! 74,94"],
}

KATAKANA = {
    "ア": ["15,18 84,18! 72,36 56,46 | 50,34 48,60 38,78 22,92"],
    "イ": ["78,10 55,38 15,60 | 55,38 55,92"],
    "ウ": ["50,6 50,24 | 18,26 18,50 | 18,26 82,26! 76,56 58,78 36,94"],
    "エ": ["22,20 78,20 | 50,20 50,82 | 12,82 88,82"],
    "オ": ["12,32 88,32 | 62,8 62,88! 52,80 | 60,34 42,60 14,80"],
    "カ": ["14,34 80,34! 78,64 70,88! 58,80 | 46,8 44,44 34,70 14,92"],
    "キ": ["18,36 78,26 | 12,64 88,52 | 42,8 58,94"],
    "ク": ["40,8 32,30 14,52 | 38,22 80,22! 74,50 56,76 28,94"],
    "ケ": ["32,8 26,30 10,52 | 28,32 90,32 | 64,32 62,60 50,80 34,94"],
    "コ": ["18,20 80,20! 80,82 | 14,82 84,82"],
    "サ": ["10,34 90,34 | 32,12 32,62 | 68,10 68,48 60,76 36,94"],
    "シ": ["22,14 40,26 | 12,38 30,50 | 16,88 48,74 70,54 88,26"],
    "ス": ["20,18 74,18! 62,48 40,72 12,90 | 54,58 72,72 86,90"],
    "セ": ["10,44 86,32! 80,44 66,58 | 36,10 36,76! 46,86 84,86"],
    "ソ": ["18,18 30,44 | 80,12 76,44 58,72 28,92"],
    "タ": ["42,6 34,28 14,50 | 40,20 82,20! 74,52 54,78 26,94 | 34,42 64,62"],
    "チ": ["76,10 52,20 22,24 | 10,46 90,46 | 52,20 52,56 44,78 26,94"],
    "ツ": ["14,22 24,46 | 44,14 54,40 | 88,16 82,48 62,74 34,92"],
    "テ": ["24,14 76,14 | 10,40 90,40 | 52,40 50,64 42,80 26,94"],
    "ト": ["40,8 40,94 | 40,38 62,48 80,60"],
    "ナ": ["10,38 90,38 | 54,8 54,44 46,72 24,94"],
    "ニ": ["24,26 76,26 | 10,78 90,78"],
    "ヌ": ["18,20 78,20! 66,50 44,76 16,92 | 30,42 56,58 80,80"],
    "ネ": ["48,6 56,18 | 18,30 78,30! 60,50 38,66 12,78 | 50,56 50,94 | 62,60 84,76"],
    "ノ": ["76,10 66,42 46,70 18,90"],
    "ハ": ["36,22 30,52 10,84 | 62,18 78,50 92,82"],
    "ヒ": ["26,10 26,72! 36,86 84,86 | 78,26 56,40 26,48", "26,10 26,72! 36,86 84,86 | 26,48 56,40 78,26"],
    "フ": ["14,20 84,20! 78,50 60,76 30,94"],
    "ヘ": ["8,60 38,28! 64,52 92,80"],
    "ホ": ["12,32 88,32 | 50,8 50,88! 40,82 | 30,48 24,64 12,80 | 70,48 80,64 90,78"],
    "マ": ["12,22 88,22! 74,46 52,68 | 36,52 56,70 66,86"],
    "ミ": ["24,12 50,18 74,28 | 24,40 50,46 72,56 | 16,70 48,76 80,90"],
    "ム": ["46,10 34,48 16,82! 50,80 82,74 | 64,54 76,72 88,92"],
    "メ": ["74,10 62,44 42,72 14,92 | 26,34 52,52 78,78"],
    "モ": ["22,18 78,18 | 12,46 88,46 | 46,18 46,76! 56,86 84,84"],
    "ヤ": ["10,44 86,28! 78,44 64,58 | 32,14 42,54 54,94"],
    "ユ": ["22,28 70,28! 66,80 | 8,80 92,80"],
    "ヨ": ["20,18 78,18! 78,88 | 22,50 78,50 | 18,86 80,86"],
    "ラ": ["24,14 76,14 | 14,38 84,38! 78,62 60,82 34,94"],
    "リ": ["28,14 28,58 | 72,10 72,50 64,76 42,94"],
    "ル": ["32,18 30,52 10,88 | 58,12 58,84! 76,74 92,54"],
    "レ": ["26,10 26,86! 56,74 86,46"],
    "ロ": ["18,22 18,86 | 18,22 82,22! 82,86 | 18,82 82,82"],
    "ワ": ["18,18 18,46 | 18,18 84,18! 78,52 60,78 34,94"],
    "ヲ": ["16,18 82,18! 76,50 58,78 30,94 | 18,46 78,46", "14,18 84,18 | 18,46 78,46 | 82,18 76,50 58,78 30,94"],
    "ン": ["16,20 38,36 | 14,88 46,76 70,56 88,28"],
    "ー": ["8,50 92,50", "8,44 14,50! 92,52", "10,54 50,50 92,46"],
    "・": ["46,48 54,52", "49,49 51,51"],
    "(": ["60,6 44,28 40,50 44,72 60,94"],
    ")": ["40,6 56,28 60,50 56,72 40,94"],
    ".": ["22,84 26,88", "20,86 21,86"],
    "-": ["30,50 70,50"],
    "゛": ["24,16 36,40 | 50,10 62,34"],
    "゜": ["40,12 28,24 40,38 54,26 40,12"],
}


def voiced(base, mark):
    """The strokes of a base character, a little smaller and to the left, with its (semi-)voiced mark."""
    sound = {"゛": "78,2 86,20 | 92,0 100,16", "゜": "90,2 82,10 90,18 98,10 90,2"}[mark]
    return base, sound


def points_of(stroke):
    """'x,y x,y! …' to a list of smooth runs, each float [n, 2]."""
    runs, run = [], []
    for word in stroke.split():
        corner = word.endswith("!")
        point = [float(part) for part in word.rstrip("!").split(",")]
        run.append(point)
        if corner:
            runs.append(run)
            run = [point]
    runs.append(run)
    return [np.array(run) for run in runs if len(run) > 1]


def smooth(points, steps=7):
    """Catmull–Rom through the points."""
    if len(points) < 3:
        return points
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:]):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.vstack([*pieces, points[-1:]])


def draw(variant, random, side=64, extra=None, reach=1.0):
    """One writer's version of a skeleton: float32 ink [side, side], the grid in its middle 70 %."""
    scale, origin = side * 2 * 0.7 / 100, side * 2 * 0.15
    picture = Image.new("L", (side * 2, side * 2), 0)
    pen = ImageDraw.Draw(picture)
    width = np.exp(random.normal(np.log(6.0), 0.35))
    looseness = abs(random.normal(0, 3.5)) * reach
    bow = random.normal(0, 0.06) * reach
    groups = [(variant, 1.0, np.zeros(2))]
    if extra is not None:
        shrink = random.uniform(0.78, 1.0)
        groups = [(variant, shrink, np.array([0.0, 100 * (1 - shrink)])), (extra, random.uniform(0.8, 1.7), None)]
    last = None
    for strokes, size, offset in groups:
        if offset is None:
            anchor = np.array([90.0, 10.0])
            offset = anchor - anchor * size + random.normal(0, 3, 2) - np.array([4, -4]) * max(size - 1, 0)
        for stroke in strokes.split(" | "):
            runs = points_of(stroke)
            shift, turn = random.normal(0, 2.2 * reach, 2), random.normal(0, 0.05 * reach)
            middle = np.mean(np.vstack(runs), 0)
            rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            stretch = np.exp(random.normal(0, 0.08 * reach))
            line = []
            for run in runs:
                moved = (run - middle) @ rotation.T * stretch + middle + shift
                moved = moved + random.normal(0, 1, moved.shape) * looseness * 0.8
                if len(moved) == 2:
                    across = (moved[1] - moved[0])[::-1] * [1, -1] * bow
                    moved = np.vstack([moved[0], moved.mean(0) + across, moved[1]])
                line.append(smooth(moved))
            line = np.vstack(line)
            if random.random() < 0.12:
                end, before = line[-1], line[-min(4, len(line))]
                line = np.vstack([line, end + (end - before)[::-1] * [1, -1] * random.uniform(-0.6, 0.6)])
            if random.random() < 0.1:
                cut = random.integers(1, max(2, len(line) // 6))
                line = line[cut:] if random.random() < 0.5 else line[:-cut]
            line = line * size + offset
            pixels = line * scale + origin
            if last is not None and random.random() < 0.06:
                pen.line([tuple(last), tuple(pixels[0])], fill=255, width=max(1, round(width * 0.5)))
            last = pixels[-1]
            stroke_width = max(2, round(width * np.exp(random.normal(0, 0.12))))
            pen.line([tuple(point) for point in pixels], fill=255, width=stroke_width, joint="curve")
            radius = stroke_width / 2
            for x, y in (pixels[0], pixels[-1]):
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return np.asarray(picture.resize((side, side), Image.BOX), np.float32) / 255
