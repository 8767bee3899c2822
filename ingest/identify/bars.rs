//! Where the bars of a 1D code end. A decoder knows only the lines of pixels that it could read;
//! on a slanted page these end before the bars do, and lie across them at an angle.

use image::GrayImage;

use crate::geometry::PointPx;
use crate::page::gray::sample;

/// A way on a picture, one pixel long.
type Way = (f64, f64);

/// Samples of one line across the bars.
const LINE_SAMPLES: usize = 256;
/// A line still crosses the bars while it correlates with the middle of the code at least this
/// much. Beside the bars (paper, digits under the code) it is below 0.3 on simulated pages.
const SAME_BARS: f64 = 0.6;
/// How far from where it was seen the outermost bar may begin, in quarters of a pixel: a view of
/// half the size is right to two pixels.
const EDGE_REACH: i32 = 14;
/// A smaller step in gray is no edge of a bar.
const MIN_STEP: f64 = 30.0;

/// The corners of the bars of a 1D code that was seen between `corners`, in the same order.
pub(super) fn corners_of_bars(picture: &GrayImage, corners: [PointPx; 4]) -> [PointPx; 4] {
    let [top_left, top_right, bottom_right, bottom_left] = corners;
    let (left, right) = (middle(top_left, bottom_left), middle(top_right, bottom_right));
    let width = left.distance(&right);
    if width < 8.0 {
        return corners;
    }
    let seen = ((right.x - left.x) / width, (right.y - left.y) / width);
    let across = way_across_bars(picture, left, right).filter(|way| dot(*way, seen) > 0.8).unwrap_or(seen);
    let down = (-across.1, across.0);
    let start = (dot_point(across, top_left) + dot_point(across, bottom_left)) / 2.0;
    let end = (dot_point(across, top_right) + dot_point(across, bottom_right)) / 2.0;
    let depth = |point: PointPx| dot_point(down, point);
    let centre = (depth(left) + depth(right)) / 2.0;
    let point = |along: f64, depth: f64| PointPx {
        x: along * across.0 + depth * down.0,
        y: along * across.1 + depth * down.1,
    };

    let line = |depth: f64| -> Vec<f64> {
        let at = |sample_of: usize| (sample_of as f64 + 0.5) / LINE_SAMPLES as f64;
        (0..LINE_SAMPLES)
            .map(|place| sample(picture, point(start + (end - start) * at(place), depth)))
            .collect()
    };
    let mut pattern = vec![0.0; LINE_SAMPLES];
    for offset in -2..=2 {
        for (sum, value) in pattern.iter_mut().zip(line(centre + f64::from(offset))) {
            *sum += value;
        }
    }
    // No printed 1D code is higher than it is wide.
    let reach = |sign: f64| {
        let mut last = 0.0;
        let mut distance = 1.0;
        while distance < width && distance - last < 4.0 {
            if correlation(&pattern, &line(centre + sign * distance)) >= SAME_BARS {
                last = distance;
            }
            distance += 1.0;
        }
        centre + sign * (last + 0.5)
    };
    let (top, bottom) = (reach(-1.0), reach(1.0));
    let gray_at = |along: f64| {
        let lines = (1..16).map(|line| top + (bottom - top) * f64::from(line) / 16.0);
        lines.map(|depth| sample(picture, point(along, depth))).sum::<f64>() / 15.0
    };
    let start = outer_edge(&gray_at, start, 1.0).unwrap_or(start);
    let end = outer_edge(&gray_at, end, -1.0).unwrap_or(end);
    [point(start, top), point(end, top), point(end, bottom), point(start, bottom)]
}

/// Where the outermost bar begins near `about`, seen from outside; `inwards` is 1 for the first
/// bar and -1 for the last. None where there is no clear step from paper to ink.
fn outer_edge(gray_at: &impl Fn(f64) -> f64, about: f64, inwards: f64) -> Option<f64> {
    const STEP: f64 = 0.25;
    let places = (-EDGE_REACH..=EDGE_REACH).map(|place| about + inwards * STEP * f64::from(place));
    let line: Vec<(f64, f64)> = places.map(|place| (place, gray_at(place))).collect();
    let light = line.iter().map(|(_, gray)| *gray).fold(0.0, f64::max);
    let dark = line.iter().map(|(_, gray)| *gray).fold(255.0, f64::min);
    if light - dark < MIN_STEP {
        return None;
    }
    let middle = (light + dark) / 2.0;
    let step = line.windows(2).find(|pair| pair[0].1 > middle && pair[1].1 <= middle)?;
    let share = (step[0].1 - middle) / (step[0].1 - step[1].1);
    Some(step[0].0 + (step[1].0 - step[0].0) * share)
}

/// The way in which gray changes most between two points (first eigenvector of the structure
/// tensor), in reading direction: noise changes the gray in all ways alike and cancels out.
fn way_across_bars(picture: &GrayImage, left: PointPx, right: PointPx) -> Option<Way> {
    let length = left.distance(&right);
    let along = ((right.x - left.x) / length, (right.y - left.y) / length);
    let beside = (-along.1, along.0);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for row in -4..=4 {
        for place in 0..length as usize {
            let (place, row) = (place as f64, f64::from(row) * 1.5);
            let at = PointPx {
                x: left.x + place * along.0 + row * beside.0,
                y: left.y + place * along.1 + row * beside.1,
            };
            let gray = |dx: f64, dy: f64| sample(picture, PointPx { x: at.x + dx, y: at.y + dy });
            // Scharr's weights: the same answer for an edge of every turn.
            let corners = [gray(-1.0, -1.0), gray(1.0, -1.0), gray(-1.0, 1.0), gray(1.0, 1.0)];
            let x = 3.0 * (corners[1] + corners[3] - corners[0] - corners[2])
                + 10.0 * (gray(1.0, 0.0) - gray(-1.0, 0.0));
            let y = 3.0 * (corners[2] + corners[3] - corners[0] - corners[1])
                + 10.0 * (gray(0.0, 1.0) - gray(0.0, -1.0));
            xx += x * x;
            yy += y * y;
            xy += x * y;
        }
    }
    if xx + yy == 0.0 {
        return None;
    }
    let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
    let way = (angle.cos(), angle.sin());
    Some(if dot(way, along) < 0.0 { (-way.0, -way.1) } else { way })
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    if aa == 0.0 || bb == 0.0 { 0.0 } else { ab / (aa * bb).sqrt() }
}

fn middle(a: PointPx, b: PointPx) -> PointPx {
    PointPx { x: (a.x + b.x) / 2.0, y: (a.y + b.y) / 2.0 }
}

fn dot(a: Way, b: Way) -> f64 {
    a.0 * b.0 + a.1 * b.1
}

fn dot_point(way: Way, point: PointPx) -> f64 {
    way.0 * point.x + way.1 * point.y
}
