//! A town's letters, all the way: printed, filled in by all kinds of people, scanned, read, checked
//! against a register in which some stand otherwise, decided by a person who knows the truth wherever the
//! machine does not accept, paid, and answered with letters. Nobody is paid twice, nobody at another
//! account than they meant, nobody whose account is somebody else's, and who is not paid is told why.
//!
//! `UKETSUKE_TOWN=2000 cargo test --test a_town_is_paid -- --nocapture` takes a larger town and prints
//! what became of it: how holders were told apart, which defects were found, which banks needed nobody.
//! `UKETSUKE_TOWN_FOLDER=/somewhere` keeps its letters and readings there, to look at what went wrong.

mod report;
mod town;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::NaiveDate;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uketsuke::application_id::ApplicationId;
use uketsuke::approve::Obstacle;
use uketsuke::bank_account::BankAccount;
use uketsuke::check::{FindingCode, HolderCase};
use uketsuke::export::{BankProfile, PartyName, verify};
use uketsuke::form::standard::HOLDER;
use uketsuke::publish::Record;
use uketsuke::reference::BankTable;
use uketsuke::register::Household;
use uketsuke::review::{AccountName, Password, PasswordHash, Role};
use uketsuke::score::Disposition;
use uketsuke::settings::Settings;
use uketsuke::store::approvals::{self, Settled};
use uketsuke::store::captures::current_records;
use uketsuke::store::field_decisions::{self, FieldDecision, Manner, Outcome};
use uketsuke::store::private_postgres::PrivatePostgres;
use uketsuke::store::{Database, accounts, register, transfers};

use report::{BankCodes, Confusion, Town};
use town::{Seed, seen, sent};

/// What the program prints.
fn uketsuke(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("DATABASE_URL")
        .args(arguments)
        .output()
        .expect("the program");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_paid_wrong_or_twice() {
    let count = std::env::var("UKETSUKE_TOWN").map_or(24_u32, |count| count.parse().expect("a number"));
    let passing = tempfile::tempdir().expect("a folder");
    let folder = std::env::var_os("UKETSUKE_TOWN_FOLDER").map_or(passing.path().into(), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder");
    let named = |name: &str| folder.join(name).display().to_string();
    let (data, csv, mail) = (named("data"), named("register.csv"), named("mail"));
    uketsuke(&["register", "generate", "--count", &count.to_string(), "--seed", "31", "--out", &csv]);
    let (people, seeds) = town::register(Path::new(&csv));
    let database = Database::connect(Path::new(&data), None).await.expect("a private server");
    register::import(&database, &people).await.expect("imported");
    database.close().await;
    uketsuke(&["simulate", "--register", &csv, "--out", &mail, "--seed", "31"]);
    // Some letters come twice.
    let twice = (count / 100).max(3).to_string();
    uketsuke(&["simulate", "--register", &csv, "--out", &named("again"), "--seed", "32", "--count", &twice]);
    for letters in [&mail, &named("again")] {
        uketsuke(&["--data", &data, "ingest", letters, "--accept-provisional"]);
    }

    let server = PrivatePostgres::start(Path::new(&data)).expect("the private server");
    let options = server.connect_options().database(Database::PRIVATE);
    let database = Database::open(options.clone()).await.expect("the database");
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let settings = Settings::load(None).expect("shipped settings");
    let banks = BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup");
    let truths = sent(&Path::new(&mail).join("truth.jsonl"));

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
        let truth = &truths[&record.application_id].truth;
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
            let requested =
                transfers::approve(&database, transfer, &checker, &profile, Some(&banks), None).await;
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
            let right = truths[&id].meant(&banks).is_some_and(|(account, holder)| {
                // A blank between family and given name, which not everybody writes, makes no other name.
                let key = |name: &[u8]| -> Vec<u8> {
                    name.iter().copied().filter(|byte| !matches!(byte, b' ' | b'.')).collect()
                };
                let name = PartyName::payee(&holder, &profile).expect("a payee");
                let BankAccount { bank, branch, kind, number } = account;
                let account = format!("{bank}{branch}{}{number}", kind.code());
                key(&line[50..50 + PartyName::PAYEE_BYTES]) == key(name.bytes())
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
    let stands: BTreeMap<ApplicationId, Household> =
        people.into_iter().map(|household| (household.application_id, household)).collect();
    let mut first: BTreeMap<ApplicationId, &Record> = BTreeMap::new();
    for record in &records {
        first.entry(record.application_id).or_insert(record);
    }
    let came_twice: BTreeSet<ApplicationId> =
        captures.iter().filter(|(_, count)| **count > 1).map(|(id, _)| *id).collect();
    let town = Town {
        sent: &truths,
        register: &stands,
        seeds: &seeds,
        records: &first,
        came_twice: &came_twice,
        paid: &paid,
    };
    show(&town, &banks);

    assert_eq!(wrong, []);
    assert!(paid.len() * 2 > all.len(), "{} of {} are paid", paid.len(), all.len());
    // Only who holds the account, or is told to by the register, is paid.
    for id in &paid {
        let holder = truths[id].holder().expect("they are paid");
        let case = town::case(&holder, &stands[id]);
        assert!(case.is_match() || case == HolderCase::Swapped, "{id} is paid as {case:?}");
        assert!(!matches!(seeds.get(id), Some(Seed::Amount | Seed::NotInRegister)), "{id}");
    }
    // The municipality has whoever named another's account write anew.
    let mut sent_back = 0;
    for (id, record) in &first {
        let differs = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Finding(finding) if finding.code == FindingCode::HolderDiffers);
        if matches!(&settled[id], Settled::NotYet(obstacles) if obstacles.iter().all(differs)) {
            send_back(&mut connection, record).await;
            sent_back += 1;
        }
    }
    connection.close().await.expect("closed");
    database.close().await;

    // Who must mend something is written to once, and the form that goes with it is read by machines.
    let pdf = named("letters.pdf");
    let letters = ["--data", &data, "--json", "export", "letters", "--by", "town", "--out", &pdf];
    let told: Value = serde_json::from_str(&uketsuke(&letters)).expect("a report");
    println!("letters: {told}");
    let count = told["letters"].as_u64().expect("a number");
    assert!(sent_back > 0 && count >= sent_back, "{told}");
    // A town's letters are more pages than a scan may have.
    let (config, shipped) = (named("inspect.toml"), env!("CARGO_MANIFEST_DIR"));
    let large = format!(
        "decode.max_pages = 100000\n[paths]\nforms = '{shipped}/config/forms'\nvendor = '{shipped}/vendor'\n"
    );
    std::fs::write(&config, large).expect("written");
    let seen = uketsuke(&["--config", &config, "inspect", &pdf]);
    let seen: Value = serde_json::from_str(&seen).expect("what is seen");
    let mut forms: BTreeMap<ApplicationId, u32> = BTreeMap::new();
    for form in seen["pages"].as_array().expect("pages").iter().map(|page| &page["form"]) {
        let Some(id) = form["application_id"].as_str() else { continue };
        assert!(form["residual_px"].as_f64().expect("registered") < 1.5, "{form}");
        *forms.entry(ApplicationId::parse(id).expect("an ID")).or_default() += 1;
    }
    assert_eq!(forms.len() as u64, count);
    assert!(forms.iter().all(|(id, pages)| *pages == 2 && !paid.contains(id)), "{forms:?}");
    let again: Value = serde_json::from_str(&uketsuke(&letters)).expect("a report");
    assert_eq!((&again["letters"], &again["written_before"]), (&0.into(), &count.into()));
}

/// The holder was escalated, and the municipality has answered 「不備」.
async fn send_back(connection: &mut PgConnection, record: &Record) {
    let decision = FieldDecision {
        application_id: record.application_id,
        capture: record.capture_id.parse().expect("a capture"),
        field: HOLDER.to_owned(),
        outcome: Outcome::Escalated,
        manner: Manner::Verified,
        decided_by: vec!["who knows the truth".to_owned()],
    };
    field_decisions::add(connection, &decision).await.expect("decided");
    sqlx::query(
        "with asked as (insert into task (kind, application_id, capture_id, fields, reason)
                        values ('escalation', $1, $2::uuid, array[$3], 'holder') returning id)
         insert into escalation_message (task_id, account, decision, text)
         select id, 'maker', 'defect', 'a letter, please' from asked",
    )
    .bind(record.application_id.to_string())
    .bind(&record.capture_id)
    .bind(HOLDER)
    .execute(connection)
    .await
    .expect("answered");
}

fn show(town: &Town<'_>, banks: &BankTable) {
    println!("\nholders as they were read:\n{}", Confusion::of(town, false));
    let accepted = Confusion::of(town, true);
    println!("of these, accepted without a person:\n{accepted}");
    println!("{:<28}{:>8}{:>8}{:>10}{:>14}", "defect", "seeded", "found", "not paid", "false alarms");
    for (what, row) in report::defects(town) {
        let report::Row { seeded, found, not_paid, false_alarms } = row;
        println!("{what:<28}{seeded:>8}{found:>8}{not_paid:>10}{false_alarms:>14}");
    }
    let BankCodes { written, right, without_a_person, wrong } = BankCodes::of(town, banks);
    println!(
        "\nbank and branch: {written} written, {right} read right, {without_a_person} without a person, {wrong} of them wrong"
    );
    assert_eq!(accepted.taken_for_the_head(), 0, "another's account is accepted as the head's");
}
