//! The private PostgreSQL is there as long as anybody uses it, whatever is killed, and not longer.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use uketsuke::store::private_postgres::{PrivatePostgres, PrivatePostgresError};

fn start(data: &Path) -> PrivatePostgres {
    PrivatePostgres::start(data).expect("a server")
}

fn query(options: PgConnectOptions, statement: &'static str) -> Result<i64, sqlx::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(&options).await?;
        sqlx::query_scalar(statement).fetch_one(&mut connection).await
    })
}

fn kill(process: u32) {
    assert!(Command::new("kill").args(["-9", &process.to_string()]).status().expect("kill").success());
}

fn alive(process: u32) -> bool {
    // A zombie has ended.
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim().starts_with('Z'))
}

/// Waits for something that must come; a test that would wait for ever fails instead.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_was_stored_is_there_after_a_stop_and_a_start() {
    let data = tempfile::tempdir().expect("a folder");
    let server = start(data.path());
    let process = server.process_id().expect("it runs");
    query(server.connect_options(), "with kept as (select lo_create(4711)) select count(*) from kept")
        .expect("a large object");
    server.stop().expect("it stops");
    assert!(!alive(process));
    let server = start(data.path());
    let count = query(server.connect_options(), "select count(*) from pg_largeobject_metadata");
    assert_eq!(count.expect("an answer"), 1);
}

#[test]
fn a_server_that_is_killed_comes_back_under_its_user() {
    let data = tempfile::tempdir().expect("a folder");
    let server = start(data.path());
    let process = server.process_id().expect("it runs");
    kill(process);
    eventually("another server", || server.process_id().is_some_and(|now| now != process));
    eventually("an answer", || query(server.connect_options(), "select 1::bigint").is_ok());
}

#[test]
fn the_server_outlives_the_program_that_started_it_while_another_uses_it() {
    let data = tempfile::tempdir().expect("a folder");
    let first = start(data.path());
    let second = start(data.path());
    let process = first.process_id().expect("it runs");
    first.stop().expect("the first leaves");
    assert_eq!(second.process_id(), Some(process));
    query(second.connect_options(), "select 1::bigint").expect("an answer");
    second.stop().expect("the second leaves");
    assert!(!alive(process));
}

#[test]
fn many_programs_may_start_at_once_on_a_new_folder() {
    let data = tempfile::tempdir().expect("a folder");
    let servers: Vec<PrivatePostgres> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..6).map(|_| scope.spawn(|| start(data.path()))).collect();
        starting.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let process = servers[0].process_id();
    assert!(process.is_some() && servers.iter().all(|server| server.process_id() == process));
}

/// The program of the next test: uses the server until it is killed.
#[test]
#[ignore = "run by a_program_that_is_killed_leaves_no_server_behind"]
fn a_program_that_uses_the_server() {
    let Some(data) = std::env::var_os("TEST_DATA") else { return };
    let _server = start(Path::new(&data));
    std::thread::sleep(Duration::from_secs(300));
}

#[test]
fn a_program_that_is_killed_leaves_no_server_behind() {
    let data = tempfile::tempdir().expect("a folder");
    let mut program = Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "a_program_that_uses_the_server"])
        .env("TEST_DATA", data.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a second program");
    let server = |data: &Path| -> Option<u32> {
        let text = std::fs::read_to_string(data.join("postgres/data/postmaster.pid")).ok()?;
        text.contains("ready").then(|| text.lines().next()?.parse().ok())?
    };
    eventually("a server", || server(data.path()).is_some());
    let process = server(data.path()).expect("just seen");
    program.kill().expect("killed");
    program.wait().expect("waited for");
    eventually("the server's end", || !alive(process));
    // And the folder is as good as ever.
    query(start(data.path()).connect_options(), "select 1::bigint").expect("an answer");
}

#[test]
fn program_and_server_killed_together_start_again() {
    let data = tempfile::tempdir().expect("a folder");
    let server = start(data.path());
    query(server.connect_options(), "select count(*) from pg_class").expect("an answer");
    let process = server.process_id().expect("it runs");
    // As if the power went: no watch, no stop, the old server's processes still leaving.
    std::mem::forget(server);
    kill(process);
    eventually("the server's end", || !alive(process));
    let again = start(data.path());
    query(again.connect_options(), "select 1::bigint").expect("an answer");
}

#[test]
fn a_path_too_long_for_a_socket_is_no_hindrance() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("長い名前のフォルダー".repeat(5)).join("d".repeat(60));
    query(start(&data).connect_options(), "select 1::bigint").expect("an answer");
}

#[test]
fn a_folder_that_is_closed_to_others_will_do() {
    // As /root is: as root, the server's user cannot pass through it.
    let closed = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).expect("closed");
    let data = closed.path().join("data");
    let server = start(&data);
    query(server.connect_options(), "select count(*) from pg_class").expect("an answer");
    server.stop().expect("it stops");
    query(start(&data).connect_options(), "select 1::bigint").expect("an answer");
}

#[test]
fn a_database_of_another_version_is_refused_with_the_way_out() {
    let data = tempfile::tempdir().expect("a folder");
    start(data.path()).stop().expect("it stops");
    std::fs::write(data.path().join("postgres/data/PG_VERSION"), "9\n").expect("written");
    let error = PrivatePostgres::start(data.path()).expect_err("another version");
    assert!(matches!(error, PrivatePostgresError::OtherVersion { .. }), "{error}");
    assert!(error.to_string().contains("pg_upgrade"), "{error}");
}

#[test]
fn a_start_that_was_cut_short_is_begun_anew() {
    let data = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(data.path().join("postgres/data.tmp/base")).expect("half a database");
    query(start(data.path()).connect_options(), "select 1::bigint").expect("an answer");
}

#[test]
fn values_of_rows_stay_out_of_the_servers_log() {
    let data = tempfile::tempdir().expect("a folder");
    let server = start(data.path());
    let statement = "select ('{' || 'himitsu')::json::text::bigint";
    query(server.connect_options(), statement).expect_err("no JSON");
    let statement = "select case when count(*) > 0 then 'himitsu'::bigint end from pg_class";
    query(server.connect_options(), statement).expect_err("no number");
    server.stop().expect("it stops");
    let log = std::fs::read_to_string(data.path().join("postgres/log")).expect("a log");
    assert!(!log.contains("STATEMENT:") && !log.contains("DETAIL:"), "{log}");
}
