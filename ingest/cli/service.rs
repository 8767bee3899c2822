//! What `ingest` and `serve` run: database, objects, readers, a worker and a reception, put
//! together from the settings.

use std::sync::Arc;

use anyhow::Context;

use super::Common;
use crate::fleet::{ReaderPool, Worker};
use crate::form::Forms;
use crate::intake::Reception;
use crate::metrics::Metrics;
use crate::reference::BankTable;
use crate::review::Desk;
use crate::score::{Basis, ScoreFiles, Scorer};
use crate::settings::Settings;
use crate::store::Database;

pub(super) struct Service {
    pub settings: Arc<Settings>,
    pub database: Database,
    pub reception: Reception,
    pub worker: Worker,
    pub metrics: Metrics,
}

impl Service {
    pub async fn start(common: &Common, settings: Settings) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        let scorer = Scorer::new(ScoreFiles::load(&settings.paths.calibration)?, &settings.score);
        let scorer = Arc::new(scorer);
        if let Some(certificate) = scorer.certificate()
            && certificate.content.basis == Basis::Provisional
            && settings.score.accept_provisional
        {
            tracing::warn!(
                certificate = %certificate.sha256,
                "fields are accepted under a PROVISIONAL certificate: it rests on simulated pages"
            );
        }
        let forms = Arc::new(Forms::load_dir(&settings.paths.forms)?);
        let banks = super::banks(&settings)?.map(Arc::new);
        std::fs::create_dir_all(&common.data).with_context(|| {
            format!("{}: cannot be made; name another folder with --data", common.data.display())
        })?;
        let objects = common.objects().open(&settings.objects).await?;
        let database = common.database().await?;
        let program = std::env::current_exe().context("the path of this program")?;
        let readers = ReaderPool::start(&settings.readers, program, super::reader::arguments(common)).await?;
        let name = format!("{}:{}", hostname(), std::process::id());
        let reception = Reception {
            database: database.clone(),
            objects: objects.clone(),
            jobs: settings.jobs.clone(),
            actor: name.clone(),
        };
        let metrics = Metrics::default();
        let worker = Worker {
            database: database.clone(),
            objects,
            readers,
            forms,
            scorer,
            banks,
            settings: settings.clone(),
            name,
            metrics: metrics.clone(),
        };
        Ok(Self { settings, database, reception, worker, metrics })
    }

    /// The review desk over the same database and objects. Without the table of banks they are typed as
    /// they stand.
    pub fn desk(&self) -> Desk {
        let paths = &self.settings.paths;
        let banks = BankTable::load(&paths.banks, &paths.bank_aliases)
            .inspect_err(|error| tracing::warn!(%error, "the review desk does not know banks and branches"))
            .ok()
            .map(Arc::new);
        let Worker { database, objects, forms, .. } = &self.worker;
        Desk::new(database.clone(), objects.clone(), forms.clone(), banks, self.settings.review.clone())
    }

    pub async fn stop(self) {
        self.worker.readers.shut_down().await;
        let Self { database, reception, worker, .. } = self;
        drop((reception, worker));
        database.close().await;
    }
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
