//! Pixels on their way through the scanner: resampling, light and noise, focus, the cut between
//! black and white, dust.

use rand::{Rng, RngCore};
use tiny_skia::Pixmap;

use super::scanner::{Mode, Raster, Scanner};
use crate::geometry::{Affine, Millimetres, PointMm, PointPx};

/// Bits behind the point of the places that [`resample`] steps along.
const FRACTION: u32 = 16;

/// `CHANNELS` of each pixel of the page, of which one has `STRIDE` bytes, seen through `map`.
pub(super) fn resample<const CHANNELS: usize, const STRIDE: usize>(
    pixels: &[u8],
    page: &Pixmap,
    page_dpi: f64,
    map: &Affine,
    (width, height): (u32, u32),
    lid: u8,
) -> Vec<u8> {
    let per_mm = Millimetres(1.0).to_pixels(page_dpi);
    // A scanner's map always has an inverse; a degenerate one would see nothing of the page.
    let seen = |x: f64, y: f64| {
        let point = map.invert(PointPx { x, y }).unwrap_or(PointMm { x: -1e6, y: -1e6 });
        (point.x * per_mm - 0.5, point.y * per_mm - 0.5)
    };
    let fixed = |value: f64| (value * f64::from(1 << FRACTION)) as i64;
    let (columns, rows) = (i64::from(page.width()) - 1, i64::from(page.height()) - 1);
    let row_bytes = page.width() as usize * STRIDE;
    let mut out = vec![lid; width as usize * height as usize * CHANNELS];
    for (row, line) in out.chunks_exact_mut(width as usize * CHANNELS).enumerate() {
        let start = seen(0.5, row as f64 + 0.5);
        let end = seen(f64::from(width) + 0.5, row as f64 + 0.5);
        let (mut x, mut y) = (fixed(start.0), fixed(start.1));
        let step_x = fixed((end.0 - start.0) / f64::from(width));
        let step_y = fixed((end.1 - start.1) / f64::from(width));
        for pixel in line.chunks_exact_mut(CHANNELS) {
            let (column, line) = (x >> FRACTION, y >> FRACTION);
            if column >= 0 && line >= 0 && column < columns && line < rows {
                let right = (x >> (FRACTION - 8) & 0xff) as u32;
                let down = (y >> (FRACTION - 8) & 0xff) as u32;
                let at = line as usize * row_bytes + column as usize * STRIDE;
                let upper = &pixels[at..at + 2 * STRIDE];
                let lower = &pixels[at + row_bytes..at + row_bytes + 2 * STRIDE];
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let mix = |left: u8, next: u8| u32::from(left) * (256 - right) + u32::from(next) * right;
                    let above = mix(upper[channel], upper[channel + STRIDE]);
                    let below = mix(lower[channel], lower[channel + STRIDE]);
                    *value = ((above * (256 - down) + below * down + (1 << 15)) >> 16) as u8;
                }
            }
            x += step_x;
            y += step_y;
        }
    }
    out
}

/// Light, paper, ink, streaks and noise.
pub(super) fn expose(raster: &mut Raster, scanner: &Scanner, source: &mut impl RngCore) {
    let channels = if raster.mode == Mode::Colour { 3 } else { 1 };
    let tones: Vec<[i32; 256]> = (0..channels)
        .map(|channel| {
            let range = scanner.white[channel] - scanner.black;
            std::array::from_fn(|value| (scanner.black + range * value as f64 / 255.0) as i32)
        })
        .collect();
    // Quantiles of the logistic distribution, which is close enough to the normal one.
    let noise: [i32; 256] = std::array::from_fn(|place| {
        let share = (place as f64 + 0.5) / 256.0;
        (scanner.noise * (share / (1.0 - share)).ln() / 1.702).round() as i32
    });
    let width = raster.width as usize;
    let light: Vec<i32> = (0..width)
        .map(|column| {
            let from_middle = column as f64 / width as f64 * 2.0 - 1.0;
            (1024.0 * (1.0 - scanner.shading.0 * from_middle * from_middle)) as i32
        })
        .collect();
    let mut change = vec![0; width];
    for &(place, breadth, by) in &scanner.streaks {
        let first = (place * width as f64) as usize;
        for column in &mut change[first.min(width)..(first + breadth as usize).min(width)] {
            *column += by;
        }
    }
    let height = f64::from(raster.height);
    let mut chance = vec![0; width * channels];
    for (row, line) in raster.data.chunks_exact_mut(width * channels).enumerate() {
        source.fill_bytes(&mut chance);
        let row_light = (1024.0 * (1.0 - scanner.shading.1 * (row as f64 / height - 0.5))) as i32;
        for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
            let light = (light[column] * row_light) >> 10;
            for (channel, value) in pixel.iter_mut().enumerate() {
                let lit = (tones[channel][usize::from(*value)] * light) >> 10;
                let noise = noise[usize::from(chance[column * channels + channel])];
                *value = (lit + change[column] + noise).clamp(0, 255) as u8;
            }
        }
    }
}

/// A lens a little out of focus: each pixel takes a quarter of each neighbour beside it.
pub(super) fn soften(raster: &mut Raster) {
    let channels = if raster.mode == Mode::Colour { 3 } else { 1 };
    let row = raster.width as usize * channels;
    let blend = |before: u8, value: u8, after: u8| {
        ((u16::from(before) + 2 * u16::from(value) + u16::from(after)) / 4) as u8
    };
    for line in raster.data.chunks_exact_mut(row) {
        let sharp = line.to_vec();
        for place in channels..row - channels {
            line[place] = blend(sharp[place - channels], sharp[place], sharp[place + channels]);
        }
    }
    let mut above = raster.data[..row].to_vec();
    for start in (row..raster.data.len() - row).step_by(row) {
        let (upper, lower) = raster.data.split_at_mut(start + row);
        let current = &mut upper[start..];
        let sharp = current.to_vec();
        for (place, value) in current.iter_mut().enumerate() {
            *value = blend(above[place], sharp[place], lower[place]);
        }
        above = sharp;
    }
}

/// Side of the squares over which the white of the paper is measured.
const TILE: usize = 64;

/// Black or white.
pub(super) fn threshold(raster: &mut Raster, scanner: &Scanner) {
    let (width, height) = (raster.width as usize, raster.height as usize);
    let (columns, rows) = (width.div_ceil(TILE), height.div_ceil(TILE));
    let mut brightest = vec![0u8; columns * rows];
    for (row, line) in raster.data.chunks_exact(width).enumerate() {
        for (column, &value) in line.iter().enumerate() {
            let tile = &mut brightest[row / TILE * columns + column / TILE];
            *tile = value.max(*tile);
        }
    }
    let fixed = (scanner.white[0] * scanner.threshold) as u8;
    let limits: Vec<u8> = (0..columns * rows)
        .map(|tile| {
            if !scanner.adaptive {
                return fixed;
            }
            // The brightest of the neighbourhood, so that the middle of a black area stays black.
            let (row, column) = (tile / columns, tile % columns);
            let around = (row.saturating_sub(1)..=(row + 1).min(rows - 1)).flat_map(|row| {
                (column.saturating_sub(1)..=(column + 1).min(columns - 1))
                    .map(move |column| row * columns + column)
            });
            let white = around.map(|tile| brightest[tile]).max().unwrap_or(255);
            (f64::from(white) * scanner.threshold) as u8
        })
        .collect();
    for (row, line) in raster.data.chunks_exact_mut(width).enumerate() {
        let limits = &limits[row / TILE * columns..];
        for (column, value) in line.iter_mut().enumerate() {
            *value = if *value < limits[column / TILE] { 0 } else { 255 };
        }
    }
}

/// Specks of a pixel or two.
pub(super) fn dust(raster: &mut Raster, scanner: &Scanner, source: &mut impl RngCore) {
    let channels = if raster.mode == Mode::Colour { 3 } else { 1 };
    for _ in 0..scanner.specks {
        let column = source.random_range(0..raster.width as usize - 2);
        let row = source.random_range(0..raster.height as usize - 2);
        let (across, down) = (source.random_range(1..3), source.random_range(1..3));
        for row in row..row + down {
            let start = (row * raster.width as usize + column) * channels;
            raster.data[start..start + across * channels].fill(if raster.mode == Mode::Bilevel {
                0
            } else {
                70
            });
        }
    }
}
