//! Fax compression of bilevel images: ITU-T T.4 (G3, one- and two-dimensional), T.6 (G4) and
//! TIFF's variant without line ends (compression 2). The code tables are the `fax` crate's; its
//! own decoders are not used, because they accept lines of the wrong length.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

use super::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// TIFF compression 2: one-dimensional, each line begins at a byte.
    ModifiedHuffman,
    /// T.4; `two_dimensional` where lines carry a tag bit.
    Group3 { two_dimensional: bool },
    /// T.6.
    Group4,
}

/// Decodes line after line.
pub(super) struct Decoder<'a> {
    bits: Bits<'a>,
    coding: Coding,
    width: u32,
    /// Where the line above changes colour: rising positions below `width`, the first to black.
    reference: Vec<u32>,
    current: Vec<u32>,
}

impl<'a> Decoder<'a> {
    /// `data` has its first pixel in the highest bit of the first byte (FillOrder 1).
    pub fn new(data: &'a [u8], coding: Coding, width: u32) -> Self {
        Self { bits: Bits { data, position: 0 }, coding, width, reference: Vec::new(), current: Vec::new() }
    }

    /// The next line, 1 for black, first pixel in the highest bit; `row` has `⌈width / 8⌉` bytes.
    pub fn line(&mut self, row: &mut [u8]) -> Result<(), Fault> {
        std::mem::swap(&mut self.reference, &mut self.current);
        self.current.clear();
        let two_dimensional = match self.coding {
            Coding::ModifiedHuffman => {
                self.bits.align();
                false
            }
            Coding::Group3 { two_dimensional } => {
                self.skip_line_end()?;
                two_dimensional && !self.bits.take_bit()
            }
            Coding::Group4 => true,
        };
        if two_dimensional {
            self.line_by_the_one_above()?
        } else {
            self.line_by_itself()?
        }
        if self.bits.is_over() {
            return Err(Fault::truncated("its fax data end in the middle of a line"));
        }
        paint(&self.current, self.width, row);
        Ok(())
    }

    /// Filling zeros and the line end in front of a line. T.4 demands them, TIFF writers leave them
    /// out; two in a row are the end of the data.
    fn skip_line_end(&mut self) -> Result<(), Fault> {
        let mut line_ends = 0;
        while self.bits.peek(11) == Some(0) && !self.bits.is_over() {
            while !self.bits.take_bit() && !self.bits.is_over() {}
            line_ends += 1;
            let is_return_to_control = line_ends > 1;
            if is_return_to_control {
                return Err(Fault::truncated("its fax data end before the last line"));
            }
        }
        Ok(())
    }

    /// One-dimensional coding (T.4 clause 4.1): runs of white and black in turn.
    fn line_by_itself(&mut self) -> Result<(), Fault> {
        let mut position = 0;
        let mut is_black = false;
        loop {
            position = self.after_run(position, is_black)?;
            if position == self.width {
                return Ok(());
            }
            self.change_at(position);
            is_black = !is_black;
        }
    }

    /// Two-dimensional coding (T.4 clause 4.2, T.6 clause 2.2).
    fn line_by_the_one_above(&mut self) -> Result<(), Fault> {
        // a0, the changing element the next code starts from; "before the first pixel" at first.
        let mut start = 0;
        let mut at_line_start = true;
        let mut is_black = false;
        // Index into `reference` from which b1 is searched.
        let mut search = 0;
        while start < self.width {
            let code = self.mode().ok_or_else(|| self.bad_code())?;
            let b1 = self.b1(&mut search, start, at_line_start, is_black);
            match code {
                Mode::Pass => start = self.reference.get(search + 1).copied().unwrap_or(self.width),
                Mode::Vertical(distance) => {
                    let change = b1.checked_add_signed(i32::from(distance));
                    let change = change.filter(|change| (start..=self.width).contains(change));
                    start = change.ok_or_else(wrong_length)?;
                    self.change_at(start);
                    is_black = !is_black;
                }
                Mode::Horizontal => {
                    let middle = self.after_run(start, is_black)?;
                    self.change_at(middle);
                    start = self.after_run(middle, !is_black)?;
                    self.change_at(start);
                }
                Mode::Extension => return Err(Fault::unsupported("uncompressed fax lines")),
                Mode::EOF => return Err(Fault::truncated("its fax data end before the last line")),
            }
            at_line_start = false;
        }
        Ok(())
    }

    /// The next code of table 1/T.6. Looked up here and not in `fax`: half of all codes of a page are
    /// these.
    fn mode(&mut self) -> Option<Mode> {
        let (mode, bits) = match self.bits.peek(7)? {
            0b100_0000.. => (Mode::Vertical(0), 1),
            0b011_0000.. => (Mode::Vertical(1), 3),
            0b010_0000.. => (Mode::Vertical(-1), 3),
            0b001_0000.. => (Mode::Horizontal, 3),
            0b000_1000.. => (Mode::Pass, 4),
            0b000_0110.. => (Mode::Vertical(2), 6),
            0b000_0100.. => (Mode::Vertical(-2), 6),
            0b000_0011 => (Mode::Vertical(3), 7),
            0b000_0010 => (Mode::Vertical(-3), 7),
            0b000_0001 => (Mode::Extension, 7),
            0 => return mode::decode(&mut self.bits),
        };
        self.bits.consume(bits).ok()?;
        Some(mode)
    }

    /// b1: the first change on the line above that lies right of `start` and is to the colour that
    /// does not hold now. Leaves its index in `search`.
    fn b1(&self, search: &mut usize, start: u32, at_line_start: bool, is_black: bool) -> u32 {
        // One step back suffices: earlier changes lay left of an earlier start already.
        *search = search.saturating_sub(1);
        if *search % 2 != usize::from(is_black) {
            *search += 1;
        }
        while let Some(change) = self.reference.get(*search) {
            if *change > start || (at_line_start && *change == 0) {
                return *change;
            }
            *search += 2;
        }
        self.width
    }

    /// Where a run of white or black that begins at `position` ends.
    fn after_run(&mut self, position: u32, is_black: bool) -> Result<u32, Fault> {
        let mut end = position;
        loop {
            let length = if is_black { black::decode(&mut self.bits) } else { white::decode(&mut self.bits) };
            let length = length.ok_or_else(|| self.bad_code())?;
            end += u32::from(length);
            if end > self.width {
                return Err(wrong_length());
            }
            let is_terminating_code = length < 64;
            if is_terminating_code {
                return Ok(end);
            }
        }
    }

    /// Notes a change of colour; two at the same place are none.
    fn change_at(&mut self, position: u32) {
        if self.current.last() == Some(&position) {
            self.current.pop();
        } else if position < self.width {
            self.current.push(position);
        }
    }

    fn bad_code(&self) -> Fault {
        if self.bits.is_over() {
            Fault::truncated("its fax data end in the middle of a line")
        } else {
            Fault::damaged("its fax data hold an unknown code")
        }
    }
}

fn wrong_length() -> Fault {
    Fault::damaged("a line of its fax data is longer than the page is wide")
}

/// Sets the bits of the black runs.
fn paint(changes: &[u32], width: u32, row: &mut [u8]) {
    row.fill(0);
    for run in changes.chunks(2) {
        let start = run[0] as usize;
        let end = run.get(1).copied().unwrap_or(width) as usize;
        let (first, last) = (start / 8, end / 8);
        let from_start = 0xff_u8 >> (start % 8);
        let before_end = !(0xff_u8 >> (end % 8));
        if first == last {
            row[first] |= from_start & before_end;
            continue;
        }
        row[first] |= from_start;
        row[first + 1..last].fill(0xff);
        if before_end != 0 {
            row[last] |= before_end;
        }
    }
}

/// Reads bits from the highest of each byte on; zeros behind the end.
struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    position: usize,
}

impl Bits<'_> {
    fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    fn take_bit(&mut self) -> bool {
        let byte = self.data.get(self.position / 8).copied().unwrap_or(0);
        let bit = byte << (self.position % 8) & 0x80 != 0;
        self.position += 1;
        bit
    }

    /// More bits were taken than there are.
    fn is_over(&self) -> bool {
        self.position > self.data.len() * 8
    }
}

impl BitReader for Bits<'_> {
    type Error = ();

    fn peek(&self, bits: u8) -> Option<u16> {
        let byte = self.position / 8;
        let window = match self.data.get(byte..byte + 4) {
            Some(bytes) => u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            None => (0..4)
                .fold(0, |window, i| window << 8 | u32::from(self.data.get(byte + i).copied().unwrap_or(0))),
        };
        let window = window << (self.position % 8);
        (1..=16).contains(&bits).then(|| (window >> (32 - bits)) as u16)
    }

    fn consume(&mut self, bits: u8) -> Result<(), ()> {
        self.position += usize::from(bits);
        if self.is_over() { Err(()) } else { Ok(()) }
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (self.position.next_multiple_of(8) - self.position) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fax::encoder::Encoder;
    use fax::{Color, VecWriter};
    use proptest::prelude::*;

    /// Lines of `width` pixels as G4; true is black.
    fn group4(lines: &[Vec<bool>], width: u32) -> Vec<u8> {
        let mut encoder = Encoder::new(VecWriter::new());
        for line in lines {
            let pixels = line.iter().map(|black| if *black { Color::Black } else { Color::White });
            encoder.encode_line(pixels, width).expect("memory");
        }
        encoder.finish().expect("memory").finish()
    }

    fn packed(line: &[bool]) -> Vec<u8> {
        line.chunks(8)
            .map(|bits| bits.iter().enumerate().fold(0, |byte, (i, bit)| byte | u8::from(*bit) << (7 - i)))
            .collect()
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            lines in (1usize..90).prop_flat_map(|width| {
                proptest::collection::vec(proptest::collection::vec(proptest::bool::weighted(0.3), width), 1..20)
            })
        ) {
            let width = lines[0].len() as u32;
            let data = group4(&lines, width);
            let mut decoder = Decoder::new(&data, Coding::Group4, width);
            for line in &lines {
                let mut row = vec![0; line.len().div_ceil(8)];
                decoder.line(&mut row).expect("whole");
                prop_assert_eq!(row, packed(line));
            }
            let mut row = vec![0; (width as usize).div_ceil(8)];
            prop_assert!(decoder.line(&mut row).is_err(), "nothing follows");
        }

        #[test]
        fn any_bytes_are_lines_or_an_error(
            data in proptest::collection::vec(any::<u8>(), 0..200), width in 1u32..3000,
            coding in prop_oneof![
                Just(Coding::ModifiedHuffman), Just(Coding::Group4),
                any::<bool>().prop_map(|two_dimensional| Coding::Group3 { two_dimensional }),
            ],
        ) {
            let mut decoder = Decoder::new(&data, coding, width);
            let mut row = vec![0; width.div_ceil(8) as usize];
            for _ in 0..2000 {
                if decoder.line(&mut row).is_err() {
                    return Ok(());
                }
            }
        }
    }

    #[test]
    fn a_one_dimensional_line_is_decoded_with_and_without_line_end() {
        // white 4 = 1011, black 4 = 011, white 8 = 10011
        let bare = [0b1011_0111, 0b0011_0000];
        let mut row = [0; 2];
        Decoder::new(&bare, Coding::ModifiedHuffman, 16).line(&mut row).expect("whole");
        assert_eq!(row, [0x0f, 0]);
        let after_line_end = [0b0000_0000, 0b0001_1011, 0b0111_0011];
        let coding = Coding::Group3 { two_dimensional: false };
        Decoder::new(&after_line_end, coding, 16).line(&mut row).expect("whole");
        assert_eq!(row, [0x0f, 0]);
    }

    #[test]
    fn a_line_longer_than_the_page_is_an_error() {
        let data = [0b1011_0111, 0b0011_0000];
        let error =
            Decoder::new(&data, Coding::ModifiedHuffman, 12).line(&mut [0; 2]).expect_err("16 pixels");
        assert!(matches!(error, Fault::Damaged { .. }), "{error}");
    }
}
