"""Measures the shipped models on what they were never trained on: MNIST's test digits and the fonts
held out, clean and degraded as scans are. Prints a summary, writes ../accuracy.json.

Katakana are counted twice: as they are, and with small kana taken for large, as they are published.
"""

import argparse
import collections
import json
import tarfile
from pathlib import Path

import numpy as np
import onnxruntime
from fontTools.ttLib import TTFont

import augment
import material
from alphabet import BLANK, CLASSES, OTHER, SMALL
from tile import SIDE, tile_of

SEED = 77_000
COPIES = 20


def yomogi(archive):
    """The held-out font's Latin and Japanese parts as TrueType files beside the archive."""
    paths = []
    with tarfile.open(archive) as files:
        for part in ("latin", "japanese"):
            target = Path(archive).with_name(f"yomogi-{part}.ttf")
            if not target.exists():
                with files.extractfile(f"package/files/yomogi-{part}-400-normal.woff") as source:
                    font = TTFont(source)
                    font.flavor = None
                    font.save(target)
            paths.append(target)
    return paths


class Model:
    def __init__(self, kind):
        self.classes = CLASSES[kind]
        path = Path(__file__).parent.parent / f"{kind}.onnx"
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert self.session.get_modelmeta().custom_metadata_map["classes"].split("\t") == self.classes

    def read(self, cells):
        """The best class of each gray cell, blank and other left out of the choice as the field's
        alphabet does, but with 'blank' where there is no ink."""
        tiles = [tile_of(cell) for cell in cells]
        batch = np.stack([np.zeros((SIDE, SIDE)) if tile is None else tile for tile in tiles])
        logits = np.concatenate(
            [self.session.run(None, {"tiles": part[:, None].astype(np.float32)})[0] for part in np.array_split(batch, max(1, len(batch) // 500))]
        )
        best = [self.classes[index] for index in logits.argmax(1)]
        return [BLANK if tile is None else name for tile, name in zip(tiles, best)]


def clean(inks):
    return np.clip(np.round(245 - inks * 205), 0, 255).astype(np.uint8)


def degraded(inks, random):
    ink = augment.written(random, inks, np.ones(len(inks), bool), np.zeros(len(inks), bool))
    return augment.scanned(random, augment.with_remnants(random, augment.with_pen(random, ink)))


def count(model, cells, wanted):
    """Accuracy, per class, and the most frequent confusions."""
    read = model.read(cells)
    right, total, confusions = collections.Counter(), collections.Counter(), collections.Counter()
    folded = 0
    for got, want in zip(read, wanted):
        total[want] += 1
        if got == want:
            right[want] += 1
        else:
            confusions[f"{want} read as {got}"] += 1
        folded += SMALL.get(got, got) == SMALL.get(want, want)
    return {
        "cells": len(wanted),
        "right": round(sum(right.values()) / len(wanted), 4),
        "right_small_as_large": round(folded / len(wanted), 4),
        "per_class": {name: round(right[name] / total[name], 4) for name in model.classes if total[name]},
        "confusions": dict(confusions.most_common(12)),
    }


def font_cells(paths, characters, copies):
    inks, wanted = [], []
    for character in characters:
        glyphs = [material.glyph(path, character) for path in paths]
        glyph = next((glyph for glyph in glyphs if glyph is not None), None)
        if glyph is not None:
            inks += [glyph] * copies
            wanted += [character] * copies
    return np.stack(inks), wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--yomogi", required=True, help="the npm package fontsource-yomogi-5.3.0.tgz")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    fonts = {name: [path] for name, path in material.HELD_OUT.items()} | {"yomogi": yomogi(options.yomogi)}
    random = np.random.default_rng(SEED)
    results = {}
    for kind in CLASSES:
        model = Model(kind)
        results[kind] = {}
        characters = [name for name in model.classes if name not in (BLANK, OTHER)]
        if kind == "digits":
            images, labels = material.mnist(options.mnist, "t10k")
            inks, wanted = np.stack([material.centred(image) for image in images]), [str(label) for label in labels]
            results[kind]["mnist test, clean"] = count(model, clean(inks), wanted)
            results[kind]["mnist test, degraded"] = count(model, degraded(inks, random), wanted)
        for name, paths in fonts.items():
            inks, wanted = font_cells(paths, characters, 1)
            results[kind][f"{name}, clean"] = count(model, clean(inks), wanted)
            inks, wanted = font_cells(paths, characters, COPIES * (5 if kind == "digits" else 1))
            results[kind][f"{name}, degraded"] = count(model, degraded(inks, random), wanted)
        for name, result in results[kind].items():
            worst = ", ".join(f"{pair} ({times})" for pair, times in list(result["confusions"].items())[:6])
            print(f"{kind:9} {name:22} {result['cells']:6} cells  {result['right']:.4f}  small as large {result['right_small_as_large']:.4f}  {worst}")
    Path(options.out).write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
