//! Symbols to application ID, form and page number. Evidence is gathered, disagreement is a
//! finding; nothing is ever guessed.

mod bars;
mod claim;
mod decide;
mod finder;
mod page_code;
mod qr;
mod views;
mod zbar;
mod zxing;

use claim::Claim;
pub use claim::application_id;
pub use decide::identify;
pub use finder::{SymbolFinder, anchors};
pub use page_code::{Issue, PageCode, PageCodeError};

use serde::{Deserialize, Serialize};

use crate::application_id::ApplicationId;
use crate::form::Symbology;
use crate::geometry::PointPx;

/// A symbol as it was found on a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Symbol {
    pub symbology: Symbology,
    pub text: String,
    /// Corners on the decoded image: those of the symbol's own top left, top right, bottom right
    /// and bottom left, so that its turn can be told.
    pub corners: [PointPx; 4],
    /// Who read this text here; two of different origin are evidence.
    pub decoders: Vec<Decoder>,
}

/// Stands for a text that must not be kept.
const WITHHELD: &str = "(withheld)";

impl Symbol {
    /// Whether the middle of another symbol lies on this one.
    fn covers_centre_of(&self, other: &Self) -> bool {
        let centre = other.centre();
        // The same side of all four edges; the corners may go either way around.
        let mut sides = (0..4).map(|place| {
            let (from, to) = (self.corners[place], self.corners[(place + 1) % 4]);
            (to.x - from.x) * (centre.y - from.y) - (to.y - from.y) * (centre.x - from.x)
        });
        sides.clone().all(|side| side >= 0.0) || sides.all(|side| side <= 0.0)
    }

    /// Takes the text away where it must not be kept; where the symbol is stays.
    pub(crate) fn withhold(&mut self) {
        WITHHELD.clone_into(&mut self.text);
    }

    pub(crate) fn is_withheld(&self) -> bool {
        self.text == WITHHELD
    }

    fn centre(&self) -> PointPx {
        let mean = |value: fn(&PointPx) -> f64| self.corners.iter().map(value).sum::<f64>() / 4.0;
        PointPx { x: mean(|corner| corner.x), y: mean(|corner| corner.y) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoder {
    Zxing,
    Zbar,
}

/// What a page's symbols say together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Identification {
    /// A valid application ID, and the form's page it stands on.
    Identified(Identity),
    /// No valid ID, or IDs that disagree.
    Unassigned(UnassignedReason),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub application_id: ApplicationId,
    pub form: String,
    pub version: String,
    pub page: u32,
    /// None where no page code says so: the 1D code and people name the application alone.
    #[serde(default)]
    pub issue: Option<Issue>,
    /// Symbologies that carried the ID, each once; none where a person typed it.
    pub carried_by: Vec<Symbology>,
    /// Two decoders of different origin read at least one of them alike.
    pub confirmed: bool,
}

impl Identity {
    /// Of a page that a person assigned.
    pub fn by_hand(application_id: ApplicationId, form: &str, version: &str, page: u32) -> Self {
        let (form, version) = (form.to_owned(), version.to_owned());
        Self { application_id, form, version, page, issue: None, carried_by: Vec::new(), confirmed: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnassignedReason {
    /// No symbol of an allowed symbology was found.
    NoSymbol,
    /// Symbols were found, but none with a valid application ID.
    NoValidId,
    /// The page's symbols carry different application IDs.
    SymbolsDisagree,
    /// The decoders read the same symbol differently.
    DecodersDisagree,
    /// A valid ID, but no form that is configured here has such a page.
    UnknownForm,
    /// A valid ID that could belong to more than one page of a form.
    AmbiguousPage,
}
