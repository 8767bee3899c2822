"""Writes ../fixtures: cells and their tiles by tile.py, which the reader's recipe is compared with.

Run it when the recipe changes: python fixtures.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

import samples
from tile import tile_of

FOLDER = Path(__file__).parent.parent / "fixtures"
COUNT = 12


def main():
    random = np.random.default_rng(20)
    grays, _ = samples.batch(samples.Sources("katakana", "train"), random)
    written = 0
    FOLDER.mkdir(exist_ok=True)
    for gray in grays:
        size = (int(random.integers(20, 120)), int(random.integers(20, 120)))
        cell = np.asarray(Image.fromarray(gray).resize(size, Image.BILINEAR))
        tile = tile_of(cell)
        if tile is None:
            continue
        Image.fromarray(cell).save(FOLDER / f"cell-{written:02}.png", optimize=True)
        Image.fromarray(np.round(tile * 255).astype(np.uint8)).save(FOLDER / f"tile-{written:02}.png", optimize=True)
        written += 1
        if written == COUNT:
            return


if __name__ == "__main__":
    main()
