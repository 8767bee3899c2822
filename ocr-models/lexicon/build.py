#!/usr/bin/env python3
"""Writes names.tsv out of the PyPI wheel japanese-personal-name-dataset 0.4.0 (MIT): how family and
given names are written in kana, and how frequent they are.

    pip download --no-deps japanese-personal-name-dataset==0.4.0
    ocr-models/lexicon/build.py japanese_personal_name_dataset-0.4.0-py3-none-any.whl

Columns: the name in Zengin kana (large, sound marks as characters of their own), how many persons
have it as their family name (1,999 most frequent names), in how many ways in kanji it is written as
a given name (of men and women together; no counts of persons are known).
"""

import collections
import csv
import hashlib
import io
import sys
import unicodedata
import zipfile
from pathlib import Path

SHA256 = "81e771871ef9c11510c9f28736b734e7d321f69e175cbc4f22064360c125db23"
LARGE = dict(zip("ァィゥェォッャュョヮヲヰヱ", "アイウエオツヤユヨワオイエ"))


def zengin(hiragana):
    katakana = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in hiragana)
    parts = unicodedata.normalize("NFD", "".join(LARGE.get(c, c) for c in katakana))
    half = "".join(HALF.get(c, "") for c in parts)
    return half if len(half) == len(parts) else None


HALF = {unicodedata.normalize("NFKC", chr(c)): chr(c) for c in range(0xFF71, 0xFF9E)}
HALF |= {"\u3099": "ﾞ", "\u309a": "ﾟ", "ー": "-"}


def main():
    wheel = Path(sys.argv[1]).read_bytes()
    if hashlib.sha256(wheel).hexdigest() != SHA256:
        sys.exit(f"{sys.argv[1]} is not japanese-personal-name-dataset 0.4.0: another SHA-256")
    names = collections.defaultdict(lambda: [0, 0])
    with zipfile.ZipFile(io.BytesIO(wheel)) as files:
        def rows(name):
            text = files.read(f"japanese_personal_name_dataset/dataset/{name}").decode()
            return csv.reader(io.StringIO(text))

        for _, persons, *readings in rows("last_name_org.csv"):
            for reading in readings[0::2]:
                names[zengin(reading)][0] += int(persons) // max(1, len(readings) // 2)
        for part in ("man", "woman"):
            for reading, _, *kanji in rows(f"first_name_{part}_org.csv"):
                names[zengin(reading)][1] += len(kanji)
    names.pop(None, None)
    target = Path(__file__).with_name("names.tsv")
    lines = (f"{name}\t{family}\t{given}\n" for name, (family, given) in sorted(names.items()) if name)
    target.write_text("".join(lines))
    print(f"{target}: {len(names)} names", file=sys.stderr)


if __name__ == "__main__":
    main()
