"""The classes of each model, in the order of its outputs."""

DIGITS = list("0123456789")

BASE_KANA = list("アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン")
VOICED = dict(zip("ガギグゲゴザジズゼゾダヂヅデドバビブベボヴ", "カキクケコサシスセソタチツテトハヒフヘホウ"))
HALF_VOICED = dict(zip("パピプペポ", "ハヒフヘホ"))
SMALL = dict(zip("ァィゥェォャュョッ", "アイウエオヤユヨツ"))
MARKS = list("ー・().-゛゜")

# What is no single character: a cell with nothing but remnants (of lines, specks, show-through, a
# seal, a neighbour's stroke); writing struck out; a character written over another; two side by side.
BLANK = "blank"
STRUCK_OUT = "struck_out"
OVERWRITTEN = "overwritten"
SEVERAL = "several"
NO_CHARACTER = [BLANK, STRUCK_OUT, OVERWRITTEN, SEVERAL]

CLASSES = {
    "digits": [*DIGITS, *NO_CHARACTER],
    "katakana": [*BASE_KANA, *VOICED, *HALF_VOICED, *SMALL, *MARKS, *NO_CHARACTER],
}
