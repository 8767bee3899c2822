//! Nothing lost, under fire: stations drop simulated mail, several `uketsuke serve` share one
//! database, and everything that can be killed is killed at random instants. When all has settled,
//! every file that was dropped must be accounted for exactly once.
//!
//! Run by `scripts/torture`; `cargo test` runs it for half a minute. The binary is its own program
//! under test (`uketsuke` with a reader that some files can crash), which is why it has no standard
//! harness.

mod bucket;
mod disk;
mod faults;
#[path = "../support/faulty_proxy.rs"]
mod faulty_proxy;
mod fleet;
mod poison;
#[expect(dead_code, reason = "what the suite does not need")]
#[path = "../support/s3.rs"]
mod s3;
#[path = "../support/site.rs"]
mod site;
mod stations;
mod table;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

use bucket::{Bucket, Kept};
use disk::Disk;
use faults::Faults;
use fleet::Fleet;
use site::{Site, sample_register};
use stations::Station;
use table::Run;
use verdict::Ledger;

/// Drop mail, kill everything at random, and account for every sheet
///
/// Exits with 0 if nothing is lost, duplicated or unexplained; else with 1, and keeps the evidence.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Arguments {
    /// How long faults go on; settling and checking come after
    #[arg(long, default_value_t = 0.5)]
    minutes: f64,
    /// What is dropped and struck, and in which order; when the machine lets it happen is its own
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where objects are kept
    #[arg(long, value_enum, default_value_t = Kept::S3)]
    objects: Kept,
    /// For how long a worker has a scan; the default of the program is 10
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    lease: f64,
    /// Where the data folder goes if anything is wrong
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/torture"))]
    evidence: PathBuf,
    /// Names of tests, and options of the standard harness: cargo test passes them to every test
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    of_the_harness: Vec<String>,
}

/// Leases are short, so that they end often. A scan may be unlucky several times; poison must end some day.
/// The disk is small and runs full; that nodes wait for room is another test's.
const CONFIGURATION: &str = "\
[intake]
min_free_gib = 0
[jobs]
retry_seconds = 0.05
max_attempts = 8
[readers]
count = 1
page_seconds = 15.0
";

/// How long everything may take to settle when the faults have ended.
const SETTLING: Duration = Duration::from_secs(900);

/// Kills of a worker while nothing else goes on, to see how soon another has its scan.
const QUIET_KILLS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("reader") => return poison::reader(&arguments),
        // As the fleet starts it; nobody else gives a data folder.
        Some("--data") => return uketsuke::cli::main(),
        _ => (),
    }
    let arguments = Arguments::parse();
    if let Some(wanted) = arguments.of_the_harness.iter().find(|argument| !argument.starts_with('-'))
        && !"torture".contains(wanted.as_str())
    {
        return ExitCode::SUCCESS;
    }
    let program = std::env::current_exe().expect("this program");
    let disk = Disk::prepare();
    let bucket = (arguments.objects == Kept::S3).then(Bucket::open);
    let further = bucket.as_ref().map(Bucket::settings).unwrap_or_default();
    let lease = format!("[jobs]\nlease_seconds = {:.1}", arguments.lease);
    let configuration = CONFIGURATION.replace("[jobs]", &lease);
    let site = Site::new(&program, &format!("{configuration}{further}"));
    let wrong = torture(&arguments, &site, &disk, bucket.as_ref());
    if wrong {
        keep(&site, bucket.as_ref(), &arguments.evidence);
    }
    disk.let_go(&site.data());
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// True if anything is wrong.
fn torture(arguments: &Arguments, site: &Site, disk: &Disk, bucket: Option<&Bucket>) -> bool {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let duration = Duration::from_secs_f64(arguments.minutes * 60.0);
    disk.mount(&site.data(), duration);
    site.run(&["register", "import", &sample_register()]);
    let drop = site.folder().join("drop");
    let mut fleet = Fleet::new(site, &drop, bucket.is_some());
    fleet.start_missing();
    fleet.wait_until_ready();

    let started = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let stations = stations::open(&drop, arguments.seed, duration, &stop);
    let mut faults = Faults::new(arguments.seed, Duration::from_secs_f64(arguments.lease), disk, bucket);
    while started.elapsed() < duration {
        faults.strike(&mut fleet, &site.data());
        fleet.start_missing();
    }
    stop.store(true, Ordering::Relaxed);
    let mut ledger = Ledger::default();
    for Station { thread } in stations {
        ledger.add(thread.join().expect("a station"));
    }
    faults.end(&mut fleet, &site.data());
    let struck = started.elapsed();

    // What was told once is told again after a minute: started anew, the intakes look at once.
    let mut in_order = faults.refused_to_stop == 0 && fleet.drain();
    let settled = settle(&runtime, site, &drop, &mut fleet, &ledger);
    let data = site.data();
    let quiet = faults::quiet_kills(&mut fleet, &data, &drop, &mut ledger, QUIET_KILLS);
    let taken_over = runtime.block_on(quiet);
    let settled = settled && settle(&runtime, site, &drop, &mut fleet, &ledger);
    let objects = bucket.map_or_else(|| data.join("objects"), Bucket::objects);
    let mut verdict = runtime.block_on(verdict::judge(site, &drop, &objects, &ledger));
    in_order &= fleet.drain();
    if !settled {
        verdict.unexplained.push(format!("not settled after {} s", SETTLING.as_secs()));
    }
    if !in_order {
        verdict.unexplained.push("a process that was told to stop did not do so in order".to_owned());
    }
    let Arguments { seed, objects: kept, lease, .. } = *arguments;
    let (ledger, faults, fleet, taken_over) = (&ledger, &faults, &fleet, taken_over.as_slice());
    Run { seed, kept, lease, struck, ledger, faults, fleet, taken_over, verdict: &verdict, disk }.print();
    verdict.is_wrong()
}

fn settle(
    runtime: &tokio::runtime::Runtime,
    site: &Site,
    drop: &Path,
    fleet: &mut Fleet<'_>,
    ledger: &Ledger,
) -> bool {
    let supervise = || fleet.start_missing();
    runtime.block_on(verdict::settle(&site.data(), drop, ledger, supervise, SETTLING))
}

/// Copies the data folder, the objects, the logs and what lies in the drop folders to where they stay.
fn keep(site: &Site, bucket: Option<&Bucket>, evidence: &Path) {
    let target = evidence.join(format!("{}", std::process::id()));
    std::fs::create_dir_all(&target).expect("a folder for the evidence");
    let objects = bucket.map(Bucket::objects);
    let copied =
        std::process::Command::new("cp").arg("-a").arg(site.folder()).args(objects).arg(&target).status();
    assert!(copied.expect("cp").success(), "the evidence is kept");
    println!("The evidence is in {}", target.display());
}
