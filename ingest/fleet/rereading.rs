//! A page that a person assigned: read as what they said, and published as part of a capture.

use super::Worker;
use super::pool::Reader;
use super::work::{WorkError, identity};
use crate::publish::group_pages;
use crate::store::StoreError;
use crate::store::jobs::{self, Lease};
use crate::store::publish::{Extent, Published};
use crate::store::rereading::{self, AssignedPage};
use crate::store::scans::{self, Scan};

impl Worker {
    /// Claims one assigned page and works on it to its end. False where none was ready.
    pub(super) async fn read_assigned_page(&self) -> Result<bool, StoreError> {
        let jobs = &self.settings.jobs;
        let Some(page) = rereading::claim(&self.database, &self.name, jobs.lease).await? else {
            return Ok(false);
        };
        let lease = &page.lease;
        let result = tokio::select! {
            result = self.read_as_assigned(&page) => result,
            lost = self.keep(lease) => Err(lost.into()),
        };
        let (scan, number) = (lease.scan, page.index + 1);
        match result {
            Ok(()) => tracing::info!(%scan, page = number, "read as it was assigned"),
            Err(WorkError::Store(StoreError::LeaseLost(_))) => {
                tracing::warn!(%scan, page = number, "the lease was lost; another worker has the page");
            }
            Err(error) if error.is_ours() => {
                tracing::warn!(%scan, page = number, %error, "put back; not the page's fault");
                jobs::give_back(&self.database, lease, &error.to_string(), jobs.retry).await?;
            }
            Err(error) => {
                tracing::warn!(%scan, page = number, attempt = lease.attempt, %error, "an assigned page was not read");
                jobs::retry(&self.database, lease, &error.to_string(), jobs.retry).await?;
            }
        }
        Ok(true)
    }

    async fn read_as_assigned(
        &self,
        AssignedPage { lease, index, identity: given }: &AssignedPage,
    ) -> Result<(), WorkError> {
        let Some(given) = given else { return Ok(rereading::drop_job(&self.database, lease).await?) };
        let scan = self.scan_of(lease).await?;
        let original = self.fetch(&scan).await?;
        let mut reader: Reader = self.readers.acquire().await?;
        let blame = |source| WorkError::Reader { file: scan.file.clone(), page: index + 1, source };
        reader.open(&original.file, &scan.file).await.map_err(blame)?;
        let look = reader.look_as(*index, Some(given.clone())).await.map_err(blame)?;
        let page = self.read_looked_at(&mut reader, scan.id, look).await.map_err(|error| error.of(blame))?;
        reader.close().await.map_err(blame)?;
        let groups = group_pages(identity(&page.look).map(|identity| (*index, identity)));
        while self.publish(lease, &scan, std::slice::from_ref(&page), &groups, Extent::AssignedPage).await?
            == Published::Conflict
        {
            tracing::info!(scan = %scan.id, "another scan of the application, or QA, was faster; building again");
        }
        Ok(())
    }

    async fn scan_of(&self, lease: &Lease) -> Result<Scan, StoreError> {
        let scan = scans::find(&self.database, lease.scan).await?;
        scan.ok_or(StoreError::Refused("the scan of a job is not there"))
    }
}
