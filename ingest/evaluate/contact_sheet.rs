//! Pictures of fields on one sheet, one after another, each with what is to be said of it.

use image::GrayImage;
use image::imageops::{FilterType, resize};
use tiny_skia::{Color, PremultipliedColorU8, Rect, Transform};

use crate::simulate::Font;
use crate::simulate::ink::{Ink, Medium, Pen, draw};

/// A picture and the lines below it, from top to bottom.
#[derive(Clone)]
pub struct Tile {
    /// None where the picture could not be had.
    pub picture: Option<GrayImage>,
    pub lines: [Line; 3],
}

#[derive(Clone)]
pub struct Line {
    pub text: String,
    pub colour: [u8; 3],
}

pub struct ContactSheet {
    pub png: Vec<u8>,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Where the picture of each tile lies, in their order; a tile without one has a gray place.
    pub places: Vec<Place>,
}

/// In pixels of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

/// The sheet could not be made; what is on it is not told.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    #[error("the contact sheet would be {width} × {height} pixels large, which is too much")]
    Size { width: u32, height: u32 },
    #[error("the contact sheet cannot be written as PNG: {0}")]
    Png(String),
}

/// As wide as a page of a browser; an account number at 200 dpi takes a quarter of it.
const WIDTH: u32 = 1600;
const MARGIN: u32 = 24;
/// The lines below a picture need so much.
const LEAST_TILE_WIDTH: u32 = 360;
/// A picture of a whole comb of 30 boxes fits; one of a text is not made larger.
const TALLEST: u32 = 240;
const MISSING: (u32, u32) = (360, 60);
const LINE_HEIGHT: u32 = 26;
const EM: f64 = 19.0;

/// Lays `tiles` out in their order from left to right and top to bottom. Without a font the lines
/// are left out. None for no tile.
///
/// # Errors
/// No memory for so large a picture.
pub fn contact_sheet(tiles: &[Tile], font: Option<&Font>) -> Result<Option<ContactSheet>, SheetError> {
    if tiles.is_empty() {
        return Ok(None);
    }
    let pictures: Vec<Option<GrayImage>> =
        tiles.iter().map(|tile| tile.picture.as_ref().map(fitted)).collect();
    let sizes: Vec<(u32, u32)> =
        pictures.iter().map(|picture| picture.as_ref().map_or(MISSING, GrayImage::dimensions)).collect();
    let (places, height) = lay_out(&sizes, if font.is_some() { 3 * LINE_HEIGHT + 6 } else { 0 });
    let mut sheet = tiny_skia::Pixmap::new(WIDTH, height).ok_or(SheetError::Size { width: WIDTH, height })?;
    sheet.fill(Color::WHITE);
    for ((tile, picture), place) in tiles.iter().zip(&pictures).zip(&places) {
        match picture {
            Some(picture) => paste(picture, *place, &mut sheet),
            None => fill_gray(*place, &mut sheet),
        }
        let width = f64::from(place.w.max(LEAST_TILE_WIDTH));
        for (number, line) in (1..).zip(&tile.lines) {
            let baseline = place.y + place.h + number * LINE_HEIGHT - 4;
            let inks = font.map_or_else(Vec::new, |font| {
                print(line, font, f64::from(place.x), f64::from(baseline), width)
            });
            // A millimetre of ink is a pixel here.
            draw(&inks, &mut sheet, crate::geometry::Millimetres::PER_INCH);
        }
    }
    let png = sheet.encode_png().map_err(|error| SheetError::Png(error.to_string()))?;
    Ok(Some(ContactSheet { png, size: (WIDTH, height), places }))
}

/// No wider than the sheet, no taller than [`TALLEST`]; never made larger.
fn fitted(picture: &GrayImage) -> GrayImage {
    let (width, height) = picture.dimensions();
    let scale =
        (f64::from(WIDTH - 2 * MARGIN) / f64::from(width)).min(f64::from(TALLEST) / f64::from(height));
    if scale >= 1.0 {
        return picture.clone();
    }
    let scaled = |side: u32| ((f64::from(side) * scale) as u32).max(1);
    resize(picture, scaled(width), scaled(height), FilterType::Triangle)
}

/// Places of pictures of these sizes, each with `below` pixels of lines, and the sheet's height.
fn lay_out(sizes: &[(u32, u32)], below: u32) -> (Vec<Place>, u32) {
    let (mut x, mut y, mut row_height) = (MARGIN, MARGIN, 0);
    let mut places = Vec::with_capacity(sizes.len());
    for &(w, h) in sizes {
        let width = w.max(LEAST_TILE_WIDTH);
        if x > MARGIN && x + width + MARGIN > WIDTH {
            (x, y) = (MARGIN, y + row_height + MARGIN);
            row_height = 0;
        }
        places.push(Place { x, y, w, h });
        x += width + MARGIN;
        row_height = row_height.max(h + below);
    }
    (places, y + row_height + MARGIN)
}

fn paste(picture: &GrayImage, place: Place, sheet: &mut tiny_skia::Pixmap) {
    let width = sheet.width() as usize;
    let pixels = sheet.pixels_mut();
    for (x, y, pixel) in picture.enumerate_pixels() {
        let gray = pixel.0[0];
        let at = (place.y + y) as usize * width + (place.x + x) as usize;
        if let (Some(target), Some(colour)) =
            (pixels.get_mut(at), PremultipliedColorU8::from_rgba(gray, gray, gray, 255))
        {
            *target = colour;
        }
    }
}

fn fill_gray(place: Place, sheet: &mut tiny_skia::Pixmap) {
    let mut paint = tiny_skia::Paint::default();
    paint.set_color_rgba8(225, 225, 225, 255);
    let [x, y, w, h] = [place.x, place.y, place.w, place.h].map(|value| value as f32);
    if let Some(rect) = Rect::from_xywh(x, y, w, h) {
        sheet.fill_rect(rect, &paint, Transform::identity(), None);
    }
}

/// A line of print, smaller where it would be wider than `width`.
fn print(line: &Line, font: &Font, x: f64, y: f64, width: f64) -> Vec<Ink> {
    let ems: f64 = line.text.chars().map(|character| if character.is_ascii() { 0.56 } else { 1.0 }).sum();
    let em = EM.min(width / ems.max(1.0));
    let paths = font.line(&line.text, em, |dx, dy| ((x + dx) as f32, (y + dy) as f32));
    let ink = |path| Ink { path, pen: Pen::Area, colour: line.colour, density: 1.0, medium: Medium::Cover };
    paths.into_iter().map(ink).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(picture: Option<GrayImage>) -> Tile {
        let line = |text: &str| Line { text: text.to_owned(), colour: [0, 0, 0] };
        Tile { picture, lines: [line("1"), line("読 123"), line("正 124")] }
    }

    #[test]
    fn tiles_keep_their_order_and_begin_a_new_row_where_there_is_no_room() {
        let (places, height) = lay_out(&[(900, 80), (500, 40), (700, 60)], 84);
        let corners: Vec<_> = places.iter().map(|place| (place.x, place.y)).collect();
        assert_eq!(corners, [(24, 24), (948, 24), (24, 24 + 80 + 84 + 24)]);
        assert_eq!(height, 212 + 60 + 84 + 24);
    }

    #[test]
    fn pictures_lie_where_the_sheet_says_also_without_a_font_or_a_picture() {
        let black = GrayImage::from_pixel(400, 50, image::Luma([0]));
        let tiles = [tile(Some(black)), tile(None), tile(Some(GrayImage::new(4000, 100)))];
        let sheet = contact_sheet(&tiles, None).expect("memory").expect("three tiles");
        let decoded = image::load_from_memory(&sheet.png).expect("a PNG").to_luma8();
        let gray = |place: &Place| decoded.get_pixel(place.x + place.w / 2, place.y + place.h / 2).0[0];
        assert_eq!(sheet.places.iter().map(gray).collect::<Vec<_>>(), [0, 225, 0]);
        assert_eq!(sheet.places[2].w, WIDTH - 2 * MARGIN, "made smaller");
        assert!(contact_sheet(&[], None).expect("memory").is_none());
    }
}
