//! Deficiency letters: who is to be written to, and what was written when. A letter that says what the
//! newest one said of the same capture is the same letter.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{PgConnection, PgTransaction, Row};

use super::applications::{application_id, texts};
use super::captures::CaptureId;
use super::cases::{self, Known, KnownCase};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::payment_stops::subject;
use super::{Database, StoreError, register};
use crate::application_id::ApplicationId;
use crate::approve::{Deficiency, Mending, mending};
use crate::check::Rules;
use crate::form::Forms;
use crate::publish::FormVersion;
use crate::register::Household;

/// A letter that an applicant is to get, or has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub household: Household,
    pub capture: CaptureId,
    /// Of the capture: the return form is the same.
    pub form: FormVersion,
    pub deficiencies: Vec<Deficiency>,
    /// Of the application's letters, from 1.
    pub number: u32,
    /// It was written before, and nothing has changed since.
    pub written_before: bool,
}

/// Whether an application needs a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    Due(Box<Due>),
    WaitsForPeople,
    WaitsForMunicipality,
    /// The form of its capture is none of those that can be printed.
    NoSuchForm(FormVersion),
}

/// Up to `limit` applications behind `after` that are neither approved, stopped nor paid, in the order of
/// their IDs.
pub async fn candidates(
    database: &Database,
    after: Option<ApplicationId>,
    limit: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    sqlx::query(
        "select application_id from application join register using (application_id)
         where ($1::text is null or application_id > $1) and erased_at is null
           and exists (select from capture where capture.application_id = application.application_id)
           and not exists (select from approval
                           where approval.application_id = application.application_id and revoked_at is null)
           and not exists (select from payment_stop stop
                           where stop.household_id = household_of(register.application_id, further)
                             and lifted_at is null)
           and not exists (select from payment
                           where payment.household_id = household_of(register.application_id, further)
                             and payment.state in ('proposed', 'requested'))
         order by application_id limit $2",
    )
    .bind(after.map(|application| application.to_string()))
    .bind(limit)
    .fetch_all(database.pool())
    .await
    .map_err(query("look for applicants to write to"))?
    .iter()
    .map(|row| application_id(row, "application_id"))
    .collect()
}

/// Looks at applications as they stand now; those that need no letter are left out.
pub async fn look(
    database: &Database,
    applications: &[ApplicationId],
    rules: &Rules<'_>,
    forms: &Forms,
) -> Result<Vec<Looked>, StoreError> {
    let mut households = register::households(database, applications).await?;
    let mut transaction = database.begin().await?;
    let known = cases::known(&mut transaction, applications).await?;
    let sent_back = sent_back(&mut transaction, applications).await?;
    let mut newest = newest(&mut transaction, applications).await?;
    transaction.commit().await.map_err(query("look for applicants to write to"))?;
    let nothing = BTreeSet::new();
    let mut looked = Vec::new();
    for (application, known) in known {
        let (Known::Open(known), Some(household)) = (known, households.remove(&application)) else {
            continue;
        };
        let KnownCase { record, capture, .. } = &*known;
        let Some(form) = forms.find(&record.form.id, &record.form.version) else {
            looked.push(Looked::NoSuchForm(record.form.clone()));
            continue;
        };
        let sent_back = sent_back.get(capture).unwrap_or(&nothing);
        match mending(&known.case(Some(&household)), rules, form, sent_back) {
            Mending::Nothing => {}
            Mending::WaitsForPeople => looked.push(Looked::WaitsForPeople),
            Mending::WaitsForMunicipality => looked.push(Looked::WaitsForMunicipality),
            Mending::Asked(deficiencies) => {
                let before = newest.remove(&application);
                let written_before = before.as_ref().is_some_and(|before| {
                    before.capture == *capture && before.deficiencies == json!(deficiencies)
                });
                let number = before.map_or(0, |before| before.number) + u32::from(!written_before);
                let (capture, form) = (*capture, record.form.clone());
                let due = Due { household, capture, form, deficiencies, number, written_before };
                looked.push(Looked::Due(Box::new(due)));
            }
        }
    }
    Ok(looked)
}

/// Letters that are noted, and take effect when this is committed.
pub struct Noted(PgTransaction<'static>);

impl Noted {
    pub async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await.map_err(query("note letters"))
    }
}

/// Notes that letters were written, those that were written before, too. Commit when they are where they
/// are fetched from: a letter may be written twice, and is never lost.
pub async fn note(database: &Database, letters: &[Due], actor: &str) -> Result<Noted, StoreError> {
    let mut transaction = database.begin().await?;
    for letter in letters {
        let application = letter.household.application_id;
        if !letter.written_before {
            let added = sqlx::query(
                "insert into letter (application_id, capture_id, number, deficiencies, written_by)
                 values ($1, $2::uuid, $3, $4, $5) on conflict (application_id, number) do nothing",
            )
            .bind(application.to_string())
            .bind(letter.capture.to_string())
            .bind(i32::try_from(letter.number).map_err(corrupt("letter"))?)
            .bind(Json(&letter.deficiencies))
            .bind(actor)
            .execute(&mut *transaction)
            .await
            .map_err(query("note letters"))?;
            if added.rows_affected() == 0 {
                return Err(StoreError::Refused("somebody else is writing the same letters; try again"));
            }
        }
        let detail = json!({
            "letter": letter.number, "deficiencies": letter.deficiencies, "again": letter.written_before,
        });
        events::append(&mut transaction, actor, EventKind::LetterWritten, &subject(application), detail)
            .await?;
    }
    Ok(Noted(transaction))
}

/// By capture: the fields of which the municipality has answered that the applicant must write them anew.
async fn sent_back(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<CaptureId, BTreeSet<String>>, StoreError> {
    let rows = sqlx::query(
        "select capture_id::text, fields from task
         where kind = 'escalation' and application_id = any($1) and capture_id is not null
           and exists (select from escalation_message where task_id = task.id and decision = 'defect')",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("look at escalations"))?;
    let mut sent_back: BTreeMap<CaptureId, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let capture: &str = row.try_get("capture_id").map_err(corrupt("task"))?;
        let fields: Vec<String> = row.try_get("fields").map_err(corrupt("task"))?;
        sent_back.entry(capture.parse().map_err(corrupt("task"))?).or_default().extend(fields);
    }
    Ok(sent_back)
}

struct Before {
    number: u32,
    capture: CaptureId,
    deficiencies: Value,
}

/// The newest letter of each application.
async fn newest(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, Before>, StoreError> {
    sqlx::query(
        "select distinct on (application_id) application_id, capture_id::text, number, deficiencies
         from letter where application_id = any($1) order by application_id, number desc",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("look at letters"))?
    .iter()
    .map(|row| {
        let broken = corrupt("letter");
        let (capture, number): (&str, i32) =
            (row.try_get("capture_id").map_err(&broken)?, row.try_get("number").map_err(&broken)?);
        let before = Before {
            number: number.unsigned_abs(),
            capture: capture.parse().map_err(corrupt("letter"))?,
            deficiencies: row.try_get("deficiencies").map_err(&broken)?,
        };
        Ok((application_id(row, "application_id")?, before))
    })
    .collect()
}
