//! Captures: one reading of one application's form pages, and its published record.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row};

use super::applications::{application_id, texts};
use super::error::{corrupt, query};
use super::objects::{ObjectKey, ObjectKind};
use super::pages;
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::digest::Sha256;
use crate::publish::{CapturedPage, Record};

/// The identity of a capture, written as a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaptureId([u8; 16]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a capture ID is a UUID of 36 characters")]
pub struct CaptureIdError;

impl CaptureId {
    /// Follows from the scan, the application and the capture's first page in that scan, so that a
    /// reading that is repeated after a crash writes the same record under the same key.
    pub fn of(scan: Sha256, application: ApplicationId, first_page_index: u32) -> Self {
        let name = format!("{scan} {application} {first_page_index}");
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::of(name.as_bytes()).as_bytes()[..16]);
        // RFC 9562: version 8 (of our own making), variant 10.
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for CaptureId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = hex::encode(self.0);
        let (a, b, c, d, e) = (&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]);
        write!(formatter, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl FromStr for CaptureId {
    type Err = CaptureIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.replace('-', ""), &mut bytes).map_err(|_| CaptureIdError)?;
        let id = Self(bytes);
        if id.to_string() == text { Ok(id) } else { Err(CaptureIdError) }
    }
}

impl TryFrom<String> for CaptureId {
    type Error = CaptureIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CaptureId> for String {
    fn from(id: CaptureId) -> Self {
        id.to_string()
    }
}

/// A capture as it stands, with the pages that it has.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureState {
    pub id: CaptureId,
    pub application_id: ApplicationId,
    pub station: String,
    pub batch: Option<String>,
    /// From 1; 1 is the first capture of the application.
    pub seq: u32,
    pub duplicate_of: Option<CaptureId>,
    /// From 1; counts the records that were published of it.
    pub version: u32,
    pub captured_at: DateTime<Utc>,
    /// Nothing of it is known any more.
    pub erased: bool,
    /// By form page.
    pub pages: Vec<CapturedPage>,
}

/// A record in the bytes that are published: the object and the row hold the same.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordObject {
    json: String,
    sha256: Sha256,
    key: ObjectKey,
}

impl RecordObject {
    pub fn of(record: &Record) -> Result<Self, serde_json::Error> {
        let json = serde_json::to_string(record)?;
        let sha256 = Sha256::of(json.as_bytes());
        Ok(Self { json, sha256, key: ObjectKey::of(ObjectKind::Record, sha256, Some("json")) })
    }

    /// To be put under [`Self::key`] before publishing.
    pub fn bytes(&self) -> &[u8] {
        self.json.as_bytes()
    }

    pub fn json(&self) -> &str {
        &self.json
    }

    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    pub fn key(&self) -> &ObjectKey {
        &self.key
    }
}

impl fmt::Debug for RecordObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RecordObject({}, ***)", self.key)
    }
}

/// A place in the list of all captures: by application, then in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub(super) application_id: ApplicationId,
    pub(super) seq: i32,
}

/// A current record as it was published.
#[derive(Clone, PartialEq, Eq)]
pub struct CurrentRecord {
    pub place: Place,
    pub key: ObjectKey,
    pub json: String,
}

/// Up to `limit` current records, those after `after`: of every capture the last that was
/// published, duplicates included, but for what was erased. Of one application only, where one is named.
pub async fn current_records(
    database: &Database,
    application: Option<ApplicationId>,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<CurrentRecord>, StoreError> {
    let (after_id, after_seq) =
        after.map_or((String::new(), 0), |place| (place.application_id.to_string(), place.seq));
    sqlx::query(
        "select application_id, seq, record_key, record::text as record from capture
         where (application_id, seq) > ($1, $2) and ($3::text is null or application_id = $3)
           and erased_at is null
         order by application_id, seq limit $4",
    )
    .bind(after_id)
    .bind(after_seq)
    .bind(application.map(|id| id.to_string()))
    .bind(i64::from(limit))
    .fetch_all(database.pool())
    .await
    .map_err(query("list records"))?
    .iter()
    .map(|row| {
        let broken = corrupt("capture");
        let key: String = row.try_get("record_key").map_err(&broken)?;
        Ok(CurrentRecord {
            place: Place {
                application_id: application_id(row, "application_id")?,
                seq: row.try_get("seq").map_err(&broken)?,
            },
            key: key.parse().map_err(corrupt("capture"))?,
            json: row.try_get("record").map_err(&broken)?,
        })
    })
    .collect()
}

/// The record of a capture as it stands, as JSON; none where it was erased.
pub async fn record(database: &Database, id: CaptureId) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("select record::text from capture where id = $1::uuid and erased_at is null")
        .bind(id.to_string())
        .fetch_optional(database.pool())
        .await
        .map_err(query("look up a record"))
}

/// The captures of the applications, each application's in order, with their pages.
pub(super) async fn of_applications(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<Vec<CaptureState>, StoreError> {
    let rows = sqlx::query(
        "select id::text, application_id, station, batch, seq, duplicate_of::text, version, captured_at,
                erased_at is not null as erased
         from capture where application_id = any($1) order by application_id, seq",
    )
    .bind(texts(applications))
    .fetch_all(&mut *connection)
    .await
    .map_err(query("look at captures"))?;
    let mut captures = rows
        .iter()
        .map(|row| {
            let broken = corrupt("capture");
            Ok(CaptureState {
                id: capture_id(row, "id")?.ok_or_else(|| corrupt("capture")("no ID"))?,
                application_id: application_id(row, "application_id")?,
                station: row.try_get("station").map_err(&broken)?,
                batch: row.try_get("batch").map_err(&broken)?,
                seq: row.try_get::<i32, _>("seq").map_err(&broken)?.unsigned_abs(),
                duplicate_of: capture_id(row, "duplicate_of")?,
                version: row.try_get::<i32, _>("version").map_err(&broken)?.unsigned_abs(),
                captured_at: row.try_get("captured_at").map_err(&broken)?,
                erased: row.try_get("erased").map_err(&broken)?,
                pages: Vec::new(),
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    for (id, page) in pages::of_applications(connection, applications).await? {
        if let Some(capture) = captures.iter_mut().find(|capture| capture.id == id) {
            capture.pages.push(page);
        }
    }
    Ok(captures)
}

pub(super) fn capture_id(row: &sqlx::postgres::PgRow, column: &str) -> Result<Option<CaptureId>, StoreError> {
    let text: Option<String> = row.try_get(column).map_err(corrupt("capture"))?;
    text.map(|text| text.parse().map_err(corrupt("capture"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_id_is_a_uuid_and_follows_from_its_first_page() {
        let application = ApplicationId::from_serial(1).expect("in range");
        let id = CaptureId::of(Sha256::of(b"scan"), application, 0);
        let text = id.to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "8"));
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(CaptureId::of(Sha256::of(b"scan"), application, 0), id);
        assert_ne!(CaptureId::of(Sha256::of(b"scan"), application, 2), id);
        assert_eq!(text.replace('-', "").parse::<CaptureId>(), Err(CaptureIdError));
    }
}
