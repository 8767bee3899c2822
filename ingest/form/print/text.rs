//! Sets a text into its area: breaks it into lines where lines may be broken in Japanese, and
//! makes what comes from the register smaller until it fits.

use super::font::Font;
use crate::geometry::RectMm;

const POINTS_PER_MM: f64 = 72.0 / 25.4;
/// From one line to the next, of the size.
const LEADING: f64 = 1.4;
/// From the middle of a line down to its baseline, of the size: half of an em box that reaches
/// 0.88 above and 0.12 below the baseline.
const MIDDLE_TO_BASELINE: f64 = 0.38;
/// Data is never set smaller than this, in points; what is still too wide is condensed.
const SMALLEST: f64 = 5.0;
const STEP: f64 = 0.25;

/// Closing marks and small kana: never first on a line (行頭禁則).
const NOT_FIRST: &str = "、。，．）」』】〕・：；？！ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ,.)]";
/// Opening marks: never last on a line (行末禁則).
const NOT_LAST: &str = "（「『【〔([〒";

/// A text as it is drawn.
#[derive(Debug, PartialEq)]
pub(super) struct SetText {
    /// Points.
    pub size: f64,
    /// Horizontal scale, 1 as the font has it.
    pub scale: f64,
    pub lines: Vec<Line>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub characters: Vec<char>,
    /// Points, at the text's size and scale.
    pub width: f64,
    /// From the area's top to the baseline, in points.
    pub baseline: f64,
}

/// Sets `text` at `size` points into `area`. A text that does not fit is refused (none) unless it
/// may `shrink`; then it is always set.
pub(super) fn set(text: &str, font: &Font, size: f64, area: &RectMm, shrink: bool) -> Option<SetText> {
    let (width, height) = (area.w * POINTS_PER_MM, area.h * POINTS_PER_MM);
    let paragraphs: Vec<Vec<char>> = text.split('\n').map(|line| line.chars().collect()).collect();
    let mut size = size;
    loop {
        let room = ((height / size - 1.0) / LEADING).floor().max(0.0) as usize + 1;
        let broken = paragraphs.iter().map(|paragraph| break_lines(paragraph, font, width / size));
        let lines: Option<Vec<Vec<char>>> = broken.collect::<Option<Vec<_>>>().map(|parts| parts.concat());
        if let Some(lines) = lines.filter(|lines| lines.len() <= room) {
            return Some(place(lines, font, size, 1.0, height));
        }
        if !shrink {
            return None;
        }
        if size - STEP < SMALLEST {
            break;
        }
        size -= STEP;
    }
    let all: Vec<char> = paragraphs.concat();
    let scale = (width / (measure(&all, font) * size)).min(1.0);
    Some(place(vec![all], font, size, scale, height))
}

fn place(lines: Vec<Vec<char>>, font: &Font, size: f64, scale: f64, height: f64) -> SetText {
    let first = (height - (lines.len() as f64 - 1.0) * size * LEADING) / 2.0 + size * MIDDLE_TO_BASELINE;
    let lines = lines
        .into_iter()
        .enumerate()
        .map(|(index, characters)| Line {
            width: measure(&characters, font) * size * scale,
            baseline: first + index as f64 * size * LEADING,
            characters,
        })
        .collect();
    SetText { size, scale, lines }
}

/// Of the font's size.
fn measure(characters: &[char], font: &Font) -> f64 {
    characters.iter().map(|&character| font.glyph(character).width).sum()
}

/// Breaks a paragraph into lines of at most `width` (of the font's size); none where a part that
/// must not be broken is wider.
fn break_lines(paragraph: &[char], font: &Font, width: f64) -> Option<Vec<Vec<char>>> {
    // Sums of widths are rounded; a text as wide as its area fits.
    let width = width + 1e-6;
    let mut lines = Vec::new();
    let mut rest = paragraph;
    while measure(rest, font) > width {
        let mut used = 0.0;
        let fitting = rest
            .iter()
            .take_while(|character| {
                used += font.glyph(**character).width;
                used <= width
            })
            .count();
        let ends = || (1..=fitting).rev().filter(|&end| may_break(rest[end - 1], rest[end]));
        // Between words, where that leaves at least half a line.
        let at_space = |end: &usize| is_space(rest[end - 1]) || is_space(rest[*end]);
        let end = ends().take_while(|&end| end * 2 >= fitting).find(at_space).or_else(|| ends().next())?;
        lines.push(rest[..end].to_vec());
        rest = &rest[end..];
        while let Some((_, after)) = rest.split_first().filter(|(first, _)| is_space(**first)) {
            rest = after;
        }
    }
    lines.push(rest.to_vec());
    Some(lines)
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\u{3000}')
}

fn may_break(before: char, after: char) -> bool {
    let word = |character: char| character.is_ascii_graphic();
    !(NOT_FIRST.contains(after) || NOT_LAST.contains(before) || word(before) && word(after))
}
