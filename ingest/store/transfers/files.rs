//! The bytes that the bank got: kept as they were written, encrypted with the keys of the object store
//! where there are any, and the same whenever they are asked for.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::super::error::{corrupt, query};
use super::super::objects::{KeyRing, Reencrypted, SealFailure};
use super::super::{Database, StoreError};
use super::{TRANSFER, Transfer, TransferFault, number, transfer};
use crate::digest::Sha256;
use crate::export::TransferFile;

/// What a file is bound to: it does not open in another's place.
fn name(transfer: i64, number: i32) -> String {
    format!("transfer {transfer} file {number}")
}

/// Keeps a file in the transaction that requests its payments.
pub(super) async fn keep(
    connection: &mut PgConnection,
    transfer: i64,
    number: i32,
    file: &TransferFile,
    keys: Option<&KeyRing>,
) -> Result<(), TransferFault> {
    let sealed = keys
        .map(|keys| keys.seal(&name(transfer, number), &file.bytes))
        .transpose()
        .map_err(|source| TransferFault::NotSealed { transfer, number, source })?;
    sqlx::query(
        "insert into transfer_file (transfer_id, number, payments, total, sha256, content, sealed)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(transfer)
    .bind(number)
    .bind(file.payments as i64)
    .bind(file.total as i64)
    .bind(&file.sha256.as_bytes()[..])
    .bind(sealed.as_ref().unwrap_or(&file.bytes))
    .bind(sealed.is_some())
    .execute(connection)
    .await
    .map_err(query("keep a transfer's file"))?;
    Ok(())
}

/// The files of a transfer that was requested, as they were written then; with what its sheet says.
pub async fn files(
    database: &Database,
    id: i64,
    keys: Option<&KeyRing>,
) -> Result<(Transfer, Vec<TransferFile>), TransferFault> {
    let doing = query("fetch a transfer's files");
    let row = sqlx::query(AssertSqlSafe(format!("{TRANSFER} where id = $1")))
        .bind(id)
        .fetch_optional(database.pool())
        .await
        .map_err(&doing)?
        .ok_or(TransferFault::Unknown(id))?;
    let rows = sqlx::query(
        "select number, payments, total, sha256, content, sealed from transfer_file
         where transfer_id = $1 order by number",
    )
    .bind(id)
    .fetch_all(database.pool())
    .await
    .map_err(&doing)?;
    let mut files = Vec::with_capacity(rows.len());
    for row in &rows {
        let kept = Kept::of(id, row)?;
        files.push(TransferFile {
            payments: number(row, "payments")? as usize,
            total: number(row, "total")?,
            sha256: kept.sha256,
            bytes: kept.open(keys)?.0,
        });
    }
    Ok((transfer(&row)?, files))
}

/// A file as its row has it.
struct Kept {
    transfer: i64,
    number: i32,
    sha256: Sha256,
    content: Vec<u8>,
    sealed: bool,
}

impl Kept {
    fn of(transfer: i64, row: &sqlx::postgres::PgRow) -> Result<Self, StoreError> {
        let broken = corrupt("transfer");
        let sha256: &[u8] = row.try_get("sha256").map_err(&broken)?;
        Ok(Self {
            transfer,
            number: row.try_get("number").map_err(&broken)?,
            sha256: <[u8; 32]>::try_from(sha256).map(Sha256::from_bytes).map_err(corrupt("transfer"))?,
            content: row.try_get("content").map_err(&broken)?,
            sealed: row.try_get("sealed").map_err(&broken)?,
        })
    }

    /// The bytes that the bank got, and whether they are kept as they would be now.
    fn open(self, keys: Option<&KeyRing>) -> Result<(Vec<u8>, Reencrypted), TransferFault> {
        let Self { transfer, number, sha256, content, sealed } = self;
        let failed = |source| TransferFault::NotOpened { transfer, number, source };
        let (bytes, found) = match (sealed, keys) {
            (false, _) => (content, Reencrypted::Sealed),
            (true, None) => return Err(failed(SealFailure::NoKeys)),
            (true, Some(keys)) => {
                let (id, bytes) = keys.open(&name(transfer, number), &content).map_err(failed)?;
                let is_current = id == *keys.current();
                (bytes, if is_current { Reencrypted::Current } else { Reencrypted::Rotated })
            }
        };
        if Sha256::of(&bytes) != sha256 {
            return Err(failed(SealFailure::Changed));
        }
        Ok((bytes, found))
    }
}

/// Encrypts every file that is kept with the key that writes; calls `found` for each.
pub async fn reencrypt(
    database: &Database,
    keys: &KeyRing,
    mut found: impl FnMut(Reencrypted),
) -> Result<(), TransferFault> {
    let doing = query("encrypt transfer files");
    let all: Vec<(i64, i32)> =
        sqlx::query_as("select transfer_id, number from transfer_file order by transfer_id, number")
            .fetch_all(database.pool())
            .await
            .map_err(&doing)?;
    for (transfer, number) in all {
        let mut transaction = database.begin().await?;
        let row = sqlx::query(
            "select number, sha256, content, sealed from transfer_file
             where transfer_id = $1 and number = $2 for update",
        )
        .bind(transfer)
        .bind(number)
        .fetch_one(&mut *transaction)
        .await
        .map_err(&doing)?;
        let (bytes, before) = Kept::of(transfer, &row)?.open(Some(keys))?;
        if before != Reencrypted::Current {
            let sealed = keys
                .seal(&name(transfer, number), &bytes)
                .map_err(|source| TransferFault::NotSealed { transfer, number, source })?;
            sqlx::query(
                "update transfer_file set content = $3, sealed = true where transfer_id = $1 and number = $2",
            )
            .bind(transfer)
            .bind(number)
            .bind(sealed)
            .execute(&mut *transaction)
            .await
            .map_err(&doing)?;
        }
        transaction.commit().await.map_err(&doing)?;
        found(before);
    }
    Ok(())
}
