//! What was logged cannot be changed without being noticed: seals over events, a chain over seals,
//! its newest links kept elsewhere; and the service's role cannot change it at all.

#[path = "support/arrivals.rs"]
#[expect(dead_code, reason = "what these tests do not need")]
mod arrivals;
#[path = "support/database.rs"]
#[expect(dead_code, reason = "what these tests do not need")]
mod database;

use std::path::Path;
use std::process::Command;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uketsuke::application_id::ApplicationId;
use uketsuke::audit::{self, Export, Flaw};
use uketsuke::store::erasure::{Eraser, Rule};
use uketsuke::store::privileges::{self, RoleName};
use uketsuke::store::seals::{self, Sealing};
use uketsuke::store::{Database, StoreError};

use arrivals::scan;

/// A database with sealed events, and a superuser's connection to it.
struct Sealed {
    database: Database,
    superuser: PgConnection,
}

impl Sealed {
    /// Three seals over two events each, with the IDs 1 to 6.
    async fn new() -> Self {
        let options = database::fresh_options().await;
        let database = Database::open(options.clone()).await.expect("a database");
        let mut superuser = PgConnection::connect_with(&options).await.expect("a connection");
        for number in 0..3 {
            // In one transaction, so that nothing can come between them.
            let insert = "insert into event (actor, kind, subject)
                          select 'worker', 'scan.arrived', 'scan ' || n from generate_series(1, 2) as n";
            sqlx::query(insert).execute(&mut superuser).await.expect("inserted");
            assert_eq!(seal(&database).await, 2, "{number}");
        }
        Self { database, superuser }
    }

    /// Does what no trigger keeps a superuser from.
    async fn tamper(&mut self, statement: &'static str) {
        sqlx::raw_sql("set session_replication_role = replica")
            .execute(&mut self.superuser)
            .await
            .expect("set");
        sqlx::raw_sql(statement).execute(&mut self.superuser).await.expect(statement);
    }

    async fn flaw(&self) -> Option<Flaw> {
        audit::verify(&self.database, None).await.expect("an answer").flaw
    }
}

/// Seals all that is there. Transactions of other tests on this server hold seals back for as long as
/// they are open: they are waited for.
async fn seal(database: &Database) -> u64 {
    let mut sealed = 0;
    loop {
        sealed += audit::seal_all(database).await.expect("sealed");
        if seals::standing(database).await.expect("a standing").unsealed == 0 {
            return sealed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_untouched_chain_holds() {
    let sealed = Sealed::new().await;
    let verified = audit::verify(&sealed.database, None).await.expect("an answer");
    assert_eq!((verified.seals, verified.events, verified.unsealed), (3, 6, Some(0)));
    assert_eq!(verified.flaw, None);
    scan(&sealed.database, "not sealed yet").await;
    let verified = audit::verify(&sealed.database, None).await.expect("an answer");
    assert_eq!((verified.unsealed, verified.flaw), (Some(1), None));
}

#[tokio::test]
async fn an_event_that_was_changed_is_named() {
    for change in [
        "update event set actor = 'nobody' where id = 3",
        "update event set at = at + interval '1 microsecond' where id = 3",
        "update event set kind = 'scan.repeated' where id = 3",
        "update event set subject = 'scan 99' where id = 3",
        "update event set detail = '{\"pages\": 1}' where id = 3",
    ] {
        let mut sealed = Sealed::new().await;
        sealed.tamper(change).await;
        assert_eq!(sealed.flaw().await, Some(Flaw::EventAltered { number: 2, event: 3 }), "{change}");
    }
}

#[tokio::test]
async fn an_event_that_was_removed_is_named() {
    let mut sealed = Sealed::new().await;
    sealed.tamper("delete from event where id = 4").await;
    assert_eq!(sealed.flaw().await, Some(Flaw::EventRemoved { number: 2, event: 4 }));
    // To give it another transaction takes it out of its seal.
    let mut sealed = Sealed::new().await;
    sealed.tamper("update event set xid = xid + 1000000 where id = 5").await;
    assert_eq!(sealed.flaw().await, Some(Flaw::EventRemoved { number: 3, event: 5 }));
}

#[tokio::test]
async fn an_event_that_was_put_in_later_is_named() {
    let mut sealed = Sealed::new().await;
    sealed
        .tamper(
            "insert into event (actor, kind, subject, xid)
             select 'nobody', 'scan.arrived', 'scan 99', xid from event where id = 2",
        )
        .await;
    // Behind the last event of the first seal, so among those of the second.
    assert_eq!(sealed.flaw().await, Some(Flaw::EventInserted { number: 2, event: 7 }));
    let mut sealed = Sealed::new().await;
    sealed
        .tamper(
            "insert into event (id, actor, kind, subject, xid) overriding system value
             select -1, 'nobody', 'scan.arrived', 'scan 99', 0",
        )
        .await;
    assert_eq!(sealed.flaw().await, Some(Flaw::EventInserted { number: 1, event: -1 }));
}

#[tokio::test]
async fn a_seal_that_was_changed_or_removed_is_named() {
    for (change, flaw) in [
        ("delete from seal where number = 1", Flaw::SealMissing { number: 1 }),
        ("delete from seal where number = 2", Flaw::SealMissing { number: 2 }),
        (
            "update seal set sealed_at = sealed_at - interval '1 day' where number = 2",
            Flaw::SealAltered { number: 2 },
        ),
        ("update seal set digest = sha256('') where number = 2", Flaw::SealAltered { number: 2 }),
        ("update seal set previous = sha256('') where number = 2", Flaw::Unchained { number: 2 }),
    ] {
        let mut sealed = Sealed::new().await;
        sealed.tamper(change).await;
        assert_eq!(sealed.flaw().await, Some(flaw), "{change}");
    }
}

#[tokio::test]
async fn a_chain_made_anew_is_told_by_what_was_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sealed = Sealed::new().await;
    let newest = seals::newest(&sealed.database, 2).await.expect("seals");
    let path = folder.path().join("seals.json");
    Export::new(newest, chrono::DateTime::UNIX_EPOCH).write(&path).expect("written");
    let export = Export::read(&path).expect("read");
    assert_eq!(export.seals.iter().map(|seal| seal.number).collect::<Vec<_>>(), [3, 2]);
    let flaw = async |sealed: &Sealed| {
        let verified = audit::verify(&sealed.database, Some(&export)).await.expect("an answer");
        verified.flaw
    };
    assert_eq!(flaw(&sealed).await, None);

    // The end of the chain is cut off: what is left fits in itself.
    sealed.tamper("delete from event where id > 4; delete from seal where number = 3").await;
    assert_eq!(sealed.flaw().await, None);
    assert_eq!(flaw(&sealed).await, Some(Flaw::SealMissing { number: 3 }));
    // An event is changed, and everything sealed again.
    sealed.tamper("update event set actor = 'nobody' where id = 3; delete from seal").await;
    assert_eq!(seal(&sealed.database).await, 4);
    assert_eq!(sealed.flaw().await, None);
    assert_eq!(flaw(&sealed).await, Some(Flaw::SealMissing { number: 2 }));
    scan(&sealed.database, "more").await;
    seal(&sealed.database).await;
    assert_eq!(flaw(&sealed).await, Some(Flaw::NotAsExported { number: 2 }));
    let error = Export::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").as_path());
    assert!(error.expect_err("no export").to_string().contains("uketsuke.seals/1"));
}

#[tokio::test]
async fn what_is_not_committed_yet_is_not_sealed_over() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let mut slow = PgConnection::connect_with(&options).await.expect("a connection");
    let mut slow = slow.begin().await.expect("a transaction");
    let insert = "insert into event (actor, kind, subject) values ('slow', 'scan.arrived', 'scan 99')";
    sqlx::query(insert).execute(&mut *slow).await.expect("inserted");
    // It has the smaller ID and transaction, and commits last.
    scan(&database, "fast").await;
    assert_eq!(seals::seal_next(&database).await.expect("an answer"), Sealing::Nothing);
    slow.commit().await.expect("committed");
    assert_eq!(seal(&database).await, 2);
    let verified = audit::verify(&database, None).await.expect("an answer");
    assert_eq!((verified.events, verified.flaw), (2, None));
}

#[tokio::test]
async fn sealers_and_writers_at_the_same_time_leave_every_event_sealed_once() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let writers = 8;
    let each = 40;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let options = options.clone();
        tasks.spawn(async move {
            let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
            for number in 0..each {
                let mut transaction = connection.begin().await.expect("a transaction");
                for part in 0..3 {
                    let insert = "insert into event (actor, kind, subject) values ($1, 'scan.arrived', $2)";
                    sqlx::query(insert)
                        .bind(format!("writer {writer}"))
                        .bind(format!("{number} {part}"))
                        .execute(&mut *transaction)
                        .await
                        .expect("inserted");
                    tokio::task::yield_now().await;
                }
                // Some are rolled back: their IDs stay gaps.
                if number % 5 == writer % 5 {
                    transaction.rollback().await.expect("rolled back");
                } else {
                    transaction.commit().await.expect("committed");
                }
            }
        });
    }
    let mut sealers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let database = database.clone();
        sealers.spawn(async move {
            loop {
                audit::seal_all(&database).await.expect("sealed");
                tokio::task::yield_now().await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
    sealers.shutdown().await;
    seal(&database).await;
    let verified = audit::verify(&database, None).await.expect("an answer");
    assert_eq!(verified.flaw, None);
    assert_eq!((verified.events, verified.unsealed), (writers * each * 3 * 4 / 5, Some(0)));
    assert!(verified.seals > 1, "they were sealed as they came");
}

#[tokio::test]
async fn events_from_before_there_were_seals_are_sealed_first() {
    let options = database::fresh_options_before("0003").await;
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let insert = "insert into event (actor, kind, subject)
                  select 'worker', 'scan.arrived', 'scan ' || n from generate_series(1, 12000) as n";
    sqlx::query(insert).execute(&mut connection).await.expect("inserted");
    let database = Database::open(options).await.expect("up to date");
    assert_eq!(seal(&database).await, 12_000);
    scan(&database, "a new one").await;
    assert_eq!(seal(&database).await, 1);
    let verified = audit::verify(&database, None).await.expect("an answer");
    assert_eq!((verified.seals, verified.events, verified.flaw), (4, 12_001, None));
    // As a node of the version before writes it.
    let insert = "insert into event (actor, kind, subject) values ('old node', 'scan.arrived', 'scan 1')";
    sqlx::query(insert).execute(&mut connection).await.expect("inserted");
    assert_eq!(seal(&database).await, 1);
}

#[tokio::test]
async fn a_database_restored_into_a_younger_server_goes_on() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let mut superuser = PgConnection::connect_with(&options).await.expect("a connection");
    // As events of a server that has seen many more transactions: the last one is not sealed.
    let insert = "insert into event (actor, kind, subject, xid)
                  select 'old server', 'scan.arrived', 'scan 1', 4000000000000 + n from generate_series(1, 3) as n";
    sqlx::query(insert).execute(&mut superuser).await.expect("inserted");
    assert_eq!(audit::seal_all(&database).await.expect("an answer"), 0, "they seem to be of the future");
    database.close().await;

    let database = Database::open(options.clone()).await.expect("opened");
    scan(&database, "on the new server").await;
    // The three of before, the restoration, and the new one.
    assert_eq!(seal(&database).await, 5);
    let verified = audit::verify(&database, None).await.expect("an answer");
    assert_eq!((verified.events, verified.flaw), (5, None));
    let epochs = "select count(*) from event_epoch";
    let count = async |superuser: &mut PgConnection| -> i64 {
        sqlx::query_scalar(epochs).fetch_one(superuser).await.expect("a count")
    };
    assert_eq!(count(&mut superuser).await, 2);
    Database::open(options).await.expect("opened again");
    assert_eq!(count(&mut superuser).await, 2, "once is enough");
}

#[tokio::test]
async fn seals_are_append_only() {
    let mut sealed = Sealed::new().await;
    for statement in [
        "update seal set events = 1",
        "delete from seal",
        "truncate seal",
        "update event_epoch set number = 2",
        "delete from event_epoch",
        "truncate event_epoch",
        "truncate event",
    ] {
        let error = sqlx::query(statement).execute(&mut sealed.superuser).await.expect_err(statement);
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

/// Roles are of the whole server: their names are of this process, and they stay.
struct Roles {
    owner: String,
    application: String,
    options: PgConnectOptions,
}

impl Roles {
    /// Makes the roles and their database with the file that operators use.
    async fn make(name: &str) -> Self {
        let superuser = database::fresh_options().await;
        let database = format!("test_{}_{name}", std::process::id());
        let (owner, application) = (format!("{database}_owner"), format!("{database}_app"));
        // A process with the same number may have left them.
        let mut connection = PgConnection::connect_with(&superuser).await.expect("a connection");
        for statement in [
            format!("drop database if exists {database} with (force)"),
            format!("drop role if exists {owner}, {application}"),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("removed");
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/postgresql/roles.sql");
        let output = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--host"])
            .arg(superuser.get_socket().expect("a socket"))
            .args(["--port", &superuser.get_port().to_string(), "--username", superuser.get_username()])
            .args(["--dbname", "postgres", "--variable", &format!("owner={owner}")])
            .args(["--variable", &format!("application={application}")])
            .args(["--variable", &format!("database={database}"), "--file"])
            .arg(file)
            .output()
            .expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { owner, application, options: superuser.database(&database) }
    }

    fn owner(&self) -> PgConnectOptions {
        self.options.clone().username(&self.owner)
    }

    fn application(&self) -> PgConnectOptions {
        self.options.clone().username(&self.application)
    }

    fn role(&self) -> RoleName {
        self.application.parse().expect("a name")
    }
}

#[tokio::test]
async fn the_services_role_can_do_its_work_and_change_no_event() {
    let roles = Roles::make("roles").await;
    let error = Database::open(roles.application()).await.expect_err("it may not make tables");
    assert!(matches!(error, StoreError::MayNotMigrate), "{error}");
    let owner = Database::open(roles.owner()).await.expect("the owner may");
    privileges::grant_application(&owner, &roles.role()).await.expect("granted");
    privileges::grant_application(&owner, &roles.role()).await.expect("again, as after an upgrade");
    let to_itself = privileges::grant_application(&owner, &roles.owner.parse().expect("a name")).await;
    assert!(to_itself.expect_err("the owner").to_string().contains("owns the tables"));
    let nobody =
        privileges::grant_application(&owner, &"nobody_has_this_name".parse().expect("a name")).await;
    assert!(nobody.expect_err("no role").to_string().contains("roles.sql"));

    let service = Database::open(roles.application()).await.expect("nothing to migrate");
    scan(&service, "one").await;
    let lease = arrivals::claim(&service).await;
    uketsuke::store::jobs::quarantine(&service, &lease, "worker", "bad", None).await.expect("quarantined");
    assert_eq!(seal(&service).await, 2);
    assert_eq!(audit::verify(&service, None).await.expect("an answer").flaw, None);

    // It may erase, which takes rights on most tables.
    let eraser = Eraser::begin(&service).await.expect("nobody else erases");
    let number = eraser.erase_rows(&Rule::Scans(vec![lease.scan]), "worker", |_| ()).await.expect("rows");
    let applications = Rule::Applications(vec![ApplicationId::from_serial(1).expect("in range")]);
    eraser.erase_rows(&applications, "worker", |_| ()).await.expect("nothing to erase");
    let certificate = eraser.certify(number, &mut Vec::new()).await.expect("a certificate");
    assert_eq!(certificate.erased.scans, 1);
    eraser.close(&certificate, "worker").await.expect("closed");

    let mut connection = PgConnection::connect_with(&roles.application()).await.expect("a connection");
    // What a trigger would refuse whoever asks is not granted either.
    let refused: Vec<(String, String, bool)> = sqlx::query_as(
        "select event_object_table::text, event_manipulation::text,
                has_table_privilege(event_object_table::text, event_manipulation::text)
         from information_schema.triggers
         where action_statement ~ '(is_append_only|is_kept)\\(' and action_orientation = 'STATEMENT'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("triggers");
    assert!(refused.len() > 10, "{refused:?}");
    for (table, manipulation, granted) in refused {
        assert!(!granted, "{manipulation} of {table}");
    }
    for statement in [
        "update event set actor = 'nobody'",
        "delete from event",
        "truncate event",
        "insert into event (actor, kind, subject, xid) values ('nobody', 'scan.arrived', 'scan 1', 1)",
        "insert into event (actor, kind, subject, at) values ('nobody', 'scan.arrived', 'scan 1', now())",
        "update seal set events = 1",
        "delete from seal",
        "truncate seal",
        "delete from event_epoch",
        "alter table event disable trigger all",
        "drop trigger event_is_append_only on event",
        "set session_replication_role = replica",
        "delete from _sqlx_migrations",
        "create table mine ()",
    ] {
        let error =
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect_err(statement);
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{statement}: {error}");
    }
}

#[test]
fn an_operator_verifies_and_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
            .arg("--data")
            .arg(folder.path().join("data"))
            .args(arguments)
            .env_remove("DATABASE_URL")
            .output()
            .expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let register = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/register.csv");
    let (code, _, stderr) = run(&["register", "import", register.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{stderr}");
    // Nothing has sealed the import yet; any export is of what is there.
    let export = folder.path().join("seals.json");
    let export = export.to_str().expect("UTF-8");
    assert_eq!(run(&["audit", "export", "--out", export]).0, Some(0));
    let (code, stdout, stderr) = run(&["audit", "verify", "--against", export]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("0 seals over 0 events fit") && stdout.contains("1 events behind"), "{stdout}");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let database = Database::connect(&folder.path().join("data"), None).await.expect("a database");
        assert_eq!(seal(&database).await, 1);
        database.close().await;
    });
    let (code, stdout, _) = run(&["audit", "export"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("uketsuke.seals/1"), "{stdout}");
    let (code, key, stderr) = run(&["audit", "export", "--to-objects"]);
    assert_eq!(code, Some(0), "{stderr}");
    let object = std::fs::read_to_string(folder.path().join("data/objects").join(key.trim()));
    assert!(object.expect("an object").contains("uketsuke.seals/1"));
    assert_eq!(run(&["audit", "verify", "--against", key.trim()]).0, Some(0));
    std::fs::write(export, stdout.replacen("\"digest\": \"", "\"digest\": \"ff", 1)).expect("written");
    let (code, _, stderr) = run(&["audit", "verify", "--against", export]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("is no export of seals"), "{stderr}");
    let digest = "0".repeat(64);
    let (before, after) = stdout.split_once("\"digest\": \"").expect("a digest");
    std::fs::write(export, format!("{before}\"digest\": \"{digest}{}", &after[64..])).expect("written");
    let (code, stdout, stderr) = run(&["--json", "audit", "verify", "--against", export]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("seal 1 is not the one that was exported"), "{stderr}");
    let verified: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(verified["flaw"], "seal 1 is not the one that was exported");
}
