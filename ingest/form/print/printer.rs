//! A print in progress: the objects of the PDF, in the order in which they are written.

use std::io::Write;

use pdf_writer::{Chunk, Filter, Finish, Name, Rect, Ref, Settings, TextStr};

use super::document::Document;
use super::{Again, Fonts, Leaf, PrintError, Report, customer_barcode, data, packed, page, texts};
use crate::form::{Face, Form, FormPage, Printed};
use crate::geometry::Millimetres;
use crate::identify::Issue;
use crate::register::Household;

/// How many applications of a kind a report names.
const NAMED: usize = 20;

/// Pages below one node of the page tree.
const PAGES_A_NODE: u64 = 512;

/// A print in progress. Object numbers follow from the number of pages, so that an object can name
/// another one that is not written yet.
pub(super) struct Printer<'a, W: Write> {
    forms: &'a [&'a Form],
    fonts: &'a Fonts,
    document: Document<W>,
    catalog: Ref,
    info: Ref,
    resources: Ref,
    first_node: Ref,
    pages: u64,
    expected_pages: u64,
    report: Report,
}

impl<'a, W: Write> Printer<'a, W> {
    /// Writes what all pages share; of `forms` pages may be printed, `pages` pages will be.
    pub fn begin(
        title: &str,
        forms: &'a [&'a Form],
        fonts: &'a Fonts,
        pages: u64,
        specimen: bool,
        out: W,
    ) -> Result<Self, PrintError> {
        let mut document = Document::begin(out)?;
        let (font_resources, font_ids) = write_fonts(&mut document, fonts)?;
        let mut x_objects = Vec::new();
        for (place, form) in forms.iter().enumerate() {
            for page in &form.pages {
                let mut content = page::fixed_part(form, page, fonts)?;
                if specimen {
                    content.splice(0..0, page::specimen_part(page, fonts)?);
                }
                let id = write_fixed_part(&mut document, page, &content, font_resources)?;
                x_objects.push((fixed_part_name(place, page), id));
            }
        }
        let resources = document.next();
        let mut chunk = new_chunk();
        let mut dict = chunk.indirect(resources).dict();
        let mut fonts_dict = dict.insert(Name(b"Font")).dict();
        fonts_dict.pairs(font_ids.iter().map(|(face, id)| (page::font_name(*face), *id)));
        fonts_dict.finish();
        let mut x_object_dict = dict.insert(Name(b"XObject")).dict();
        for (name, id) in &x_objects {
            x_object_dict.pair(Name(name.as_bytes()), *id);
        }
        x_object_dict.finish();
        dict.finish();
        document.object(&chunk)?;

        let info = document.next();
        let mut chunk = new_chunk();
        let mut dict = chunk.indirect(info).dict();
        dict.pair(Name(b"Title"), TextStr(title));
        dict.pair(Name(b"Producer"), TextStr(concat!("uketsuke ", env!("CARGO_PKG_VERSION"))));
        dict.finish();
        document.object(&chunk)?;

        let (catalog, first_node) = write_page_tree(&mut document, pages)?;
        let report = Report::default();
        Ok(Self {
            forms,
            fonts,
            document,
            catalog,
            info,
            resources,
            first_node,
            pages: 0,
            expected_pages: pages,
            report,
        })
    }

    /// The pages of the form that was mailed first, or that are sent again.
    pub fn application(
        &mut self,
        form: &Form,
        household: &Household,
        again: Option<&Again>,
    ) -> Result<(), PrintError> {
        let same = |known: &&Form| (&known.id, &known.version) == (&form.id, &form.version);
        let place = self.forms.iter().position(same).ok_or(PrintError::RegisterChanged)?;
        for page in &form.pages {
            let mut content = format!("/{} Do\n", fixed_part_name(place, page)).into_bytes();
            let issue = again.map_or(Issue::FIRST, |again| again.issue);
            content.extend(page::own_part(form, page, self.fonts, household, issue)?);
            if let Some(again) = again {
                content.extend(page::mark_part(form, page, self.fonts, &again.mark)?);
            }
            self.page(page_box(page.width_mm, page.height_mm), &content)?;
        }
        self.note(form, household);
        Ok(())
    }

    pub fn leaf(&mut self, leaf: &Leaf) -> Result<(), PrintError> {
        let content = page::leaf_part(leaf, self.fonts)?;
        self.page(page_box(leaf.width_mm, leaf.height_mm), &content)
    }

    fn page(&mut self, size: Rect, content: &[u8]) -> Result<(), PrintError> {
        if self.pages == self.expected_pages {
            return Err(PrintError::RegisterChanged);
        }
        let id = self.document.next();
        let content_id = id.get() + 1;
        let parent = self.first_node.get() + number(self.pages / PAGES_A_NODE)?;
        let mut chunk = new_chunk();
        chunk
            .page(id)
            .parent(Ref::new(parent))
            .media_box(size)
            .contents(Ref::new(content_id))
            .pair(Name(b"Resources"), self.resources);
        self.document.object(&chunk)?;
        let mut chunk = new_chunk();
        chunk.stream(Ref::new(content_id), &packed(content)).filter(Filter::FlateDecode);
        self.document.object(&chunk)?;
        self.pages += 1;
        self.report.pages = self.pages;
        Ok(())
    }

    /// Gathers for the report what of this application could not be printed.
    fn note(&mut self, form: &Form, household: &Household) {
        let report = &mut self.report;
        report.applications += 1;
        let lacking = texts(form).filter(|text| !text.is_static()).any(|text| {
            let font = self.fonts.get(&text.face);
            let words = data::text_of(&text.pieces, household);
            words.chars().any(|character| font.is_none_or(|font| !font.has(character)))
        });
        if lacking {
            report.lacking_characters += 1;
            if report.lacking_first.len() < NAMED {
                report.lacking_first.push(household.application_id);
            }
        }
        let mut printed = form.pages.iter().flat_map(|page| &page.printed);
        if printed.any(|printed| matches!(printed, Printed::CustomerBarcode(_)))
            && customer_barcode::encode(&household.postal_code, &household.address).is_none()
        {
            report.without_customer_barcode += 1;
        }
    }

    pub fn finish(self) -> Result<Report, PrintError> {
        if self.pages != self.expected_pages {
            return Err(PrintError::RegisterChanged);
        }
        self.document.finish(self.catalog, self.info)?;
        Ok(self.report)
    }
}

/// Writes the fonts; gives the resources that name them, and their numbers.
fn write_fonts<W: Write>(
    document: &mut Document<W>,
    fonts: &Fonts,
) -> Result<(Ref, Vec<(Face, Ref)>), PrintError> {
    let mut ids = Vec::new();
    for (face, font) in fonts {
        let first = document.next().get();
        let numbers = std::array::from_fn(|index| Ref::new(first + index as i32));
        ids.push((*face, numbers[0]));
        for chunk in font.objects(numbers) {
            document.object(&chunk)?;
        }
    }
    let resources = document.next();
    let mut chunk = new_chunk();
    let mut dict = chunk.indirect(resources).dict();
    dict.insert(Name(b"Font")).dict().pairs(ids.iter().map(|(face, id)| (page::font_name(*face), *id)));
    dict.finish();
    document.object(&chunk)?;
    Ok((resources, ids))
}

fn write_fixed_part<W: Write>(
    document: &mut Document<W>,
    page: &FormPage,
    content: &[u8],
    resources: Ref,
) -> Result<Ref, PrintError> {
    let id = document.next();
    let mut chunk = new_chunk();
    let content = packed(content);
    let mut form_x_object = chunk.form_xobject(id, &content);
    form_x_object.bbox(page_box(page.width_mm, page.height_mm));
    form_x_object.pair(Name(b"Resources"), resources);
    form_x_object.filter(Filter::FlateDecode);
    form_x_object.finish();
    document.object(&chunk)?;
    Ok(id)
}

/// Writes the catalog and a page tree of two levels for `pages` pages that follow, each a page and
/// its content. Gives the catalog and the first node of the lower level.
fn write_page_tree<W: Write>(document: &mut Document<W>, pages: u64) -> Result<(Ref, Ref), PrintError> {
    let nodes = number(pages.div_ceil(PAGES_A_NODE))?;
    let catalog = document.next();
    let root = Ref::new(catalog.get() + 1);
    let first_node = Ref::new(root.get() + 1);
    let first_page = u64::from(first_node.get().unsigned_abs()) + u64::from(nodes.unsigned_abs());
    let mut chunk = new_chunk();
    chunk.indirect(catalog).dict().pair(Name(b"Type"), Name(b"Catalog")).pair(Name(b"Pages"), root);
    document.object(&chunk)?;

    let mut chunk = new_chunk();
    chunk.pages(root).kids((0..nodes).map(|node| Ref::new(first_node.get() + node))).count(number(pages)?);
    document.object(&chunk)?;

    for node in 0..u64::from(nodes.unsigned_abs()) {
        let here = node * PAGES_A_NODE..pages.min((node + 1) * PAGES_A_NODE);
        let kids: Vec<Ref> = here
            .map(|page| Ok(Ref::new(number(first_page + 2 * page)?)))
            .collect::<Result<_, PrintError>>()?;
        let mut chunk = new_chunk();
        let id = document.next();
        chunk.pages(id).parent(root).count(kids.len() as i32).kids(kids);
        document.object(&chunk)?;
    }
    Ok((catalog, first_node))
}

/// PDF numbers its objects with 31 bits.
fn number(value: u64) -> Result<i32, PrintError> {
    i32::try_from(value).map_err(|_| PrintError::TooLarge)
}

/// Of a page of the form that is printed in this place.
fn fixed_part_name(form: usize, page: &FormPage) -> String {
    format!("F{form}P{}", page.number)
}

fn page_box(width_mm: f64, height_mm: f64) -> Rect {
    Rect::new(0.0, 0.0, Millimetres(width_mm).to_points(), Millimetres(height_mm).to_points())
}

fn new_chunk() -> Chunk {
    Chunk::with_settings(Settings { pretty: false })
}
