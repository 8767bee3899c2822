//! Retention: what one node of the fleet does once a day. Applications, and scans that are nobody's, go when
//! their time is over; objects that no row names are swept. The certificates are in the database, the
//! manifests that they give the digests of are in the object store.

use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::digest::Sha256;
use crate::settings::Retention;
use crate::store::erasure::{self, Certificate, Eraser, ErasureError, Rule};
use crate::store::objects::{ObjectError, ObjectKey, ObjectKind, ObjectStore};
use crate::store::sweep::{SweepError, SweepRule, sweep};
use crate::store::upkeep::Upkeeper;
use crate::store::{Database, StoreError};

/// How often a node looks whether something is due.
const LOOK: Duration = Duration::from_secs(300);

/// Between the two steps of a sweep.
pub const CONDEMNED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Names of what is done, in the database.
const ERASE_APPLICATIONS: &str = "erase applications";
const ERASE_SCANS: &str = "erase scans";
const SWEEP: &str = "sweep objects";

#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    #[error(transparent)]
    Sweep(#[from] SweepError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("the manifest of an erasure cannot be written to a temporary file: {0}; is the disk full?")]
    Spool(std::io::Error),
}

/// What upkeep works with.
#[derive(Clone)]
pub struct Upkeep {
    pub database: Database,
    pub objects: Arc<dyn ObjectStore>,
    pub settings: Retention,
    /// Names the node in events.
    pub name: String,
}

impl Upkeep {
    /// Does what is due, until `stop` turns true; what was begun then is finished by the next.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let work = async {
                if let Err(error) = self.do_what_is_due().await {
                    tracing::warn!(%error, "upkeep is not done; trying again");
                }
                tokio::time::sleep(LOOK).await;
            };
            tokio::select! {
                () = work => {}
                _ = stop.wait_for(|&stop| stop) => {}
            }
        }
    }

    /// Does what is due and no other node is doing; what it has certified.
    pub async fn do_what_is_due(&self) -> Result<Vec<Certificate>, UpkeepError> {
        let Some(upkeeper) = Upkeeper::begin(&self.database).await? else { return Ok(Vec::new()) };
        let done = self.work(&upkeeper).await;
        upkeeper.end().await?;
        done
    }

    async fn work(&self, upkeeper: &Upkeeper) -> Result<Vec<Certificate>, UpkeepError> {
        let Retention { hour, erase_after_days, erase_scans_after_days, sweep_after_days } = self.settings;
        let mut certificates = Vec::new();
        for (task, days) in [(ERASE_APPLICATIONS, erase_after_days), (ERASE_SCANS, erase_scans_after_days)] {
            if days == 0 || !upkeeper.is_due(task, hour).await? {
                continue;
            }
            upkeeper.begun(task).await?;
            let day = upkeeper.days_ago(days).await?;
            let rule = match task {
                ERASE_APPLICATIONS => Rule::LastCapturedBefore(day),
                _ => Rule::ScansArrivedBefore(day),
            };
            certificates.extend(self.erase(&rule).await?);
            upkeeper.finished(task).await?;
        }
        if sweep_after_days > 0 && upkeeper.is_due(SWEEP, hour).await? {
            upkeeper.begun(SWEEP).await?;
            let older_than = Duration::from_secs(u64::from(sweep_after_days) * 24 * 3600);
            let rule = SweepRule { older_than, condemned_for: CONDEMNED_FOR, dry_run: false };
            let swept = sweep(&self.database, &*self.objects, &self.name, rule).await?;
            tracing::info!(
                seen = swept.seen,
                removed = swept.removed,
                "objects that no row names were swept"
            );
            upkeeper.finished(SWEEP).await?;
        }
        Ok(certificates)
    }

    /// Finishes what was interrupted, then erases by the rule if it finds anything.
    async fn erase(&self, rule: &Rule) -> Result<Vec<Certificate>, UpkeepError> {
        let eraser = Eraser::begin(&self.database).await?;
        let erased = self.erase_with(&eraser, rule).await;
        eraser.end().await?;
        erased
    }

    async fn erase_with(&self, eraser: &Eraser, rule: &Rule) -> Result<Vec<Certificate>, UpkeepError> {
        let mut numbers = eraser.unfinished().await?;
        if erasure::finds(&self.database, rule).await? {
            numbers.push(eraser.erase_rows(rule, &self.name, |_| ()).await?);
        }
        let mut certificates = Vec::new();
        for number in numbers {
            eraser.remove_objects(number, &*self.objects).await?;
            let mut file = BufWriter::new(tempfile::NamedTempFile::new().map_err(UpkeepError::Spool)?);
            let certificate = eraser.certify(number, &mut file).await?;
            file.flush().map_err(UpkeepError::Spool)?;
            self.objects.put_file(&manifest_key(certificate.manifest_sha256), file.get_ref().path()).await?;
            eraser.close(&certificate, &self.name).await?;
            tracing::info!(
                erasure = number,
                applications = certificate.erased.applications,
                scans = certificate.erased.scans,
                manifest = %certificate.manifest_sha256,
                "erased"
            );
            certificates.push(certificate);
        }
        Ok(certificates)
    }
}

/// Where the manifest of an erasure is kept.
pub fn manifest_key(sha256: Sha256) -> ObjectKey {
    ObjectKey::of(ObjectKind::Erasures, sha256, Some("manifest"))
}
