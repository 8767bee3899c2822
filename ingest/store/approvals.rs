//! Approvals: what may be paid, and to whom. [`settle`] is called whenever something of an application
//! may have changed: the review desk after the last field of one is decided, a command for all.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::PgConnection;

use super::applications::{self, application_id, texts};
use super::captures::CaptureId;
use super::cases::{self, Known, KnownCase};
use super::error::query;
use super::events::{self, EventKind};
use super::payment_stops::{self, household_of, subject};
use super::{Database, StoreError, register};
use crate::application_id::ApplicationId;
use crate::approve::{self, Approved, Obstacle, StopReason, Verdict};
use crate::check::{self, FindingCode, Rules};
use crate::register::Household;

/// What is known of an application after it was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It may be paid from now on, or as before.
    Approved,
    /// A person made sure that no payment is wanted; its household is stopped.
    Declined,
    NotYet(Vec<Obstacle>),
    /// The bank was asked to pay: nothing changes any more.
    Requested,
}

/// Why an approval ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revoked {
    Qa,
    Returned,
    /// What it rested on has changed.
    Changed,
}

impl Revoked {
    fn name(self) -> &'static str {
        match self {
            Self::Qa => "qa",
            Self::Returned => "returned",
            Self::Changed => "changed",
        }
    }
}

/// Looks at applications as they stand now, approves those that may be paid, and takes back approvals
/// of those that no longer may. Applications without a capture are left out of the answer.
/// `households_per_account` households may name the same account.
///
/// One transaction, which locks the applications: call it after the change that it is to see has
/// committed, with a few hundred applications at most. Calling it again changes nothing.
pub async fn settle(
    database: &Database,
    applications: &[ApplicationId],
    rules: &Rules<'_>,
    households_per_account: u64,
    actor: &str,
) -> Result<BTreeMap<ApplicationId, Settled>, StoreError> {
    let mut transaction = database.begin().await?;
    let households = register::households(database, applications).await?;
    let settling = Settling { households: &households, rules, households_per_account, actor };
    let settled = settle_within(&mut transaction, applications, &settling).await?;
    transaction.commit().await.map_err(query("settle applications"))?;
    Ok(settled)
}

/// What [`settle`] would find now; changes nothing.
pub async fn look(
    database: &Database,
    application: ApplicationId,
    rules: &Rules<'_>,
    households_per_account: u64,
) -> Result<Option<Settled>, StoreError> {
    let mut transaction = database.begin().await?;
    let households = register::households(database, &[application]).await?;
    let settling = Settling { households: &households, rules, households_per_account, actor: "nobody" };
    let settled = settle_within(&mut transaction, &[application], &settling).await?;
    transaction.rollback().await.map_err(query("look at an application"))?;
    Ok(settled.into_values().next())
}

/// By what applications are settled.
struct Settling<'a> {
    households: &'a BTreeMap<ApplicationId, Household>,
    rules: &'a Rules<'a>,
    households_per_account: u64,
    actor: &'a str,
}

async fn settle_within(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
    settling: &Settling<'_>,
) -> Result<BTreeMap<ApplicationId, Settled>, StoreError> {
    let Settling { households, rules, households_per_account, actor } = *settling;
    let captured: Vec<ApplicationId> = captured(connection, applications).await?;
    applications::lock(connection, &captured).await?;
    let mut settled = BTreeMap::new();
    for (application, known) in cases::known(connection, &captured).await? {
        let known = match known {
            Known::Requested => {
                settled.insert(application, Settled::Requested);
                continue;
            }
            Known::Open(known) => known,
        };
        let outcome = match approve::settle(&known.case(households.get(&application)), rules) {
            Verdict::Approved(approved) => {
                grant(connection, &known, &approved, households_per_account, actor).await?
            }
            Verdict::Declined => {
                revoke(connection, application, Revoked::Changed, actor).await?;
                payment_stops::place_within(connection, application, StopReason::Declined, actor).await?;
                Settled::Declined
            }
            Verdict::NotYet(obstacles) => {
                revoke(connection, application, Revoked::Changed, actor).await?;
                Settled::NotYet(obstacles)
            }
        };
        settled.insert(application, outcome);
    }
    Ok(settled)
}

/// Takes an application back because QA found an error: its approval ends, and its household is
/// stopped until somebody lifts [`StopReason::Qa`] and it is settled again.
pub async fn reopen(database: &Database, application: ApplicationId, actor: &str) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    reopen_within(&mut transaction, application, actor).await?;
    transaction.commit().await.map_err(query("reopen an application"))
}

/// The same in the transaction of the judgement.
pub(super) async fn reopen_within(
    connection: &mut PgConnection,
    application: ApplicationId,
    actor: &str,
) -> Result<(), StoreError> {
    payment_stops::place_within(connection, application, StopReason::Qa, actor).await?;
    revoke(connection, application, Revoked::Qa, actor).await
}

/// Up to `limit` applications behind `after` that have a capture and no approval, in the order of
/// their IDs.
pub async fn unapproved(
    database: &Database,
    after: Option<ApplicationId>,
    limit: i64,
) -> Result<Vec<ApplicationId>, StoreError> {
    sqlx::query(
        "select application_id from application
         where ($1::text is null or application_id > $1) and erased_at is null
           and exists (select from capture where capture.application_id = application.application_id)
           and not exists (select from approval
                           where approval.application_id = application.application_id and revoked_at is null)
         order by application_id limit $2",
    )
    .bind(after.map(|application| application.to_string()))
    .bind(limit)
    .fetch_all(database.pool())
    .await
    .map_err(query("look for applications to approve"))?
    .iter()
    .map(|row| application_id(row, "application_id"))
    .collect()
}

async fn grant(
    connection: &mut PgConnection,
    known: &KnownCase,
    approved: &Approved,
    households_per_account: u64,
    actor: &str,
) -> Result<Settled, StoreError> {
    let KnownCase { application, capture, last_decision, waived, .. } = known;
    let application = *application;
    let household = household_of(connection, application).await?;
    let others = others_with_account(connection, &household, approved).await?;
    if others >= households_per_account && !waived.contains(&FindingCode::SameAccount) {
        revoke(connection, application, Revoked::Changed, actor).await?;
        return Ok(Settled::NotYet(vec![Obstacle::Finding(Box::new(check::same_account(others)))]));
    }
    if is_approved_so(connection, application, *capture, approved).await? {
        return Ok(Settled::Approved);
    }
    revoke(connection, application, Revoked::Changed, actor).await?;
    let Approved { account, payee, amount } = approved;
    let id: Option<i64> = sqlx::query_scalar(
        "insert into approval (application_id, capture_id, household_id, bank, branch, account_type, account_number,
                               payee, amount, record_sha256, last_decision, approved_by)
         values ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (household_id) where revoked_at is null do nothing returning id",
    )
    .bind(application.to_string())
    .bind(capture.to_string())
    .bind(household)
    .bind(account.bank.to_string())
    .bind(account.branch.to_string())
    .bind(account.kind.code().to_string())
    .bind(account.number.to_string())
    .bind(payee.as_str())
    .bind(amount.get() as i64)
    .bind(&known.record_sha256)
    .bind(last_decision)
    .bind(actor)
    .fetch_optional(&mut *connection)
    .await
    .map_err(query("approve an application"))?;
    let Some(id) = id else { return Ok(Settled::NotYet(vec![Obstacle::HouseholdApproved])) };
    let detail = json!({ "approval": id, "capture": capture, "last_decision": last_decision });
    events::append(connection, actor, EventKind::ApplicationApproved, &subject(application), detail).await?;
    Ok(Settled::Approved)
}

async fn others_with_account(
    connection: &mut PgConnection,
    household: &str,
    approved: &Approved,
) -> Result<u64, StoreError> {
    let account = approved.account;
    let others: i64 = sqlx::query_scalar(
        "select count(distinct household_id) from approval
         where revoked_at is null and bank = $1 and branch = $2 and account_type = $3 and account_number = $4
           and household_id <> $5",
    )
    .bind(account.bank.to_string())
    .bind(account.branch.to_string())
    .bind(account.kind.code().to_string())
    .bind(account.number.to_string())
    .bind(household)
    .fetch_one(connection)
    .await
    .map_err(query("count households of an account"))?;
    Ok(others.unsigned_abs())
}

/// Whether the approval in force says the same.
async fn is_approved_so(
    connection: &mut PgConnection,
    application: ApplicationId,
    capture: CaptureId,
    approved: &Approved,
) -> Result<bool, StoreError> {
    let Approved { account, payee, amount } = approved;
    sqlx::query_scalar(
        "select exists (select from approval
                        where application_id = $1 and revoked_at is null and capture_id = $2::uuid and bank = $3
                          and branch = $4 and account_type = $5 and account_number = $6 and payee = $7
                          and amount = $8)",
    )
    .bind(application.to_string())
    .bind(capture.to_string())
    .bind(account.bank.to_string())
    .bind(account.branch.to_string())
    .bind(account.kind.code().to_string())
    .bind(account.number.to_string())
    .bind(payee.as_str())
    .bind(amount.get() as i64)
    .fetch_one(connection)
    .await
    .map_err(query("look at an approval"))
}

/// Ends the approval in force, if there is one. A payment that a maker has proposed on it can no longer
/// be agreed to.
pub(super) async fn revoke(
    connection: &mut PgConnection,
    application: ApplicationId,
    why: Revoked,
    actor: &str,
) -> Result<(), StoreError> {
    let id: Option<i64> = sqlx::query_scalar(
        "update approval set revoked_by = $2, revoked_at = now(), revoked_why = $3
         where application_id = $1 and revoked_at is null returning id",
    )
    .bind(application.to_string())
    .bind(actor)
    .bind(why.name())
    .fetch_optional(&mut *connection)
    .await
    .map_err(query("revoke an approval"))?;
    let Some(id) = id else { return Ok(()) };
    let detail = json!({ "approval": id, "why": why.name() });
    events::append(connection, actor, EventKind::ApprovalRevoked, &subject(application), detail).await
}

/// Those of the applications that have a capture.
async fn captured(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<Vec<ApplicationId>, StoreError> {
    sqlx::query("select distinct application_id from capture where application_id = any($1)")
        .bind(texts(applications))
        .fetch_all(connection)
        .await
        .map_err(query("look at captures"))?
        .iter()
        .map(|row| application_id(row, "application_id"))
        .collect()
}
