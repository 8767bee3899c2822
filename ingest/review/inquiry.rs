//! The inquiry desk: finding an application, and how it stands in words that can be read out.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Desk, DeskError};
use crate::application_id::ApplicationId;
use crate::kana::katakana;
use crate::store::inquiries::{self, Found, Wanted};
use crate::store::sessions::Visitor;

/// One of the four.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Search {
    ApplicationId(String),
    /// How the head's name begins.
    Name(String),
    /// The same in kana.
    Kana(String),
    Phone(String),
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FoundAll {
    found: Vec<Found>,
    /// There are more; a longer beginning finds fewer.
    more: bool,
}

const MOST: u32 = 50;

/// One character of a name finds half the town.
const SHORTEST: usize = 2;

impl Search {
    fn wanted(&self) -> Result<Wanted, DeskError> {
        use unicode_normalization::UnicodeNormalization;
        let compact = |text: &str| -> String { text.nfkc().filter(|c| !c.is_whitespace()).collect() };
        let long_enough = |text: String| {
            if text.chars().count() < SHORTEST {
                return Err(DeskError::Refused("two characters or more"));
            }
            Ok(text)
        };
        Ok(match self {
            Self::ApplicationId(text) => Wanted::Application(
                ApplicationId::parse(&compact(text))
                    .map_err(|_| DeskError::Refused("the ID's check digit is wrong"))?,
            ),
            // As the register writes it; the municipality's own characters are kept.
            Self::Name(text) => {
                Wanted::Name(long_enough(text.chars().filter(|c| !c.is_whitespace()).collect())?)
            }
            Self::Kana(text) => Wanted::Kana(long_enough(compact(text).chars().map(katakana).collect())?),
            Self::Phone(text) => {
                Wanted::Phone(long_enough(compact(text).chars().filter(char::is_ascii_digit).collect())?)
            }
        })
    }
}

pub(super) async fn search(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Json(search): Json<Search>,
) -> Result<Json<FoundAll>, DeskError> {
    let wanted = search.wanted()?;
    let mut found = inquiries::search(&desk.database, &visitor.account, &wanted, MOST + 1).await?;
    let more = found.len() > MOST as usize;
    found.truncate(MOST as usize);
    Ok(Json(FoundAll { found, more }))
}

/// How an application stands: codes, which the page turns into words.
#[derive(Serialize, JsonSchema)]
pub(super) struct Status {
    application_id: ApplicationId,
    status: StatusCode,
    captures: Vec<CaptureStatus>,
    /// Kinds of the tasks that are open.
    open: Vec<String>,
    assigned_pages: i64,
    decided_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, JsonSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
enum StatusCode {
    NotReceived,
    InReview,
    WithMunicipality,
    Reviewed,
}

#[derive(Serialize, JsonSchema)]
struct CaptureStatus {
    captured_at: DateTime<Utc>,
    duplicate: bool,
    findings: Vec<String>,
}

impl StatusCode {
    fn of(standing: &inquiries::Standing) -> Self {
        let is_open = |kind: &str| standing.open.iter().any(|open| open == kind);
        if standing.captures.is_empty() && standing.assigned_pages == 0 {
            Self::NotReceived
        } else if is_open("escalation") {
            Self::WithMunicipality
        } else if standing.open.is_empty() && !standing.captures.is_empty() {
            Self::Reviewed
        } else {
            Self::InReview
        }
    }
}

pub(super) async fn status(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Json<Status>, DeskError> {
    let application_id = ApplicationId::parse(&id).map_err(|_| DeskError::NotFound)?;
    let standing = inquiries::standing(&desk.database, &visitor.account, application_id).await?;
    Ok(Json(Status {
        application_id,
        status: StatusCode::of(&standing),
        captures: standing
            .captures
            .into_iter()
            .map(|capture| CaptureStatus {
                captured_at: capture.captured_at,
                duplicate: capture.duplicate,
                findings: capture.findings,
            })
            .collect(),
        open: standing.open,
        assigned_pages: standing.assigned_pages,
        decided_at: standing.decided_at,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_follows_from_what_is_open() {
        let standing = |captured: bool, open: &[&str]| inquiries::Standing {
            captures: if captured {
                vec![inquiries::Captured { captured_at: Utc::now(), duplicate: false, findings: Vec::new() }]
            } else {
                Vec::new()
            },
            open: open.iter().map(|&kind| kind.to_owned()).collect(),
            ..Default::default()
        };
        assert_eq!(StatusCode::of(&standing(false, &[])), StatusCode::NotReceived);
        assert_eq!(StatusCode::of(&standing(true, &["verify"])), StatusCode::InReview);
        assert_eq!(StatusCode::of(&standing(true, &["escalation", "verify"])), StatusCode::WithMunicipality);
        assert_eq!(StatusCode::of(&standing(true, &[])), StatusCode::Reviewed);
    }

    #[test]
    fn kana_is_found_however_it_is_typed() {
        let kana = |text: &str| match Search::Kana(text.to_owned()).wanted() {
            Ok(Wanted::Kana(kana)) => Some(kana),
            _ => None,
        };
        assert_eq!(kana("ｻﾄｳ ﾀ").as_deref(), Some("サトウタ"));
        assert_eq!(kana("さとう").as_deref(), Some("サトウ"));
        assert_eq!(kana("さ"), None);
    }
}
