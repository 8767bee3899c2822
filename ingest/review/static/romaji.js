// Katakana as one types it: Latin letters become kana syllable by syllable, hiragana and half-width kana
// become full-width. A syllable that has only begun stays as it is.

const ROWS = {
  "": "アイウエオ", k: "カキクケコ", s: "サシスセソ", t: "タチツテト", n: "ナニヌネノ", h: "ハヒフヘホ",
  m: "マミムメモ", r: "ラリルレロ", g: "ガギグゲゴ", z: "ザジズゼゾ", d: "ダヂヅデド", b: "バビブベボ", p: "パピプペポ",
};
const SYLLABLES = new Map([
  ["ya", "ヤ"], ["yu", "ユ"], ["yo", "ヨ"], ["wa", "ワ"], ["wo", "ヲ"], ["wi", "ウィ"], ["we", "ウェ"],
  ["shi", "シ"], ["chi", "チ"], ["tsu", "ツ"], ["fu", "フ"], ["ji", "ジ"], ["vu", "ヴ"],
  ["fa", "ファ"], ["fi", "フィ"], ["fe", "フェ"], ["fo", "フォ"], ["va", "ヴァ"], ["vi", "ヴィ"], ["ve", "ヴェ"], ["vo", "ヴォ"],
  ["sha", "シャ"], ["shu", "シュ"], ["sho", "ショ"], ["she", "シェ"], ["cha", "チャ"], ["chu", "チュ"], ["cho", "チョ"],
  ["che", "チェ"], ["ja", "ジャ"], ["ju", "ジュ"], ["jo", "ジョ"], ["je", "ジェ"], ["thi", "ティ"], ["dhi", "ディ"],
  ["xa", "ァ"], ["xi", "ィ"], ["xu", "ゥ"], ["xe", "ェ"], ["xo", "ォ"], ["xtu", "ッ"], ["xya", "ャ"], ["xyu", "ュ"], ["xyo", "ョ"],
]);
for (const [consonant, kana] of Object.entries(ROWS)) {
  [..."aiueo"].forEach((vowel, place) => SYLLABLES.set(consonant + vowel, kana[place]));
}
for (const [consonant, kana] of Object.entries({
  k: "キ", s: "シ", t: "チ", n: "ニ", h: "ヒ", m: "ミ", r: "リ", g: "ギ", z: "ジ", b: "ビ", p: "ピ",
})) {
  [["a", "ャ"], ["u", "ュ"], ["o", "ョ"]].forEach(([vowel, small]) => SYLLABLES.set(`${consonant}y${vowel}`, kana + small));
}

const hiraganaToKatakana = (letter) =>
  /[ぁ-ゖ]/.test(letter) ? String.fromCharCode(letter.charCodeAt(0) + 0x60) : letter;

// How many letters of `rest` are which kana; none where a syllable has only begun.
function head(rest, finished) {
  const length = [4, 3, 2, 1].find((length) => SYLLABLES.has(rest.slice(0, length)));
  if (length) return [length, SYLLABLES.get(rest.slice(0, length))];
  if (rest.startsWith("n'")) return [2, "ン"];
  // annai as it is spelled, annnai as it is typed on keyboards.
  if (/^nn[aiueoy]/.test(rest)) return [1, "ン"];
  if (rest.startsWith("nn") && (finished || rest.length > 2)) return [2, "ン"];
  if (/^n[^aiueoyn]/.test(rest) || (finished && rest === "n")) return [1, "ン"];
  if (/^([bcdfghjkmprstwz])\1/.test(rest)) return [1, "ッ"];
  return [1, rest[0]];
}

// Capital letters stay: names of companies have them.
export function katakana(typed, finished = false) {
  // NFKC also joins half-width kana with their marks. A hyphen is the long vowel.
  let rest = [...typed.normalize("NFKC")].map(hiraganaToKatakana).join("").replaceAll("-", "ー");
  let kana = "";
  while (rest) {
    const [length, written] = head(rest, finished);
    kana += written;
    rest = rest.slice(length);
  }
  return kana;
}
