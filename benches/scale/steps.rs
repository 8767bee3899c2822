//! What a sheet asks of the database on its way, one question after another; and what people ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uketsuke::application_id::ApplicationId;
use uketsuke::publish::{CapturedPage, Record};
use uketsuke::review::AccountName;
use uketsuke::store::accounting::{self, Filter};
use uketsuke::store::captures::{RecordObject, current_records};
use uketsuke::store::pages::PageState;
use uketsuke::store::tasks::{self, TaskKind};
use uketsuke::store::{Database, jobs, register, standing};

use crate::arrivals::{LEASE, scan};
use crate::load;
use crate::processor::Used;
use crate::readings::{Reading, application, state};
use crate::start;

/// Milliseconds by what was done, in the order of the table.
pub type Times = BTreeMap<&'static str, Vec<f64>>;

pub const STEPS: [&str; 14] = [
    "take in: scan, arrival, job, event",
    "claim",
    "renew the lease",
    "look at application and register",
    "complete: job, pages, record, events",
    "search by application ID: records",
    "search by application ID: register",
    "the first 200 records",
    "status: how things stand",
    "status: rate of an hour",
    "sheets of one batch",
    "sheets of everything",
    "review desk: the next task",
    "export status, all of it",
];

/// Of each step of a job, and of each search.
const TIMES: u64 = 300;
/// Of the questions that an operator asks.
const QUESTIONS: u64 = 5;

/// What a worker publishes of a real application, to be published again under other IDs.
pub struct Specimen {
    pub record: Record,
    pub pages: Vec<CapturedPage>,
    /// Of the documents of the capture, as the database compresses them.
    pub stored_bytes: i64,
}

impl Specimen {
    /// The first capture of the database that has fields.
    pub async fn fetch(data: &Path) -> anyhow::Result<Self> {
        let mut connection = load::connect(data).await?;
        let found: Option<(String, String)> = sqlx::query_as(
            "select id::text, record::text from capture order by octet_length(record::text) desc limit 1",
        )
        .fetch_optional(&mut connection)
        .await?;
        let (id, record) = found.context("no capture; were the samples read?")?;
        let statement = "select captured::text from page where capture_id = $1::uuid order by form_page";
        let pages: Vec<String> = sqlx::query_scalar(statement).bind(&id).fetch_all(&mut connection).await?;
        let stored = "select (select pg_column_size(record) from capture where id = $1::uuid)
                             + sum(pg_column_size(captured)) from page where capture_id = $1::uuid";
        let stored_bytes: i64 = sqlx::query_scalar(stored).bind(&id).fetch_one(&mut connection).await?;
        let pages = pages.iter().map(|page| serde_json::from_str(page)).collect::<Result<_, _>>()?;
        Ok(Self { record: serde_json::from_str(&record)?, pages, stored_bytes })
    }

    pub fn crops(&self) -> usize {
        self.pages.iter().map(|page| page.readings.len()).sum()
    }

    pub fn record_bytes(&self) -> anyhow::Result<usize> {
        Ok(serde_json::to_string(&self.record)?.len())
    }

    pub fn page_bytes(&self) -> anyhow::Result<usize> {
        let sizes = self.pages.iter().map(|page| Ok(serde_json::to_string(page)?.len()));
        sizes.sum::<Result<usize, serde_json::Error>>().map_err(Into::into)
    }

    /// Gives the only capture of a reading the documents of the specimen.
    fn fill(&self, reading: &mut Reading) -> anyhow::Result<()> {
        for outcome in &mut reading.pages {
            if let PageState::Captured { page, .. } = &mut outcome.state
                && let Some(real) = self.pages.iter().find(|real| real.identity.page == page.identity.page)
            {
                page.readings = real.readings.clone();
            }
        }
        let capture = reading.captures.first_mut().context("a capture")?;
        let record = Record {
            application_id: capture.application_id,
            capture_id: capture.id.to_string(),
            ..self.record.clone()
        };
        capture.record = RecordObject::of(&record)?;
        Ok(())
    }
}

/// A new application each time, of which nothing is there.
fn newcomer(round: u64, number: u64) -> ApplicationId {
    application(900_000_000_000 + round * 1_000_000 + number)
}

async fn timed<T>(times: &mut Times, step: &'static str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = work.await;
    times.entry(step).or_default().push(begun.elapsed().as_secs_f64() * 1000.0);
    result
}

/// Takes jobs from their arrival to their end, one at a time; what a job has used of the processor.
pub async fn jobs_one_by_one(
    database: &Database,
    data: &Path,
    specimen: &Specimen,
    round: u64,
    times: &mut Times,
) -> anyhow::Result<Used> {
    let before = Used::so_far(data);
    for number in 0..TIMES {
        let content = format!("round {round}, scan {number}");
        timed(times, STEPS[0], scan(database, &content)).await;
        let mut reading = timed(times, STEPS[1], Reading::begin(database)).await;
        timed(times, STEPS[2], jobs::heartbeat(database, &reading.lease, LEASE)).await?;
        let id = newcomer(round, number);
        let known = async {
            state(database, id).await;
            register::households(database, &[id]).await
        };
        timed(times, STEPS[3], known).await?;
        reading.capture(database, id, &[1, 2]).await;
        specimen.fill(&mut reading)?;
        timed(times, STEPS[4], reading.publish(database)).await?;
    }
    let used = Used::so_far(data).since(before);
    Ok(Used { program: used.program / TIMES as f64, server: used.server / TIMES as f64 })
}

/// `loaded` synthetic applications are there.
pub async fn questions(
    database: &Database,
    data: &Path,
    loaded: u64,
    times: &mut Times,
) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(loaded);
    for _ in 0..TIMES {
        let id = load::application(random.random_range(1..=loaded.max(1))).context("in range")?;
        let records = timed(times, STEPS[5], current_records(database, Some(id), None, 50)).await?;
        let households = timed(times, STEPS[6], register::households(database, &[id])).await?;
        anyhow::ensure!(records.len() == households.len(), "{id}: each has one of both, or nothing");
    }
    for _ in 0..QUESTIONS {
        timed(times, STEPS[7], current_records(database, None, None, 200)).await?;
        timed(times, STEPS[8], standing::standing(database)).await?;
        timed(times, STEPS[9], standing::rate(database, 3600.0)).await?;
        let batch = random.random_range(0..=loaded / 1000);
        let filter = Filter { batch: Some(format!("b{batch}")), ..Filter::default() };
        timed(times, STEPS[10], accounting::total(database, &filter)).await?;
    }
    let account: AccountName = "bench".parse().context("a name")?;
    for _ in 0..TIMES {
        let next = tasks::claim(database, &account, &[TaskKind::Verify], &[], LEASE);
        if let Some(task) = timed(times, STEPS[12], next).await? {
            tasks::give_back(database, &account, task.id, task.epoch).await?;
        }
    }
    let begun = Instant::now();
    let told = start::output(data, &["export", "status"])?;
    times.entry(STEPS[13]).or_default().push(begun.elapsed().as_secs_f64() * 1000.0);
    let told = told.lines().count() as u64;
    anyhow::ensure!(told > loaded, "{told} lines are not the states of {loaded} applications");
    // Too long for the service's limit of a minute, beyond some size: then it has no number.
    let begun = Instant::now();
    if accounting::total(database, &Filter::default()).await.is_ok() {
        times.entry(STEPS[11]).or_default().push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(())
}

/// What the queue alone carries: jobs are claimed, their leases renewed, and given back.
pub async fn queue_alone(database: &Database, data: &Path, round: u64) -> anyhow::Result<(f64, Used)> {
    const JOBS: u64 = 1_000;
    const WORKERS: u64 = 4;
    const DURATION: Duration = Duration::from_secs(5);
    for number in 0..JOBS {
        scan(database, &format!("queue {round} {number}")).await;
    }
    let (before, begun) = (Used::so_far(data), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let database = database.clone();
        tasks.spawn(async move {
            let mut done = 0;
            let worker = format!("worker {worker}");
            while begun.elapsed() < DURATION {
                for lease in jobs::claim_scans(&database, &worker, LEASE, 1).await? {
                    jobs::heartbeat(&database, &lease, LEASE).await?;
                    jobs::give_back(&database, &lease, "measured", Duration::ZERO).await?;
                    done += 1;
                }
            }
            Ok::<u64, anyhow::Error>(done)
        });
    }
    let measured = summed(tasks, data, before, begun).await?;
    clear_queue(data).await?;
    Ok(measured)
}

/// How many were done a second, and what each has used.
async fn summed(
    mut tasks: tokio::task::JoinSet<anyhow::Result<u64>>,
    data: &Path,
    before: Used,
    begun: Instant,
) -> anyhow::Result<(f64, Used)> {
    let mut done = 0;
    while let Some(result) = tasks.join_next().await {
        done += result??;
    }
    let used = Used::so_far(data).since(before);
    let each = |used: f64| used / done.max(1) as f64;
    let rate = done as f64 / begun.elapsed().as_secs_f64();
    Ok((rate, Used { program: each(used.program), server: each(used.server) }))
}

/// What is left over is no part of the next measurement.
async fn clear_queue(data: &Path) -> anyhow::Result<()> {
    let mut connection = load::connect(data).await?;
    sqlx::query("truncate job").execute(&mut connection).await?;
    Ok(())
}

/// Small jobs, from their arrival to their end, as many a second as the machine lets.
pub async fn small_jobs(database: &Database, data: &Path, round: u64) -> anyhow::Result<(f64, Used)> {
    const PRODUCERS: u64 = 4;
    const CONSUMERS: u64 = 4;
    const DURATION: Duration = Duration::from_secs(10);
    let (before, begun) = (Used::so_far(data), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let database = database.clone();
        tasks.spawn(async move {
            let mut number = 0;
            while begun.elapsed() < DURATION {
                scan(&database, &format!("small {round} {producer} {number}")).await;
                number += 1;
            }
            Ok::<u64, anyhow::Error>(0)
        });
    }
    for consumer in 0..CONSUMERS {
        let database = database.clone();
        tasks.spawn(async move {
            let mut done = 0;
            let worker = format!("worker {consumer}");
            while begun.elapsed() < DURATION {
                let Some(lease) = jobs::claim_scans(&database, &worker, LEASE, 1).await?.pop() else {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                };
                let mut reading = Reading::of(&database, lease).await;
                reading.unassigned(Vec::new());
                reading.publish(&database).await?;
                done += 1;
            }
            Ok(done)
        });
    }
    let measured = summed(tasks, data, before, begun).await?;
    clear_queue(data).await?;
    Ok(measured)
}
