//! Households whose forms were read without a doubt, so that only what a test changes is in the way of
//! their payment.

#![allow(dead_code, reason = "each test file that includes this one uses another part of it")]

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use uketsuke::application_id::ApplicationId;
use uketsuke::export::{BankProfile, TransferFile, verify};
use uketsuke::kana::ZenginName;
use uketsuke::publish::{Record, RecordField};
use uketsuke::read::InkState;
use uketsuke::reference::BankTable;
use uketsuke::register::Household;
use uketsuke::review::{AccountName, Password, PasswordHash, Role};
use uketsuke::score::Disposition;
use uketsuke::settings::Settings;
use uketsuke::simulate::register::household;
use uketsuke::store::accounts;
use uketsuke::store::approvals::{self, Settled};
use uketsuke::store::captures::{CaptureId, RecordObject};
use uketsuke::store::field_decisions::{self, FieldDecision, Manner, Outcome};
use uketsuke::store::publish::Published;
use uketsuke::store::{Database, register};

use crate::arrivals::scan;
use crate::readings::Reading;

pub const MAKER: &str = "maker";
pub const CHECKER: &str = "checker";
/// Of both.
pub const PASSWORD: &str = "maker and checker";

pub fn payer(name: &str) -> AccountName {
    name.parse().expect("a name")
}

/// Accounts that may pay.
pub async fn payers(database: &Database, names: &[&str]) {
    let hash = PasswordHash::of(&Password::typed(PASSWORD.to_owned())).expect("hashed");
    for name in names {
        accounts::add(database, "test", &payer(name), Role::Payment, &hash).await.expect("added");
    }
}

pub fn settings() -> Settings {
    Settings::load(None).expect("shipped settings")
}

pub fn banks() -> BankTable {
    let paths = settings().paths;
    BankTable::load(&paths.banks, &paths.bank_aliases).expect("scripts/setup has run")
}

pub fn profile() -> BankProfile {
    BankProfile::load(&settings().paths.transfer, "example").expect("the shipped profile")
}

/// A Tuesday on which banks work.
pub fn pay_on() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 30).expect("a date")
}

pub fn field(value: Option<&str>, disposition: Disposition) -> RecordField {
    RecordField {
        value: value.map(str::to_owned),
        ink: Some(if value.is_some() { InkState::Written } else { InkState::Blank }),
        confidence: 1.0,
        disposition,
        reasons: Vec::new(),
        characters: Vec::new(),
        crop: None,
        evidence: Vec::new(),
    }
}

/// Every field accepted, and the account of nobody else.
pub fn fields(household: &Household, account: u64) -> BTreeMap<String, RecordField> {
    let holder = ZenginName::of(&household.head_kana).expect("kana");
    let number = format!("{:07}", account + 1);
    let fields = [
        ("application_date", Some("020601")),
        ("signature", Some("")),
        ("declined", None),
        ("account_route", Some("bank")),
        ("bank_name", Some("横浜銀行")),
        ("bank_code", Some("0138")),
        ("branch_name", Some("関内")),
        ("branch_code", Some("310")),
        ("account_type", Some("ordinary")),
        ("account_number", Some(number.as_str())),
        ("yucho_symbol", None),
        ("yucho_number", None),
        ("account_holder_kana", Some(holder.as_str())),
    ];
    let disposition =
        |value: Option<&str>| if value.is_some() { Disposition::Accepted } else { Disposition::Blank };
    fields.map(|(name, value)| (name.to_owned(), field(value, disposition(value)))).into()
}

/// So many households in the register, each with one capture, and two who may pay them; `change` has the last word on the
/// fields.
pub async fn town(
    database: &Database,
    count: u64,
    mut change: impl FnMut(u64, &mut Household, &mut BTreeMap<String, RecordField>),
) -> Vec<(Household, CaptureId)> {
    payers(database, &[MAKER, CHECKER]).await;
    let mut town = Vec::new();
    let mut read = Vec::new();
    for place in 0..count {
        let mut household = household(1, place);
        let mut fields = fields(&household, place);
        change(place, &mut household, &mut fields);
        read.push(fields);
        town.push(household);
    }
    register::import(database, &town).await.expect("imported");
    let ids: Vec<ApplicationId> = town.iter().map(|household| household.application_id).collect();
    let captures = capture(database, "first scan", &ids, read).await;
    town.into_iter().zip(captures).collect()
}

/// Publishes one scan with a capture of each application.
pub async fn capture(
    database: &Database,
    content: &str,
    applications: &[ApplicationId],
    fields: Vec<BTreeMap<String, RecordField>>,
) -> Vec<CaptureId> {
    scan(database, content).await;
    let mut reading = Reading::begin(database).await;
    let mut captures = Vec::new();
    for (&application, fields) in applications.iter().zip(fields) {
        captures.push(reading.capture(database, application, &[1]).await);
        let write = reading.captures.last_mut().expect("just added");
        let record: Record = serde_json::from_str(write.record.json()).expect("a record");
        write.record = RecordObject::of(&Record { fields, ..record }).expect("finite numbers");
    }
    assert_eq!(reading.publish(database).await.expect("published"), Published::Committed);
    captures
}

pub async fn settle(database: &Database, applications: &[ApplicationId]) -> BTreeMap<ApplicationId, Settled> {
    let (settings, banks) = (settings(), banks());
    let rules = settings.check.rules(Some(&banks));
    let limit = settings.check.households_per_account;
    approvals::settle(database, applications, &rules, limit, "test").await.expect("settled")
}

pub fn ids(town: &[(Household, CaptureId)]) -> Vec<ApplicationId> {
    town.iter().map(|(household, _)| household.application_id).collect()
}

/// A person decides a field, as the review desk would write it.
pub async fn decide(
    options: &PgConnectOptions,
    (household, capture): &(Household, CaptureId),
    field: &str,
    outcome: Outcome,
    manner: Manner,
) {
    let decision = FieldDecision {
        application_id: household.application_id,
        capture: *capture,
        field: field.to_owned(),
        outcome,
        manner,
        decided_by: vec!["reviewer".to_owned()],
    };
    let mut connection = PgConnection::connect_with(options).await.expect("a connection");
    field_decisions::add(&mut connection, &decision).await.expect("decided");
}

/// The applications that files pay, with their yen; the files are legal.
pub fn paid(files: &[TransferFile]) -> Vec<(String, u64)> {
    let mut paid = Vec::new();
    for file in files {
        assert_eq!(verify(&file.bytes, None).faults, []);
        for line in file.bytes.chunks(120).filter(|line| line[0] == b'2') {
            let text =
                |from: usize, to: usize| std::str::from_utf8(&line[from..to]).expect("digits").to_owned();
            paid.push((text(98, 111), text(80, 90).parse().expect("digits")));
        }
    }
    paid
}
