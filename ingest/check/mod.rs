//! Findings about readings. Pure functions over values that were fetched beforehand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a check found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub code: FindingCode,
    pub severity: Severity,
    /// Without personal data.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// The application ID is not in the register.
    NotInRegister,
    /// A page of the form is not in the scan.
    MissingPage,
    /// The page's marks were not found where the form has them; it was not read.
    NotRegistered,
    /// Only one of the page's two symbols was legible.
    SingleSymbol,
    /// The same application was captured before.
    DuplicateApplication,
    /// The applicant marked that no payment is wanted.
    Declined,
    /// No ink where the applicant signs.
    SignatureMissing,
    /// Neither or both of the bank and the Japan Post account are filled in.
    AccountRoute,
    /// A field that must be filled in is blank.
    FieldBlank,
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
