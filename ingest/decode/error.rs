//! What can be wrong with a scan.

use std::io;
use std::path::PathBuf;

/// A scan, or one page of it, that cannot be decoded. The file is not named: who asked knows under
/// which name it arrived.
#[derive(Debug, thiserror::Error)]
#[error("{}{fault}", page.map(|page| format!("page {page}: ")).unwrap_or_default())]
pub struct DecodeError {
    /// From 1; none where the whole scan is meant.
    pub page: Option<u32>,
    #[source]
    pub fault: Fault,
}

impl DecodeError {
    /// Of the whole scan.
    pub(super) fn scan(fault: Fault) -> Self {
        Self { page: None, fault }
    }

    /// Of the page with this index, from 0.
    pub(super) fn page(index: u32, fault: Fault) -> Self {
        Self { page: Some(index + 1), fault }
    }

    /// Names the kind of error for programs; never changes.
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }
}

/// What is wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("cannot be read ({0}); check the file's permissions and the disk")]
    Unreadable(#[source] io::Error),
    #[error("is not a regular file; drop files, not folders, pipes or devices")]
    NotAFile,
    #[error("is empty; scan the sheets again")]
    Empty,
    #[error("{} is not a scan; TIFF, JPEG, PNG, WebP and PDF are accepted", looks_like.unwrap_or("a file of unknown format"))]
    UnknownFormat { looks_like: Option<&'static str> },
    #[error("the PDF is protected by a password; save it without one, or scan the sheets again")]
    Encrypted,
    #[error("is cut off: {missing}; transfer the file or scan the sheet again")]
    Truncated { missing: String },
    #[error("is damaged: {reason}; scan the sheet again")]
    Damaged { reason: String },
    #[error("uses {feature}, which is not supported; set the scanner to TIFF (G4, LZW), JPEG, PNG or PDF")]
    Unsupported { feature: String },
    #[error("holds no page; scan the sheets again")]
    NoPages,
    #[error("does not exist: the scan has {count} pages")]
    NoSuchPage { count: u32 },
    #[error("the scan has {found} pages, the limit is {limit}; split it, or raise decode.max_pages")]
    TooManyPages { found: u64, limit: u32 },
    #[error(
        "{width} × {height} pixels are more than the limit of {limit} megapixels; \
         scan at a lower resolution, or raise decode.max_page_megapixels"
    )]
    TooManyPixels { width: u64, height: u64, limit: u32 },
    #[error(
        "{found} bytes of one page are more than the limit of {limit_mib} MiB; \
         set the scanner to compress, or raise decode.max_page_mib"
    )]
    TooManyBytes { found: u64, limit_mib: u32 },
    #[error("{width} × {height} pixels cannot be a page; scan the sheet again")]
    TooSmall { width: u64, height: u64 },
    #[error("PDF cannot be read: {} does not load ({reason}); run scripts/setup", library.display())]
    NoPdfium { library: PathBuf, reason: String },
}

impl Fault {
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }

    pub(crate) fn truncated(missing: impl Into<String>) -> Self {
        Self::Truncated { missing: missing.into() }
    }

    pub(super) fn unsupported(feature: impl Into<String>) -> Self {
        Self::Unsupported { feature: feature.into() }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NotAFile => "not_a_file",
            Self::Empty => "empty",
            Self::UnknownFormat { .. } => "unknown_format",
            Self::Encrypted => "encrypted",
            Self::Truncated { .. } => "truncated",
            Self::Damaged { .. } => "damaged",
            Self::Unsupported { .. } => "unsupported",
            Self::NoPages => "no_pages",
            Self::NoSuchPage { .. } => "no_such_page",
            Self::TooManyPages { .. } => "too_many_pages",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::TooManyBytes { .. } => "too_many_bytes",
            Self::TooSmall { .. } => "too_small",
            Self::NoPdfium { .. } => "no_pdfium",
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::truncated("the file ends too early"),
            _ => Self::Unreadable(error),
        }
    }
}
