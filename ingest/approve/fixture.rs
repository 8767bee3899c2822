//! An application that is right in every field, for tests to change one thing of.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Case, Decided, Returned, Verdict, settle};
use crate::application_id::ApplicationId;
use crate::check::{FindingCode, Rules};
use crate::digest::Sha256;
use crate::publish::{FormVersion, Provenance, RECORD_SCHEMA, Record, RecordField, Source};
use crate::read::InkState;
use crate::reference::BankTable;
use crate::register::Household;
use crate::score::Disposition;
use crate::settings::Settings;
use crate::store::captures::CaptureId;
use crate::store::field_decisions::{FieldDecision, Manner, Outcome};

/// What a test changes before it asks.
pub struct Told {
    pub record: Record,
    pub decisions: BTreeMap<String, Decided>,
    pub household: Option<Household>,
    pub duplicate: bool,
    pub waived: BTreeSet<FindingCode>,
    pub returned: Option<Returned>,
}

pub fn id() -> ApplicationId {
    ApplicationId::from_serial(7).expect("in range")
}

pub fn capture() -> CaptureId {
    CaptureId::of(Sha256::of(b"scan"), id(), 0)
}

pub fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000, 0).expect("a time") + TimeDelta::minutes(minutes)
}

pub fn field(value: Option<&str>) -> RecordField {
    RecordField {
        value: value.map(str::to_owned),
        ink: Some(if value.is_some() { InkState::Written } else { InkState::Blank }),
        confidence: 1.0,
        disposition: if value.is_some() { Disposition::Accepted } else { Disposition::Blank },
        reasons: Vec::new(),
        characters: Vec::new(),
        crop: None,
        evidence: Vec::new(),
    }
}

/// A form that is right in every field, all of them accepted.
pub fn right() -> Told {
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
        ("account_number", Some("0123456")),
        ("yucho_symbol", None),
        ("yucho_number", None),
        ("account_holder_kana", Some("ｻﾄｳ ｼﾞﾖｳｼﾞ")),
    ];
    let source = Source {
        station: "a".to_owned(),
        batch: None,
        file: "a".to_owned(),
        sha256: Sha256::of(b"scan"),
        page_indexes: vec![0],
    };
    let provenance = Provenance {
        software: "test".to_owned(),
        form: Sha256::of(b"form"),
        models: BTreeMap::new(),
        calibration: None,
        certificate: None,
    };
    let record = Record {
        schema: RECORD_SCHEMA.to_owned(),
        application_id: id(),
        capture_id: capture().to_string(),
        form: FormVersion { id: "benefit-2020".to_owned(), version: "1".to_owned() },
        issue: None,
        source,
        captured_at: at(0),
        pages: Vec::new(),
        fields: fields.map(|(name, value)| (name.to_owned(), field(value))).into(),
        findings: Vec::new(),
        disposition: Disposition::Accepted,
        provenance,
    };
    let household = Household {
        application_id: id(),
        head_name: "佐藤 譲二".to_owned(),
        head_kana: "サトウ ジョウジ".to_owned(),
        postal_code: "231-0005".to_owned(),
        address: "横浜市中区本町1-1".to_owned(),
        birth_date: "1970-01-31".to_owned(),
        members: 2,
        amount: 200_000,
        further: BTreeMap::new(),
    };
    Told {
        record,
        decisions: BTreeMap::new(),
        household: Some(household),
        duplicate: false,
        waived: BTreeSet::new(),
        returned: None,
    }
}

impl Told {
    pub fn read(mut self, name: &str, value: Option<&str>, disposition: Disposition) -> Self {
        self.record.fields.insert(name.to_owned(), RecordField { disposition, ..field(value) });
        self
    }

    pub fn decided(mut self, name: &str, outcome: Outcome, manner: Manner) -> Self {
        let decision = FieldDecision {
            application_id: id(),
            capture: capture(),
            field: name.to_owned(),
            outcome,
            manner,
            decided_by: vec!["sato".to_owned()],
        };
        self.decisions.insert(name.to_owned(), Decided { decision, at: at(10) });
        self
    }

    pub fn with_case<T>(&self, ask: impl FnOnce(&Case<'_>, &Rules<'_>) -> T) -> T {
        let settings = Settings::load(None).expect("shipped settings");
        let banks = BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases)
            .expect("scripts/setup has run");
        let case = Case {
            record: &self.record,
            capture: capture(),
            decisions: &self.decisions,
            household: self.household.as_ref(),
            duplicate: self.duplicate,
            waived: &self.waived,
            returned: self.returned,
        };
        ask(&case, &settings.check.rules(Some(&banks)))
    }

    pub fn verdict(&self) -> Verdict {
        self.with_case(settle)
    }

    pub fn obstacles(&self) -> Vec<String> {
        match self.verdict() {
            Verdict::NotYet(obstacles) => obstacles.iter().map(ToString::to_string).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    pub fn is_approved(&self) -> bool {
        matches!(self.verdict(), Verdict::Approved(_))
    }
}

pub fn value(text: &str) -> Outcome {
    Outcome::Value(text.to_owned())
}
