//! The review desk: a web application for the people who verify, key, adjudicate and look up.
//!
//! [`routes`] is the one table of what is there and who may have it; [`guard`] keeps to it. Pages are
//! empty shells with a script; everything that a page shows or does is the JSON API below `/api/v1/`.
//! SQL stands in [`crate::store`], and what follows from an entry is decided there, in its transaction.

mod accounts;
mod assets;
mod backfill;
mod board;
mod error;
mod escalation;
mod group;
mod guard;
mod inquiry;
mod iso2859;
mod judged;
mod keyers;
mod login;
mod lots;
mod mask;
mod masking;
mod oidc;
mod openapi;
mod password;
mod picture;
mod plan;
mod promise;
mod qa;
mod reference;
mod role;
pub mod routes;
mod scope;
mod settling;
mod shell;
mod switching;
mod task_view;
mod texts;
mod unassigned;
mod work;

use std::sync::Arc;

use axum::Router;
use tokio::sync::Semaphore;

pub use backfill::backfill_until;
pub use error::DeskError;
pub use iso2859::{Aql, SamplingPlan};
pub use judged::{JudgedReading, JudgedReadings, judged_readings};
pub use mask::{MaskError, normalise};
pub use oidc::{Oidc, OidcError};
pub use password::{Password, PasswordError, PasswordHash};
pub use plan::{plan, plan_fields};
pub use role::{AccountName, AccountNameError, Role};
pub use scope::{ApiToken, Scope, ScopeError};
pub use switching::{Inspection, JudgedLot, Severity};

use crate::form::Forms;
use crate::reference::BankTable;
use crate::score::{Certificate, Identified};
use crate::settings::{self, Settings};
use crate::store::Database;
use crate::store::objects::ObjectStore;
use crate::store::sessions::Limits;

/// What the answers are made from; clones share it.
#[derive(Clone)]
pub struct Desk {
    pub database: Database,
    pub objects: Arc<dyn ObjectStore>,
    pub forms: Arc<Forms>,
    /// None where they have not been fetched: banks are then typed as they stand.
    pub banks: Option<Arc<BankTable>>,
    pub settings: Arc<settings::Review>,
    /// Under which readings are accepted, as far as this node knows.
    pub certificate: Option<Arc<Identified<Certificate>>>,
    /// What an application is settled by after its last decision.
    pub check: Arc<settings::Check>,
    /// Where people may log in instead of here.
    oidc: Option<Arc<Oidc>>,
    /// Of a page that a person assigned.
    read_attempts: i32,
    hashing: Arc<Semaphore>,
    asking: Arc<Semaphore>,
    masking: Arc<Semaphore>,
    /// How a picture is written of which a person said what must be black.
    publish: settings::Publish,
}

/// Passwords that are hashed at the same time: each takes 19 MiB.
const HASHING: usize = 2;
/// Questions to the provider of logins at the same time: anybody may have us ask.
const ASKING: usize = 8;
/// Pictures that are made at the same time: each takes a page's pixels a few times over.
const MASKING: usize = 2;

impl Desk {
    pub fn new(
        database: Database,
        objects: Arc<dyn ObjectStore>,
        forms: Arc<Forms>,
        banks: Option<Arc<BankTable>>,
        certificate: Option<Identified<Certificate>>,
        settings: &Settings,
    ) -> Self {
        let read_attempts = settings.jobs.max_attempts;
        let publish = settings.publish.clone();
        let oidc = settings.oidc.clone().map(Arc::new);
        let (check, settings) = (Arc::new(settings.check.clone()), Arc::new(settings.review.clone()));
        let (hashing, asking) = (Arc::new(Semaphore::new(HASHING)), Arc::new(Semaphore::new(ASKING)));
        let certificate = certificate.map(Arc::new);
        Self {
            database,
            objects,
            forms,
            banks,
            certificate,
            settings,
            check,
            oidc,
            read_attempts,
            hashing,
            asking,
            masking: Arc::new(Semaphore::new(MASKING)),
            publish,
        }
    }

    /// All pages and the whole API.
    pub fn router(self) -> Router {
        routes::router(self)
    }

    fn limits(&self) -> Limits {
        Limits { idle: self.settings.idle, longest: self.settings.session }
    }
}
