//! TIFF, page by page; one row of one strip at a time, so that a page costs its pixels and no
//! more.
//!
//! Why not the `tiff` crate and leptonica: the one lacks G3, FillOrder 2, palettes and files
//! without byte counts, the other lacks tiles, and both fill up what is missing of a damaged page.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use super::jpeg::Colours;
use super::tiff_data::{ChunkSize, Compression, Rows, jpeg_chunk};
use super::tiff_directory::{Directory, TiffFile, tag};
use super::tiff_samples::{Meaning, Sampling, interpret, interpret_bits};
use super::{Fault, Limits, PageImage, exif};

/// An opened file.
pub(super) struct TiffScan {
    file: File,
    /// Offset of each page's directory.
    pages: Vec<u64>,
}

impl TiffScan {
    /// Finds the pages. Directories that hold a smaller copy or a mask of another page are none.
    pub fn open(file: File) -> Result<Self, Fault> {
        const REDUCED: u64 = 1;
        const MASK: u64 = 4;
        let mut pages = Vec::new();
        let mut tiff = TiffFile::open(BufReader::new(&file))?;
        tiff.chain(|tiff, offset, directory| {
            let kind = tiff.first_unsigned(directory, tag::NEW_SUBFILE_TYPE)?.unwrap_or(0);
            if kind & (REDUCED | MASK) == 0 {
                pages.push(offset);
            }
            Ok(())
        })?;
        drop(tiff);
        Ok(Self { file, pages })
    }

    pub fn page_count(&self) -> u64 {
        self.pages.len() as u64
    }

    /// The page with this index, from 0; it must exist.
    pub fn page(&self, index: u32, limits: &Limits) -> Result<PageImage, Fault> {
        let mut tiff = TiffFile::open(BufReader::new(&self.file))?;
        let directory = tiff.directory(self.pages[index as usize])?;
        let layout = Layout::read(&mut tiff, &directory, limits)?;
        let pixels = layout.decode(&mut tiff, limits)?;
        let page = match layout.meaning.channels() {
            1 => PageImage::from_gray(layout.width, layout.height, pixels)?,
            _ => PageImage::from_rgb(layout.width, layout.height, pixels)?,
        };
        let dpi = exif::dpi(&mut tiff, &directory)?;
        let page = page.turned(exif::turn(&mut tiff, &directory)?).with_dpi(dpi);
        Ok(PageImage { bilevel: layout.is_bilevel(), ..page })
    }
}

/// How a page is stored.
struct Layout {
    width: u32,
    height: u32,
    sampling: Sampling,
    meaning: Meaning,
    compression: Compression,
    /// Samples of a pixel lie in separate strips.
    planes: usize,
    has_differences: bool,
    lowest_bit_first: bool,
    /// A strip is a tile as wide as the page.
    chunk: ChunkSize,
    offsets: Vec<u64>,
    byte_counts: Vec<u64>,
    jpeg_tables: Vec<u8>,
    jpeg_colours: Colours,
}

impl Layout {
    fn read<R: Read + Seek>(
        tiff: &mut TiffFile<R>,
        directory: &Directory,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        let mut value = |tag, default| {
            let found = tiff.first_unsigned(directory, tag)?;
            Ok::<u64, Fault>(found.unwrap_or(default))
        };
        let (width, height) = (value(tag::IMAGE_WIDTH, 0)?, value(tag::IMAGE_LENGTH, 0)?);
        limits.check_size(width, height)?;
        let (width, height) = (width as u32, height as u32);

        let bits = match value(tag::BITS_PER_SAMPLE, 1)? {
            bits @ (1 | 2 | 4 | 8 | 16) => bits as u32,
            bits => return Err(Fault::unsupported(format!("TIFF with {bits} bits a sample"))),
        };
        if value(tag::SAMPLE_FORMAT, 1)? != 1 {
            return Err(Fault::unsupported("TIFF with signed or floating-point samples"));
        }
        let samples = match value(tag::SAMPLES_PER_PIXEL, 1)? {
            samples @ 1..=8 => samples as usize,
            samples => return Err(Fault::unsupported(format!("TIFF with {samples} samples a pixel"))),
        };
        let compression = Compression::from_tag(value(tag::COMPRESSION, 1)?, value(tag::T4_OPTIONS, 0)?)?;
        if matches!(compression, Compression::Fax(_)) && (bits, samples) != (1, 1) {
            return Err(Fault::damaged("it says fax compression, but has more than one bit a pixel"));
        }
        if compression == Compression::Jpeg && bits != 8 {
            return Err(Fault::unsupported(format!("JPEG with {bits} bits a sample")));
        }
        let has_differences = match value(tag::PREDICTOR, 1)? {
            1 => false,
            2 => matches!(compression, Compression::Lzw | Compression::Deflate),
            _ => return Err(Fault::unsupported("TIFF with a floating-point predictor")),
        };
        let planes = if value(tag::PLANAR_CONFIGURATION, 1)? == 2 { samples } else { 1 };
        let lowest_bit_first = value(tag::FILL_ORDER, 1)? == 2;
        // Without the tag, fax pages have white as 0, as paper has.
        let default_photometric = if matches!(compression, Compression::Fax(_)) { 0 } else { 1 };
        let photometric = value(tag::PHOTOMETRIC, default_photometric)?;

        let is_tiled = value(tag::TILE_WIDTH, 0)? != 0;
        let chunk = if is_tiled {
            (value(tag::TILE_WIDTH, 0)?, value(tag::TILE_LENGTH, 0)?)
        } else {
            (width.into(), value(tag::ROWS_PER_STRIP, u64::MAX)?.min(height.into()))
        };
        if chunk.0 == 0 || chunk.1 == 0 {
            return Err(Fault::damaged("its strips or tiles have no size"));
        }
        limits.check_pixels(chunk.0, chunk.1)?;
        let chunk = ChunkSize { width: chunk.0 as u32, rows: chunk.1 as u32 };
        let (offsets_tag, byte_counts_tag) = match is_tiled {
            true => (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS),
            false => (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS),
        };
        let offsets = tiff.unsigned(directory, offsets_tag)?.unwrap_or_default();
        let byte_counts = tiff.unsigned(directory, byte_counts_tag)?.unwrap_or_default();

        let jpeg_tables = match compression {
            Compression::Jpeg => tiff.unsigned(directory, tag::JPEG_TABLES)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        let jpeg_tables = jpeg_tables.into_iter().map(|byte| byte as u8).collect();
        let (meaning, jpeg_colours) = meaning(tiff, directory, photometric, bits, compression)?;
        if samples < meaning.samples() {
            return Err(Fault::damaged(format!(
                "its pixels have {samples} samples, but need {}",
                meaning.samples()
            )));
        }
        Ok(Self {
            width,
            height,
            sampling: Sampling { bits, samples: samples / planes, big_endian: tiff.is_big_endian() },
            meaning,
            compression,
            planes,
            has_differences,
            lowest_bit_first,
            chunk,
            offsets,
            byte_counts,
            jpeg_tables,
            jpeg_colours,
        })
    }

    fn is_bilevel(&self) -> bool {
        self.sampling.bits == 1 && matches!(self.meaning, Meaning::Gray { .. })
    }

    /// The finished pixels of the page.
    fn decode<R: Read + Seek>(&self, tiff: &mut TiffFile<R>, limits: &Limits) -> Result<Vec<u8>, Fault> {
        let across = self.width.div_ceil(self.chunk.width);
        let down = self.height.div_ceil(self.chunk.rows);
        let chunks = across as usize * down as usize;
        if self.offsets.len() < chunks * self.planes {
            return Err(Fault::damaged("it has fewer strips than its height needs"));
        }
        let channels = self.meaning.channels();
        let mut pixels = vec![0; self.width as usize * self.height as usize * channels];
        for chunk in 0..chunks {
            let left = chunk % across as usize * self.chunk.width as usize;
            let top = chunk / across as usize * self.chunk.rows as usize;
            let size = ChunkSize {
                width: self.chunk.width.min(self.width - left as u32),
                rows: self.chunk.rows.min(self.height - top as u32),
            };
            let planes = (0..self.planes)
                .map(|plane| self.chunk_bytes(tiff, chunk + plane * chunks, size.rows, limits));
            let planes: Vec<Vec<u8>> = planes.collect::<Result<_, Fault>>()?;
            let stride = self.width as usize * channels;
            let target = &mut pixels[top * stride..][..size.rows as usize * stride];
            let rows = target
                .chunks_exact_mut(stride)
                .map(|row| &mut row[left * channels..][..size.width as usize * channels]);
            self.decode_chunk(&planes, size.width, rows)?;
        }
        Ok(pixels)
    }

    /// The bytes of one strip or tile: still compressed, except JPEG, of which all rows come at
    /// once.
    fn chunk_bytes<R: Read + Seek>(
        &self,
        tiff: &mut TiffFile<R>,
        index: usize,
        rows: u32,
        limits: &Limits,
    ) -> Result<Vec<u8>, Fault> {
        let offset = self.offsets[index];
        let count = match self.byte_counts.get(index) {
            Some(count) if *count > 0 => *count,
            // Old writers leave the counts out.
            _ if self.compression == Compression::None => {
                self.sampling.row_bytes(self.chunk.width) as u64 * u64::from(rows)
            }
            _ if self.offsets.len() == 1 => tiff.length().saturating_sub(offset),
            _ => return Err(Fault::damaged("it does not say how long its strips are")),
        };
        limits.check_bytes(count)?;
        let mut bytes = tiff.bytes_at(offset, count)?;
        if self.compression == Compression::Jpeg {
            let size = ChunkSize { width: self.chunk.width, rows };
            return jpeg_chunk(
                &bytes,
                &self.jpeg_tables,
                size,
                self.jpeg_colours,
                self.sampling.samples,
                limits,
            );
        }
        if self.lowest_bit_first {
            bytes.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        Ok(bytes)
    }

    /// Decodes the planes of one strip or tile into the rows of the page that it covers, `width`
    /// pixels each.
    fn decode_chunk<'a>(
        &self,
        planes: &[Vec<u8>],
        width: u32,
        targets: impl Iterator<Item = &'a mut [u8]>,
    ) -> Result<(), Fault> {
        let mut planes: Vec<Rows> =
            planes.iter().map(|bytes| Rows::new(bytes, self.compression, self.chunk.width)).collect();
        let mut row = vec![0; self.sampling.row_bytes(self.chunk.width)];
        let per_plane = width as usize * self.sampling.samples;
        let mut samples = Vec::with_capacity(per_plane);
        let mut interleaved = vec![0; if planes.len() > 1 { per_plane * planes.len() } else { 0 }];
        for target in targets {
            let stride = planes.len();
            for (plane, rows) in planes.iter_mut().enumerate() {
                rows.read(&mut row)?;
                if self.has_differences {
                    self.sampling.undo_differences(&mut row)?;
                }
                if let (Meaning::Gray { white_is_zero }, 1, 1, 1) =
                    (&self.meaning, self.sampling.bits, self.sampling.samples, stride)
                {
                    interpret_bits(&row, *white_is_zero, target);
                    continue;
                }
                self.sampling.unpack(&row, per_plane, &mut samples);
                if stride > 1 {
                    interleaved
                        .iter_mut()
                        .skip(plane)
                        .step_by(stride)
                        .zip(&samples)
                        .for_each(|(to, from)| *to = *from);
                } else {
                    interpret(&samples, self.sampling.samples, self.sampling.bits, &self.meaning, target);
                }
            }
            if stride > 1 {
                interpret(&interleaved, stride, self.sampling.bits, &self.meaning, target);
            }
        }
        Ok(())
    }
}

/// What the samples mean, and how the components of JPEG strips are to be taken.
fn meaning<R: Read + Seek>(
    tiff: &mut TiffFile<R>,
    directory: &Directory,
    photometric: u64,
    bits: u32,
    compression: Compression,
) -> Result<(Meaning, Colours), Fault> {
    let meaning = match photometric {
        0 => Meaning::Gray { white_is_zero: true },
        1 => Meaning::Gray { white_is_zero: false },
        2 => Meaning::Rgb,
        3 if bits <= 8 => Meaning::Palette(palette(tiff, directory, bits)?),
        5 => Meaning::Cmyk,
        // The JPEG decoder makes RGB of it.
        6 if compression == Compression::Jpeg => return Ok((Meaning::Rgb, Colours::Converted)),
        6 => {
            let subsampling = tiff.unsigned(directory, tag::YCBCR_SUBSAMPLING)?.unwrap_or_else(|| vec![2, 2]);
            if subsampling != [1, 1] {
                return Err(Fault::unsupported("TIFF with subsampled YCbCr outside of JPEG"));
            }
            Meaning::YCbCr
        }
        other => return Err(Fault::unsupported(format!("TIFF with the colour space {other}"))),
    };
    Ok((meaning, Colours::Untouched))
}

/// All reds, then all greens, then all blues, sixteen bits each; some writers use only eight.
fn palette<R: Read + Seek>(
    tiff: &mut TiffFile<R>,
    directory: &Directory,
    bits: u32,
) -> Result<Vec<[u8; 3]>, Fault> {
    let count = 1 << bits;
    let values = tiff.unsigned(directory, tag::COLOUR_MAP)?.unwrap_or_default();
    if values.len() < 3 * count {
        return Err(Fault::damaged("its palette is too short"));
    }
    let shift = if values.iter().all(|value| *value < 256) { 0 } else { 8 };
    let channel = |channel: usize, index: usize| (values[channel * count + index] >> shift) as u8;
    Ok((0..count).map(|index| [0, 1, 2].map(|i| channel(i, index))).collect())
}
