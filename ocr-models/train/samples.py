"""Labelled tiles: material, spoiled and degraded, through the recipe of tile.py."""

import numpy as np

import augment
import etl
import material
from alphabet import BLANK, CLASSES, HALF_VOICED, NO_CHARACTER, OVERWRITTEN, SEVERAL, SMALL, STRUCK_OUT, VOICED
from tile import SIDE, tile_of

BATCH = 256
# Shares of the sources. Real digits are the best we have for digits; for katakana people vary far
# more than fonts, so most of it is skeletons.
SHARES = {"digits": {"mnist": 0.685, "skeleton": 0.196, "font": 0.119}, "katakana": {"skeleton": 0.68, "font": 0.32}}
# With an operator's own ETL characters they take this share, and the others the rest.
ETL_SHARE = 0.35
NO_CHARACTER_SHARES = {BLANK: 0.05, STRUCK_OUT: 0.05, OVERWRITTEN: 0.03, SEVERAL: 0.035}
# MNIST training digits kept back to watch the training with.
MNIST_WATCHED = 5_000

# How often a class is drawn; 1 where nothing stands here. Siblings that people write alike come
# more often, signs that no name has more rarely.
WEIGHTS = dict.fromkeys("ソンシツノリ", 2.5) | dict.fromkeys("クワフウコユロチテナメスヌマラヲヘレ", 1.4) | dict.fromkeys("゛゜.-・()ァィゥェォ", 0.6)

# Characters so plain that one line through them makes another, or a hooked 1 a crossed 7; kana
# that may be halves of one; and those of which even two lines make another.
PLAIN_DIGITS, PLAIN = "17", "ノーニコフワヘイトナチテエソンリハミシツレルメヒユロラヲクァィゥェォャュョッ・.-゛゜()"
PLAINEST = "ノトイナレヘソンニリハーィッ・.-゛゜()"
LARGE = VOICED | HALF_VOICED | SMALL


class Sources:
    """What clean characters are drawn from: to train with ('train'), or to watch with ('watch')."""

    def __init__(self, kind, use, etl_folder=None):
        self.kind, self.use, self.classes = kind, use, CLASSES[kind]
        self.writable = [name for name in self.classes if name not in NO_CHARACTER]
        weights = np.array([WEIGHTS.get(name, 1.0) for name in self.writable])
        self.weights = weights / weights.sum()
        self.shares = dict(SHARES[kind])
        if kind == "digits":
            images, labels = material.mnist("train")
            part = slice(0, -MNIST_WATCHED) if use == "train" else slice(-MNIST_WATCHED, None)
            self.mnist = images[part], labels[part]
        if etl_folder:
            self.etl = [(image, label) for image, label in etl.characters(etl_folder) if label in self.writable]
            if self.etl:
                self.shares = {name: share * (1 - ETL_SHARE) for name, share in self.shares.items()} | {"etl": ETL_SHARE}

    def clean(self, random):
        """One clean picture: label index, ink, whether it came from a skeleton."""
        source = random.choice(list(self.shares), p=list(self.shares.values()))
        if source == "mnist":
            images, labels = self.mnist
            index = random.integers(len(images))
            return self.classes.index(str(labels[index])), material.centred(images[index]), False
        if source == "etl":
            image, label = self.etl[random.integers(len(self.etl))]
            return self.classes.index(label), material.enlarged(image, 60), False
        character = self.writable[random.choice(len(self.writable), p=self.weights)]
        if source == "font" and (known := material.glyphs(self.use, character)):
            return self.classes.index(character), known[random.integers(len(known))], False
        return self.classes.index(character), material.skeleton(character, random), True


def spoiled(random, ink, labels, classes, shares=NO_CHARACTER_SHARES):
    """Some cells of a batch made into what is no character; their ink and label are replaced."""
    names = np.array(classes)
    half, plainest = np.isin(names[labels], list(PLAIN)), np.isin(names[labels], list(PLAINEST))
    plain = half | np.isin(names[labels], list(PLAIN_DIGITS))
    kinds = random.choice([*shares, None], len(ink), p=[*shares.values(), 1 - sum(shares.values())])
    written, written_labels = ink.copy(), labels.copy()
    # A digit beside a digit is two, whatever they are; of kana only such as cannot be halves of one.
    whole = np.flatnonzero(~half)
    for item in np.flatnonzero(kinds != None):  # noqa: E711: elementwise
        kind = kinds[item]
        if kind == BLANK:
            ink[item] = augment.rubbish(random, written[random.integers(len(ink))])
        elif kind == STRUCK_OUT:
            ink[item] = augment.struck_out(random, written[item], crossed_once=not plain[item], crossed_twice=not plainest[item])
        else:
            first, second = random.choice(whole, 2, replace=False)
            if kind == OVERWRITTEN:
                both = augment.overwritten(random, written[first], written[second])
                if both is None or len({LARGE.get(name, name) for name in names[written_labels[[first, second]]]}) == 1:
                    continue
                ink[item] = both
            else:
                ink[item] = augment.side_by_side(random, written[first], written[second])
        labels[item] = classes.index(kind)
    return ink, labels


def batch(sources, random):
    """Degraded gray cells uint8 [BATCH, 64, 64] and their labels."""
    classes = sources.classes
    labels, inks, gentle = (np.array(part) for part in zip(*(sources.clean(random) for _ in range(BATCH))))
    # Kana and signs that differ in size and place alone keep theirs.
    placed = np.isin(labels, [classes.index(c) for c in classes if c in "ァィゥェォャュョッ・.-゛゜()"])
    large = np.isin(labels, [classes.index(c) for c in classes if c in "アイウエオヤユヨツー"])
    ink = augment.written(random, inks, gentle, ~placed & ~(large & (random.random(BATCH) < 0.5)))
    ink, labels = spoiled(random, ink, labels, classes)
    ink = augment.with_pen(random, ink)
    ink = augment.with_remnants(random, ink)
    return augment.scanned(random, ink), labels


def make(sources, count, seed):
    """uint8 tiles [count, SIDE, SIDE] (255 is ink 1) and uint8 labels."""
    random = np.random.default_rng(seed)
    tiles, labels = np.zeros((count, SIDE, SIDE), np.uint8), np.zeros(count, np.uint8)
    done = 0
    while done < count:
        for gray, label in zip(*batch(sources, random)):
            tile = tile_of(gray)
            if tile is None:
                continue
            tiles[done], labels[done] = np.round(tile * 255), label
            done += 1
            if done == count:
                break
    return tiles, labels
