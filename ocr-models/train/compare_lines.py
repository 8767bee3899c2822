"""How much does lines.onnx lose against PP-OCRv6 small, and how much faster is it? Both read the same
made-up lines, of another seed than those that the integers' steps were chosen on, but in the same fonts:
what counts is in ../../docs/accuracy.md. Prints the table of ../lines.md.

With --save, the posteriors of the last model go into a file, and --against says how far they are from those of
another run, on another processor, say."""

import argparse
import time
import unicodedata
from pathlib import Path

import numpy as np
import onnxruntime

import lines
from alphabet import SMALL
from quantize import SOURCE, TARGET

SEED = 777
# Told apart by what stands beside them, if at all.
ALIKE = str.maketrans({**SMALL, "ヮ": "ワ", "-": "ー", "一": "ー", "ニ": "二", "ロ": "口", "カ": "力"})


def plain(text):
    return unicodedata.normalize("NFKC", text).replace(" ", "").translate(ALIKE)


def edits(read, written):
    """Characters to insert, remove or replace."""
    before = list(range(len(written) + 1))
    for place, character in enumerate(read, start=1):
        row = [place]
        for other, expected in enumerate(written):
            row.append(min(before[other + 1] + 1, row[other] + 1, before[other] + (character != expected)))
        before = row
    return before[-1]


class Reader:
    def __init__(self, path, keeps):
        self.keeps = keeps
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        dictionary = self.session.get_modelmeta().custom_metadata_map["character"].split("\n")
        self.characters = ["", *dictionary, " "]
        self.milliseconds, self.posteriors = [], []

    def read(self, picture):
        begun = time.perf_counter()
        (posteriors,), = self.session.run(None, {self.session.get_inputs()[0].name: picture})
        self.milliseconds.append(1e3 * (time.perf_counter() - begun))
        if self.keeps:
            self.posteriors.append(posteriors)
        steps = posteriors.argmax(axis=1)
        runs = steps[np.insert(np.diff(steps) != 0, 0, True)]
        return plain("".join(self.characters[step] for step in runs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1200)
    parser.add_argument("--save", type=Path, metavar="FILE.npz")
    parser.add_argument("--against", type=Path, metavar="FILE.npz")
    parser.add_argument("models", nargs="*", type=Path, default=[SOURCE, TARGET])
    arguments = parser.parse_args()
    text, random, written = lines.texts(), np.random.default_rng(SEED), []

    def noted(source):
        chosen = text(source)
        written.append(plain(str(chosen[0])))
        return chosen

    pictures = []
    for _ in range(arguments.lines):
        # A text that a font does not have is drawn again.
        written.clear()
        pictures.append((lines.line(random, noted), written[-1]))
    keeps = bool(arguments.save or arguments.against)
    readers = {model.name: Reader(model, keeps) for model in arguments.models}
    print("| model | lines exact | characters wrong | ms a line, median, one thread |\n|---|---|---|---|")
    read = {name: [(reader.read(picture), truth) for picture, truth in pictures] for name, reader in readers.items()}
    for name, pairs in read.items():
        exact = sum(found == truth for found, truth in pairs)
        wrong = sum(edits(found, truth) for found, truth in pairs) / sum(len(truth) for _, truth in pairs)
        median = np.median(readers[name].milliseconds)
        print(f"| {name} | {exact} of {len(pairs)} | {100 * wrong:.1f} % | {median:.1f} |")
    posteriors = readers[arguments.models[-1].name].posteriors
    if arguments.save:
        np.savez(arguments.save, *posteriors)
    if arguments.against:
        others = np.load(arguments.against).values()
        print(f"farthest apart: {max(np.abs(one - other).max() for one, other in zip(posteriors, others, strict=True)):.1e}")


if __name__ == "__main__":
    main()
