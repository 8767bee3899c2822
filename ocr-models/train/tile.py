"""One cell, gray, to the tile that the models take. Recipe 1.

`ingest/read/tile.rs` does the same; `fixtures/` holds cells with their tiles, and a test there
compares. A change here is a new RECIPE, which is written into the models and checked on loading.

1. paper = median gray; dark = 1st percentile; contrast = max(paper - dark, 48).
2. ink = (paper - gray) / contrast, clamped to 0..1; below 0.2 it is paper (0).
3. Components (8-connected) of ink >= 0.4 stay unless smaller than 0.12 % of the cell (3 px at
   least), or thin remnants along the border: touching it, with their box within 12 % of that side.
   Ink further than one pixel (8-connected) from what stays is dropped.
4. Box of what stays, w x h. Scale = min(30 / max(w, h), 2.2 * 30 / max(cell width, cell height)):
   writing fills the tile unless it is less than 45 % of its cell; then it stays smaller, so that
   '.' is no 'ロ'.
5. The box's centre lies at the tile's centre plus a quarter of its offset from the cell's centre
   (scaled), as far as the box stays inside the tile.
6. Each tile pixel is the mean ink over a square of side max(1 / scale, 1) source pixels; then the
   tile is divided by its maximum.
"""

import numpy as np
from scipy import ndimage

RECIPE = 1
SIDE = 36
INK_SIDE = 30.0
MAX_ENLARGEMENT = 2.2
EIGHT = np.ones((3, 3), bool)


def percentile(gray, share):
    """The smallest level at or below which lie at least `share` of the pixels."""
    counts = np.cumsum(np.bincount(gray.ravel(), minlength=256))
    return int(np.searchsorted(counts, share * gray.size))


def ink_of(gray):
    """uint8 [h, w] to float32 ink, 0 (paper) to 1."""
    paper, dark = percentile(gray, 0.5), percentile(gray, 0.01)
    ink = (paper - gray.astype(np.float32)) / max(paper - dark, 48)
    ink = np.clip(ink, 0.0, 1.0)
    ink[ink < 0.2] = 0.0
    return ink


def kept_components(ink):
    """Mask of the components that are writing."""
    height, width = ink.shape
    labels, count = ndimage.label(ink >= 0.4, structure=EIGHT)
    if count == 0:
        return np.zeros(ink.shape, bool)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    smallest = max(0.0012 * height * width, 3)
    edge_x, edge_y = 0.12 * width, 0.12 * height
    kept = np.zeros(count + 1, bool)
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        remnant = (
            (columns.start == 0 and columns.stop <= edge_x)
            or (columns.stop == width and width - columns.start <= edge_x)
            or (rows.start == 0 and rows.stop <= edge_y)
            or (rows.stop == height and height - rows.start <= edge_y)
        )
        kept[index] = areas[index] >= smallest and not remnant
    return kept[labels]


def overlaps(length, start, step):
    """float32 [SIDE, length]: how much of source pixel k lies under tile pixel i, which is centred
    at start + (i + 0.5) * step, with a side of max(step, 1); rows sum to 1 inside the source."""
    side = max(step, 1.0)
    centres = start + (np.arange(SIDE) + 0.5) * step
    low, high = (centres - side / 2)[:, None], (centres + side / 2)[:, None]
    pixels = np.arange(length)[None, :]
    return (np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None) / side).astype(np.float32)


def tile_of(gray):
    """uint8 [h, w] to float32 [SIDE, SIDE], or None where nothing is written."""
    ink = ink_of(gray)
    kept = kept_components(ink)
    if not kept.any():
        return None
    height, width = ink.shape
    ink = ink * ndimage.binary_dilation(kept, structure=EIGHT)
    rows, columns = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    box_w, box_h = right - left, bottom - top
    scale = min(INK_SIDE / max(box_w, box_h), MAX_ENLARGEMENT * INK_SIDE / max(width, height))
    matrices = []
    for length, low, high, box in ((height, top, bottom, box_h), (width, left, right, box_w)):
        centre = (low + high) / 2
        room = max((SIDE - box * scale) / 2, 0.0)
        shift = np.clip(0.25 * (centre - length / 2) * scale, -room, room)
        matrices.append(overlaps(length, centre - (SIDE / 2 + shift) / scale, 1.0 / scale))
    tile = matrices[0] @ ink @ matrices[1].T
    return tile / max(tile.max(), 1e-6)
