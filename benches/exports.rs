//! How long does it take to pay 100,000 households, and to tell the states of 1.8 million applications?
//!
//! The commands themselves are timed, from their start to their end, on a private database that is
//! filled by SQL: every household of the register has its row, two of three a capture, 100,000 an
//! approval. `UKETSUKE_BENCH_APPLICATIONS` and `UKETSUKE_BENCH_PAYMENTS` make it smaller.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use sqlx::{Connection, PgConnection};
use uketsuke::review::{Password, PasswordHash, Role};
use uketsuke::store::private_postgres::PrivatePostgres;
use uketsuke::store::{Database, accounts};

/// Of maker and checker.
const PASSWORD: &str = "maker and checker";

fn main() -> anyhow::Result<()> {
    let applications = number("UKETSUKE_BENCH_APPLICATIONS", 1_800_000)?;
    let payments = number("UKETSUKE_BENCH_PAYMENTS", 100_000)?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let data = folder.path().join("data");
    let server = PrivatePostgres::start(&data)?;
    let begun = Instant::now();
    tokio::runtime::Runtime::new()?.block_on(async {
        let database = Database::connect(&data, None).await?;
        let hash = PasswordHash::of(&Password::typed(PASSWORD.to_owned()))?;
        for payer in ["a", "b"] {
            accounts::add(&database, "bench", &payer.parse()?, Role::Payment, &hash).await?;
        }
        database.close().await;
        fill(&server, applications, payments).await
    })?;
    eprintln!("filled in {:.0} s", begun.elapsed().as_secs_f64());

    let out = folder.path().join("out");
    let out = out.to_str().context("a name in UTF-8")?;
    let propose =
        ["export", "transfer", "propose", "--date", "2026-06-30", "--profile", "example", "--by", "a"];
    let (proposing, _) = timed(&data, &propose)?;
    let (approving, _) = timed(&data, &["export", "transfer", "approve", "1", "--out", out, "--by", "b"])?;
    let (telling, feed) = timed(&data, &["export", "status"])?;
    let since = ["export", "status", "--since", "2100-01-01T00:00:00Z"];
    let (changes, _) = timed(&data, &since)?;

    println!("| what | seconds | target |\n|---|---|---|");
    println!("| propose a transfer of {payments} payments | {:.1} | |", proposing.as_secs_f64());
    println!("| approve it: files, marks, events | {:.1} | |", approving.as_secs_f64());
    println!("| both | {:.1} | 10 |", (proposing + approving).as_secs_f64());
    println!(
        "| states of {} applications as CSV | {:.1} | 30 |",
        feed.lines().count() - 1,
        telling.as_secs_f64()
    );
    println!("| changes since a time after which nothing happened | {:.1} | |", changes.as_secs_f64());
    Ok(())
}

fn number(variable: &str, default: i64) -> anyhow::Result<i64> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable} is a number")),
        Err(_) => Ok(default),
    }
}

/// How long the command took, and what it printed.
fn timed(data: &Path, arguments: &[&str]) -> anyhow::Result<(Duration, String)> {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("DATABASE_URL")
        .arg("--data")
        .arg(data)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    // Whoever pays types a password; the others do not read it.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = writeln!(stdin, "{PASSWORD}");
    }
    let output = child.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "{arguments:?} failed");
    Ok((begun.elapsed(), String::from_utf8(output.stdout)?))
}

async fn fill(server: &PrivatePostgres, applications: i64, payments: i64) -> anyhow::Result<()> {
    let options = server.connect_options().database(Database::PRIVATE);
    let mut connection = PgConnection::connect_with(&options).await?;
    for statement in [
        // 12 digits and the check digit: modulus 10, weight 3 from the right.
        "create function pg_temp.id(serial bigint) returns text immutable language sql as $$
             select digits || (10 - (select sum(substr(digits, 13 - place, 1)::int * (1 + place % 2 * 2))
                                     from generate_series(1, 12) as place) % 10) % 10
             from (select lpad(serial::text, 12, '0') as digits) as padded $$"
            .to_owned(),
        format!(
            "insert into register (application_id, head_name, head_kana, postal_code, address, birth_date, members,
                                   amount)
             select pg_temp.id(serial), '横浜 花子', 'ヨコハマ ハナコ', '231-0005', '横浜市中区本町1-1', '1970-01-31', 2, 200000
             from generate_series(0, {applications} - 1) as serial"
        ),
        "insert into application (application_id) select application_id from register
         where mod(substr(application_id, 1, 12)::bigint, 3) > 0"
            .to_owned(),
        "insert into capture (id, application_id, station, seq, record, record_key, record_sha256, captured_at)
         select gen_random_uuid(), application_id, 'station', 1, '{}', 'record', sha256('{}'), now()
         from application"
            .to_owned(),
        format!(
            "insert into household
             select application_id from capture order by application_id limit {payments}"
        ),
        format!(
            "insert into approval (application_id, capture_id, household_id, bank, branch, account_type,
                                   account_number, payee, amount, record_sha256, approved_by)
             select application_id, id, application_id, '0138', lpad((row_number() over () % 900)::text, 3, '0'), '1',
                    lpad((row_number() over ())::text, 7, '0'), 'ﾖｺﾊﾏ ﾊﾅｺ', 200000, record_sha256, 'bench'
             from (select * from capture order by application_id limit {payments}) as chosen"
        ),
        "analyze".to_owned(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}
