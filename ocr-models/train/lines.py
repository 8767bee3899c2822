"""Made-up lines of writing and print, as the line model sees them: what the activations of the line
model are measured with (quantize.py). Only fonts that are trained on, see material.py."""

import json

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from alphabet import BASE_KANA, HALF_VOICED, SMALL, VOICED
from material import DEBIAN_FONTS, HERE

HEIGHT = 48
NARROWEST, WIDEST = 48, 2000
BANKS = HERE / "../../vendor/zengin-code/banks.json"
NAMES = HERE / "../lexicon/names.tsv"
KANA = list(BASE_KANA) + list(VOICED) + list(HALF_VOICED) + list(SMALL) + ["ー"]
PHRASES = [
    "令和2年5月28日", "045-123-4567", "店番 123 口座番号 7654321", "個人番号 1234 5678 9012", "お名前",
    "普通預金", "記号 10120 番号 12345671", "有効期限 2025年12月31日 まで",
]


def texts():
    """A function from a random source to a text and whether it stands in boxes."""
    banks = [bank["name"] for bank in json.loads(BANKS.read_text()).values()]
    names = [line.split("\t")[0] for line in NAMES.read_text().splitlines() if not line.startswith("#")]

    def of(random, characters, least, most):
        return "".join(random.choice(characters, random.integers(least, most + 1)))

    def text(random):
        kind = random.integers(6)
        if kind == 0:
            return of(random, list("0123456789"), 3, 8), True
        if kind == 1:
            return of(random, KANA, 3, 13), True
        if kind == 2:
            return random.choice(banks) + random.choice(["銀行", "信用金庫", "支店", "出張所", ""]), False
        if kind == 3:
            return str(random.choice(PHRASES)), False
        if kind == 4:
            return of(random, list("0123456789 -"), 8, 19), False
        return "".join(random.choice(names, 2)), random.random() < 0.3

    return text


def line(random, text):
    """float32 [1, 3, 48, width], -1 black to 1 white: one text of `text` in one of the fonts."""
    while True:
        characters, boxed = text(random)
        font = ImageFont.truetype(str(random.choice(DEBIAN_FONTS)), int(random.integers(22, 60)))
        ink = crop(drawn(random, characters, boxed, font), margin=int(0.2 * font.size))
        if ink is not None:
            return network_input(scanned(random, ink))


def drawn(random, characters, boxed, font):
    size = font.size
    pitch = size * random.uniform(1.0, 1.7)
    width = pitch * len(characters) + size if boxed else font.getlength(characters) + size
    picture = Image.new("L", (int(width), int(1.8 * size)), 0)
    draw = ImageDraw.Draw(picture)
    if boxed:
        for place, character in enumerate(characters):
            dx, dy = random.uniform(-0.1, 0.1, 2) * size
            draw.text((0.4 * size + place * pitch + dx, 0.2 * size + dy), character, font=font, fill=255)
    else:
        draw.text((0.4 * size, 0.25 * size), characters, font=font, fill=255)
    return picture.rotate(random.uniform(-1.5, 1.5), resample=Image.Resampling.BICUBIC)


def crop(picture, margin):
    box = picture.getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    return picture.crop((max(left - margin, 0), max(top - margin, 0), right + margin, bottom + margin))


def scanned(random, picture):
    """The ink on paper as scanners leave it: coarse, blurred, faint, noisy or bilevel."""
    if random.random() < 0.5:
        share = random.uniform(0.35, 0.9)
        smaller = [max(8, int(side * share)) for side in picture.size]
        picture = picture.resize(smaller, Image.Resampling.BILINEAR)
    ink = np.asarray(picture.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.2))), np.float32) / 255
    if random.random() < 0.2:
        gray = np.where(ink > 0.4, 0, 255)
    else:
        paper = random.uniform(195, 255)
        dark = random.uniform(0, 90) if random.random() < 0.5 else random.uniform(90, 170)
        gray = paper - (paper - dark) * ink + random.normal(0, random.choice([0.1, 2, 6]), ink.shape)
    return Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8))


def network_input(picture):
    """`ingest/read/line_model.rs` does the same."""
    width = int(np.clip(round(HEIGHT * picture.width / picture.height), 1, WIDEST))
    values = np.asarray(picture.resize((width, HEIGHT), Image.Resampling.BILINEAR), np.float32) / 127.5 - 1
    missing = max(NARROWEST - width, 0)
    values = np.pad(values, ((0, 0), (0, missing)), constant_values=float(np.median(values)))
    return np.repeat(values[None, None], 3, axis=1).astype(np.float32)
