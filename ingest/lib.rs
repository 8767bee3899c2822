//! uketsuke (受付, "reception") takes in mailed benefit applications.
//!
//! The map of the house, in the order a sheet travels:
//!
//! - [`form`]: a printed template as data, in millimetres; printing it to PDF.
//! - [`intake`]: one file of a scanner station, once: hash, stored original, a row, a job.
//! - [`decode`]: bytes of a scan to page images, one page at a time.
//! - [`page`]: blank, skew, quality; registration onto the form's marks.
//! - [`identify`]: symbols to application ID, form and page number; never a guess.
//! - [`read`]: cells, printed lines and marks to posteriors per character.
//! - [`check`]: findings about readings.
//! - [`score`]: readings and evidence to calibrated confidences and dispositions.
//! - [`publish`]: the record of a capture, its images, and their keys.
//! - [`pipeline`]: the one place that says the order of the stages.
//! - [`review`]: the web application of the people who verify, key and look up.
//! - [`approve`]: what may be paid, and the state that an application is in.
//! - [`letter`]: what an applicant is asked to mend, with the form to send back.
//! - [`export`]: transfer files for the bank, and what checks them.
//! - [`public_page`]: 13 digits in, one sentence out.
//!
//! Around it: [`audit`] (seals over events), [`metrics`], [`store`] (PostgreSQL and objects), [`fleet`] (jobs, reader processes, quarantine),
//! [`simulate`] (fills in and "scans" forms), [`evaluate`] (records against truth) and [`cli`]. The words of the field are in
//! [`application_id`], [`bank_account`], [`digest`], [`geometry`], [`kana`], [`turn`], [`rows`] and [`register`]; the banks that
//! exist are in [`reference`]; what an
//! operator may set is in [`settings`].

pub(crate) mod account;
pub mod application_id;
pub mod approve;
pub mod audit;
pub mod bank_account;
pub mod check;
pub mod cli;
pub mod decode;
pub mod digest;
pub mod evaluate;
pub mod export;
pub mod fleet;
pub mod form;
pub mod geometry;
pub mod identify;
pub mod intake;
pub mod kana;
pub mod letter;
pub mod metrics;
pub mod page;
pub mod pipeline;
pub mod public_page;
pub mod publish;
pub mod read;
pub mod reference;
pub mod register;
pub mod review;
pub mod rows;
pub mod score;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod turn;
