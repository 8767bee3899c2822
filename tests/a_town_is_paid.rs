//! A town's letters, all the way: printed, filled in by all kinds of people, scanned, read, checked,
//! decided by a person who knows the truth wherever the machine does not accept, and paid. Nobody is
//! paid twice, nobody at another account than they meant, and who is not paid is told why.
//!
//! `UKETSUKE_TOWN=2000 cargo test --test a_town_is_paid -- --nocapture` takes a larger town and prints
//! what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use chrono::NaiveDate;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uketsuke::application_id::ApplicationId;
use uketsuke::bank_account::BankAccount;
use uketsuke::export::{BankProfile, PartyName, verify};
use uketsuke::kana::ZenginName;
use uketsuke::publish::Record;
use uketsuke::reference::BankTable;
use uketsuke::review::{AccountName, Password, PasswordHash, Role};
use uketsuke::score::Disposition;
use uketsuke::settings::Settings;
use uketsuke::store::approvals::{self, Settled};
use uketsuke::store::captures::current_records;
use uketsuke::store::field_decisions::{self, FieldDecision, Manner, Outcome};
use uketsuke::store::private_postgres::PrivatePostgres;
use uketsuke::store::{Database, accounts, register, transfers};

/// What was written, and what was meant, by field.
type Truth = BTreeMap<String, (String, Option<String>)>;

fn uketsuke(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("DATABASE_URL")
        .args(arguments)
        .output()
        .expect("the program");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Of every application, all fields of its pages.
fn truths(path: &Path) -> BTreeMap<ApplicationId, Truth> {
    let mut truths: BTreeMap<ApplicationId, Truth> = BTreeMap::new();
    for line in std::fs::read_to_string(path).expect("the truth").lines() {
        let page: Value = serde_json::from_str(line).expect("a line of it");
        let id = page["application_id"].as_str().and_then(|id| ApplicationId::parse(id).ok()).expect("an ID");
        for (name, entry) in page["fields"].as_object().expect("fields") {
            let written = match &entry["written"] {
                Value::Array(cells) => cells.iter().filter_map(Value::as_str).collect(),
                line => line.as_str().unwrap_or_default().to_owned(),
            };
            let value = entry["value"].as_str().map(str::to_owned);
            truths.entry(id).or_default().insert(name.clone(), (written, value));
        }
    }
    truths
}

/// Where the applicant wants the money, and under which name; none where they do not say, or want
/// none.
fn meant(truth: &Truth, banks: &BankTable) -> Option<(BankAccount, ZenginName)> {
    let value = |name: &str| truth.get(name).and_then(|(_, value)| value.as_deref());
    let written = |name: &str| truth.get(name).is_some_and(|(written, _)| !written.is_empty());
    if written("declined") {
        return None;
    }
    let holder = ZenginName::of(value("account_holder_kana")?).ok()?;
    if written("yucho_symbol") {
        return Some((BankAccount::of_yucho(value("yucho_symbol")?, value("yucho_number")?)?, holder));
    }
    let bank = banks.banks().iter().find(|bank| bank.name == value("bank_name").unwrap_or_default())?;
    let branch =
        bank.branches().iter().find(|branch| branch.name == value("branch_name").unwrap_or_default())?;
    let number = uketsuke::bank_account::AccountNumber::parse(value("account_number")?)?;
    let kind = uketsuke::bank_account::AccountType::of_mark(value("account_type")?)?;
    Some((BankAccount { bank: bank.code, branch: branch.code, kind, number }, holder))
}

/// What a person who sees the picture decides.
fn seen((written, value): &(String, Option<String>)) -> Outcome {
    match value {
        Some(value) if !written.is_empty() => Outcome::Value(value.clone()),
        _ if written.is_empty() => Outcome::Blank,
        _ => Outcome::Illegible,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_paid_wrong_or_twice() {
    let count = std::env::var("UKETSUKE_TOWN").unwrap_or_else(|_| "24".to_owned());
    let folder = tempfile::tempdir().expect("a folder");
    let named = |name: &str| folder.path().join(name).display().to_string();
    let (data, csv, mail) = (named("data"), named("register.csv"), named("mail"));
    uketsuke(&["register", "generate", "--count", &count, "--seed", "11", "--out", &csv]);
    uketsuke(&["--data", &data, "register", "import", &csv]);
    uketsuke(&["simulate", "--register", &csv, "--out", &mail, "--seed", "11"]);
    // Some letters come twice.
    uketsuke(&["simulate", "--register", &csv, "--out", &named("again"), "--seed", "12", "--count", "3"]);
    for letters in [&mail, &named("again")] {
        uketsuke(&["--data", &data, "ingest", letters, "--accept-provisional"]);
    }

    let server = PrivatePostgres::start(Path::new(&data)).expect("the private server");
    let options = server.connect_options().database(Database::PRIVATE);
    let database = Database::open(options.clone()).await.expect("the database");
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let settings = Settings::load(None).expect("shipped settings");
    let banks = BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup");
    let truths = truths(&Path::new(&mail).join("truth.jsonl"));

    // The person looks at the first letter of each application, and at every field that says where the
    // money goes and that the machine leaves open; at all of them where there is a second letter.
    let records = current_records(&database, None, None, 1_000_000).await.expect("records");
    let records: Vec<Record> =
        records.iter().map(|record| serde_json::from_str(&record.json).expect("a record")).collect();
    let mut captures: BTreeMap<ApplicationId, u32> = BTreeMap::new();
    let (mut accepted, mut decided) = (0, 0);
    for record in &records {
        *captures.entry(record.application_id).or_default() += 1;
    }
    let mut looked_at = BTreeSet::new();
    for record in &records {
        if !looked_at.insert(record.application_id) {
            continue;
        }
        let truth = &truths[&record.application_id];
        for (name, field) in &record.fields {
            let by_machine = matches!(field.disposition, Disposition::Accepted | Disposition::Blank);
            let Some(entry) = truth.get(name) else { continue };
            if by_machine && captures[&record.application_id] == 1 {
                accepted += 1;
                continue;
            }
            decided += 1;
            let decision = FieldDecision {
                application_id: record.application_id,
                capture: record.capture_id.parse().expect("a capture"),
                field: name.clone(),
                outcome: seen(entry),
                manner: Manner::Verified,
                decided_by: vec!["who knows the truth".to_owned()],
            };
            field_decisions::add(&mut connection, &decision).await.expect("decided");
        }
    }

    let all: Vec<ApplicationId> = truths.keys().copied().collect();
    let rules = settings.check.rules(Some(&banks));
    let limit = settings.check.households_per_account;
    let mut settled = BTreeMap::new();
    for some in all.chunks(100) {
        settled.extend(approvals::settle(&database, some, &rules, limit, "test").await.expect("settled"));
    }
    let profile = BankProfile::load(&settings.paths.transfer, "example").expect("the shipped profile");
    let date = NaiveDate::from_ymd_opt(2026, 6, 30).expect("a date");
    let hash = PasswordHash::of(&Password::typed("maker and checker".to_owned())).expect("hashed");
    let [maker, checker] = ["maker", "checker"].map(|name| name.parse::<AccountName>().expect("a name"));
    for name in [&maker, &checker] {
        assert!(accounts::add(&database, "test", name, Role::Payment, &hash).await.expect("added"));
    }
    let mut files = Vec::new();
    for _ in 0..2 {
        let proposed = transfers::propose(&database, &profile, date, &maker).await.expect("proposed");
        if let Some(transfer) = proposed.transfer {
            let requested = transfers::approve(&database, transfer, &checker, &profile, Some(&banks), None).await;
            files.extend(requested.expect("approved").files);
        }
    }

    let households = register::households(&database, &all).await.expect("the register");
    let mut paid = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in &files {
        assert_eq!(verify(&file.bytes, None).faults, []);
        for line in file.bytes.chunks(120).filter(|line| line[0] == b'2') {
            let text = |from: usize, to: usize| String::from_utf8_lossy(&line[from..to]).into_owned();
            let id = ApplicationId::parse(&text(98, 111)).expect("an application");
            assert!(paid.insert(id), "{id} is paid twice");
            let right = meant(&truths[&id], &banks).is_some_and(|(account, holder)| {
                let mut name = PartyName::payee(&holder, &profile).expect("a payee").bytes().to_vec();
                name.resize(PartyName::PAYEE_BYTES, b' ');
                let BankAccount { bank, branch, kind, number } = account;
                let account = format!("{bank}{branch}{}{number}", kind.code());
                line[50..80] == name
                    && account == format!("{}{}{}{}", text(1, 5), text(20, 23), text(42, 43), text(43, 50))
            });
            let amount: u64 = text(80, 90).parse().expect("digits");
            if !right || amount != households[&id].amount {
                wrong.push(id);
            }
        }
    }
    let unpaid: Vec<&ApplicationId> = all.iter().filter(|id| !paid.contains(id)).collect();
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for id in &unpaid {
        let told: Vec<String> = match settled.get(id) {
            Some(Settled::NotYet(obstacles)) => obstacles.iter().map(ToString::to_string).collect(),
            Some(other) => vec![format!("{other:?}")],
            None => vec!["no page of it was captured".to_owned()],
        };
        assert!(!told.is_empty(), "{id} is not paid, and nobody is told why");
        told.into_iter().for_each(|reason| *reasons.entry(reason).or_default() += 1);
    }
    println!("{} households, {accepted} fields accepted, {decided} decided", all.len());
    println!("{} paid, {} wrong, {} not paid:", paid.len(), wrong.len(), unpaid.len());
    reasons.iter().for_each(|(reason, count)| println!("{count:>6}  {reason}"));
    assert_eq!(wrong, []);
    assert!(paid.len() * 2 > all.len(), "{} of {} are paid", paid.len(), all.len());
    connection.close().await.expect("closed");
    database.close().await;
}
