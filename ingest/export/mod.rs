//! What leaves the house: transfer files for the bank, what checks them, and numbers for the city.
//!
//! Comes in: payments that were approved, and the profile of the bank that carries them out. Goes out:
//! bytes of 120 a record, as the bank association's format (全銀協規定形式, 総合振込) wants them. Nothing
//! here opens a file or a database; who may be paid is decided before.

mod business_day;
mod city_report;
mod control_sheet;
mod layout;
mod payment;
mod profile;
mod text;
mod transfer_file;
mod verify;

pub use business_day::is_business_day;
pub use city_report::{CityReport, DayAndDistrict, Measure};
pub use control_sheet::{ControlSheet, ListedFile, control_page, control_text};
pub use payment::{NameError, PartyName, Payment, Yen};
pub use profile::{BankProfile, ClearingHouse, Newline, ProfileError, Reference, TransferDesignation};
pub use transfer_file::{TransferError, TransferFile, write_files};
pub use verify::{Fault, Reason, Report, verify};

/// Bytes of every record, line breaks aside.
pub const RECORD_BYTES: usize = 120;
