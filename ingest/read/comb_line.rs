//! The written cells of a comb set side by side as one line, for a reader that was made for lines;
//! and what that reader says of each cell.
//!
//! The characters are set as closely as people write them, without their boxes: that is what the
//! line model knows, and half the width, which is half the time.

use std::ops::Range;

use image::{GrayImage, Luma};
use unicode_normalization::UnicodeNormalization;

use super::alphabet::Alphabet;
use super::comb::Cell;
use super::ctc::Posteriors;
use super::line_model::LineAlphabet;
use super::{CellState, CharacterReading, box_lines, fuse};

/// Between two characters, and above and below all of them, as a share of the box's height.
const GAP_SHARE: f64 = 0.14;

/// Darker than the paper by this many gray levels is ink.
const DARKER: u8 = 48;

/// Posterior mass below this is no reading.
const LEAST_MASS: f64 = 1e-6;

/// A step of the line model that says one character with at least this posterior has seen one.
const SEEN: f64 = 0.5;

/// Characters with their posteriors.
type Named = Vec<(String, f64)>;

/// A comb as a line.
pub(super) struct CombLine {
    pub gray: GrayImage,
    slots: Vec<Slot>,
}

/// One character of the line.
struct Slot {
    /// Its cell, and the cell behind it that holds nothing but its sound mark.
    cell: usize,
    mark: Option<usize>,
    /// Its part of the line's width, 0 to 1.
    part: Range<f64>,
}

/// Where ink is in a picture: columns and rows.
struct Inked {
    columns: Range<u32>,
    rows: Range<u32>,
}

impl CombLine {
    /// None where nothing is written. `is_mark` tells which cells hold a sound mark alone, which
    /// stays close to the character before it.
    pub fn of(cells: &[Option<Cell>], is_mark: impl Fn(usize) -> bool) -> Option<Self> {
        let written: Vec<(usize, &Cell, Inked)> = cells
            .iter()
            .enumerate()
            .filter_map(|(index, cell)| {
                let cell = cell.as_ref()?;
                Some((index, cell, Inked::of(&cell.gray)?))
            })
            .collect();
        // Rows are counted from the middle of the box, which all cells share.
        let from_middle = |cell: &Cell, row: u32| i64::from(row) - i64::from(cell.gray.height() / 2);
        let top = written.iter().map(|(_, cell, ink)| from_middle(cell, ink.rows.start)).min()?;
        let bottom = written.iter().map(|(_, cell, ink)| from_middle(cell, ink.rows.end)).max()?;
        let height = written.iter().map(|(_, cell, _)| cell.gray.height()).min()?;
        let gap = ((f64::from(height) * GAP_SHARE).round() as i64).max(2);

        let mut slots: Vec<(usize, Option<usize>, i64, i64)> = Vec::new();
        let mut places: Vec<i64> = Vec::new();
        let mut x = gap;
        for (index, _, ink) in &written {
            let width = i64::from(ink.columns.end - ink.columns.start);
            match slots.last_mut() {
                Some((_, mark @ None, _, end)) if is_mark(*index) => {
                    x -= gap - gap / 4;
                    *mark = Some(*index);
                    *end = x + width;
                }
                _ => slots.push((*index, None, x, x + width)),
            }
            places.push(x);
            x += width + gap;
        }
        let paper = written.first().map(|(_, cell, _)| box_lines::median(&cell.gray))?;
        let mut gray = GrayImage::from_pixel(x as u32, (bottom - top + 2 * gap) as u32, Luma([paper]));
        for ((_, cell, ink), &left) in written.iter().zip(&places) {
            for y in ink.rows.clone() {
                let row = from_middle(cell, y) - top + gap;
                for x in ink.columns.clone() {
                    let column = left + i64::from(x - ink.columns.start);
                    gray.put_pixel(column as u32, row as u32, *cell.gray.get_pixel(x, y));
                }
            }
        }
        let width = x as f64;
        let edges: Vec<f64> =
            slots.windows(2).map(|pair| (pair[0].3 + pair[1].2) as f64 / 2.0 / width).collect();
        let starts = std::iter::once(0.0).chain(edges.iter().copied());
        let ends = edges.iter().copied().chain(std::iter::once(1.0));
        let slots = slots
            .iter()
            .zip(starts.zip(ends))
            .map(|(&(cell, mark, _, _), (start, end))| Slot { cell, mark, part: start..end })
            .collect();
        Some(Self { gray, slots })
    }

    /// What the line model says of each of `count` cells; none where nothing is written. Two digits
    /// seen in one cell are its state: [`CellState::Several`].
    pub fn readings(
        &self,
        posteriors: &Posteriors<'_>,
        alphabet: &LineAlphabet,
        count: usize,
    ) -> Vec<Option<CharacterReading>> {
        let mut readings = vec![None; count];
        let seen: Vec<usize> =
            self.slots.iter().map(|slot| characters_seen(&slot.part, posteriors, alphabet)).collect();
        for (index, slot) in self.slots.iter().enumerate() {
            let named = slot_posteriors(&slot.part, posteriors, alphabet);
            let Some(mark) = slot.mark else {
                // Next to a cell where none is seen, one of the two is that cell's. Kana fall into
                // parts that are kana.
                let beside = [index.checked_sub(1), Some(index + 1)].into_iter().flatten();
                let of_others = beside.filter_map(|index| seen.get(index)).any(|&seen| seen == 0);
                let several = alphabet.alphabet == Alphabet::Digits && seen[index] > 1 && !of_others;
                let state = if several { CellState::Several } else { CellState::Written };
                readings[slot.cell] = Some(fuse::ranked(named, state));
                continue;
            };
            // The character and its mark are one to the line model, and two cells here.
            let (mut bases, mut marks) = (Named::new(), Named::new());
            for (name, posterior) in named {
                let mut parts = name.nfd();
                bases.extend(parts.next().map(|base| (base.to_string(), posterior)));
                marks.extend(parts.next().map(|mark| {
                    let standing = if mark == '\u{3099}' { "゛" } else { "゜" };
                    (standing.to_owned(), posterior)
                }));
            }
            readings[slot.cell] = Some(reading(summed(bases)));
            readings[mark] = Some(reading(summed(marks)));
        }
        readings
    }
}

impl Inked {
    fn of(gray: &GrayImage) -> Option<Self> {
        let limit = box_lines::median(gray).saturating_sub(DARKER);
        let dark = gray.enumerate_pixels().filter(|(_, _, level)| level.0[0] < limit);
        let bounds = dark
            .map(|(x, y, _)| (x, y, x + 1, y + 1))
            .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)))?;
        // A blurred edge is ink as well.
        let (left, top) = (bounds.0.saturating_sub(1), bounds.1.saturating_sub(1));
        let (right, bottom) = ((bounds.2 + 1).min(gray.width()), (bounds.3 + 1).min(gray.height()));
        Some(Self { columns: left..right, rows: top..bottom })
    }
}

/// The posterior that a part of the line holds each character of the alphabet: what the steps there
/// say beside the blank, as far as they say anything, and no preference for the rest.
fn slot_posteriors(part: &Range<f64>, posteriors: &Posteriors<'_>, alphabet: &LineAlphabet) -> Named {
    let mut sums = vec![0.0; alphabet.names.len()];
    let mut ln_blank = 0.0;
    for step in posteriors.steps_in(part) {
        let row = posteriors.step(step);
        let mut own = vec![0.0; sums.len()];
        for &(class, name) in &alphabet.classes {
            own[name] += f64::from(row[class]);
        }
        let blank = f64::from(row[0]);
        let total = own.iter().sum::<f64>() + blank;
        if total < LEAST_MASS {
            continue;
        }
        own.iter().zip(&mut sums).for_each(|(own, sum)| *sum += own / total);
        ln_blank += (blank / total).max(1e-9).ln();
    }
    let total: f64 = sums.iter().sum();
    let said = 1.0 - ln_blank.exp();
    let even = (1.0 - said) / sums.len() as f64;
    let posterior = |sum: f64| if total > 0.0 { said * sum / total + even } else { even };
    alphabet.names.iter().zip(sums).map(|(name, sum)| (name.to_string(), posterior(sum))).collect()
}

/// How many characters the steps in a part of the line see, one after another.
fn characters_seen(part: &Range<f64>, posteriors: &Posteriors<'_>, alphabet: &LineAlphabet) -> usize {
    let mut before = None;
    let mut seen = 0;
    for step in posteriors.steps_in(part) {
        let row = posteriors.step(step);
        let mut own = vec![0.0; alphabet.names.len()];
        alphabet.classes.iter().for_each(|&(class, name)| own[name] += f64::from(row[class]));
        let now = own.iter().position(|&posterior| posterior >= SEEN);
        seen += usize::from(now.is_some() && now != before);
        before = now;
    }
    seen
}

fn summed(named: Named) -> Named {
    let mut sums = Named::new();
    for (name, posterior) in named {
        match sums.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += posterior,
            None => sums.push((name, posterior)),
        }
    }
    sums
}

fn reading(named: Named) -> CharacterReading {
    fuse::ranked(named, CellState::Written)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::read::tile::Tile;

    /// A box with an upright stroke in its middle.
    fn cell() -> Option<Cell> {
        let gray = GrayImage::from_fn(60, 70, |x, y| {
            Luma([if (26..34).contains(&x) && (15..55).contains(&y) { 30 } else { 240 }])
        });
        let tile = Tile::of(&gray)?;
        Some(Cell { gray, tile, side_by_side: false, astray: false })
    }

    /// What is read where at each step the line model says one class, and a little of each other.
    fn read(line: &CombLine, names: &[char], steps: &[usize], count: usize) -> Vec<String> {
        let readings = readings(line, names, steps, count);
        readings
            .into_iter()
            .map(|reading| reading.map_or_else(String::new, |reading| reading.value))
            .collect()
    }

    fn readings(
        line: &CombLine,
        names: &[char],
        steps: &[usize],
        count: usize,
    ) -> Vec<Option<CharacterReading>> {
        let index: HashMap<char, usize> = names.iter().copied().zip(1..).collect();
        let row = |said: usize| (0..4).map(move |class| if class == said { 0.97 } else { 0.01 });
        let rows: Vec<f32> = steps.iter().flat_map(|&said| row(said)).collect();
        let posteriors = Posteriors::new(rows, 4, &index, 1.0);
        let alphabet = LineAlphabet {
            alphabet: if names[0].is_ascii_digit() { Alphabet::Digits } else { Alphabet::Kana },
            names: names.to_vec(),
            classes: (1..=names.len()).map(|class| (class, class - 1)).collect(),
        };
        line.readings(&posteriors, &alphabet, count)
    }

    #[test]
    fn each_cell_gets_what_is_said_of_its_part_of_the_line() {
        let cells = [cell(), None, cell(), cell()];
        let line = CombLine::of(&cells, |_| false).expect("written");
        // Closer than in their boxes.
        assert!(line.gray.width() < 90 && line.gray.height() < 70, "{:?}", line.gray.dimensions());
        assert_eq!(read(&line, &['ア', 'イ', 'ウ'], &[0, 1, 0, 0, 2, 0, 0, 3, 0], 4), ["ア", "", "イ", "ウ"]);
    }

    #[test]
    fn a_mark_in_a_cell_of_its_own_is_read_with_its_kana() {
        let cells = [cell(), cell(), cell()];
        let line = CombLine::of(&cells, |cell| cell == 1).expect("written");
        assert_eq!(read(&line, &['タ', 'ダ', 'ロ'], &[0, 2, 2, 0, 0, 3, 0], 3), ["タ", "゛", "ロ"]);
    }

    #[test]
    fn two_digits_in_a_cell_are_several_unless_one_is_of_the_cell_beside() {
        let line = CombLine::of(&[cell(), cell(), cell()], |_| false).expect("written");
        let several = |steps: &[usize]| -> Vec<bool> {
            let readings = readings(&line, &['1', '2', '3'], steps, 3);
            readings.into_iter().flatten().map(|reading| reading.state == CellState::Several).collect()
        };
        assert_eq!(several(&[0, 1, 0, 3, 0, 2, 0, 3, 0]), [false, true, false]);
        assert_eq!(several(&[0, 1, 0, 3, 0, 2, 0, 0, 0]), [false, false, false]);
        assert_eq!(several(&[0, 1, 0, 2, 2, 2, 0, 3, 0]), [false, false, false]);
    }

    #[test]
    fn where_nothing_is_said_nothing_is_preferred() {
        let line = CombLine::of(&[cell()], |_| false).expect("written");
        let index = HashMap::from([('1', 1)]);
        let posteriors = Posteriors::new(vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], 4, &index, 1.0);
        let alphabet =
            LineAlphabet { alphabet: Alphabet::Digits, names: vec!['1', '2'], classes: vec![(1, 0), (2, 1)] };
        let readings = line.readings(&posteriors, &alphabet, 1);
        assert!((readings[0].as_ref().expect("a cell").confidence - 0.5).abs() < 1e-6);
        assert!(CombLine::of(&[None, None], |_| false).is_none());
    }
}
