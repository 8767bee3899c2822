//! `uketsuke register import`: what is good is kept, what is refused is named.

#[path = "support/database.rs"]
mod database;

use std::path::Path;
use std::process::{Command, Output};

use uketsuke::application_id::ApplicationId;
use uketsuke::store::Database;
use uketsuke::store::register;

const HEADER: &str =
    "application_id,head_name,head_kana,postal_code,address,birth_date,members,amount,ward\n";

fn row(serial: u64, name: &str) -> String {
    let id = ApplicationId::from_serial(serial).expect("in range");
    format!("{id},{name},ヨコハマ ハナコ,231-0005,横浜市中区本町1-1,1970-01-31,2,200000,naka\n")
}

/// Runs the command on a private server of its own.
fn import(data: &Path, text: &str) -> Output {
    let file = data.join("register.csv");
    std::fs::write(&file, text).expect("written");
    Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .args(["register", "import", "--json", "--data"])
        .arg(data)
        .arg(&file)
        .env_remove("DATABASE_URL")
        .output()
        .expect("the command")
}

fn report(output: &Output) -> serde_json::Value {
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    report
}

#[test]
fn rows_are_added_changed_left_alone_or_refused_with_their_line() {
    let data = tempfile::tempdir().expect("a folder");
    let first: String = (0..2500).map(|serial| row(serial, "横浜 花子")).collect();
    let output = import(data.path(), &format!("{HEADER}{first}"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(report(&output)["added"], 2500);

    let mixed = format!(
        "{HEADER}{}{}{}6291041500214,秘密,b,c,d,1970-01-31,2,200000,x\n{}",
        row(1, "横浜 花子"),
        row(2, "川崎 太郎"),
        row(9000, "鎌倉 次郎"),
        row(2, "二度目"),
    );
    let output = import(data.path(), &mixed);
    assert_eq!(output.status.code(), Some(1));
    let report = report(&output);
    assert_eq!(
        (&report["added"], &report["changed"], &report["unchanged"], &report["refused"]),
        (&1.into(), &1.into(), &1.into(), &2.into())
    );
    assert_eq!(
        report["refusals"],
        serde_json::json!([
            "line 5: application_id: the check digit is 4, it should be 3",
            "line 6: application ID 0000000000024 was already given on line 3",
        ])
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("register.csv: line 5: application_id"), "{errors}");
    assert!(!errors.contains("秘密") && !errors.contains("二度目"), "personal data: {errors}");
}

#[test]
fn a_file_that_cannot_be_used_is_refused_before_anything_starts() {
    let data = tempfile::tempdir().expect("a folder");
    let output = import(data.path(), "application_id,head_name\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'head_kana'"), "{output:?}");
    assert!(!data.path().join("postgres").exists());
}

#[tokio::test]
async fn a_household_comes_back_as_it_was_given() {
    let database: Database = database::fresh().await;
    let text = format!("{HEADER}{}", row(1, "横浜 花子"));
    let household = uketsuke::register::read_register(text.as_bytes())
        .expect("a header")
        .next()
        .expect("a row")
        .expect("a household");
    let households = [household.clone()];
    register::import(&database, &households).await.expect("imported");
    let unknown = ApplicationId::from_serial(2).expect("in range");
    let found =
        register::households(&database, &[household.application_id, unknown]).await.expect("an answer");
    assert_eq!(found.into_values().collect::<Vec<_>>(), households);
    assert_eq!(register::count(&database).await.expect("a count"), 1);
}
