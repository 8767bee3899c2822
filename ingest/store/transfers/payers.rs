//! Who may propose transfers and agree to them.

use sqlx::PgConnection;

use super::super::error::query;
use super::TransferFault;
use crate::review::{AccountName, Role};

/// Refuses whoever has no account that may pay; the account stays so until the transaction ends. The
/// database refuses such a transfer, too.
pub(super) async fn may_pay(connection: &mut PgConnection, name: &AccountName) -> Result<(), TransferFault> {
    let found: Option<String> =
        sqlx::query_scalar("select name from account where name = $1 and role = $2 and active for share")
            .bind(name.as_str())
            .bind(Role::Payment.name())
            .fetch_optional(connection)
            .await
            .map_err(query("look up an account"))?;
    found.map(drop).ok_or_else(|| TransferFault::MayNotPay(name.clone()))
}
