//! What does the database cost as its tables grow, and how many jobs does the queue carry?
//!
//! `cargo bench --bench scale [-- APPLICATIONS…]` starts a private PostgreSQL, lets `uketsuke` read a
//! sample, loads as many synthetic applications (0, then 1,000,000), and asks what a sheet asks on its
//! way and what people ask, at every size. The documents of the sample are those that are published;
//! the synthetic ones are slim, so that a disk holds them.
//! Before that it says how soon a node that is started has read its first scan. `cargo bench --bench scale --
//! workers` measures nothing but what a second worker brings.

#[path = "../../tests/support/arrivals.rs"]
mod arrivals;
mod load;
mod processor;
#[expect(dead_code, reason = "what this benchmark does not need")]
#[path = "../../tests/support/readings.rs"]
mod readings;
mod start;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod workers;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use uketsuke::audit;
use uketsuke::store::Database;

use processor::Used;
use steps::{STEPS, Specimen, Times};

/// What was measured at one size.
struct Measured {
    applications: u64,
    times: Times,
    job: Used,
    small: Used,
    small_a_second: f64,
    queue: Used,
    queue_a_second: f64,
    database_mib: i64,
}

fn main() -> anyhow::Result<()> {
    // cargo adds arguments of its own, which begin with a dash.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if arguments == ["workers"] {
        return workers::print();
    }
    let mut sizes = arguments
        .iter()
        .map(|size| size.parse().context("APPLICATIONS are numbers"))
        .collect::<anyhow::Result<Vec<u64>>>()?;
    if sizes.is_empty() {
        sizes = vec![0, 1_000_000];
    }
    sizes.sort_unstable();
    start::print()?;

    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/scans/minami/batch-001/000002.tif");
    start::run(&data, &["ingest", sample.to_str().context("UTF-8")?])?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(&data, &sizes))
}

async fn measure(data: &Path, sizes: &[u64]) -> anyhow::Result<()> {
    let database = Database::connect(data, None).await?;
    let specimen = Specimen::fetch(data).await?;
    println!(
        "documents of a capture: record {} bytes, {} pages {} bytes with {} crops; stored as {} bytes",
        specimen.record_bytes()?,
        specimen.pages.len(),
        specimen.page_bytes()?,
        specimen.crops(),
        specimen.stored_bytes
    );
    let mut all = Vec::new();
    let mut loaded = 0;
    for (round, &size) in (0..).zip(sizes) {
        let begun = Instant::now();
        load::load(data, loaded, size).await?;
        eprintln!("loaded in {:.0} s", begun.elapsed().as_secs_f64());
        loaded = size;
        let begun = Instant::now();
        let events = audit::seal_all(&database).await?;
        println!("{events} events sealed in {:.1} s", begun.elapsed().as_secs_f64());
        let mut times = Times::new();
        // What the first connections and the first plans cost is nobody's size.
        steps::jobs_one_by_one(&database, data, &specimen, 1000 + round, &mut Times::new()).await?;
        let job = steps::jobs_one_by_one(&database, data, &specimen, round, &mut times).await?;
        steps::questions(&database, data, loaded, &mut times).await?;
        let (small_a_second, small) = steps::small_jobs(&database, data, round).await?;
        let (queue_a_second, queue) = steps::queue_alone(&database, data, round).await?;
        all.push(Measured {
            applications: size,
            times,
            job,
            small,
            small_a_second,
            queue,
            queue_a_second,
            database_mib: load::database_mib(data).await?,
        });
        // Each time all of it: the larger sizes take long, and may never come.
        print(&all);
    }
    database.close().await;
    Ok(())
}

fn print(measured: &[Measured]) {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    let sizes = measured.iter().map(|size| format!("{} applications", size.applications));
    table.set_header(std::iter::once("milliseconds, median / p99".to_owned()).chain(sizes));
    for step in STEPS {
        let cells = measured.iter().map(|size| size.times.get(step).map_or("–".to_owned(), |t| of(t)));
        table.add_row(std::iter::once(step.to_owned()).chain(cells));
    }
    let mut row = |what: &str, cell: &dyn Fn(&Measured) -> String| {
        table.add_row(std::iter::once(what.to_owned()).chain(measured.iter().map(cell)));
    };
    row("processor a job: program + server", &|size| used(size.job));
    row("small jobs a second, end to end", &|size| format!("{:.0}", size.small_a_second));
    row("processor a small job: program + server", &|size| used(size.small));
    row("claims, renewals and returns a second", &|size| format!("{:.0}", size.queue_a_second));
    row("processor for one of them: program + server", &|size| used(size.queue));
    row("database, MiB", &|size| size.database_mib.to_string());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}

fn used(used: Used) -> String {
    format!("{:.2} + {:.2}", used.program, used.server)
}

fn of(times: &[f64]) -> String {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    format!("{:.1} / {:.1}", at(0.5), at(0.99))
}
