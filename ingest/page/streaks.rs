//! Streaks: dust on a scanner's glass draws a line along the whole scan, in the direction of the
//! feed, which is a column of the raster however the page lies on it.

use std::borrow::Cow;

use image::{GrayImage, Luma};

/// Every so many rows are looked at.
const ROW_STEP: u32 = 8;

/// A streak is no broader than this, in pixels.
const MAX_BREADTH: u32 = 6;

/// How far beside a column the paper is looked at on either side.
const FLANK: u32 = MAX_BREADTH;

/// Darker than both sides by this many gray levels.
const DARKER: i32 = 8;

/// In this share of the rows. No line of a form runs along more than a third of its page.
const COVERAGE: f64 = 0.6;

/// A streak darker than this hides what lies below it; of a fainter one the ink can be told.
const OPAQUE: i32 = 110;

/// The page without streaks: what they took of the light is added again, and where they are opaque
/// the paper beside them is continued. The page itself where there are none.
pub fn without_streaks(gray: &GrayImage) -> Cow<'_, GrayImage> {
    let (width, height) = gray.dimensions();
    if width <= 2 * FLANK + 1 || height < 10 * ROW_STEP {
        return Cow::Borrowed(gray);
    }
    let streaks: Vec<(u32, i32)> =
        (FLANK..width - FLANK).zip(darkening(gray)).filter(|(_, by)| *by > 0).collect();
    let mut cleaned = Cow::Borrowed(gray);
    for run in streaks.chunk_by(|a, b| a.0 + 1 == b.0) {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        if last - first >= MAX_BREADTH {
            continue;
        }
        let page = cleaned.to_mut();
        for y in 0..height {
            let level = |x: u32| i32::from(gray.get_pixel(x, y).0[0]);
            let (left, right) = (level(first.saturating_sub(2)), level((last + 2).min(width - 1)));
            // The blurred edges of a streak are columns of it that are hardly darker.
            for x in first - 1..=last + 1 {
                let by = run.iter().find(|(column, _)| *column == x).map_or(0, |(_, by)| *by);
                let peak = run.iter().map(|(_, by)| *by).max().unwrap_or(0);
                let mended = match peak >= OPAQUE {
                    true => left.max(right),
                    false if by == 0 => continue,
                    false => level(x) + by,
                };
                page.put_pixel(x, y, Luma([mended.clamp(0, 255) as u8]));
            }
        }
    }
    cleaned
}

/// By how many levels each column from [`FLANK`] on is darker than what lies beside it, the median
/// over the rows; 0 for a column that is no streak.
fn darkening(gray: &GrayImage) -> Vec<i32> {
    let (width, height) = gray.dimensions();
    let levels: &[u8] = gray.as_raw();
    let rows: Vec<&[u8]> = levels.chunks_exact(width as usize).step_by(ROW_STEP as usize).collect();
    let flank = FLANK as usize;
    let below = |row: &[u8], x: usize| i32::from(row[x - flank].min(row[x + flank])) - i32::from(row[x]);
    // Counted row by row, as the raster lies in memory.
    let columns = width as usize - 2 * flank;
    let mut darker = vec![0u32; columns];
    for row in &rows {
        for (column, count) in darker.iter_mut().enumerate() {
            *count += u32::from(below(row, column + flank) >= DARKER);
        }
    }
    let enough = COVERAGE * f64::from(height / ROW_STEP);
    let median = |column: usize| {
        let mut depths: Vec<i32> = rows.iter().map(|row| below(row, column + flank)).collect();
        let middle = depths.len() / 2;
        let (_, &mut depth, _) = depths.select_nth_unstable(middle);
        depth
    };
    (0..columns)
        .map(|column| if f64::from(darker[column]) >= enough { median(column).max(0) } else { 0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(streak: i32) -> GrayImage {
        GrayImage::from_fn(200, 400, |x, y| {
            let written = (90..110).contains(&x) && (100..105).contains(&y);
            let ruled = x == 50 && y < 130;
            let level = if written || ruled { 40 } else { 230 };
            let level = if (99..102).contains(&x) { level - streak } else { level };
            Luma([level.clamp(0, 255) as u8])
        })
    }

    #[test]
    fn a_streak_goes_and_the_ink_below_it_stays() {
        let streaked = page(35);
        let cleaned = without_streaks(&streaked);
        assert_eq!(*cleaned, page(0));
    }

    #[test]
    fn an_opaque_streak_is_painted_over_and_strokes_across_it_are_continued() {
        let page = page(255);
        let cleaned = without_streaks(&page);
        assert_eq!(cleaned.get_pixel(100, 300).0, [230]);
        assert_eq!(cleaned.get_pixel(100, 102).0, [40]);
    }

    #[test]
    fn a_line_of_the_form_is_no_streak() {
        assert!(matches!(without_streaks(&page(0)), Cow::Borrowed(_)));
    }
}
