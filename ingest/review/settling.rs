//! After the last decision about an application: whether it may be paid.

use super::{Desk, DeskError};
use crate::application_id::ApplicationId;
use crate::review::AccountName;
use crate::store::{approvals, tasks};

/// Names the desk in events where no person's decision was the last.
pub(super) const DESK: &str = "desk";

/// Settles an application that nobody has work with any more. What was decided is committed by now and
/// stands: where this fails, `uketsuke applications approve` makes up for it.
pub(super) async fn settle_when_decided(desk: &Desk, application: ApplicationId, account: &AccountName) {
    let settled = async {
        if !tasks::open(&desk.database, application).await? {
            settle(desk, &[application], account.as_str()).await?;
        }
        Ok::<_, DeskError>(())
    };
    if let Err(error) = settled.await {
        tracing::warn!(%application, %error, "not settled; `uketsuke applications approve` looks at it again");
    }
}

/// The same for what came to its end without a person's decision: a few hundred at most.
pub(super) async fn settle_complete(desk: &Desk, applications: &[ApplicationId]) -> Result<(), DeskError> {
    settle(desk, applications, DESK).await
}

async fn settle(desk: &Desk, applications: &[ApplicationId], actor: &str) -> Result<(), DeskError> {
    let rules = desk.check.rules(desk.banks.as_deref());
    let limit = desk.check.households_per_account;
    approvals::settle(&desk.database, applications, &rules, limit, actor).await?;
    Ok(())
}
