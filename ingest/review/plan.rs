//! A record to the work for people that follows from it: a pure function, run where the record is
//! published, and for records that were published before there was a desk.

use crate::check::FindingCode;
use crate::publish::Record;
use crate::score::{Disposition, Reason};
use crate::settings;
use crate::store::tasks::{PlannedTask, TaskKind};

/// Why the municipality is asked where the program asks it.
pub const NOT_IN_REGISTER: &str = "not_in_register";

/// One task to verify all doubtful fields, one to key those that decide where money goes, and the
/// municipality's where a finding is its to decide.
///
/// Of a duplicate nothing is keyed before a person has said that it counts. A field whose page was not
/// read has no picture, and nobody can be asked about it.
pub fn plan(record: &Record, duplicate: bool, policy: &settings::Review) -> Vec<PlannedTask> {
    if duplicate {
        return vec![PlannedTask { kind: TaskKind::Duplicate, fields: Vec::new(), reason: None }];
    }
    plan_fields(record, policy)
}

/// As [`plan`], of a capture that counts whatever came before it.
pub fn plan_fields(record: &Record, policy: &settings::Review) -> Vec<PlannedTask> {
    let (blind, seen): (Vec<String>, Vec<String>) = record
        .fields
        .iter()
        .filter(|(_, field)| {
            matches!(field.disposition, Disposition::Verify | Disposition::Illegible)
                && field.crop.is_some()
                && !field.reasons.contains(&Reason::PageNotRead)
        })
        .map(|(name, _)| name.clone())
        .partition(|name| policy.blind_fields.contains(name));
    let mut planned = Vec::new();
    if !seen.is_empty() {
        planned.push(PlannedTask { kind: TaskKind::Verify, fields: seen, reason: None });
    }
    if !blind.is_empty() {
        planned.push(PlannedTask { kind: TaskKind::Key, fields: blind, reason: None });
    }
    if record.findings.iter().any(|finding| finding.code == FindingCode::NotInRegister) {
        let reason = Some(NOT_IN_REGISTER);
        planned.push(PlannedTask { kind: TaskKind::Escalation, fields: Vec::new(), reason });
    }
    planned
}
