"""Measures the shipped models on what they were never trained on: MNIST's test digits and the fonts
held out, clean and degraded as scans are; and cells that hold no single character, made of them.
Prints a summary, writes ../accuracy.json, the confusion matrices ../digits.png and ../katakana.png, and
the measured part of the cards ../digits.md and ../katakana.md. Then compares the digits' two networks, as
train.py left them below BUILD, with their committee, on digits that training kept back.

Katakana are counted twice: as they are, and with small kana taken for large, as they are published.
"""

import collections
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFont

import augment
import material
import samples
from alphabet import BLANK, CLASSES, NO_CHARACTER, SMALL
from tile import SIDE, tile_of

SEED = 77_000
COPIES = {"digits": 100, "katakana": 20}
# Digits of an account number; how often each kept-back digit is degraded, and drawn into a number.
NUMBER, KEPT_BACK_COPIES, DRAWN = 7, 3, 10
# Kept-back pictures that do not show what their label says: by eye, an 8, a 9 and a 7.
MISLABELLED = [1014, 1596, 4915]
SPOILED = 4_000
MODELS = Path(__file__).parent.parent
LABELS = material.DEBIAN / "opentype/ipaexfont-gothic/ipaexg.ttf"


class Model:
    def __init__(self, kind, path=None):
        self.classes = CLASSES[kind]
        one_thread = onnxruntime.SessionOptions()
        one_thread.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path or MODELS / f"{kind}.onnx"), one_thread, providers=["CPUExecutionProvider"])
        assert self.session.get_modelmeta().custom_metadata_map["classes"].split("\t") == self.classes

    def logits(self, tiles):
        """[n, classes] of tiles [n, SIDE, SIDE]."""
        parts = np.array_split(tiles, max(1, len(tiles) // 500))
        return np.concatenate([self.session.run(None, {"tiles": part[:, None].astype(np.float32)})[0] for part in parts])

    def read(self, cells):
        """The best of all classes for each gray cell; 'blank' where there is no ink."""
        tiles = [tile_of(cell) for cell in cells]
        logits = self.logits(np.stack([np.zeros((SIDE, SIDE)) if tile is None else tile for tile in tiles]))
        best = [self.classes[index] for index in logits.argmax(1)]
        return [BLANK if tile is None else name for tile, name in zip(tiles, best)]


def clean(inks):
    return np.clip(np.round(245 - inks * 205), 0, 255).astype(np.uint8)


def degraded(inks, random):
    ink = augment.written(random, inks, np.ones(len(inks), bool), np.zeros(len(inks), bool))
    return augment.scanned(random, augment.with_remnants(random, augment.with_pen(random, ink)))


def count(read, wanted, classes):
    """Accuracy, per class, and the most frequent confusions."""
    right, total = collections.Counter(), collections.Counter(wanted)
    confusions = collections.Counter(f"{want} read as {got}" for got, want in zip(read, wanted) if got != want)
    right.update(want for got, want in zip(read, wanted) if got == want)
    folded = sum(SMALL.get(got, got) == SMALL.get(want, want) for got, want in zip(read, wanted))
    return {
        "cells": len(wanted),
        "right": round(sum(right.values()) / len(wanted), 4),
        "right_small_as_large": round(folded / len(wanted), 4),
        "taken_for_no_character": round(sum(got in NO_CHARACTER for got in read) / len(wanted), 4),
        "per_class": {name: round(right[name] / total[name], 4) for name in classes if total[name]},
        "confusions": dict(confusions.most_common(12)),
    }


def font_cells(path, characters, copies):
    """The font's characters, each `copies` times, and their names."""
    known = [(character, glyph) for character in characters if (glyph := material.glyph(path, character)) is not None]
    return np.stack([glyph for _, glyph in known for _ in range(copies)]), [name for name, _ in known for _ in range(copies)]


def spoiled_cells(inks, names, classes, random):
    """Degraded cells that hold no single character, and what each holds."""
    cells, wanted = [], []
    while len(cells) < SPOILED:
        chosen = random.integers(0, len(inks), samples.BATCH)
        labels = np.array([classes.index(names[index]) for index in chosen])
        ink = augment.written(random, inks[chosen], np.ones(len(chosen), bool), np.zeros(len(chosen), bool))
        ink, labels = samples.spoiled(random, ink, labels, classes, dict.fromkeys(NO_CHARACTER, 0.25))
        gray = augment.scanned(random, augment.with_remnants(random, augment.with_pen(random, ink)))
        for cell, label in zip(gray, labels):
            if classes[label] in NO_CHARACTER:
                cells.append(cell)
                wanted.append(classes[label])
    return cells, wanted


def draw_confusions(pairs, classes, path):
    """A picture of the confusion matrix: rows are written, columns read; darker is more often, a
    share of the row in percent where cells are large enough."""
    cell = 34 if len(classes) < 20 else 11
    margin = 74 if len(classes) < 20 else 80
    shares = np.zeros((len(classes), len(classes)))
    for got, want in pairs:
        shares[classes.index(want), classes.index(got)] += 1
    shares /= np.maximum(shares.sum(1, keepdims=True), 1)
    side = margin + cell * len(classes) + 1
    picture = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(str(LABELS), 12 if cell > 20 else 10)
    for index, name in enumerate(classes):
        at = margin + index * cell
        pen.text((margin - 4, at + cell / 2), name, font=font, fill=0, anchor="rm")
        label = Image.new("L", (margin, cell), 255)
        ImageDraw.Draw(label).text((2, cell / 2), name, font=font, fill=0, anchor="lm")
        picture.paste(label.rotate(90, expand=True), (at, 0))
    for row in range(len(classes)):
        for column in range(len(classes)):
            x, y, share = margin + column * cell, margin + row * cell, shares[row, column]
            # Rare confusions must be seen too: the fourth root.
            level = round(255 * (1 - share**0.25)) if share else 255
            pen.rectangle((x, y, x + cell, y + cell), fill=level, outline=225)
            if share and cell > 20:
                text = f"{100 * share:.1f}" if share < 0.995 else "100"
                pen.text((x + cell / 2, y + cell / 2), text, font=font, fill=255 if level < 130 else 0, anchor="mm")
    picture.save(path, optimize=True)


def taken_for_characters(read, wanted):
    """Of each kind of spoiled cell, the share read as a character."""
    return {
        kind: round(np.mean([got not in NO_CHARACTER for got, want in zip(read, wanted) if want == kind]).item(), 4)
        for kind in NO_CHARACTER
    }


def percent(share):
    return f"{100 * share:.2f} %"


def write_card(kind, results):
    """Replaces what stands between the card's marks by the measured numbers."""
    lines = ["| cells | n | right | small as large | taken for no character |", "|---|---|---|---|---|"]
    for name, result in results.items():
        if name not in ("no character", "all degraded"):
            folded = percent(result["right_small_as_large"]) if kind == "katakana" else "–"
            lines.append(f"| {name} | {result['cells']} | {percent(result['right'])} | {folded} | {percent(result['taken_for_no_character'])} |")
    together = results["all degraded"]
    lines += ["", "Per class, all degraded sets together: " + ", ".join(f"{name} {100 * right:.1f}" for name, right in together["per_class"].items() if name not in NO_CHARACTER) + "."]
    lines += ["", "Most frequent confusions there: " + ", ".join(f"{pair} ({times})" for pair, times in together["confusions"].items()) + "."]
    lines += ["", f"Cells with no single character ({results['no character']['cells']}, made of the held-out characters), by what the model takes them for:"]
    lines += ["", "| cell | named rightly | taken for a character |", "|---|---|---|"]
    spoiled = results["no character"]
    lines += [f"| {name} | {percent(spoiled['per_class'][name])} | {percent(spoiled['taken_for_characters'][name])} |" for name in NO_CHARACTER]
    replace(MODELS / f"{kind}.md", "measured", lines)


def replace(path, mark, lines):
    """Puts lines in place of what stands between a card's marks."""
    before, rest = path.read_text().split(f"<!-- {mark} -->\n")
    _, after = rest.split(f"<!-- /{mark} -->\n")
    path.write_text(f"{before}<!-- {mark} -->\n\n" + "\n".join(lines) + f"\n\n<!-- /{mark} -->\n{after}")


def test_fonts():
    fonts = material.DEBIAN_HELD_OUT | {"yomogi": material.package_fonts("test")[0]}
    assert all(material.held_out(path) for path in fonts.values())
    return fonts


def measured(kind):
    """All results of one model; writes its card and its confusion matrix."""
    classes, random, model = CLASSES[kind], np.random.default_rng(SEED), Model(kind)
    results, degraded_pairs = {}, []
    characters = [name for name in classes if name not in NO_CHARACTER]

    def measure(name, cells, wanted):
        read = model.read(cells)
        result = results[name] = count(read, wanted, classes)
        worst = ", ".join(f"{pair} ({times})" for pair, times in list(result["confusions"].items())[:6])
        print(f"{kind:9} {name:22} {result['cells']:6} cells  {result['right']:.4f}  small as large {result['right_small_as_large']:.4f}  {worst}", flush=True)
        return list(zip(read, wanted))

    inks, names = [], []
    if kind == "digits":
        images, labels = material.mnist("t10k")
        inks, names = [material.centred(image) for image in images], [str(label) for label in labels]
        measure("MNIST test, clean", clean(np.stack(inks)), names)
        degraded_pairs += measure("MNIST test, degraded", degraded(np.stack(inks), random), names)
    for font, path in test_fonts().items():
        some, wanted = font_cells(path, characters, 1)
        measure(f"{font}, clean", clean(some), wanted)
        inks, names = inks + list(some), names + wanted
        some, wanted = font_cells(path, characters, COPIES[kind])
        degraded_pairs += measure(f"{font}, degraded", degraded(some, random), wanted)
    results["all degraded"] = count(*zip(*degraded_pairs), classes)
    cells, wanted = spoiled_cells(np.stack(inks), names, classes, random)
    spoiled_pairs = measure("no character", cells, wanted)
    results["no character"]["taken_for_characters"] = taken_for_characters(*zip(*spoiled_pairs))
    print(f"{kind:9} taken for characters  {results['no character']['taken_for_characters']}", flush=True)
    draw_confusions(degraded_pairs + spoiled_pairs, classes, MODELS / f"{kind}.png")
    write_card(kind, results)
    return results


def surest(scores, right, rate):
    """The largest share of numbers, surest first, among which at most this rate is wrong."""
    wrong = np.cumsum(~right[np.argsort(-scores)])
    allowed = np.flatnonzero(wrong <= rate * np.arange(1, len(wrong) + 1))
    return (allowed.max() + 1) / len(wrong) if len(allowed) else 0.0


def compare_networks():
    """How each network of digits and their committee read digits that training kept back, one by one and in numbers
    of seven; writes the table of the digits' card."""
    networks = {name: Model("digits", material.BUILD / f"{name}.onnx") for name in ("middle", "narrow")} | {"both (shipped)": Model("digits")}
    images, labels = (np.delete(part, MISLABELLED, 0) for part in samples.Sources("digits", "watch").mnist)
    random = np.random.default_rng(SEED)
    inks = np.repeat(np.stack([material.centred(image) for image in images]), KEPT_BACK_COPIES, 0)
    read = [(tile, label) for tile, label in zip(map(tile_of, degraded(inks, random)), np.repeat(labels, KEPT_BACK_COPIES)) if tile is not None]
    tiles, labels = (np.array(part) for part in zip(*read))
    numbers = random.permutation(np.repeat(np.arange(len(labels)), DRAWN))[: len(labels) * DRAWN // NUMBER * NUMBER].reshape(-1, NUMBER)

    def column(model):
        logits = model.logits(tiles).astype(np.float64)
        posterior = np.exp(logits - logits.max(1, keepdims=True))
        posterior /= posterior.sum(1, keepdims=True)
        # Classes 0 to 9 come first.
        digits, best = posterior[:, :10], posterior.argmax(1)
        if_digit, right = (digits / digits.sum(1, keepdims=True)).max(1), (digits.argmax(1) == labels)[numbers].all(1)
        shares = [
            surest(np.log(np.maximum(score, 1e-12))[numbers].sum(1), right, rate)
            for score in (digits.max(1), if_digit)
            for rate in (1 / 1000, 1 / 2000)
        ]
        return [
            percent((best == labels).mean()),
            str(((best != labels) & (best < 10)).sum()),
            *(f"{100 * share:.0f} %" for share in shares),
        ]

    columns = [column(model) for model in networks.values()]
    names = [
        "digits read rightly",
        f"of {len(labels):,} digits taken for another one",
        "the surest numbers among which one in 1,000 is wrong",
        "the same, one in 2,000",
        "sure meaning: of a digit, if it is one; one in 1,000",
        "the same, one in 2,000",
    ]
    rows = [f"| {' | '.join(row)} |" for row in zip(names, *columns)]
    replace(MODELS / "digits.md", "networks", [f"| | {' | '.join(networks)} |", "|" + "---|" * (len(networks) + 1), *rows])


def main():
    test_fonts()
    with ProcessPoolExecutor(2) as processes:
        results = dict(zip(CLASSES, processes.map(measured, CLASSES)))
    (MODELS / "accuracy.json").write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")
    compare_networks()


if __name__ == "__main__":
    main()
