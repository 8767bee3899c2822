"""python -m unittest: the ETL loader, the skeletons, what is held out, and what is no character.
Needs the fonts and packages that `run` installs."""

import tempfile
import unittest
from pathlib import Path

import numpy as np

import augment
import etl
import material
import samples
import skeletons
from alphabet import BLANK, CLASSES, NO_CHARACTER


def etl_record(code, pixels):
    """An M-type record of one character: uint8 [63, 64] of 0..15."""
    record = bytearray(etl.RECORD)
    record[etl.CODE] = code
    record[etl.PICTURE : etl.PICTURE + etl.PICTURE_BYTES] = (pixels[:, ::2] << 4 | pixels[:, 1::2]).tobytes()
    return bytes(record)


class Etl(unittest.TestCase):
    def setUp(self):
        self.pixels = np.ones((63, 64), np.uint8)
        self.pixels[10:50, 31] = 13

    def test_a_record_gives_its_character_and_pixels_in_order(self):
        [(ink, character)] = etl.records(etl_record(0xB1, self.pixels))
        self.assertEqual(character, "ア")
        np.testing.assert_allclose(ink * 15, self.pixels)

    def test_codes_of_jis_x_0201(self):
        codes = {0x30: "0", 0x39: "9", 0xA6: "ヲ", 0xB0: "ー", 0xC2: "ツ", 0xDD: "ン", 0xDF: "゜", 0x00: None, 0xF0: None}
        self.assertEqual({code: etl.character_of(code) for code in codes}, codes)

    def test_a_folder_gives_the_characters_of_its_files_with_white_paper(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "ETL1C_07").write_bytes(etl_record(0xBF, self.pixels) + etl_record(0x37, self.pixels) + b"cut short")
            Path(folder, "ETL2C_01").write_bytes(etl_record(0xBF, self.pixels))
            found = etl.characters(folder)
        self.assertEqual([character for _, character in found], ["ソ", "7"])
        self.assertEqual(found[0][0][0, 0], 0.0)
        self.assertGreater(found[0][0][30, 31], 0.9)

    def test_a_folder_without_them_is_refused(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(SystemExit):
            etl.characters(folder)


class Skeletons(unittest.TestCase):
    def test_every_character_is_drawn_inside_its_cell(self):
        random = np.random.default_rng(1)
        for kind, classes in CLASSES.items():
            for character in classes:
                if character not in NO_CHARACTER:
                    ink = material.skeleton(character, random)
                    self.assertGreater(ink.max(), 0.9, f"{kind} {character}")
                    self.assertGreater(ink[2:-2, 2:-2].sum(), 0.95 * ink.sum(), f"{kind} {character}")

    def test_variants_that_are_mixed_run_the_same_way(self):
        for character, variants in (skeletons.DIGITS | skeletons.KATAKANA).items():
            for one in map(skeletons.parsed, variants):
                for other in map(skeletons.parsed, variants):
                    if skeletons.build(one) == skeletons.build(other):
                        apart = [np.hypot(*(a - b).T).max() for runs in zip(one, other) for a, b in zip(*runs)]
                        self.assertLess(max(apart), 45, f"{character}: {one} and {other}")

    def test_a_writer_is_repeated_by_the_seed(self):
        first, second = (skeletons.draw("シ", "゛", np.random.default_rng(5)) for _ in range(2))
        np.testing.assert_array_equal(first, second)


class HeldOut(unittest.TestCase):
    def test_fonts_for_testing_are_known_by_the_names_they_bear(self):
        for path in [*material.DEBIAN_HELD_OUT.values(), *material.package_fonts("test")]:
            with tempfile.TemporaryDirectory() as folder:
                renamed = Path(folder, "font.ttf")
                renamed.write_bytes(Path(path).read_bytes())
                self.assertTrue(material.held_out(renamed), path)

    def test_no_font_is_trained_on_that_is_watched_or_held_out(self):
        trained, watched = set(material.fonts("train")), set(material.fonts("watch"))
        self.assertFalse(trained & watched)
        self.assertFalse(any(map(material.held_out, trained | watched)))


class NoCharacter(unittest.TestCase):
    def test_a_character_nearly_over_itself_is_not_overwritten(self):
        ink = material.skeleton("タ", np.random.default_rng(2))
        self.assertIsNone(augment.overwritten(np.random.default_rng(3), ink, ink))

    def test_spoiled_cells_are_labelled_and_the_others_left(self):
        random, classes = np.random.default_rng(4), CLASSES["katakana"]
        labels = random.integers(0, len(classes) - len(NO_CHARACTER), 256)
        ink = np.stack([material.skeleton(classes[label], random) for label in labels])
        spoiled, after = samples.spoiled(random, ink.copy(), labels.copy(), classes)
        kept = after == labels
        np.testing.assert_array_equal(spoiled[kept], ink[kept])
        self.assertLessEqual({classes[label] for label in after[~kept]}, set(NO_CHARACTER))
        self.assertIn(BLANK, {classes[label] for label in after[~kept]})


if __name__ == "__main__":
    unittest.main()
