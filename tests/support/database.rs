//! One private PostgreSQL for all tests, and a fresh database for each.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;
use uketsuke::store::Database;
use uketsuke::store::private_postgres::PrivatePostgres;

/// A fresh, empty database with all tables.
pub async fn fresh() -> Database {
    Database::open(fresh_options().await).await.expect("a test database")
}

/// How to connect to a fresh database that no tables were made in beyond the migrations.
pub async fn fresh_options() -> PgConnectOptions {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let template = TEMPLATE.get_or_init(make_template).await;
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    create(&name, template).await;
    server().connect_options().database(&name)
}

/// How to connect to a fresh database as it was before a migration, named by its number.
#[allow(dead_code, reason = "most tests want the tables of today")]
pub async fn fresh_options_before(migration: &str) -> PgConnectOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_before_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    create(&name, "template1").await;
    let options = server().connect_options().database(&name);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/store/migrations");
    let all = sqlx::migrate::Migrator::new(folder).await.expect("migrations");
    let before = all.iter().filter(|made| format!("{:04}", made.version).as_str() < migration);
    let migrator = sqlx::migrate::Migrator::with_migrations(before.cloned().collect());
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    migrator.run(&mut connection).await.expect("the migrations before");
    options
}

/// Started by the first test of a process, joined by those of others; it stops when the last of
/// them has ended.
fn server() -> &'static PrivatePostgres {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("data");
        PrivatePostgres::start(&data).expect("PostgreSQL is installed (scripts/setup)")
    })
}

async fn make_template() -> String {
    remove_left_over().await;
    let name = format!("template_{}", std::process::id());
    create(&name, "template1").await;
    let database = Database::open(server().connect_options().database(&name)).await.expect("migrations");
    database.close().await;
    name
}

async fn create(name: &str, template: &str) {
    let mut connection = connect().await;
    let statement = format!("create database {name} template {template}");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("a new database");
}

/// Removes what processes that are gone have left.
async fn remove_left_over() {
    let mut connection = connect().await;
    let names: Vec<String> =
        sqlx::query_scalar("select datname from pg_database where datname ~ '^(test|template)_[0-9]+'")
            .fetch_all(&mut connection)
            .await
            .expect("names of databases");
    for name in names {
        let process = name.split('_').nth(1).unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            // Another test process may be removing it, too.
            let statement = format!("drop database if exists {name} with (force)");
            let _ = sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await;
        }
    }
}

async fn connect() -> PgConnection {
    PgConnection::connect_with(&server().connect_options()).await.expect("a connection")
}
