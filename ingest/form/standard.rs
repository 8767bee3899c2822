//! Names of standard fields: a form that has such a field calls it so, and rules and readers know it by that.

pub const APPLICATION_DATE: &str = "application_date";
pub const SIGNATURE: &str = "signature";
/// The mark for no payment.
pub const DECLINED: &str = "declined";
pub const ACCOUNT_ROUTE: &str = "account_route";
pub const BANK_NAME: &str = "bank_name";
pub const BANK_CODE: &str = "bank_code";
pub const BRANCH_NAME: &str = "branch_name";
pub const BRANCH_CODE: &str = "branch_code";
pub const ACCOUNT_TYPE: &str = "account_type";
pub const ACCOUNT_NUMBER: &str = "account_number";
pub const YUCHO_SYMBOL: &str = "yucho_symbol";
pub const YUCHO_NUMBER: &str = "yucho_number";
pub const HOLDER: &str = "account_holder_kana";

/// What [`ACCOUNT_ROUTE`] says.
pub const ROUTE_BANK: &str = "bank";
pub const ROUTE_YUCHO: &str = "yucho";
