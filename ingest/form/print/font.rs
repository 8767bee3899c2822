//! The Japanese fonts of printed forms: found on the system, subset to the characters in use and
//! embedded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Chunk, Filter, Finish, Name, Rect, Ref, Settings, Str};

use super::PrintError;
use crate::form::Face;

/// What stands for a character that the font lacks, as printers have always set it.
const GETA: char = '〓';

/// A character of a subset font.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Glyph {
    /// In the subset font; also its CID.
    pub id: u16,
    /// Of the font's size.
    pub width: f64,
}

/// A font as it is embedded: the characters that were asked for.
pub(super) struct Font {
    name: &'static str,
    subset: Vec<u8>,
    glyphs: BTreeMap<char, Glyph>,
    geta: Glyph,
    /// Widths of the subset's glyphs, of the font's size.
    widths: Vec<f64>,
    ascent: f64,
    descent: f64,
    bounds: [f64; 4],
}

/// PDF objects that a font takes.
pub(super) const OBJECTS: usize = 5;

struct Source {
    path: &'static str,
    package: &'static str,
    /// With the tag that PDF asks of subsets (six letters and '+'); fonts of different files
    /// never meet, so that it need not vary.
    name: &'static str,
}

fn source(face: Face) -> Source {
    match face {
        Face::Gothic => Source {
            path: "/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf",
            package: "fonts-ipaexfont-gothic",
            name: "UKETSU+IPAexGothic",
        },
        Face::Mincho => Source {
            path: "/usr/share/fonts/opentype/ipaexfont-mincho/ipaexm.ttf",
            package: "fonts-ipaexfont-mincho",
            name: "UKETSU+IPAexMincho",
        },
    }
}

impl Font {
    /// Loads the font of `face` and cuts it down to `characters`.
    pub fn subset(face: Face, characters: &BTreeSet<char>) -> Result<Self, PrintError> {
        let Source { path, package, name } = source(face);
        let data = std::fs::read(Path::new(path)).map_err(|source| PrintError::FontMissing {
            path,
            package,
            source,
        })?;
        let unusable = |reason: String| PrintError::FontUnusable { path, package, reason };
        let font = ttf_parser::Face::parse(&data, 0).map_err(|error| unusable(error.to_string()))?;
        let em = f64::from(font.units_per_em());
        let mut remapper = subsetter::GlyphRemapper::new();
        let mut widths = vec![advance(&font, ttf_parser::GlyphId(0))];
        let mut glyph_of = |character: char| {
            let old = font.glyph_index(character)?;
            let id = remapper.remap(old.0);
            let width = advance(&font, old);
            if usize::from(id) == widths.len() {
                widths.push(width);
            }
            Some(Glyph { id, width })
        };
        let geta = glyph_of(GETA).ok_or_else(|| unusable(format!("it lacks the character {GETA}")))?;
        let glyphs = characters.iter().filter_map(|&c| Some((c, glyph_of(c)?))).collect();
        let subset = subsetter::subset(&data, 0, &remapper).map_err(|error| unusable(error.to_string()))?;
        let bounds = font.global_bounding_box();
        let bounds =
            [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(|edge| f64::from(edge) / em);
        let (ascent, descent) = (f64::from(font.ascender()) / em, f64::from(font.descender()) / em);
        Ok(Self { name, subset, glyphs, geta, widths, ascent, descent, bounds })
    }

    /// The glyph of a character, the geta mark where the font lacks it.
    pub fn glyph(&self, character: char) -> Glyph {
        self.glyphs.get(&character).copied().unwrap_or(self.geta)
    }

    pub fn has(&self, character: char) -> bool {
        self.glyphs.contains_key(&character)
    }

    /// The font's objects; the first of `ids` is the one that pages refer to.
    pub fn objects(&self, ids: [Ref; OBJECTS]) -> [Chunk; OBJECTS] {
        let [font_id, cid_id, descriptor_id, file_id, cmap_id] = ids;
        let chunk = || Chunk::with_settings(Settings { pretty: false });
        let name = Name(self.name.as_bytes());
        let identity = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        let thousand = |part: f64| (part * 1000.0).round() as f32;

        let mut font = chunk();
        font.type0_font(font_id)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid_id)
            .to_unicode(cmap_id);

        let mut cid = chunk();
        let mut cid_font = cid.cid_font(cid_id);
        cid_font
            .subtype(CidFontType::Type2)
            .base_font(name)
            .system_info(identity)
            .font_descriptor(descriptor_id)
            .default_width(1000.0)
            .cid_to_gid_map_predefined(Name(b"Identity"));
        cid_font.widths().consecutive(0, self.widths.iter().map(|&width| thousand(width)));
        cid_font.finish();

        let mut descriptor = chunk();
        let [left, bottom, right, top] = self.bounds.map(thousand);
        descriptor
            .font_descriptor(descriptor_id)
            .name(name)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(left, bottom, right, top))
            .italic_angle(0.0)
            .ascent(thousand(self.ascent))
            .descent(thousand(self.descent))
            .cap_height(thousand(self.ascent))
            .stem_v(80.0)
            .font_file2(file_id);

        let mut file = chunk();
        let packed = super::packed(&self.subset);
        file.stream(file_id, &packed)
            .filter(Filter::FlateDecode)
            .pair(Name(b"Length1"), i32::try_from(self.subset.len()).unwrap_or(i32::MAX));

        let mut cmap = UnicodeCmap::<u16>::new(Name(b"Unicode"), identity);
        cmap.pair(self.geta.id, GETA);
        for (&character, glyph) in self.glyphs.iter().filter(|(character, _)| **character != GETA) {
            cmap.pair(glyph.id, character);
        }
        let mut unicode = chunk();
        unicode.cmap(cmap_id, &super::packed(&cmap.finish())).filter(Filter::FlateDecode);

        [font, cid, descriptor, file, unicode]
    }
}

fn advance(font: &ttf_parser::Face<'_>, glyph: ttf_parser::GlyphId) -> f64 {
    f64::from(font.glyph_hor_advance(glyph).unwrap_or(0)) / f64::from(font.units_per_em())
}
