//! The connection to PostgreSQL: the server that DATABASE_URL names, else a private one in the
//! data folder. Either way the same SQL.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use super::announcements::Gate;
use super::error::query;
use super::private_postgres::PrivatePostgres;
use super::{StoreError, seals};

/// Every file of the folder is compiled in. A new one is seen when this file is compiled again.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("ingest/store/migrations");

/// A program runs a handful of loops; more connections than this only queue inside the server.
const CONNECTIONS: u32 = 16;

/// How long a server may take to answer at all.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// How long a question waits for a connection, restarts of the server included.
const PATIENCE: Duration = Duration::from_secs(45);

/// A pool of connections to an up-to-date database; clones share it.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    private: Option<Arc<PrivatePostgres>>,
    gate: Arc<Gate>,
}

impl Database {
    /// Name of the private server's database.
    pub const PRIVATE: &str = "uketsuke";

    /// Connects and brings the tables up to date; several programs may do so at once.
    pub async fn connect(data: &Path, database_url: Option<&str>) -> Result<Self, StoreError> {
        let (options, private) = match database_url {
            Some(url) => (url.parse::<PgConnectOptions>().map_err(StoreError::Url)?, None),
            None => {
                let data = data.to_owned();
                let server = tokio::task::spawn_blocking(move || PrivatePostgres::start(&data))
                    .await
                    .map_err(|error| StoreError::Connect(sqlx::Error::Io(error.into())))??;
                let options = server.connect_options();
                create_database(&options, Self::PRIVATE).await?;
                (options.database(Self::PRIVATE), Some(Arc::new(server)))
            }
        };
        Ok(Self { private, ..Self::open(options).await? })
    }

    /// Connects to one database of a running server and brings its tables up to date.
    pub async fn open(options: PgConnectOptions) -> Result<Self, StoreError> {
        let options = options.application_name("uketsuke");
        let mut connection = first_connection(&options).await.map_err(StoreError::Connect)?;
        if !is_up_to_date(&mut connection).await? {
            MIGRATIONS.run(&mut connection).await?;
        }
        connection.close().await.map_err(StoreError::Connect)?;
        // One transaction left open slows every claim of a job tenfold within a minute.
        let options =
            options.options([("statement_timeout", "60s"), ("idle_in_transaction_session_timeout", "30s")]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(StoreError::Connect)?;
        let database = Self { pool, private: None, gate: Arc::default() };
        seals::begin_epoch_if_restored(&database).await?;
        Ok(database)
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) async fn begin(&self) -> Result<sqlx::PgTransaction<'static>, StoreError> {
        self.pool.begin().await.map_err(super::error::query("begin a transaction"))
    }

    /// Asks the server for a sign of life.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await.map_err(super::error::query("answer")).map(drop)
    }

    /// Closes the connections of all clones and, where nobody else uses it, stops the private
    /// server.
    pub async fn close(self) {
        self.pool.close().await;
        if let Some(server) = self.private {
            // A panic of the blocking task has been reported by the panic hook.
            let _ = tokio::task::spawn_blocking(move || drop(server)).await;
        }
    }
}

/// A host that says nothing at all is away.
async fn first_connection(options: &PgConnectOptions) -> Result<sqlx::PgConnection, sqlx::Error> {
    match tokio::time::timeout(FIRST_ANSWER, sqlx::PgConnection::connect_with(options)).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Whether exactly the migrations of this program were made. Asked first, because running them takes
/// rights that the service's role need not have, even where there is nothing to do.
async fn is_up_to_date(connection: &mut sqlx::PgConnection) -> Result<bool, StoreError> {
    let doing = query("say what migrations were made");
    let begun: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await
        .map_err(&doing)?;
    if !begun {
        return Ok(false);
    }
    let made: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
            .fetch_all(connection)
            .await
            .map_err(&doing)?;
    let ours = MIGRATIONS.iter().map(|migration| (migration.version, &migration.checksum[..]));
    Ok(ours.eq(made.iter().map(|(version, checksum)| (*version, &checksum[..]))))
}

async fn create_database(options: &PgConnectOptions, name: &'static str) -> Result<(), StoreError> {
    let options = options.clone().database("postgres");
    let mut connection = sqlx::PgConnection::connect_with(&options).await.map_err(StoreError::Connect)?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .map_err(StoreError::Connect)?;
    if !exists {
        let statement = sqlx::AssertSqlSafe(format!("create database {name}"));
        match sqlx::query(statement).execute(&mut connection).await {
            Ok(_) => {}
            // Another program was faster: 42P04 names it, 23505 meets it half way.
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("42P04" | "23505")) => {}
            Err(error) => return Err(StoreError::Connect(error)),
        }
    }
    connection.close().await.map_err(StoreError::Connect)
}
