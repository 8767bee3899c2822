//! Copies of documents: what is printed on them is found and read, what must not be kept is blacked
//! out, and what they say of an account comes out as evidence.
//!
//! Copies lie on the form's page for them, or on loose pages. Other pages are not looked at. Nothing of
//! what is read leaves this module but kinds, counts, the account, and whether a proof of identity holds.

mod account;
mod identity;
mod kind;
mod lines;
mod mask;
mod sensitive;

pub use account::{AccountCopy, CopiedValue};
pub use identity::IdentityCopy;
pub use kind::CopyKind;
pub use mask::{Cover, Covered, black_out};
pub(crate) use sensitive::holds_my_number;

use image::GrayImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ReadError, Readers, crop};
use crate::form::{FormPage, Piece, Printed, Symbology};
use crate::geometry::{Affine, Millimetres, PointMm, RectMm};
use crate::identify::{self, Symbol};
use crate::page::Registration;
use crate::reference::BankTable;
use account::Print;
use lines::{Found, Place};
use sensitive::Sensitivity;

/// Lines that are read on a page at most; what lies in further ones is blacked out unread.
const MOST_LINES: usize = 90;

/// Print on a copy has a character and more a millimetre of its lines; a page that has fewer pieces of
/// ink has no copy.
const FEWEST_PIECES: usize = 12;

/// Fewer letters on a line are what streaks and edges are read as.
const FEWEST_LETTERS: usize = 4;

/// Around a line that is blacked out: its ink may be found a little short.
const BLACK_MARGIN_MM: f64 = 1.2;
/// Around all that is found of a copy that is blacked out whole.
const HIDDEN_MARGIN_MM: f64 = 5.0;
/// Around a symbol.
const SYMBOL_MARGIN_MM: f64 = 2.0;
/// Beside a symbol of ours: its number in print.
const CAPTION_MM: f64 = 6.0;

/// Parts of a row lie no farther apart.
const ROW_GAP_MM: f64 = 30.0;

/// Read with less than this (the mean of its characters), print is upside down or hardly legible.
const UPRIGHT: f64 = 0.8;
/// So many lines tell which way up a copy lies.
const TELLING_LINES: usize = 6;

/// Copies with more rows than this are letters and certificates: of these only the row with the number
/// goes.
const ROWS_OF_A_CARD: usize = 16;

/// The width of A4, for pages of which nothing tells the scale.
const A4_MM: f64 = 210.0;

/// A page that copies may be on.
#[derive(Debug, Clone, Copy)]
pub enum Sheet<'a> {
    /// The form's page for copies.
    Form { page: &'a FormPage, registration: &'a Registration },
    /// Any other, whatever it is.
    Loose {
        declared_dpi: Option<f64>,
        /// The titles of the forms, which tell a form whose symbols are spoilt: people must see it.
        titles: &'a [&'a str],
    },
}

/// What was seen of the copies on a page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CopiesSeen {
    /// What is copied, in the order of the places for copies; none where nothing tells.
    pub kinds: Vec<Option<CopyKind>>,
    /// Rows, symbols and copies with a number that must not be kept, all blacked out.
    pub removed: u32,
    /// Rows that were blacked out because they could not be read well enough.
    pub doubtful: u32,
    /// Copies that were blacked out whole, because nothing tells what they are of.
    pub hidden: u32,
    /// What a passbook or a cash card says; none where there is no copy of one.
    pub account: Option<AccountCopy>,
    /// What a proof of identity says of itself; none where there is no copy of one.
    #[serde(default)]
    pub identity: Option<IdentityCopy>,
    /// What a person left black who looked at what could not be read; none while nobody has.
    #[serde(default)]
    pub by_hand: Option<MaskedByHand>,
}

/// What a person left black on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MaskedByHand {
    /// Places that are black now.
    pub places: u32,
    /// The whole page is.
    pub whole: bool,
}

impl CopiesSeen {
    /// The scan holds, or may hold, what must not be kept.
    pub fn is_sensitive(&self) -> bool {
        self.blacked_out() > 0
    }

    /// Places that were blacked out.
    pub fn blacked_out(&self) -> u32 {
        self.removed + self.doubtful + self.hidden
    }
}

/// Copies read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Copies {
    pub seen: CopiesSeen,
    /// What is to be blacked out, for [`black_out`].
    pub black: Vec<Covered>,
}

/// Reads the copies on a page. `symbols` are those found on it, `head` is the name of the household's head
/// where the page's application is in the register. Without line models nothing can be read, and what looks
/// like a copy is blacked out.
pub fn read_copies(
    page: &GrayImage,
    sheet: Sheet<'_>,
    symbols: &[Symbol],
    head: Option<&str>,
    readers: &Readers,
) -> Result<Copies, ReadError> {
    let mut surface = Surface::of(page, sheet, symbols);
    let mut copies = Copies::default();
    copies.take_symbols(symbols, &surface.map);
    let mut room = MOST_LINES;
    let (coarse, onto) = crop::reduced(page, &surface.map, lines::FIND_DPI);
    for region in std::mem::take(&mut surface.regions) {
        let found = lines::find(&coarse, &onto, region, &surface.printed);
        let read = read_lines(page, &surface.map, &found, &mut room, readers)?;
        let read: Vec<Line> = read.into_iter().filter(|line| !surface.is_printed(&line.text)).collect();
        if let Sheet::Loose { titles, .. } = sheet
            && titles.iter().any(|title| read.iter().any(|line| kind::carries(&line.text, title)))
        {
            surface.of = SheetKind::SpoiltForm;
        }
        copies.take(&found, &read, &surface, head, readers.banks());
    }
    Ok(copies)
}

/// Where to look on a page.
struct Surface {
    map: Affine,
    regions: Vec<RectMm>,
    /// The form's own print around the places for copies.
    printed: Vec<RectMm>,
    /// What the form prints inside these places, without blanks, and where.
    inside: Vec<(RectMm, Vec<char>)>,
    of: SheetKind,
}

/// What a page is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SheetKind {
    /// The form's page for copies.
    Copies,
    /// A page without an ID.
    Loose,
    /// A page without an ID that carries a form's title.
    SpoiltForm,
}

impl Surface {
    fn of(page: &GrayImage, sheet: Sheet<'_>, symbols: &[Symbol]) -> Self {
        match sheet {
            Sheet::Form { page: form_page, registration } => Self::of_form(form_page, registration.map),
            Sheet::Loose { declared_dpi, .. } => Self::loose(page, declared_dpi, symbols),
        }
    }

    /// The page in strips, one around each place for copies: what is glued over the edge is seen.
    fn of_form(page: &FormPage, map: Affine) -> Self {
        let areas = page.copy_areas();
        let middles = areas.windows(2).map(|pair| (pair[0].bottom() + pair[1].y) / 2.0);
        let tops = std::iter::once(0.0).chain(middles);
        let bottoms = tops.clone().skip(1).chain([page.height_mm]);
        let strip = |(top, bottom): (f64, f64)| RectMm { x: 0.0, y: top, w: page.width_mm, h: bottom - top };
        let regions = tops.zip(bottoms).map(strip).collect();
        let is_inside = |area: &RectMm| areas.iter().any(|place| place.contains(area));
        let mut printed: Vec<RectMm> =
            page.symbols.iter().map(|symbol| symbol.area.grown(CAPTION_MM)).collect();
        let mark = page.mark_size_mm;
        printed.extend(page.marks.iter().map(|centre| RectMm {
            x: centre.x - mark,
            y: centre.y - mark,
            w: 2.0 * mark,
            h: 2.0 * mark,
        }));
        let mut inside = Vec::new();
        for text in page.printed.iter().filter_map(|printed| match printed {
            Printed::Text(text) => Some(text),
            _ => None,
        }) {
            if is_inside(&text.area) {
                let literal = text.pieces.iter().filter_map(|piece| match piece {
                    Piece::Literal(literal) => Some(literal.as_str()),
                    Piece::Data(_) => None,
                });
                let letters = literal.flat_map(str::chars).filter(|letter| !letter.is_whitespace());
                inside.push((text.area, letters.collect()));
            } else {
                printed.push(text.area.grown(0.5));
            }
        }
        Self { map, regions, printed, inside, of: SheetKind::Copies }
    }

    fn loose(page: &GrayImage, declared_dpi: Option<f64>, symbols: &[Symbol]) -> Self {
        let (width, height) = (f64::from(page.width()), f64::from(page.height()));
        let scale = declared_dpi.map_or(width.min(height) / A4_MM, |dpi| dpi / Millimetres::PER_INCH);
        let map = Affine { a: scale, b: 0.0, c: 0.0, d: 0.0, e: scale, f: 0.0 };
        let regions = vec![RectMm { x: 0.0, y: 0.0, w: width / scale, h: height / scale }];
        let ours = symbols.iter().filter(|symbol| identify::application_id(symbol).is_some());
        let printed = ours.filter_map(|symbol| Some(around(symbol, &map)?.grown(CAPTION_MM))).collect();
        Self { map, regions, printed, inside: Vec::new(), of: SheetKind::Loose }
    }

    /// Whether a line is what the form prints where copies go, or what is left of it beside a copy.
    fn is_printed(&self, line: &str) -> bool {
        let line: Vec<char> = line.chars().filter(|letter| !letter.is_whitespace()).collect();
        self.inside.iter().any(|(_, printed)| {
            let pairs = line.windows(2);
            let known = pairs.clone().filter(|pair| printed.windows(2).any(|other| other == *pair));
            let (known, all) = (known.count(), pairs.len());
            all > 0 && 10 * known >= 7 * all
        })
    }

    /// Whether there is more ink in a region than the form's own.
    fn has_copy(&self, found: &Found, lines: &[Line]) -> bool {
        let is_own = |piece: &RectMm| {
            let centre = piece.centre();
            let point = RectMm { x: centre.x, y: centre.y, w: 0.0, h: 0.0 };
            self.inside.iter().any(|(area, _)| area.contains(&point))
        };
        let others = found.pieces.iter().filter(|piece| !is_own(piece)).count();
        lines.iter().any(|line| line.text.chars().count() >= FEWEST_LETTERS) || others >= FEWEST_PIECES
    }
}

fn around(symbol: &Symbol, map: &Affine) -> Option<RectMm> {
    let corners: Option<Vec<PointMm>> = symbol.corners.iter().map(|&corner| map.invert(corner)).collect();
    RectMm::around(corners?.into_iter().map(|corner| RectMm { x: corner.x, y: corner.y, w: 0.0, h: 0.0 }))
}

/// A line of print as it was read.
#[derive(Clone)]
struct Line {
    place: Place,
    text: String,
    /// The mean of its characters; 0 where it was not read, or nothing was.
    confidence: f64,
    /// Its least sure character.
    least: f64,
}

impl Line {
    /// Nothing was read where most of twelve digits may stand.
    fn may_be_unread_digits(&self) -> bool {
        self.text.is_empty() && self.place.may_be_digits()
    }
}

/// Reads what was found, the right way up, as long as there is room.
fn read_lines(
    page: &GrayImage,
    map: &Affine,
    found: &Found,
    room: &mut usize,
    readers: &Readers,
) -> Result<Vec<Line>, ReadError> {
    let unread = |place: &Place| Line { place: *place, text: String::new(), confidence: 0.0, least: 0.0 };
    let Some(model) = readers.lines.as_ref().map(|lines| &lines.model) else {
        return Ok(found.lines.iter().map(unread).collect());
    };
    let read = |places: &[Place]| -> Result<Vec<Line>, ReadError> {
        let pictures: Vec<GrayImage> = places.iter().map(|place| place.cut(page, map)).collect();
        let characters = model.characters(&pictures)?;
        let line = |(place, characters): (&Place, Vec<super::CharacterReading>)| {
            let sum: f64 = characters.iter().map(|character| character.confidence).sum();
            let confidence = sum / characters.len().max(1) as f64;
            let least = characters.iter().map(|character| character.confidence).fold(1.0, f64::min);
            let text = characters.into_iter().map(|character| character.value).collect();
            Line { place: *place, text, confidence, least }
        };
        Ok(places.iter().zip(characters).map(line).collect())
    };
    let count = found.lines.len().min(*room);
    *room -= count;
    let (places, further) = found.lines.split_at(count);
    // The longest tell which way up all of them are read.
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[b].length.total_cmp(&places[a].length));
    let (longest, others) = order.split_at(order.len().min(TELLING_LINES));
    let upright = |chosen: &[usize]| -> Vec<Place> { chosen.iter().map(|&line| places[line]).collect() };
    let turned =
        |chosen: &[usize]| -> Vec<Place> { chosen.iter().map(|&line| places[line].turned()).collect() };
    let mut lines = read(&upright(longest))?;
    let on_its_head = match legibility(&lines) < UPRIGHT {
        true => Some(read(&turned(longest))?).filter(|turned| legibility(turned) > legibility(&lines)),
        false => None,
    };
    match on_its_head {
        Some(read_turned) => {
            lines = read_turned;
            lines.extend(read(&turned(others))?);
        }
        None => lines.extend(read(&upright(others))?),
    }
    lines.sort_by(|a, b| a.place.middle().1.total_cmp(&b.place.middle().1));
    lines.extend(further.iter().map(unread));
    Ok(lines)
}

/// How surely lines were read, by the characters that they have.
fn legibility<'a>(lines: impl IntoIterator<Item = &'a Line>) -> f64 {
    let (mut all, mut sure) = (0.0, 0.0);
    for line in lines {
        let count = line.text.chars().count() as f64;
        all += count;
        sure += line.confidence * count;
    }
    if all > 0.0 { sure / all } else { 0.0 }
}

/// Lines that stand on one row, from left to right.
struct Row<'a> {
    lines: Vec<&'a Line>,
}

impl Row<'_> {
    fn text(&self) -> String {
        let texts: Vec<&str> = self.lines.iter().map(|line| line.text.trim()).collect();
        texts.join(" ")
    }

    /// Its lines, and what lies between them: digits that a stamp lies over are found as no line.
    fn areas(&self) -> Vec<[PointMm; 4]> {
        let lines: Vec<_> = self.lines.iter().map(|line| line.place.corners(BLACK_MARGIN_MM)).collect();
        let gaps = lines.windows(2).map(|pair| {
            let [[_, top_left, bottom_left, _], [top_right, _, _, bottom_right]] = [pair[0], pair[1]];
            [top_left, top_right, bottom_right, bottom_left]
        });
        gaps.chain(lines.iter().copied()).collect()
    }
}

/// Lines of one copy as rows, from top to bottom.
fn rows(lines: &[Line]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut sorted: Vec<&Line> = lines.iter().collect();
    sorted.sort_by(|a, b| a.place.middle().0.total_cmp(&b.place.middle().0));
    for line in sorted {
        let (along, down) = line.place.middle();
        let is_next = |row: &Row<'_>| {
            row.lines.last().is_some_and(|last| {
                let (last_along, last_down) = last.place.middle();
                let height = line.place.height.min(last.place.height);
                let gap = along - last_along - (line.place.length + last.place.length) / 2.0;
                (down - last_down).abs() < 0.5 * height && (-1.0..ROW_GAP_MM).contains(&gap)
            })
        };
        match rows.iter_mut().find(|row| is_next(row)) {
            Some(row) => row.lines.push(line),
            None => rows.push(Row { lines: vec![line] }),
        }
    }
    rows.sort_by(|a, b| {
        let down = |row: &Row<'_>| row.lines.first().map_or(0.0, |line| line.place.middle().1);
        down(a).total_cmp(&down(b))
    });
    rows
}

impl Copies {
    /// QR codes of others (cards of insurers and of individual numbers have them), and whatever symbol
    /// holds an individual number.
    fn take_symbols(&mut self, symbols: &[Symbol], map: &Affine) {
        let foreign = symbols.iter().filter(|symbol| {
            identify::application_id(symbol).is_none()
                && (symbol.symbology == Symbology::Qr || symbol.is_withheld())
        });
        for symbol in foreign {
            if let Some(area) = around(symbol, map) {
                self.black(Cover::Number, area.grown(SYMBOL_MARGIN_MM).corners(), map);
                self.seen.removed += 1;
            }
        }
    }

    /// Takes what was found and read in one region.
    fn take(
        &mut self,
        found: &Found,
        lines: &[Line],
        surface: &Surface,
        head: Option<&str>,
        banks: Option<&BankTable>,
    ) {
        let rows = rows(lines);
        let texts: Vec<String> = rows.iter().map(Row::text).collect();
        let kind = kind::kind(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let mut number_found = false;
        for (row, text) in rows.iter().zip(&texts) {
            let sensitivity = match surface.of {
                // Handwriting in its boxes is hardly legible here, and is no copy.
                SheetKind::SpoiltForm => sensitive::sensitivity(text, kind, 1.0)
                    .filter(|&sensitivity| sensitivity == Sensitivity::Certain),
                SheetKind::Copies | SheetKind::Loose => {
                    sensitive::sensitivity(text, kind, legibility(row.lines.iter().copied()))
                }
            };
            let (cover, gone): (Cover, Vec<[PointMm; 4]>) = match sensitivity {
                Some(Sensitivity::Certain) => {
                    number_found = true;
                    (Cover::Number, row.areas())
                }
                Some(Sensitivity::Possible) => (Cover::Doubt, row.areas()),
                None if surface.of == SheetKind::SpoiltForm => continue,
                None => {
                    let unread = row.lines.iter().filter(|line| line.may_be_unread_digits());
                    (Cover::Doubt, unread.map(|line| line.place.corners(BLACK_MARGIN_MM)).collect())
                }
            };
            let count = match cover {
                Cover::Number => &mut self.seen.removed,
                Cover::Doubt | Cover::Untold => &mut self.seen.doubtful,
            };
            *count += u32::from(!gone.is_empty());
            for corners in gone {
                self.black(cover, corners, &surface.map);
            }
        }
        let kind = match kind {
            // A card that shows the number is its back, whatever its words were read as.
            Some(CopyKind::NumberCardFront) | None if number_found && rows.len() <= ROWS_OF_A_CARD => {
                Some(CopyKind::NumberCardBack)
            }
            kind => kind,
        };
        let has_copy = surface.has_copy(found, lines);
        if kind == Some(CopyKind::NumberCardBack) {
            self.seen.removed += u32::from(!number_found);
            self.hide(Cover::Number, found, lines, &surface.map);
        } else if surface.of == SheetKind::Copies && has_copy && kind.is_none() {
            self.seen.hidden += 1;
            self.hide(Cover::Untold, found, lines, &surface.map);
        }
        if kind.is_some_and(CopyKind::is_of_account) && self.seen.account.is_none() {
            let print = |line: &Line| Print::new(&line.text, line.least, &line.place);
            self.seen.account = Some(account::account(&lines.iter().map(print).collect::<Vec<_>>(), banks));
        }
        if kind.is_some_and(CopyKind::is_of_identity) && self.seen.identity.is_none() {
            let rows: Vec<Vec<(&str, f64)>> = rows
                .iter()
                .map(|row| row.lines.iter().map(|line| (line.text.as_str(), line.least)).collect())
                .collect();
            self.seen.identity = Some(identity::identity(&rows, head));
        }
        if has_copy {
            self.seen.kinds.push(kind);
        }
    }

    /// Blacks out all that is found of a copy.
    fn hide(&mut self, cover: Cover, found: &Found, lines: &[Line], map: &Affine) {
        let corners = lines.iter().flat_map(|line| line.place.corners(0.0));
        let points = corners.map(|corner| RectMm { x: corner.x, y: corner.y, w: 0.0, h: 0.0 });
        if let Some(area) = RectMm::around(found.pieces.iter().copied().chain(points)) {
            self.black(cover, area.grown(HIDDEN_MARGIN_MM).corners(), map);
        }
    }

    fn black(&mut self, cover: Cover, corners: [PointMm; 4], map: &Affine) {
        self.black.push(Covered { cover, corners: corners.map(|corner| map.apply(corner)) });
    }
}
