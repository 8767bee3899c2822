//! What a form must hold so that it can be printed, found on a scan and read back. Works on plain
//! rectangles; [`super::load`] says in which file and on which line a fault lies.

use super::{Form, FormPage, SymbolRole, Symbology};
use crate::geometry::{PointMm, RectMm};

/// Why a form is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Value(String),
    #[error("it reaches over the edge of the page ({0} × {1} mm)")]
    OffPage(f64, f64),
    #[error("a page needs at least four registration marks, one near each corner; this has {0}")]
    TooFewMarks(usize),
    #[error(
        "its edge lies {0:.1} mm from the edge of the paper; scanners need at least {MARK_TO_EDGE_MM} mm"
    )]
    MarkAtEdge(f64),
    #[error(
        "turned by half the marks lie where they lay before, so that a page upside down could not be told; \
         set one mark in by at least {MIN_DIFFERENCE_MM} mm"
    )]
    HalfTurn,
    #[error("a page needs exactly one symbol with the role {role}; this has {found}")]
    SymbolCount { role: &'static str, found: usize },
    #[error("{} cannot be a symbol with the role {role}; use {instead}", symbology.name())]
    Symbology { symbology: Symbology, role: &'static str, instead: &'static str },
    #[error(
        "its modules are {found:.3} mm wide, they must be at least {MIN_MODULE_MM} mm (0.38 mm is 3 pixels at \
         200 dpi): make it at least {needed:.1} mm wide"
    )]
    Module { found: f64, needed: f64 },
    #[error("a QR code is square; this is {0} × {1} mm")]
    NotSquare(f64, f64),
    #[error(
        "it is {0} mm high; a 1D symbol must be at least {MIN_BAR_HEIGHT_MM} mm high to be found on a skewed page"
    )]
    LowBars(f64),
    #[error("{0} reaches into it; the {1:.1} mm around a registration mark must stay empty")]
    InMark(String, f64),
    #[error("{0} reaches into its quiet zone ({1:.1} mm on each side must stay empty)")]
    InQuietZone(String, f64),
    #[error("the name was already given to another field of this form")]
    RepeatedField,
    #[error("it overlaps {0}")]
    Overlap(String),
    #[error("{0} lies inside it and would be read as writing")]
    PrintInCell(String),
    #[error(
        "it could not be told from {0} where only the 1D symbol is legible: let the page size, the symbology, \
         the marks or the place of the 1D symbol among the marks differ by at least {MIN_DIFFERENCE_MM} mm"
    )]
    Alike(String),
}

/// From a mark's edge to the paper's: what feeders cut off or shade, and some reserve.
const MARK_TO_EDGE_MM: f64 = 8.0;
/// The white ring around a mark.
const MARK_RING_MM: f64 = 3.0;
/// The narrowest module that may be printed; below 2 pixels at 200 dpi (0.25 mm) no decoder is
/// reliable, and a printer's bars grow.
const MIN_MODULE_MM: f64 = 0.33;
const MIN_BAR_HEIGHT_MM: f64 = 8.0;
/// Above and below a 1D symbol nothing is asked for by the standards; this keeps lines out of bars.
const ABOVE_BARS_MM: f64 = 1.0;
/// By how much two layouts must differ to be told apart: more than feeding slip, skew and the
/// printer's scale together move a point.
const MIN_DIFFERENCE_MM: f64 = 5.0;
/// Lines on the edge of a cell are its frame; farther inside they are print.
const FRAME_MM: f64 = 0.5;
/// Rounding of sums of decimal fractions.
const SLACK_MM: f64 = 0.001;

/// An element of a page with all that it may cover with ink.
#[derive(Debug, Clone)]
pub(super) struct Element {
    /// Where it begins in the file.
    pub offset: usize,
    /// As messages name it: `page 1, field 'phone'`.
    pub place: String,
    pub kind: ElementKind,
    pub ink: Vec<RectMm>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ElementKind {
    Mark,
    Symbol {
        area: RectMm,
        symbology: Symbology,
        module_mm: f64,
        quiet_mm: f64,
    },
    /// Nothing else may lie in its zone, which reaches so far around it.
    CustomerBarcode {
        zone: RectMm,
        margin_mm: f64,
    },
    /// Text, lines, boxes.
    Print,
    /// Cells that will be read: they must hold nothing but their frame.
    Cells,
    /// A place that print may share: a printed field, or a signature.
    Place,
}

/// A fault and the element that has it.
pub(super) struct Found {
    pub offset: usize,
    pub place: String,
    pub fault: Fault,
}

impl Element {
    fn fault(&self, fault: Fault) -> Found {
        Found { offset: self.offset, place: self.place.clone(), fault }
    }
}

/// Checks the elements of a page of `width` × `height` millimetres.
pub(super) fn check_page(elements: &[Element], width: f64, height: f64) -> Result<(), Found> {
    let page = RectMm { x: 0.0, y: 0.0, w: width, h: height }.grown(SLACK_MM);
    for element in elements {
        if !element.ink.iter().all(|area| page.contains(area)) {
            return Err(element.fault(Fault::OffPage(width, height)));
        }
        check_alone(element, width, height)?;
    }
    for (index, element) in elements.iter().enumerate() {
        let others =
            || elements.iter().enumerate().filter(move |(other, _)| *other != index).map(|(_, other)| other);
        check_among(element, others)?;
    }
    Ok(())
}

fn check_alone(element: &Element, width: f64, height: f64) -> Result<(), Found> {
    match element.kind {
        ElementKind::Mark => {
            let to_edge =
                |area: &RectMm| area.x.min(area.y).min(width - area.right()).min(height - area.bottom());
            let nearest = element.ink.iter().map(to_edge).fold(f64::INFINITY, f64::min);
            if nearest < MARK_TO_EDGE_MM - SLACK_MM {
                return Err(element.fault(Fault::MarkAtEdge(nearest)));
            }
        }
        ElementKind::Symbol { area, symbology, module_mm, .. } => {
            if module_mm < MIN_MODULE_MM - SLACK_MM {
                let needed = area.w / module_mm * MIN_MODULE_MM;
                return Err(element.fault(Fault::Module { found: module_mm, needed }));
            }
            if symbology == Symbology::Qr && (area.w - area.h).abs() > SLACK_MM {
                return Err(element.fault(Fault::NotSquare(area.w, area.h)));
            }
            if symbology != Symbology::Qr && area.h < MIN_BAR_HEIGHT_MM {
                return Err(element.fault(Fault::LowBars(area.h)));
            }
        }
        ElementKind::Cells => {
            for (index, cell) in element.ink.iter().enumerate() {
                if element.ink[..index].iter().any(|other| clash(cell, other)) {
                    return Err(element.fault(Fault::Overlap("another of its own cells".to_owned())));
                }
            }
        }
        ElementKind::CustomerBarcode { .. } | ElementKind::Print | ElementKind::Place => {}
    }
    Ok(())
}

fn check_among<'a, I: Iterator<Item = &'a Element>>(
    element: &Element,
    others: impl Fn() -> I,
) -> Result<(), Found> {
    let reaching = |zone: RectMm| others().find(|other| other.ink.iter().any(|area| clash(area, &zone)));
    match element.kind {
        ElementKind::Mark => {
            for mark in &element.ink {
                if let Some(other) = reaching(mark.grown(MARK_RING_MM)) {
                    return Err(element.fault(Fault::InMark(other.place.clone(), MARK_RING_MM)));
                }
            }
        }
        ElementKind::Symbol { area, symbology, quiet_mm: quiet, .. } => {
            let above = if symbology == Symbology::Qr { quiet } else { ABOVE_BARS_MM };
            let zone = RectMm {
                x: area.x - quiet,
                y: area.y - above,
                w: area.w + 2.0 * quiet,
                h: area.h + 2.0 * above,
            };
            if let Some(other) = reaching(zone) {
                return Err(element.fault(Fault::InQuietZone(other.place.clone(), quiet)));
            }
        }
        ElementKind::CustomerBarcode { zone, margin_mm } => {
            if let Some(other) = reaching(zone) {
                return Err(element.fault(Fault::InQuietZone(other.place.clone(), margin_mm)));
            }
        }
        ElementKind::Cells => {
            for cell in &element.ink {
                for other in others() {
                    let area = match other.kind {
                        ElementKind::Print => cell.grown(-FRAME_MM),
                        _ => *cell,
                    };
                    if other.ink.iter().any(|ink| clash(ink, &area)) {
                        let place = other.place.clone();
                        return Err(element.fault(match other.kind {
                            ElementKind::Print => Fault::PrintInCell(place),
                            _ => Fault::Overlap(place),
                        }));
                    }
                }
            }
        }
        ElementKind::Print | ElementKind::Place => {}
    }
    Ok(())
}

fn clash(a: &RectMm, b: &RectMm) -> bool {
    a.grown(-SLACK_MM).overlaps(b)
}

/// Whether the marks, turned by half about the page's centre, lie clearly elsewhere.
pub(super) fn shows_half_turn(marks: &[PointMm], width: f64, height: f64) -> bool {
    let turned: Vec<PointMm> =
        marks.iter().map(|mark| PointMm { x: width - mark.x, y: height - mark.y }).collect();
    differ(marks, &turned)
}

/// Whether some point of `a` lies [`MIN_DIFFERENCE_MM`] from all of `b`, or the other way round.
fn differ(a: &[PointMm], b: &[PointMm]) -> bool {
    let far = |from: &[PointMm], to: &[PointMm]| {
        from.iter().any(|p| to.iter().all(|q| (p.x - q.x).hypot(p.y - q.y) >= MIN_DIFFERENCE_MM))
    };
    far(a, b) || far(b, a)
}

/// Whether two pages can be told apart by what the 1D symbol and the marks show.
fn told_apart(a: &FormPage, b: &FormPage) -> bool {
    let one_dimensional = |page: &FormPage| {
        page.symbols.iter().find(|symbol| symbol.role == SymbolRole::ApplicationId).copied()
    };
    let (Some(symbol_a), Some(symbol_b)) = (one_dimensional(a), one_dimensional(b)) else {
        return false;
    };
    // Relative to the middle of the marks, because a scan shows the paper's edges only roughly.
    let seen = |page: &FormPage, symbol: &super::SymbolPlace| {
        let count = page.marks.len() as f64;
        let x = page.marks.iter().map(|mark| mark.x).sum::<f64>() / count;
        let y = page.marks.iter().map(|mark| mark.y).sum::<f64>() / count;
        let relative = |point: PointMm| PointMm { x: point.x - x, y: point.y - y };
        let marks: Vec<PointMm> = page.marks.iter().copied().map(relative).collect();
        (marks, [relative(symbol.area.centre())])
    };
    let (marks_a, centre_a) = seen(a, &symbol_a);
    let (marks_b, centre_b) = seen(b, &symbol_b);
    symbol_a.symbology != symbol_b.symbology
        || (a.width_mm - b.width_mm).abs() >= MIN_DIFFERENCE_MM
        || (a.height_mm - b.height_mm).abs() >= MIN_DIFFERENCE_MM
        || differ(&marks_a, &marks_b)
        || differ(&centre_a, &centre_b)
}

/// The first two pages of `form`, or of `form` and `others`, that could be taken for one another:
/// the page's number, and the other page in words.
pub(super) fn alike<'a>(form: &Form, others: impl IntoIterator<Item = &'a Form>) -> Option<(u32, String)> {
    for (index, page) in form.pages.iter().enumerate() {
        if let Some(other) = form.pages[..index].iter().find(|other| !told_apart(page, other)) {
            return Some((page.number, format!("page {}", other.number)));
        }
    }
    for other in others {
        for page in &form.pages {
            if let Some(there) = other.pages.iter().find(|there| !told_apart(page, there)) {
                let name = format!("page {} of {}@{}", there.number, other.id, other.version);
                return Some((page.number, name));
            }
        }
    }
    None
}
