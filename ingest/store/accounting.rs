//! Sheets in = pages accounted for: what came, and what became of it.

use serde::Serialize;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::{corrupt, query};
use super::{Database, StoreError};

/// Which arrivals to account for; everything where all are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    pub station: Option<String>,
    pub batch: Option<String>,
    /// [`super::scans::Arrival::occasion`]; the run ID of one `ingest`.
    pub occasion: Option<String>,
}

/// The sum of a batch, or of everything. Captures are those that have a page in these scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Accounting {
    /// Files that came.
    pub arrivals: u64,
    /// Of those, files whose bytes had come before.
    pub repeated: u64,
    /// The others; each is one of the following four.
    pub scans: u64,
    pub scans_waiting: u64,
    pub scans_working: u64,
    pub scans_done: u64,
    pub scans_quarantined: u64,
    /// Pages of the scans that are done; each is one of the following three.
    pub pages: u64,
    pub captured: u64,
    pub blank: u64,
    pub unassigned: u64,
    /// Pages of quarantined scans, as far as they could be counted.
    pub pages_quarantined: u64,
    pub captures: u64,
    /// Of those, captures of an application that was captured before.
    pub duplicates: u64,
}

impl Accounting {
    /// Every file and every page is in exactly one place.
    pub fn balances(&self) -> bool {
        self.arrivals == self.repeated + self.scans
            && self.scans
                == self.scans_waiting + self.scans_working + self.scans_done + self.scans_quarantined
            && self.pages == self.captured + self.blank + self.unassigned
    }

    /// Nothing is left to be read.
    pub fn settled(&self) -> bool {
        self.scans_waiting + self.scans_working == 0
    }
}

/// One batch of a station, or the station's files outside any batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BatchName {
    pub station: String,
    pub batch: Option<String>,
}

/// Everything that the filter lets through, batch by batch in the order of their names; all of one
/// moment.
pub async fn by_batch(
    database: &Database,
    filter: &Filter,
) -> Result<Vec<(BatchName, Accounting)>, StoreError> {
    // An arrival that is not repeated is the one of its scan, so both are of the same batch, and a
    // capture is never of two batches. A batch's name is never empty: '' stands for none, so that
    // rows without one join, too.
    sqlx::query(
        "with chosen as (
             select station, coalesce(batch, '') as batch, sha256, repeated from arrival
             where ($1::text is null or station = $1) and ($2::text is null or batch = $2)
               and ($3::text is null or occasion = $3)
         ), arrived as (
             select station, batch, count(*) as arrivals, count(*) filter (where repeated) as repeated
             from chosen group by station, batch
         ), own as (
             select chosen.station, chosen.batch, scan.id, scan.state, page_count,
                    exists (select from job where scan_id = scan.id and worker is not null
                                              and visible_at > now()) as working
             from chosen join scan using (sha256) where not repeated
         ), scanned as (
             select station, batch, count(*) as scans,
                    count(*) filter (where state = 'waiting' and not working) as scans_waiting,
                    count(*) filter (where state = 'waiting' and working) as scans_working,
                    count(*) filter (where state = 'done') as scans_done,
                    count(*) filter (where state = 'quarantined') as scans_quarantined,
                    sum(page_count) filter (where state = 'done') as pages,
                    sum(page_count) filter (where state = 'quarantined') as pages_quarantined
             from own group by station, batch
         ), read as (
             select own.station, own.batch,
                    count(*) filter (where page.state = 'captured') as captured,
                    count(*) filter (where page.state = 'blank') as blank,
                    count(*) filter (where page.state = 'unassigned') as unassigned,
                    count(distinct capture_id) as captures,
                    count(distinct capture_id) filter (where seq > 1) as duplicates
             from own join page on scan_id = own.id left join capture on capture.id = capture_id
             group by own.station, own.batch
         )
         select station, nullif(batch, '') as batch, arrivals, repeated, scans, scans_waiting, scans_working,
                scans_done, scans_quarantined, pages, captured, blank, unassigned, pages_quarantined,
                captures, duplicates
         from arrived left join scanned using (station, batch) left join read using (station, batch)
         order by arrived.station, arrived.batch",
    )
    .bind(&filter.station)
    .bind(&filter.batch)
    .bind(&filter.occasion)
    .fetch_all(database.pool())
    .await
    .map_err(query("account for sheets"))?
    .iter()
    .map(|row| {
        let broken = corrupt("batch");
        let station = row.try_get("station").map_err(&broken)?;
        let batch = row.try_get("batch").map_err(&broken)?;
        Ok((BatchName { station, batch }, accounting_of(row)?))
    })
    .collect()
}

/// The sum of [`by_batch`].
pub async fn total(database: &Database, filter: &Filter) -> Result<Accounting, StoreError> {
    Ok(by_batch(database, filter).await?.into_iter().map(|(_, accounting)| accounting).sum())
}

impl std::iter::Sum for Accounting {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            arrivals: sum.arrivals + part.arrivals,
            repeated: sum.repeated + part.repeated,
            scans: sum.scans + part.scans,
            scans_waiting: sum.scans_waiting + part.scans_waiting,
            scans_working: sum.scans_working + part.scans_working,
            scans_done: sum.scans_done + part.scans_done,
            scans_quarantined: sum.scans_quarantined + part.scans_quarantined,
            pages: sum.pages + part.pages,
            captured: sum.captured + part.captured,
            blank: sum.blank + part.blank,
            unassigned: sum.unassigned + part.unassigned,
            pages_quarantined: sum.pages_quarantined + part.pages_quarantined,
            captures: sum.captures + part.captures,
            duplicates: sum.duplicates + part.duplicates,
        })
    }
}

fn accounting_of(row: &PgRow) -> Result<Accounting, StoreError> {
    // No row of a left join, or the sum of none: null, which is zero.
    let count = |column| -> Result<u64, StoreError> {
        let count: Option<i64> = row.try_get(column).map_err(corrupt("sum"))?;
        Ok(count.unwrap_or_default().unsigned_abs())
    };
    Ok(Accounting {
        arrivals: count("arrivals")?,
        repeated: count("repeated")?,
        scans: count("scans")?,
        scans_waiting: count("scans_waiting")?,
        scans_working: count("scans_working")?,
        scans_done: count("scans_done")?,
        scans_quarantined: count("scans_quarantined")?,
        pages: count("pages")?,
        captured: count("captured")?,
        blank: count("blank")?,
        unassigned: count("unassigned")?,
        pages_quarantined: count("pages_quarantined")?,
        captures: count("captures")?,
        duplicates: count("duplicates")?,
    })
}
