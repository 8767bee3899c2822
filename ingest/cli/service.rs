//! What `ingest` and `serve` run: database, objects, readers, a worker and a reception, put
//! together from the settings.

use std::sync::Arc;

use anyhow::Context;

use super::Common;
use crate::fleet::{ReaderPool, Upkeep, Worker};
use crate::form::Forms;
use crate::intake::Reception;
use crate::metrics::Metrics;
use crate::reference::BankTable;
use crate::review::Desk;
use crate::score::{Basis, ScoreFiles, Scorer};
use crate::settings::Settings;
use crate::store::Database;
use crate::store::objects::ObjectStore;

/// What is loaded before any engine is asked: what is wrong in it is told at once.
pub(super) struct Equipment {
    pub settings: Arc<Settings>,
    pub scorer: Arc<Scorer>,
    pub forms: Arc<Forms>,
}

impl Equipment {
    pub fn load(common: &Common, settings: Settings) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        let scorer = Scorer::new(ScoreFiles::load(&settings.paths.calibration)?, &settings.score);
        let scorer = Arc::new(scorer);
        if let Some(certificate) = scorer.certificate()
            && certificate.content.basis == Basis::Provisional
            && scorer.may_accept(&certificate.content)
        {
            tracing::warn!(
                certificate = %certificate.sha256,
                "fields are accepted under a PROVISIONAL certificate: it rests on simulated pages"
            );
        }
        let forms = Arc::new(Forms::load_dir(&settings.paths.forms)?);
        std::fs::create_dir_all(&common.data).with_context(|| {
            format!("{}: cannot be made; name another folder with --data", common.data.display())
        })?;
        Ok(Self { settings, scorer, forms })
    }
}

pub(super) struct Service {
    pub settings: Arc<Settings>,
    pub database: Database,
    pub objects: Arc<dyn ObjectStore>,
    pub forms: Arc<Forms>,
    pub scorer: Arc<Scorer>,
    pub reception: Reception,
    pub metrics: Metrics,
    /// Names this process in leases and events.
    pub name: String,
}

impl Service {
    pub fn new(equipment: Equipment, objects: Arc<dyn ObjectStore>, database: Database) -> Self {
        let Equipment { settings, scorer, forms } = equipment;
        let name = format!("{}:{}", hostname(), std::process::id());
        let reception = Reception {
            database: database.clone(),
            objects: objects.clone(),
            jobs: settings.jobs.clone(),
            actor: name.clone(),
        };
        Self { settings, database, objects, forms, scorer, reception, metrics: Metrics::default(), name }
    }

    /// Starts the readers, which only who reads scans needs. They must be shut down in the end.
    pub async fn worker(&self, common: &Common) -> anyhow::Result<Worker> {
        let banks = super::banks(&self.settings)?.map(Arc::new);
        let program = std::env::current_exe().context("the path of this program")?;
        let arguments = super::reader::arguments(common);
        let readers = ReaderPool::start(&self.settings.readers, program, arguments).await?;
        Ok(Worker {
            database: self.database.clone(),
            objects: self.objects.clone(),
            readers,
            forms: self.forms.clone(),
            scorer: self.scorer.clone(),
            banks,
            settings: self.settings.clone(),
            name: self.name.clone(),
            metrics: self.metrics.clone(),
        })
    }

    pub fn upkeep(&self) -> Upkeep {
        let (database, objects) = (self.database.clone(), self.objects.clone());
        Upkeep { database, objects, settings: self.settings.retention, name: self.name.clone() }
    }

    /// The review desk over the same database and objects. Without the table of banks they are typed as
    /// they stand.
    pub fn desk(&self) -> Desk {
        let paths = &self.settings.paths;
        let banks = BankTable::load(&paths.banks, &paths.bank_aliases)
            .inspect_err(|error| tracing::warn!(%error, "the review desk does not know banks and branches"))
            .ok()
            .map(Arc::new);
        let (database, objects, forms) = (self.database.clone(), self.objects.clone(), self.forms.clone());
        let certificate = self.scorer.certificate().cloned();
        Desk::new(database, objects, forms, banks, certificate, &self.settings)
    }

    pub async fn stop(self) {
        let Self { database, reception, .. } = self;
        drop(reception);
        database.close().await;
    }
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
