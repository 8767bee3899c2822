"""The classes of each model, in the order of its outputs."""

DIGITS = list("0123456789")

BASE_KANA = list("アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン")
VOICED = dict(zip("ガギグゲゴザジズゼゾダヂヅデドバビブベボヴ", "カキクケコサシスセソタチツテトハヒフヘホウ"))
HALF_VOICED = dict(zip("パピプペポ", "ハヒフヘホ"))
SMALL = dict(zip("ァィゥェォャュョッ", "アイウエオヤユヨツ"))
MARKS = list("ー・().-゛゜")

# A cell without writing (remnants of lines, specks, a neighbour's stroke), and one whose writing is
# no single character (struck out, scribbled over).
BLANK = "blank"
OTHER = "other"

CLASSES = {
    "digits": [*DIGITS, BLANK, OTHER],
    "katakana": [*BASE_KANA, *VOICED, *HALF_VOICED, *SMALL, *MARKS, BLANK, OTHER],
}
