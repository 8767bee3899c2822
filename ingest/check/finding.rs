//! What a check found wrong, for the record, for staff (in Japanese) and for logs (in English).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HolderCase;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub code: FindingCode,
    pub severity: Severity,
    /// Without personal data.
    pub message: String,
    /// The same for staff, in Japanese.
    #[serde(default)]
    pub message_ja: String,
    /// What it is called on letters and in the municipality's lists; none where the applicant can do
    /// nothing about it.
    #[serde(default)]
    pub defect: Option<Defect>,
    /// The fields that it rests on.
    #[serde(default)]
    pub fields: Vec<String>,
    /// How the account holder differs from the head of the household.
    #[serde(default)]
    pub case: Option<HolderCase>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// The application ID is not in the register.
    NotInRegister,
    /// A page of the form is not in the capture.
    MissingPage,
    /// Two pages that followed each other in the scan carry different applications, each of which
    /// lacks the page that the other has.
    SheetSidesDisagree,
    /// The page's marks were not found where the form has them; it was not read.
    NotRegistered,
    /// The ID was legible in one of the page's two symbols only.
    SingleSymbol,
    /// No second decoder read any of the page's symbols.
    Unconfirmed,
    /// The page carried no valid ID: a person typed the one that is printed on it.
    AssignedByHand,
    /// The same application was captured before.
    DuplicateApplication,
    /// The form went with a letter, and was sent back.
    SentAgain,
    /// A page was not sent again with the others: it is that of an earlier capture.
    TakenOver,
    /// The applicant marked that no payment is wanted.
    Declined,
    /// No ink where the applicant signs.
    SignatureMissing,
    /// Neither or both of the bank account and the Japan Post account are filled in, or the mark
    /// says the other one.
    AccountRoute,
    /// The account holder is blank.
    HolderBlank,
    /// The date of application is blank, no date, or not between the first day and the receipt.
    DateImplausible,
    /// Neither code nor name says which bank it is, or the code is no bank's.
    BankUnknown,
    /// The code is one bank's, the name another's, or the name is none that is known.
    BankNameDisagrees,
    /// Neither code nor name says which branch it is, or the bank has no such branch.
    BranchUnknown,
    /// The code is one branch's, the name another's, or the name is none that is known.
    BranchNameDisagrees,
    /// Neither ordinary nor current is marked.
    AccountTypeMissing,
    /// No seven digits that could be an account.
    AccountNumber,
    /// 記号 and 番号 are none of Japan Post's.
    YuchoNumber,
    /// The check digit of the 記号 is wrong: one of the digits is.
    YuchoCheckDigit,
    /// The holder's name cannot be written in a transfer file: an illegal character, or too long.
    HolderNotLegal,
    /// The holder is not the head of the household, or it cannot be said; [`Finding::case`] tells how.
    HolderDiffers,
    /// The register's amount is not what its number of members comes to.
    AmountDiffers,
    /// A number that must not be kept was found on a copy, and blacked out.
    SensitiveNumberRemoved,
    /// A part of a copy was blacked out, because it may hold such a number and could not be read.
    CopyBlackedOut,
    /// No copy shows who the applicant is.
    IdentityCopyMissing,
    /// Nothing tells what the copy that should show it is of.
    IdentityCopyUnreadable,
    /// What it shows had expired when the applicant applied.
    IdentityCopyExpired,
    /// It names somebody else than the head of the household.
    IdentityCopyDiffers,
    /// No copy shows the account.
    AccountCopyMissing,
    /// Nothing tells what the copy that should show it is of.
    AccountCopyUnreadable,
    /// The copy of passbook or card shows another account than the form, or one of them is misread.
    AccountCopyDiffers,
    /// More households than usual are paid to the same account.
    SameAccount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A person must look.
    Warning,
    /// The application cannot be paid as it is.
    Error,
}

/// 不備コード: the municipality's list (domain rules 7), as far as this program finds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Defect {
    /// Signature or seal missing.
    D01,
    /// Date.
    D02,
    /// Account field blank or unreadable.
    D03,
    /// Bank or branch not found, or code and name differ.
    D04,
    /// Number not of 7 digits, or Japan Post's check digit wrong.
    D05,
    /// Kana blank or not legal.
    D06,
    /// Holder is not the head of the household.
    D07,
    /// Copy of a proof of identity missing.
    D08,
    /// Copy of a proof of identity unreadable, expired, or of somebody else.
    D09,
    /// Copy of the account's proof missing or unreadable.
    D10,
    /// The copy shows another account than the form.
    D11,
    /// Two accounts filled in.
    D12,
    /// Mark for no payment.
    D14,
    /// Paid already, or applied for twice.
    D16,
    /// Amount or number of persons wrong.
    D17,
    /// Form damaged or its codes unreadable.
    D19,
    /// Foreign matter: what must not be sent.
    D20,
}

impl Finding {
    pub(super) fn new(
        code: FindingCode,
        severity: Severity,
        message: impl Into<String>,
        ja: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            message_ja: ja.into(),
            defect: None,
            fields: Vec::new(),
            case: None,
        }
    }

    pub(super) fn of_defect(self, defect: Defect) -> Self {
        Self { defect: Some(defect), ..self }
    }

    pub(super) fn about(self, fields: &[&str]) -> Self {
        Self { fields: fields.iter().map(|&field| field.to_owned()).collect(), ..self }
    }
}
