//! Looking applications up: by their ID, and by the name, kana or telephone number of a household.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Row;

use super::applications::application_id;
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::review::AccountName;

/// What is looked for.
#[derive(Clone)]
pub enum Wanted {
    Application(ApplicationId),
    /// The beginning of the head's name, without blanks.
    Name(String),
    /// The beginning of the head's name in katakana, without blanks.
    Kana(String),
    /// As it was read, or as people decided.
    Phone(String),
}

impl Wanted {
    /// What kind of look-up it is; what for is personal.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Application(_) => "application_id",
            Self::Name(_) => "name",
            Self::Kana(_) => "kana",
            Self::Phone(_) => "phone",
        }
    }
}

/// A household that was found, with what is needed to know whether it is the right one.
#[derive(Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Found {
    pub application_id: ApplicationId,
    pub head_name: String,
    pub head_kana: String,
    pub postal_code: String,
    pub address: String,
}

/// Up to `limit` households, by name. The search itself is an event.
pub async fn search(
    database: &Database,
    account: &AccountName,
    wanted: &Wanted,
    limit: u32,
) -> Result<Vec<Found>, StoreError> {
    let doing = query("look for applications");
    let (condition, text) = match wanted {
        Wanted::Application(id) => ("application_id = $1", id.to_string()),
        Wanted::Name(name) => ("translate(head_name, ' 　', '') like $1", beginning(name)),
        Wanted::Kana(kana) => ("translate(head_kana, ' 　', '') like $1", beginning(kana)),
        Wanted::Phone(phone) => (
            "application_id in (select application_id from capture
                                where record -> 'fields' -> 'phone' ->> 'value' = $1
                                  and position('\\u0000' in record::text) = 0
                                union select application_id from field_decision
                                where field = 'phone' and value = $1)",
            phone.clone(),
        ),
    };
    let statement = format!(
        "select application_id, head_name, head_kana, postal_code, address from register
         where {condition} order by head_kana, application_id limit $2"
    );
    let mut transaction = database.begin().await?;
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(text)
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction)
        .await
        .map_err(&doing)?;
    let detail = json!({ "by": wanted.kind(), "found": rows.len() });
    events::append(&mut transaction, account.as_str(), EventKind::SearchMade, "register", detail).await?;
    transaction.commit().await.map_err(&doing)?;
    rows.iter()
        .map(|row| {
            let broken = corrupt("household");
            Ok(Found {
                application_id: application_id(row, "application_id")?,
                head_name: row.try_get("head_name").map_err(&broken)?,
                head_kana: row.try_get("head_kana").map_err(&broken)?,
                postal_code: row.try_get("postal_code").map_err(&broken)?,
                address: row.try_get("address").map_err(&broken)?,
            })
        })
        .collect()
}

fn beginning(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| ['\\'].into_iter().filter(move |_| "\\%_".contains(c)).chain([c]))
        .collect();
    escaped + "%"
}

/// A capture as the inquiry desk tells of it.
#[derive(Clone)]
pub struct Captured {
    pub captured_at: DateTime<Utc>,
    /// Later than another one of the application.
    pub duplicate: bool,
    /// Codes of what a check found, as the record writes them.
    pub findings: Vec<String>,
}

/// How an application stands.
#[derive(Clone, Default)]
pub struct Standing {
    pub captures: Vec<Captured>,
    /// Kinds of the tasks that are open.
    pub open: Vec<String>,
    /// Pages that a person assigned to it.
    pub assigned_pages: i64,
    /// When a person last decided something of it.
    pub decided_at: Option<DateTime<Utc>>,
}

/// How an application stands. Seeing it is an event.
pub async fn standing(
    database: &Database,
    account: &AccountName,
    application: ApplicationId,
) -> Result<Standing, StoreError> {
    let doing = query("look at an application");
    let mut transaction = database.begin().await?;
    let captures = sqlx::query(
        "select captured_at, seq > 1 as duplicate,
                array(select json_array_elements(record -> 'findings') ->> 'code') as findings
         from capture where application_id = $1 order by seq",
    )
    .bind(application.to_string())
    .fetch_all(&mut *transaction)
    .await
    .map_err(&doing)?
    .iter()
    .map(|row| {
        let broken = corrupt("capture");
        Ok(Captured {
            captured_at: row.try_get("captured_at").map_err(&broken)?,
            duplicate: row.try_get("duplicate").map_err(&broken)?,
            findings: row.try_get("findings").map_err(&broken)?,
        })
    })
    .collect::<Result<_, StoreError>>()?;
    let row = sqlx::query(
        "select array(select distinct kind from task where application_id = $1 and state = 'open' order by kind) as open,
                (select count(*) from page_decision where application_id = $1) as assigned_pages,
                (select max(decided_at) from field_decision where application_id = $1) as decided_at",
    )
    .bind(application.to_string())
    .fetch_one(&mut *transaction)
    .await
    .map_err(&doing)?;
    let subject = format!("application {application}");
    events::append(&mut transaction, account.as_str(), EventKind::RecordViewed, &subject, json!({})).await?;
    transaction.commit().await.map_err(&doing)?;
    let broken = corrupt("task");
    Ok(Standing {
        captures,
        open: row.try_get("open").map_err(&broken)?,
        assigned_pages: row.try_get("assigned_pages").map_err(&broken)?,
        decided_at: row.try_get("decided_at").map_err(&broken)?,
    })
}
