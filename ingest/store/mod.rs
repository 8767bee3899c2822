//! PostgreSQL and the object store: one file a table or a question, each a set of named functions.
//! No SQL stands anywhere else, and no caller sees a row with unchecked text.
//!
//! Objects are written first, under keys that follow from their content; the rows that name them
//! commit after. A crash between the two leaves an object that nobody names, never a row that
//! names nothing; [`sweep`] takes such objects away.

pub mod acceptance;
pub mod accounting;
pub mod accounts;
mod advisory_lock;
pub mod announcements;
pub mod api_tokens;
pub mod application_facts;
pub mod applications;
pub mod approvals;
pub mod backlog;
pub mod captures;
mod cases;
pub mod condemned;
pub mod daily_numbers;
mod database;
pub mod drift;
pub mod entries;
pub mod erasure;
mod error;
pub mod escalations;
pub mod events;
pub mod field_decisions;
pub mod groups;
pub mod inquiries;
pub mod jobs;
pub mod known_answers;
pub mod letters;
pub mod login_failures;
pub mod lots;
pub mod masking;
pub mod objects;
pub mod oidc_logins;
pub mod online_applications;
pub mod page_decisions;
pub mod page_quality;
pub mod pages;
pub mod payment_stops;
pub mod private_postgres;
pub mod privileges;
pub mod publish;
pub mod qa;
pub mod references;
pub mod register;
pub mod rereading;
pub mod returned_payments;
pub mod revocations;
pub mod scans;
pub mod screening;
pub mod seals;
pub mod sensitive_originals;
pub mod sessions;
pub mod standing;
pub mod sweep;
pub mod tasks;
pub mod transfers;
pub mod unmasked_pages;
pub mod upkeep;
pub mod waivers;

pub use database::Database;
pub use error::StoreError;
