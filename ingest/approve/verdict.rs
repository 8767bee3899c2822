//! What is known of an application when it is settled, and what comes out: a payment's account, payee and
//! amount, or everything that is still in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::{Decided, Returned};
use crate::bank_account::BankAccount;
use crate::check::{Finding, FindingCode};
use crate::export::Yen;
use crate::kana::ZenginName;
use crate::publish::Record;
use crate::register::Household;
use crate::store::captures::CaptureId;

/// All that is known of an application.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Of the capture that counts.
    pub record: &'a Record,
    pub capture: CaptureId,
    pub decisions: &'a BTreeMap<String, Decided>,
    pub household: Option<&'a Household>,
    /// There is another capture of the application, of which nobody has said whether it counts.
    pub duplicate: bool,
    /// Findings of the capture that somebody answers for.
    pub waived: &'a BTreeSet<FindingCode>,
    /// The household's newest payment, where it came back.
    pub returned: Option<Returned>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Approved(Approved),
    /// A person made sure that no payment is wanted.
    Declined,
    NotYet(Vec<Obstacle>),
}

/// Where the money goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Approved {
    pub account: BankAccount,
    /// The account holder as it was written: what the bank compares with.
    pub payee: ZenginName,
    pub amount: Yen,
}

/// Accounts and names are personal.
impl fmt::Debug for Approved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Approved(***)")
    }
}

/// What is still in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// Neither accepted nor decided.
    Undecided {
        field: String,
    },
    /// The municipality was asked.
    Escalated {
        field: String,
    },
    /// Another capture came: people say which one counts, or decide every field.
    OnlyAccepted {
        field: String,
    },
    /// Nobody has looked at it since the payment came back.
    ReturnedSince {
        field: String,
    },
    Finding(Box<Finding>),
    /// Nothing else says why: the table of banks is missing.
    NoAccount,
    /// The register's amount is 0, or more than a transfer can carry.
    NoAmount,
    /// The household is paid by another of its applications.
    HouseholdApproved,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided { field } => write!(formatter, "{field} is neither accepted nor decided"),
            Self::Escalated { field } => write!(formatter, "{field} was escalated to the municipality"),
            Self::OnlyAccepted { field } => {
                write!(
                    formatter,
                    "{field} is accepted by the machine alone, and nobody has said which of the letters counts"
                )
            }
            Self::ReturnedSince { field } => {
                write!(formatter, "{field} was not looked at since the payment came back")
            }
            Self::Finding(finding) => formatter.write_str(&finding.message),
            Self::NoAccount => formatter.write_str("the table of banks is missing; run scripts/setup"),
            Self::HouseholdApproved => {
                formatter.write_str("another application of the same household is approved")
            }
            Self::NoAmount => formatter.write_str("the register's amount cannot be paid"),
        }
    }
}
