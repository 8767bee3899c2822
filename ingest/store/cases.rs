//! All that is known of applications that have a capture, as the rules of payment look at it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, Row};

use super::applications::{application_id, texts};
use super::captures::CaptureId;
use super::error::{corrupt, query};
use super::{StoreError, field_decisions, waivers};
use crate::application_id::ApplicationId;
use crate::approve::{Case, Counts, Decided, ReturnReason, Returned, effective_capture};
use crate::check::FindingCode;
use crate::publish::Record;
use crate::register::Household;

pub(super) enum Known {
    /// The bank was asked to pay: nothing changes any more.
    Requested,
    Open(Box<KnownCase>),
}

/// One application, as it stands.
pub(super) struct KnownCase {
    pub application: ApplicationId,
    /// The one that counts.
    pub capture: CaptureId,
    pub record: Record,
    pub record_sha256: Vec<u8>,
    pub decisions: BTreeMap<String, Decided>,
    /// The number of the newest of all decisions.
    pub last_decision: Option<i64>,
    /// There is another capture of which nobody has said whether it counts.
    pub duplicate: bool,
    pub waived: BTreeSet<FindingCode>,
    pub returned: Option<Returned>,
}

impl KnownCase {
    pub fn case<'a>(&'a self, household: Option<&'a Household>) -> Case<'a> {
        Case {
            record: &self.record,
            capture: self.capture,
            decisions: &self.decisions,
            household,
            duplicate: self.duplicate,
            waived: &self.waived,
            returned: self.returned,
        }
    }
}

/// Those of the applications that have a capture and were not erased.
pub(super) async fn known(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, Known>, StoreError> {
    let captures = captures(connection, applications).await?;
    let mut decisions = field_decisions::newest(connection, applications).await?;
    let mut waivers = waivers::of_applications(connection, applications).await?;
    let payments = newest_payments(connection, applications).await?;
    let mut known = BTreeMap::new();
    for (application, captures) in captures {
        let payment = payments.get(&application);
        if payment.is_some_and(|payment| payment.state == "requested") {
            known.insert(application, Known::Requested);
            continue;
        }
        let (last_decision, decisions) = decisions.remove(&application).unwrap_or_default();
        let said: Vec<_> = captures.iter().map(|capture| (capture.id, capture.said)).collect();
        let counts = effective_capture(&said, &decisions);
        let duplicate = said.iter().skip(1).any(|(_, said)| said.is_none());
        let Some(capture) = captures.into_iter().find(|capture| Some(capture.id) == counts) else { continue };
        let case = KnownCase {
            application,
            capture: capture.id,
            record: serde_json::from_str(&capture.record).map_err(corrupt("record"))?,
            record_sha256: capture.record_sha256,
            decisions,
            last_decision,
            duplicate,
            waived: waivers.remove(&capture.id).unwrap_or_default(),
            returned: payment.and_then(|payment| payment.returned),
        };
        known.insert(application, Known::Open(Box::new(case)));
    }
    Ok(known)
}

struct Capture {
    id: CaptureId,
    /// None of the first, and while nobody has looked at it beside those before.
    said: Option<Counts>,
    record: String,
    record_sha256: Vec<u8>,
}

/// In the order in which they came. What was erased is not paid any more: its earlier captures cannot be
/// compared.
async fn captures(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, Vec<Capture>>, StoreError> {
    let rows = sqlx::query(
        "select application_id, id::text, outcome, record::text, record_sha256
         from capture join application using (application_id)
         left join duplicate_decision on duplicate_decision.capture_id = capture.id
         where application_id = any($1) and application.erased_at is null order by application_id, seq",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("look at captures"))?;
    let mut captures: BTreeMap<ApplicationId, Vec<Capture>> = BTreeMap::new();
    for row in &rows {
        let broken = corrupt("capture");
        let id: &str = row.try_get("id").map_err(&broken)?;
        let said: Option<&str> = row.try_get("outcome").map_err(&broken)?;
        captures.entry(application_id(row, "application_id")?).or_default().push(Capture {
            id: id.parse().map_err(corrupt("capture"))?,
            said: said
                .map(|said| Counts::named(said).ok_or_else(|| corrupt("capture")("nothing says what counts")))
                .transpose()?,
            record: row.try_get("record").map_err(&broken)?,
            record_sha256: row.try_get("record_sha256").map_err(&broken)?,
        });
    }
    Ok(captures)
}

struct NewestPayment {
    state: String,
    returned: Option<Returned>,
}

/// Of each application's household.
async fn newest_payments(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, NewestPayment>, StoreError> {
    sqlx::query(
        "select distinct on (wanted.id) wanted.id as application_id, payment.state, payment.state_at, return_reason
         from unnest($1::text[]) as wanted (id)
         left join register on register.application_id = wanted.id
         join payment on payment.household_id = coalesce(household_of(wanted.id, register.further), wanted.id)
         where payment.state <> 'dropped'
         order by wanted.id, payment.id desc",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("look at payments"))?
    .iter()
    .map(|row| {
        let broken = corrupt("payment");
        let reason: Option<&str> = row.try_get("return_reason").map_err(&broken)?;
        let reason = reason
            .map(|name| ReturnReason::named(name).ok_or_else(|| corrupt("payment")("an unknown reason")))
            .transpose()?;
        let at = row.try_get("state_at").map_err(&broken)?;
        let payment = NewestPayment {
            state: row.try_get("state").map_err(&broken)?,
            returned: reason.map(|reason| Returned { at, reason }),
        };
        Ok((application_id(row, "application_id")?, payment))
    })
    .collect()
}
