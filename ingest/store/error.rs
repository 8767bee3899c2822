//! What can go wrong between the program and its database. Messages name the question that was
//! asked, never the values of a row: those may be personal data.

use std::sync::atomic::{AtomicU64, Ordering};

use super::private_postgres::PrivatePostgresError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    PrivatePostgres(#[from] PrivatePostgresError),
    #[error("the database that DATABASE_URL names cannot be used: {0}")]
    Url(#[source] sqlx::Error),
    #[error("cannot connect to the database: {0}")]
    Connect(#[source] sqlx::Error),
    #[error(
        "the database cannot be brought up to date: {0}; was it used by a newer version of this program?"
    )]
    Migrate(sqlx::migrate::MigrateError),
    #[error(
        "the tables are not up to date, and the role of DATABASE_URL may not change them; run `uketsuke migrate \
         --application-role ROLE` with the DATABASE_URL of their owner, then start again"
    )]
    MayNotMigrate,
    #[error("the database failed to {doing}: {source}")]
    Query { doing: &'static str, source: sqlx::Error },
    /// Only a row that something else than this program wrote.
    #[error("the database holds a {what} that this program cannot have written: {reason}")]
    Corrupt { what: &'static str, reason: String },
    /// Another worker has the job, or it was quarantined meanwhile. Nothing was changed; stop
    /// working on it.
    #[error("the lease of job {0} has ended; another worker has it now")]
    LeaseLost(super::jobs::JobId),
    /// Nothing was changed. Store the objects again and publish again.
    #[error("objects of the scan were swept away before it was published; it is read again")]
    ObjectsRemoved,
    #[error("{0}")]
    Refused(&'static str),
}

/// Of this process, for its metrics.
static FAILED_QUERIES: AtomicU64 = AtomicU64::new(0);

impl StoreError {
    /// How many questions to the database have failed since the process began.
    pub fn failed_queries() -> u64 {
        FAILED_QUERIES.load(Ordering::Relaxed)
    }

    /// The same call may well work a moment later: the server restarts, or two transactions met.
    pub fn is_transient(&self) -> bool {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
        let source = match self {
            Self::Query { source, .. }
            | Self::Connect(source)
            | Self::Migrate(Execute(source) | ExecuteMigration(source, _)) => source,
            Self::PrivatePostgres(error) => return error.is_transient(),
            _ => return false,
        };
        match source {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
            // 08: connection, 40: rolled back (deadlock, serialization), 57P: the server stops,
            // 53: out of connections, memory or disk, 25006: a standby that is yet to take over
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                ["08", "40", "53", "57P", "25006"].iter().any(|class| code.starts_with(class))
            }),
            _ => false,
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
        match &error {
            // insufficient_privilege
            Execute(sqlx::Error::Database(source)) | ExecuteMigration(sqlx::Error::Database(source), _)
                if source.code().as_deref() == Some("42501") =>
            {
                Self::MayNotMigrate
            }
            _ => Self::Migrate(error),
        }
    }
}

/// Turns an error of the driver into one that says what was being done.
pub(super) fn query(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| {
        FAILED_QUERIES.fetch_add(1, Ordering::Relaxed);
        StoreError::Query { doing, source }
    }
}

pub(super) fn corrupt<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> StoreError {
    move |reason| StoreError::Corrupt { what, reason: reason.to_string() }
}
