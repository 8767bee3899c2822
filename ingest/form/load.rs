//! Reads form files. A [`Form`] that comes out of here is right: whoever prints or reads it checks
//! nothing again.

use std::path::{Path, PathBuf};

use super::Form;
use super::check::{self, Fault, Found};
use super::file::FormFile;
use super::sheet::{self, wrong};
use crate::digest::Sha256;

#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: no form (*.toml) lies in this folder; set paths.forms to the folder that has them", .0.display())]
    NoForms(PathBuf),
    /// Not TOML, a key that is not known, or a value of another kind.
    #[error("{}:{line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{}:{line}: {place}: {fault}", path.display())]
    Fault { path: PathBuf, line: usize, place: String, fault: Fault },
    #[error("{}: the form {id}@{version} was already given by {}", path.display(), other.display())]
    Repeated { path: PathBuf, other: PathBuf, id: String, version: String },
}

/// The forms of a folder, which can all be told apart. Ordered by file name.
#[derive(Debug, Clone, PartialEq)]
pub struct Forms(Vec<Form>);

impl Forms {
    /// Reads every `*.toml` of `folder`.
    pub fn load_dir(folder: &Path) -> Result<Self, FormError> {
        let unreadable = |source| FormError::Unreadable { path: folder.to_owned(), source };
        let entries: Vec<_> =
            std::fs::read_dir(folder).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        let mut forms: Vec<Form> = Vec::new();
        for path in &paths {
            let form = load(path)?;
            if let Some(other) =
                forms.iter().position(|other| (&other.id, &other.version) == (&form.id, &form.version))
            {
                let (id, version) = (form.id, form.version);
                return Err(FormError::Repeated {
                    path: path.clone(),
                    other: paths[other].clone(),
                    id,
                    version,
                });
            }
            if let Some((page, other)) = check::alike(&form, &forms) {
                let place = format!("page {page}");
                return Err(FormError::Fault {
                    path: path.clone(),
                    line: 1,
                    place,
                    fault: Fault::Alike(other),
                });
            }
            forms.push(form);
        }
        if forms.is_empty() {
            return Err(FormError::NoForms(folder.to_owned()));
        }
        Ok(Self(forms))
    }

    /// Forms made up by a test.
    #[cfg(test)]
    pub(crate) fn of(forms: Vec<Form>) -> Self {
        Self(forms)
    }

    pub fn find(&self, id: &str, version: &str) -> Option<&Form> {
        self.iter().find(|form| form.id == id && form.version == version)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Form> {
        self.0.iter()
    }
}

fn load(path: &Path) -> Result<Form, FormError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| FormError::Unreadable { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// The form that `text` describes; `path` is named in errors.
pub(super) fn parse(text: &str, path: &Path) -> Result<Form, FormError> {
    let line_of = |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
    let file: FormFile = toml::from_str(text).map_err(|error| FormError::Syntax {
        path: path.to_owned(),
        line: line_of(error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', "; "),
    })?;
    let digest = Sha256::of(text.as_bytes());
    form_of(&file, digest).map_err(|Found { offset, place, fault }| FormError::Fault {
        path: path.to_owned(),
        line: line_of(offset),
        place,
        fault,
    })
}

fn form_of(file: &FormFile, digest: Sha256) -> Result<Form, Found> {
    let value = |spanned: &toml::Spanned<String>, key: &str, allowed: fn(char) -> bool, message: &str| {
        let text = spanned.get_ref();
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(wrong(spanned.span().start, key, message));
        }
        Ok(text.clone())
    };
    let id = value(
        &file.id,
        "id",
        |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-',
        "it must have lower-case letters, digits and '-' only",
    )?;
    let version = value(
        &file.version,
        "version",
        |c| c.is_ascii_alphanumeric() || "-.".contains(c),
        "it must have letters, digits, '-' and '.' only",
    )?;
    let title = value(&file.title, "title", |_| true, "it must not be empty")?;
    let max_residual_px = *file.max_residual_px.get_ref();
    if !(0.5..=20.0).contains(&max_residual_px) {
        let offset = file.max_residual_px.span().start;
        return Err(wrong(offset, "max_residual_px", "it must be 0.5 to 20 (pixels at 300 dpi)"));
    }
    let mut pages = Vec::new();
    for (number, page) in (1..).zip(&file.pages) {
        pages.push(sheet::page_of(page.get_ref(), number, page.span().start, (&id, &version))?);
    }
    if pages.is_empty() {
        return Err(wrong(0, "page", "a form needs at least one [[page]]"));
    }
    let form = Form { id, version, title, max_residual_px, pages, digest };
    check_names(file)?;
    if let Some((page, other)) = check::alike(&form, None) {
        let offset = file.pages[page as usize - 1].span().start;
        return Err(Found { offset, place: format!("page {page}"), fault: Fault::Alike(other) });
    }
    Ok(form)
}

fn check_names(file: &FormFile) -> Result<(), Found> {
    let mut seen = std::collections::HashSet::new();
    for (number, page) in (1..).zip(&file.pages) {
        for field in &page.get_ref().fields {
            let name = &field.get_ref().name;
            if !seen.insert(name.as_str()) {
                let (offset, place) = (field.span().start, format!("page {number}, field '{name}'"));
                return Err(Found { offset, place, fault: Fault::RepeatedField });
            }
        }
    }
    Ok(())
}
