//! Maps from millimetres to pixels that fit pairs of points best (least squares).

use crate::geometry::{Affine, PointMm, PointPx};

/// A point on the form and where it was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub mm: PointMm,
    pub px: PointPx,
    pub weight: f64,
}

/// The turn, size and shift that fit best; none for points that lie in one place.
pub(super) fn similarity(pairs: &[Pair]) -> Option<Affine> {
    let (mm, px) = centres(pairs)?;
    let (mut along, mut aside, mut size) = (0.0, 0.0, 0.0);
    for pair in pairs {
        let (x, y) = (pair.mm.x - mm.x, pair.mm.y - mm.y);
        let (u, v) = (pair.px.x - px.x, pair.px.y - px.y);
        along += pair.weight * (x * u + y * v);
        aside += pair.weight * (x * v - y * u);
        size += pair.weight * (x * x + y * y);
    }
    if size < 1e-9 {
        return None;
    }
    let (a, d) = (along / size, aside / size);
    Some(shifted(Affine { a, b: -d, c: 0.0, d, e: a, f: 0.0 }, mm, px))
}

/// The affine map that fits best; none for points on one line.
pub(super) fn affine(pairs: &[Pair]) -> Option<Affine> {
    let (mm, px) = centres(pairs)?;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    let (mut xu, mut yu, mut xv, mut yv) = (0.0, 0.0, 0.0, 0.0);
    for Pair { mm: at, px: seen, weight } in pairs {
        let (x, y) = (at.x - mm.x, at.y - mm.y);
        let (u, v) = (seen.x - px.x, seen.y - px.y);
        xx += weight * x * x;
        xy += weight * x * y;
        yy += weight * y * y;
        xu += weight * x * u;
        yu += weight * y * u;
        xv += weight * x * v;
        yv += weight * y * v;
    }
    let determinant = xx * yy - xy * xy;
    if determinant < 1e-6 * (xx + yy) * (xx + yy) {
        return None;
    }
    let solve = |x: f64, y: f64| ((x * yy - y * xy) / determinant, (y * xx - x * xy) / determinant);
    let (a, b) = solve(xu, yu);
    let (d, e) = solve(xv, yv);
    Some(shifted(Affine { a, b, c: 0.0, d, e, f: 0.0 }, mm, px))
}

/// How much an affine map is not a similarity: the difference of its two scales, and the angle by
/// which its axes are not square, in radians, whichever is larger.
pub(super) fn distortion(map: &Affine) -> f64 {
    let (x, y) = (map.a.hypot(map.d), map.b.hypot(map.e));
    let shear = (map.a * map.b + map.d * map.e) / (x * y);
    (x / y - 1.0).abs().max(shear.abs())
}

fn centres(pairs: &[Pair]) -> Option<(PointMm, PointPx)> {
    let total: f64 = pairs.iter().map(|pair| pair.weight).sum();
    if total <= 0.0 {
        return None;
    }
    let mean =
        |value: fn(&Pair) -> f64| pairs.iter().map(|pair| pair.weight * value(pair)).sum::<f64>() / total;
    Some((
        PointMm { x: mean(|pair| pair.mm.x), y: mean(|pair| pair.mm.y) },
        PointPx { x: mean(|pair| pair.px.x), y: mean(|pair| pair.px.y) },
    ))
}

fn shifted(map: Affine, mm: PointMm, px: PointPx) -> Affine {
    let at = map.apply(mm);
    Affine { c: px.x - at.x, f: px.y - at.y, ..map }
}
