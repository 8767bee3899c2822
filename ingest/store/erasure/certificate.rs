//! What is known of an erasure when it is over: counts, and a manifest of everything that went.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::Row;

use super::super::error::{corrupt, query};
use super::super::events::{self, EventKind};
use super::super::objects::ObjectKey;
use super::super::{Database, StoreError};
use super::{CHUNK, ErasureError};
use crate::digest::{Digester, Sha256};

/// What there was of the applications and scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Erased {
    pub applications: u64,
    /// That were erased by their own number.
    pub scans: u64,
    pub captures: u64,
    pub pages: u64,
    pub households: u64,
    pub decisions: u64,
}

/// What is known of an erasure when its objects are gone: counts, and the digest of the manifest, which
/// names every application, scan and object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    pub schema: &'static str,
    pub erasure: i32,
    pub rule: Value,
    pub actor: String,
    pub begun_at: DateTime<Utc>,
    pub software: &'static str,
    #[serde(flatten)]
    pub erased: Erased,
    /// Gone from the store, by kind.
    pub objects: BTreeMap<&'static str, u64>,
    /// The same bytes as an object of another application, which keeps them: an empty box, say.
    pub objects_shared: u64,
    /// Files of stations that hold pages of others, too, or such that nobody could assign.
    pub originals_kept: u64,
    /// Lines of the manifest.
    pub manifest_lines: u64,
    pub manifest_sha256: Sha256,
}

const SCHEMA: &str = "uketsuke/erasure/1";

/// What the manifest holds.
pub(super) struct Contents {
    lines: u64,
    sha256: Sha256,
    objects: BTreeMap<&'static str, u64>,
    /// Left out of it.
    shared: u64,
}

pub(super) async fn write_manifest(
    database: &Database,
    number: i32,
    manifest: &mut impl std::io::Write,
) -> Result<Contents, ErasureError> {
    let mut digester = Digester::default();
    let (mut lines, mut shared, mut after) = (0, 0, String::new());
    let mut objects: BTreeMap<&'static str, u64> = BTreeMap::new();
    loop {
        let items: Vec<(String, bool)> = sqlx::query_as(
            "select name, shared from erased_item where erasure = $1 and name > $2 order by name limit $3",
        )
        .bind(number)
        .bind(&after)
        .bind(CHUNK)
        .fetch_all(database.pool())
        .await
        .map_err(query("list what was erased"))?;
        let Some((last, _)) = items.last() else { break };
        after = last.clone();
        shared += items.iter().filter(|(_, shared)| *shared).count() as u64;
        for (name, _) in items.into_iter().filter(|(_, shared)| !shared) {
            if let Ok(key) = name.parse::<ObjectKey>() {
                *objects.entry(key.kind().name()).or_default() += 1;
            }
            let line = format!("{name}\n");
            digester.update(line.as_bytes());
            manifest.write_all(line.as_bytes())?;
            lines += 1;
        }
    }
    manifest.flush()?;
    Ok(Contents { lines, sha256: digester.finish(), objects, shared })
}

/// Counts what the erasure has taken away.
pub(super) async fn fetch(
    database: &Database,
    number: i32,
    contents: Contents,
) -> Result<Certificate, StoreError> {
    let row = sqlx::query(
        "select rule, actor, begun_at, applications, scans, captures, pages, households, decisions,
                (select count(*) from erased_scan join scan on scan.id = scan_id join blob using (sha256)
                 where erasure = number and blob.erased_at is null) as originals_kept
         from erasure where number = $1",
    )
    .bind(number)
    .fetch_one(database.pool())
    .await
    .map_err(query("count what was erased"))?;
    let broken = corrupt("erasure");
    let count = |column| -> Result<u64, StoreError> {
        Ok(row.try_get::<i64, _>(column).map_err(corrupt("erasure"))?.unsigned_abs())
    };
    Ok(Certificate {
        schema: SCHEMA,
        erasure: number,
        rule: row.try_get("rule").map_err(&broken)?,
        actor: row.try_get("actor").map_err(&broken)?,
        begun_at: row.try_get("begun_at").map_err(&broken)?,
        software: env!("CARGO_PKG_VERSION"),
        erased: Erased {
            applications: count("applications")?,
            scans: count("scans")?,
            captures: count("captures")?,
            pages: count("pages")?,
            households: count("households")?,
            decisions: count("decisions")?,
        },
        objects: contents.objects,
        objects_shared: contents.shared,
        originals_kept: count("originals_kept")?,
        manifest_lines: contents.lines,
        manifest_sha256: contents.sha256,
    })
}

/// Keeps the certificate and forgets what it was made of.
pub(super) async fn close(
    database: &Database,
    certificate: &Certificate,
    actor: &str,
) -> Result<(), StoreError> {
    let doing = query("close an erasure");
    let mut transaction = database.begin().await?;
    let content = serde_json::to_value(certificate).map_err(corrupt("certificate of erasure"))?;
    sqlx::query("update erasure set finished_at = now(), certificate = $2 where number = $1")
        .bind(certificate.erasure)
        .bind(&content)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    for statement in
        ["delete from erased_item where erasure = $1", "delete from erased_scan where erasure = $1"]
    {
        sqlx::query(statement).bind(certificate.erasure).execute(&mut *transaction).await.map_err(&doing)?;
    }
    let detail = json!({
        "applications": certificate.erased.applications,
        "scans": certificate.erased.scans,
        "manifest_lines": certificate.manifest_lines,
        "manifest_sha256": certificate.manifest_sha256,
    });
    let subject = format!("erasure {}", certificate.erasure);
    events::append(&mut transaction, actor, EventKind::ErasureFinished, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)
}

/// The certificates of all erasures that are over, as they were written, with the digests of their manifests.
pub async fn finished(database: &Database) -> Result<Vec<(i32, Sha256, Value)>, StoreError> {
    let rows: Vec<(i32, Value)> = sqlx::query_as(
        "select number, certificate from erasure where finished_at is not null order by number",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("list certificates of erasure"))?;
    rows.into_iter()
        .map(|(number, certificate)| {
            let digest = certificate["manifest_sha256"].as_str().unwrap_or_default().parse();
            Ok((number, digest.map_err(corrupt("certificate of erasure"))?, certificate))
        })
        .collect()
}
