//! What a gray picture is made of: the gray between pixels, and what of it is ink.

use image::GrayImage;

use crate::geometry::PointPx;

/// The gray up to which a pixel is ink; 0 for an empty histogram.
pub(crate) fn otsu(histogram: &[u32; 256]) -> u8 {
    let total: f64 = histogram.iter().map(|&count| f64::from(count)).sum();
    let sum: f64 = histogram.iter().enumerate().map(|(gray, &count)| gray as f64 * f64::from(count)).sum();
    let (mut dark, mut dark_sum) = (0.0, 0.0);
    let (mut best, mut threshold) = (0.0, 0);
    for (gray, &count) in histogram.iter().enumerate() {
        dark += f64::from(count);
        dark_sum += gray as f64 * f64::from(count);
        let light = total - dark;
        if dark == 0.0 || light == 0.0 {
            continue;
        }
        let distance = dark_sum / dark - (sum - dark_sum) / light;
        let between = dark * light * distance * distance;
        if between > best {
            best = between;
            threshold = gray as u8;
        }
    }
    threshold
}

/// Each pixel the mean of `factor` × `factor` pixels (1 to 256); what is left over at the right and the bottom is
/// left out.
pub(crate) fn reduced(gray: &GrayImage, factor: u32) -> GrayImage {
    // Sums of 256 grays fit in the 16 bits that columns are summed in.
    let factor = factor.clamp(1, 256) as usize;
    let (width, height) = (gray.width() as usize / factor, gray.height() as usize / factor);
    let stride = gray.width() as usize;
    let area = (factor * factor) as u32;
    let mut small = Vec::with_capacity(width * height);
    let mut columns = vec![0u16; width * factor];
    for y in 0..height {
        columns.fill(0);
        for row in 0..factor {
            let pixels = &gray.as_raw()[(y * factor + row) * stride..][..width * factor];
            for (sum, &value) in columns.iter_mut().zip(pixels) {
                *sum += u16::from(value);
            }
        }
        small.extend(columns.chunks_exact(factor).map(|sums| {
            let sum: u32 = sums.iter().map(|&sum| u32::from(sum)).sum();
            ((sum + area / 2) / area) as u8
        }));
    }
    GrayImage::from_raw(width as u32, height as u32, small).unwrap_or_default()
}

/// The gray at a point between pixels, linear in both directions; white outside.
pub(crate) fn sample(picture: &GrayImage, at: PointPx) -> f64 {
    let (x, y) = (at.x - 0.5, at.y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right_share, lower_share) = (x - left, y - top);
    let (left, top) = (left as i64, top as i64);
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    if left < -1 || top < -1 || left >= width || top >= height {
        return 255.0;
    }
    let pixels = picture.as_raw();
    let gray = |x: i64, y: i64| {
        if x < 0 || y < 0 || x >= width || y >= height {
            255.0
        } else {
            f64::from(pixels[(y * width + x) as usize])
        }
    };
    let upper = gray(left, top) * (1.0 - right_share) + gray(left + 1, top) * right_share;
    let lower = gray(left, top + 1) * (1.0 - right_share) + gray(left + 1, top + 1) * right_share;
    upper * (1.0 - lower_share) + lower * lower_share
}
