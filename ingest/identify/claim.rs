//! What the text of a symbol claims: a page of an application, an application, or nothing of ours.

use super::{PageCode, Symbol};
use crate::application_id::ApplicationId;
use crate::form::Symbology;

/// What a symbol says of the page that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    Page(PageCode),
    Application(ApplicationId),
}

impl Claim {
    /// None for every text that is not right to the last digit.
    pub(super) fn of(symbol: &Symbol) -> Option<Self> {
        if symbol.symbology == Symbology::Qr
            && let Ok(code) = symbol.text.parse()
        {
            return Some(Self::Page(code));
        }
        ApplicationId::parse(payload(symbol.symbology, &symbol.text)).ok().map(Self::Application)
    }

    pub(super) fn application_id(&self) -> ApplicationId {
        match self {
            Self::Page(code) => code.application_id,
            Self::Application(id) => *id,
        }
    }
}

/// The application ID that a symbol carries, alone or in a page code; none for any other text.
pub fn application_id(symbol: &Symbol) -> Option<ApplicationId> {
    Claim::of(symbol).map(|claim| claim.application_id())
}

/// The text without what a symbology wraps around it: the start and stop letters of NW-7, which
/// some decoders return and some do not, and the 0 that fills an ITF of 13 digits up to 14.
pub(super) fn payload(symbology: Symbology, text: &str) -> &str {
    match symbology {
        Symbology::Nw7 => {
            let letters = |c: char| c.is_ascii_alphabetic() || c == '*';
            let inner = text.strip_prefix(letters).and_then(|text| text.strip_suffix(letters));
            inner.unwrap_or(text)
        }
        Symbology::Itf if text.len() == ApplicationId::LENGTH + 1 => text.strip_prefix('0').unwrap_or(text),
        _ => text,
    }
}

/// Whether a text is one of ours but for a misread character: a page code, or as many digits as an
/// application ID has.
pub(super) fn resembles_ours(symbology: Symbology, text: &str) -> bool {
    let payload = payload(symbology, text);
    let digits = payload.len() == ApplicationId::LENGTH && payload.bytes().all(|byte| byte.is_ascii_digit());
    digits || symbology == Symbology::Qr && matches!(text.matches('|').count(), 4 | 5)
}
