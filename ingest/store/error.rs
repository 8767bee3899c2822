//! What can go wrong between the program and its database. Messages name the question that was
//! asked, never the values of a row: those may be personal data.

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
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the database failed to {doing}: {source}")]
    Query { doing: &'static str, source: sqlx::Error },
    /// Only a row that something else than this program wrote.
    #[error("the database holds a {what} that this program cannot have written: {reason}")]
    Corrupt { what: &'static str, reason: String },
    /// Another worker has the job, or it was quarantined meanwhile. Nothing was changed; stop
    /// working on it.
    #[error("the lease of job {0} has ended; another worker has it now")]
    LeaseLost(super::jobs::JobId),
    #[error("{0}")]
    Refused(&'static str),
}

impl StoreError {
    /// The same call may well work a moment later: the server restarts, or two transactions met.
    pub fn is_transient(&self) -> bool {
        let source = match self {
            Self::Query { source, .. } | Self::Connect(source) => source,
            _ => return false,
        };
        match source {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
            // 08: connection, 40: rolled back (deadlock, serialization), 57P: the server stops,
            // 53: out of connections, memory or disk
            sqlx::Error::Database(error) => error
                .code()
                .is_some_and(|code| ["08", "40", "53", "57P"].iter().any(|class| code.starts_with(class))),
            _ => false,
        }
    }
}

/// Turns an error of the driver into one that says what was being done.
pub(super) fn query(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { doing, source }
}

pub(super) fn corrupt<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> StoreError {
    move |reason| StoreError::Corrupt { what, reason: reason.to_string() }
}
