//! The register's rows in the database.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::json;
use sqlx::Row;
use sqlx::types::Json;

use super::applications::{application_id, texts};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::register::Household;

/// What an import did to the rows it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    pub added: u64,
    pub changed: u64,
    pub unchanged: u64,
}

/// Adds households, or changes those that are there and differ, in one transaction. Each
/// application ID may be given once. Nobody is ever removed: an application may have been printed.
pub async fn import(database: &Database, households: &[Household]) -> Result<Imported, StoreError> {
    let dates = households
        .iter()
        .map(|household| {
            NaiveDate::parse_from_str(&household.birth_date, "%Y-%m-%d")
                .map_err(|_| StoreError::Refused("a household's birth_date is not a date"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let amounts = households
        .iter()
        .map(|household| {
            i64::try_from(household.amount)
                .map_err(|_| StoreError::Refused("a household's amount is beyond 9 quintillion yen"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let text = |value: fn(&Household) -> &String| households.iter().map(value).collect::<Vec<_>>();
    let ids: Vec<ApplicationId> = households.iter().map(|household| household.application_id).collect();
    // A row that is there and the same is not written; xmax is 0 for a row that was not there.
    let written: Vec<bool> = sqlx::query_scalar(
        "insert into register as old (application_id, head_name, head_kana, postal_code, address, birth_date,
                                      members, amount, further)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[],
                              $7::bigint[], $8::bigint[], $9::jsonb[])
         on conflict (application_id) do update
         set head_name = excluded.head_name, head_kana = excluded.head_kana,
             postal_code = excluded.postal_code, address = excluded.address,
             birth_date = excluded.birth_date, members = excluded.members, amount = excluded.amount,
             further = excluded.further, imported_at = now()
         where (old.head_name, old.head_kana, old.postal_code, old.address, old.birth_date, old.members,
                old.amount, old.further)
               is distinct from
               (excluded.head_name, excluded.head_kana, excluded.postal_code, excluded.address,
                excluded.birth_date, excluded.members, excluded.amount, excluded.further)
         returning xmax = 0",
    )
    .bind(texts(&ids))
    .bind(text(|household| &household.head_name))
    .bind(text(|household| &household.head_kana))
    .bind(text(|household| &household.postal_code))
    .bind(text(|household| &household.address))
    .bind(dates)
    .bind(households.iter().map(|household| i64::from(household.members)).collect::<Vec<_>>())
    .bind(amounts)
    .bind(households.iter().map(|household| Json(&household.further)).collect::<Vec<_>>())
    .fetch_all(database.pool())
    .await
    .map_err(query("import households"))?;
    let added = written.iter().filter(|&&added| added).count() as u64;
    let written = written.len() as u64;
    Ok(Imported { added, changed: written - added, unchanged: households.len() as u64 - written })
}

/// Notes that a register file was imported.
pub async fn note_import(
    database: &Database,
    actor: &str,
    imported: Imported,
    refused: u64,
) -> Result<(), StoreError> {
    let Imported { added, changed, unchanged } = imported;
    let detail = json!({ "added": added, "changed": changed, "unchanged": unchanged, "refused": refused });
    let mut transaction = database.begin().await?;
    events::append(&mut transaction, actor, EventKind::RegisterImported, "register", detail).await?;
    transaction.commit().await.map_err(query("note an import"))
}

/// How many households the register has.
pub async fn count(database: &Database) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("select count(*) from register")
        .fetch_one(database.pool())
        .await
        .map_err(query("count the register"))?;
    Ok(count.unsigned_abs())
}

/// The households of those applications; who is not in the register is left out.
pub async fn households(
    database: &Database,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, Household>, StoreError> {
    sqlx::query(
        "select application_id, head_name, head_kana, postal_code, address, birth_date, members, amount, further
         from register where application_id = any($1)",
    )
    .bind(texts(applications))
    .fetch_all(database.pool())
    .await
    .map_err(query("look up the register"))?
    .iter()
    .map(|row| {
        let broken = corrupt("household");
        let number = |column| row.try_get::<i64, _>(column).map_err(corrupt("household"));
        let birth_date: NaiveDate = row.try_get("birth_date").map_err(&broken)?;
        let Json(further) = row.try_get("further").map_err(&broken)?;
        let application_id = application_id(row, "application_id")?;
        let household = Household {
            application_id,
            head_name: row.try_get("head_name").map_err(&broken)?,
            head_kana: row.try_get("head_kana").map_err(&broken)?,
            postal_code: row.try_get("postal_code").map_err(&broken)?,
            address: row.try_get("address").map_err(&broken)?,
            birth_date: birth_date.format("%Y-%m-%d").to_string(),
            members: number("members")?.try_into().map_err(corrupt("household"))?,
            amount: number("amount")?.unsigned_abs(),
            further,
        };
        Ok((application_id, household))
    })
    .collect()
}
