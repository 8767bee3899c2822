//! Plots as SVG: no script, no font of their own, words in both languages. The page shows one of the
//! languages, by the `lang` of the texts.

use std::fmt::Write;

use super::curves::{Reliability, RiskCoverage};
use super::labels::Label;
use super::rate::Rate;

/// A plot's frame, and what its axes mean. All in units of the picture.
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// A picture while it is drawn.
struct Svg(String);

/// Of a plot: its size in a page with room for one or for three beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Large,
    Small,
}

/// The lowest error rate of the logarithmic axis; what is below lies on the axis.
const FLOOR: f64 = 1e-4;

impl Frame {
    fn of(size: Size) -> Self {
        let (width, height) = match size {
            Size::Large => (560.0, 360.0),
            Size::Small => (330.0, 230.0),
        };
        Self { width, height, left: 66.0, right: width - 24.0, top: 14.0, bottom: height - 46.0 }
    }

    /// From 0 to 1 along the axis.
    fn x(&self, share: f64) -> f64 {
        self.left + share * (self.right - self.left)
    }

    fn y(&self, share: f64) -> f64 {
        self.bottom - share * (self.bottom - self.top)
    }
}

impl Svg {
    fn begin(width: f64, height: f64, title: &Label) -> Self {
        let mut svg = Self(String::new());
        svg.put(format_args!(
            r#"<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{} / {}">"#,
            escaped(&title.ja),
            escaped(&title.en)
        ));
        svg
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(text);
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escaped(text);
        self.put(format_args!(r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#));
    }

    fn label(&mut self, x: f64, y: f64, class: &str, label: &Label) {
        for (lang, text) in [("ja", &label.ja), ("en", &label.en)] {
            let text = escaped(text);
            self.put(format_args!(
                r#"<text x="{x:.1}" y="{y:.1}" class="{class}" lang="{lang}">{text}</text>"#
            ));
        }
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.put(format_args!(
            r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" class="{class}"/>"#,
            from.0, from.1, to.0, to.1
        ));
    }

    fn shape(&mut self, name: &str, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.put(format_args!(r#"<{name} points="{}" class="{class}"/>"#, points.join(" ")));
    }

    fn dot(&mut self, (x, y): (f64, f64), radius: f64, title: &str) {
        let title = escaped(title);
        self.put(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" class="dot"><title>{title}</title></circle>"#
        ));
    }

    /// The frame's axes with their names.
    fn axes(&mut self, frame: &Frame, x: &Label, y: &Label) {
        self.line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis");
        self.line((frame.left, frame.top), (frame.left, frame.bottom), "axis");
        self.label((frame.left + frame.right) / 2.0, frame.height - 10.0, "name", x);
        let (at_x, at_y) = (13.0, (frame.top + frame.bottom) / 2.0);
        self.put(format_args!(r#"<g transform="rotate(-90 {at_x} {at_y})">"#));
        self.label(at_x, at_y, "name", y);
        self.put(format_args!("</g>"));
    }

    fn tick_x(&mut self, frame: &Frame, share: f64, text: &str) {
        let x = frame.x(share);
        self.line((x, frame.top), (x, frame.bottom), "grid");
        self.text(x, frame.bottom + 15.0, "tick-x", text);
    }

    fn tick_y(&mut self, frame: &Frame, share: f64, text: &str) {
        let y = frame.y(share);
        self.line((frame.left, y), (frame.right, y), "grid");
        self.text(frame.left - 6.0, y + 4.0, "tick-y", text);
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>");
        self.0
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// "97.5 %": with more digits near 0 and 1, where they matter.
pub fn percent(share: f64) -> String {
    let far = share.min(1.0 - share).abs();
    match far {
        0.0 => format!("{:.0} %", share * 100.0),
        far if far < 0.01 => format!("{:.2} %", share * 100.0),
        _ => format!("{:.1} %", share * 100.0),
    }
}

/// Error rate (logarithmic, with 0 on the axis) by coverage, with its 95 % band and the target.
pub fn risk_coverage(curve: &RiskCoverage, target: f64, size: Size) -> String {
    let frame = Frame::of(size);
    let title = Label::new("処理量と誤り率", "error rate by coverage");
    let mut svg = Svg::begin(frame.width, frame.height, &title);
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        svg.tick_x(&frame, share, &format!("{:.0} %", share * 100.0));
    }
    for (rate, text) in [(FLOOR, "0"), (1e-3, "0.1 %"), (1e-2, "1 %"), (1e-1, "10 %"), (1.0, "100 %")] {
        svg.tick_y(&frame, height_of(rate), text);
    }
    let point = |coverage: f64, rate: f64| (frame.x(coverage), frame.y(height_of(rate)));
    let ends = |upper: bool| {
        curve.points.iter().filter_map(move |one| {
            let [low, high] = one.wrong.interval()?;
            Some(point(one.coverage, if upper { high } else { low }))
        })
    };
    let mut band: Vec<_> = ends(true).collect();
    band.extend(ends(false).collect::<Vec<_>>().into_iter().rev());
    svg.shape("polygon", &band, "band");
    let line: Vec<_> =
        curve.points.iter().map(|one| point(one.coverage, one.wrong.share().unwrap_or(0.0))).collect();
    svg.shape("polyline", &line, "curve");
    if let (1 | 2, Some(&only)) = (line.len(), line.last()) {
        svg.dot(only, 3.5, "");
    }
    svg.line((frame.left, point(0.0, target).1), (frame.right, point(0.0, target).1), "target");
    let label = Label::new(&format!("目標 {}", percent(target)), &format!("target {}", percent(target)));
    svg.label(frame.right - 2.0, point(0.0, target).1 - 5.0, "target-name", &label);
    svg.axes(
        &frame,
        &Label::new("処理量（確信度の高い順に何割まで）", "coverage, the surest first"),
        &Label::new("誤り率", "error rate"),
    );
    svg.end()
}

/// Of an error rate, from 0 for none to 1 for all.
fn height_of(rate: f64) -> f64 {
    1.0 - (rate.clamp(FLOOR, 1.0).log10() / FLOOR.log10())
}

/// Share right by confidence, a dot a bin with its 95 % interval, and the diagonal that is ideal.
pub fn reliability(reliability: &Reliability, size: Size) -> String {
    let frame = Frame::of(size);
    let title = Label::new("確信度と正読率", "share right by confidence");
    let mut svg = Svg::begin(frame.width, frame.height, &title);
    let lows = reliability.bins.iter().flat_map(|bin| {
        [Some(bin.mean_confidence), bin.right.interval().map(|[low, _]| low)].into_iter().flatten()
    });
    let from = axis_start(lows.fold(1.0, f64::min));
    let along = |value: f64| ((value - from) / (1.0 - from)).clamp(0.0, 1.0);
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let text = tick_text(from + share * (1.0 - from));
        svg.tick_x(&frame, share, &text);
        svg.tick_y(&frame, share, &text);
    }
    svg.line((frame.x(0.0), frame.y(0.0)), (frame.x(1.0), frame.y(1.0)), "target");
    let name = Label::new("理想", "ideal");
    // Dots crowd at the other end.
    svg.label(frame.x(0.4), frame.y(0.22), "target-name", &name);
    for bin in &reliability.bins {
        let (Some(share), Some([low, high])) = (bin.right.share(), bin.right.interval()) else { continue };
        let x = frame.x(along(bin.mean_confidence));
        svg.line((x, frame.y(along(low))), (x, frame.y(along(high))), "whisker");
        let text = format!("{} / {}", bin.right.hits, bin.right.of);
        svg.dot((x, frame.y(along(share))), 4.5, &text);
    }
    svg.axes(
        &frame,
        &Label::new("読み取りの確信度", "confidence"),
        &Label::new("実際に正しかった割合", "share right"),
    );
    svg.end()
}

/// Below all values, at a whole tenth, with some room.
fn axis_start(lowest: f64) -> f64 {
    if lowest > 0.98 { 0.96 } else { (lowest * 10.0).floor() / 10.0 }
}

fn tick_text(value: f64) -> String {
    let percent = value * 100.0;
    if (percent - percent.round()).abs() < 1e-9 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// One row a name: its share as a dot with its 95 % interval.
pub fn rates(rows: &[(Label, Rate)]) -> String {
    const ROW: f64 = 24.0;
    let height = ROW * rows.len() as f64 + 52.0;
    let frame = Frame { width: 760.0, height, left: 190.0, right: 640.0, top: 8.0, bottom: height - 44.0 };
    let title = Label::new("欄ごとの正読率", "fields read exactly");
    let mut svg = Svg::begin(frame.width, frame.height, &title);
    let lowest = rows.iter().filter_map(|(_, rate)| rate.interval()).map(|[low, _]| low).fold(1.0, f64::min);
    let from = axis_start(lowest);
    let along = |value: f64| ((value - from) / (1.0 - from)).clamp(0.0, 1.0);
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        svg.tick_x(&frame, share, &tick_text(from + share * (1.0 - from)));
    }
    for (index, (label, rate)) in rows.iter().enumerate() {
        let y = frame.top + ROW * (index as f64 + 0.5);
        svg.label(frame.left - 10.0, y + 4.0, "row", label);
        let (Some(share), Some([low, high])) = (rate.share(), rate.interval()) else { continue };
        svg.line((frame.x(along(low)), y), (frame.x(along(high)), y), "whisker");
        svg.dot((frame.x(along(share)), y), 4.5, "");
        svg.text(
            frame.right + 12.0,
            y + 4.0,
            "value",
            &format!("{}  ({}/{})", percent(share), rate.hits, rate.of),
        );
    }
    svg.line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis");
    let name = Label::new(
        "書かれた欄のうち、全文字を正しく読んだ割合",
        "of the written fields, those read without an error",
    );
    svg.label((frame.left + frame.right) / 2.0, frame.height - 8.0, "name", &name);
    svg.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::curves::{self, Scored};

    #[test]
    fn the_error_axis_is_logarithmic_down_to_its_floor() {
        let near = |rate: f64, expected: f64| (height_of(rate) - expected).abs() < 1e-9;
        assert!(near(1.0, 1.0) && near(0.01, 0.5) && near(0.0001, 0.0) && near(0.0, 0.0));
    }

    #[test]
    fn shares_near_the_ends_have_more_digits() {
        assert_eq!(
            [0.5, 0.9986, 0.0014, 1.0, 0.0].map(percent),
            ["50.0 %", "99.86 %", "0.14 %", "100 %", "0 %"]
        );
    }

    #[test]
    fn plots_of_nothing_and_of_one_reading_have_no_odd_numbers() {
        for count in [0, 1] {
            let readings = vec![Scored { confidence: 0.9, right: true }; count];
            let curve = curves::risk_coverage(&readings, 1, 0.0014);
            for svg in [
                risk_coverage(&curve, 0.0014, Size::Small),
                reliability(&curves::reliability(&readings), Size::Large),
                rates(&[(Label::new("<口座>", "a & b"), Rate::new(count as u64, 1))]),
            ] {
                assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<口座>"), "{svg}");
            }
        }
    }
}
