"""Labelled tiles: material, degraded, through the recipe of tile.py."""

import numpy as np

import augment
import material
from alphabet import BLANK, CLASSES, OTHER
from tile import SIDE, tile_of

BATCH = 256
# Shares of the sources. Real digits are the best we have for digits; for katakana people vary far
# more than fonts, so most of it is skeletons.
SHARES = {"digits": {"mnist": 0.5, "skeleton": 0.32, "font": 0.18}, "katakana": {"skeleton": 0.62, "font": 0.38}}
BLANK_SHARE, OTHER_SHARE = 0.03, 0.05


def clean(kind, random, mnist):
    """One clean picture: label index, ink, whether it came from a skeleton."""
    classes = CLASSES[kind]
    writable = [c for c in classes if c not in (BLANK, OTHER)]
    source = random.choice(list(SHARES[kind]), p=list(SHARES[kind].values()))
    if source == "mnist":
        images, labels = mnist
        index = random.integers(len(images))
        return classes.index(str(labels[index])), material.centred(images[index]), False
    character = writable[random.integers(len(writable))]
    if source == "font":
        ink = material.glyph(material.TRAINING[random.integers(len(material.TRAINING))], character)
        if ink is not None:
            return classes.index(character), ink, False
    return classes.index(character), material.skeleton(character, random), True


def batch(kind, random, mnist):
    """Degraded gray cells uint8 [BATCH, 64, 64] and their labels."""
    classes = CLASSES[kind]
    labels, inks, gentle = (np.array(part) for part in zip(*(clean(kind, random, mnist) for _ in range(BATCH))))
    # Kana and signs that differ in size and place alone keep theirs.
    placed = np.isin(labels, [classes.index(c) for c in classes if c in "ァィゥェォャュョッ・.-゛゜()"])
    large = np.isin(labels, [classes.index(c) for c in classes if c in "アイウエオヤユヨツー"])
    ink = augment.written(random, inks, gentle, ~placed & ~(large & (random.random(BATCH) < 0.5)))
    kinds = random.random(BATCH)
    blank, other = kinds < BLANK_SHARE, (kinds >= BLANK_SHARE) & (kinds < BLANK_SHARE + OTHER_SHARE)
    ink[blank] = 0
    ink[other] = augment.struck_out(random, ink[other])
    labels[blank], labels[other] = classes.index(BLANK), classes.index(OTHER)
    ink = augment.with_pen(random, ink)
    ink = augment.with_remnants(random, ink)
    return augment.scanned(random, ink), labels


def make(kind, count, seed, mnist):
    """uint8 tiles [count, SIDE, SIDE] (255 is ink 1) and uint8 labels."""
    random = np.random.default_rng(seed)
    tiles, labels = np.zeros((count, SIDE, SIDE), np.uint8), np.zeros(count, np.uint8)
    done = 0
    while done < count:
        for gray, label in zip(*batch(kind, random, mnist)):
            tile = tile_of(gray)
            if tile is None:
                continue
            tiles[done], labels[done] = np.round(tile * 255), label
            done += 1
            if done == count:
                break
    return tiles, labels
