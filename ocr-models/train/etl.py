"""Characters of the ETL character database (ETL1 and ETL6, http://etlcdb.db.aist.go.jp/), which may
be used but not passed on: nothing of it is shipped. An operator who has it points ETL at the folder.

Both are "M-type" files of records of 2,052 bytes: at offset 6 the character in JIS X 0201 (one
byte), at offset 32 the picture, 64 x 63 pixels of 4 bits, the left one in the high half, 15 is
ink; then 4 bytes unused.
"""

from pathlib import Path

import numpy as np

RECORD = 2052
CODE, PICTURE, PICTURE_BYTES = 6, 32, 2016
WIDTH, HEIGHT = 64, 63
# JIS X 0201 0xA5 to 0xDF.
KANA = dict(zip(range(0xA5, 0xE0), "・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜"))


def character_of(code):
    """The character of a JIS X 0201 code; the databases' kana have no small forms."""
    return KANA.get(code) or (chr(code) if 0x20 < code < 0x7F else None)


def records(content):
    """Character and ink (float32 [HEIGHT, WIDTH], 0..1) of each record that holds a character."""
    for start in range(0, len(content) - RECORD + 1, RECORD):
        record = content[start : start + RECORD]
        character = character_of(record[CODE])
        if character is None:
            continue
        halves = np.frombuffer(record, np.uint8, PICTURE_BYTES, PICTURE)
        pixels = np.stack([halves >> 4, halves & 15], 1).reshape(HEIGHT, WIDTH)
        yield np.ascontiguousarray(pixels, np.float32) / 15, character


def characters(folder):
    """Ink and character of every record in ETL1C_* and ETL6C_* below the folder; the ink's contrast is
    stretched, since the paper of these scans is not white."""
    found = []
    for path in sorted(Path(folder).rglob("ETL[16]C_*")):
        for pixels, character in records(path.read_bytes()):
            paper, dark = np.percentile(pixels, 60), pixels.max()
            if dark > paper:
                found.append((np.clip((pixels - paper - 0.1) / max(dark - paper - 0.1, 0.2), 0, 1), character))
    if not found:
        raise SystemExit(f"no ETL1C_* or ETL6C_* files with characters below {folder}")
    return found
