//! What does a second worker bring? Simulated mail is taken in once; then one node with one reader works
//! through it, and two such nodes do, turn by turn.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use uketsuke::form::Forms;
use uketsuke::settings::Settings;
use uketsuke::store::{Database, register};

use crate::{start, support};

const APPLICATIONS: u64 = 60;
const SEED: u64 = 20_200_528;
const ROUNDS: usize = 3;
const LONGEST: Duration = Duration::from_secs(1800);

pub fn print() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, mail) = (folder.path().join("data"), folder.path().join("mail"));
    let config = folder.path().join("uketsuke.toml");
    std::fs::write(&config, one_reader())?;
    let settings = Settings::load(Some(&config))?;
    let forms = Forms::load_dir(&settings.paths.forms)?.iter().cloned().collect();
    support::simulated(forms, APPLICATIONS, SEED, &settings, &mail)?;
    std::fs::remove_file(mail.join("truth.jsonl"))?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let database = Database::connect(&data, None).await?;
        register::import(&database, &support::households(APPLICATIONS, SEED)).await?;
        database.close().await;
        anyhow::Ok(())
    })?;
    let out = mail.to_str().context("UTF-8")?;
    let intake = Node::start(&data, &config, &["--roles", "intake", "--drop", out])?;
    wait("the mail is taken in", || files_below(&mail) == 0)?;
    intake.stop()?;

    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for workers in [1, 2] {
            let copy = folder.path().join("copy");
            let copied = Command::new("cp").arg("-a").arg(&data).arg(&copy).status()?;
            anyhow::ensure!(copied.success(), "cp failed");
            let rate = pages_a_minute(&copy, &config, workers)?;
            eprintln!("{workers} workers: {rate:.0} pages a minute");
            rates[workers - 1].push(rate);
            std::fs::remove_dir_all(&copy)?;
        }
    }
    let [one, two] = rates.map(median);
    println!(
        "pages a minute, medians of {ROUNDS}: 1 worker {one:.0}, 2 workers {two:.0} ({:.2} times)",
        two / one
    );
    Ok(())
}

fn one_reader() -> String {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = [
        ("forms", "config/forms"),
        ("models", "ocr-models"),
        ("vendor", "vendor"),
        ("calibration", "config/calibration"),
        ("banks", "vendor/zengin-code"),
        ("bank_aliases", "config/bank-aliases.toml"),
    ];
    let paths: Vec<String> =
        paths.iter().map(|(name, path)| format!("{name} = {:?}\n", home.join(path))).collect();
    format!("[paths]\n{}[readers]\ncount = 1\n", paths.concat())
}

/// From the moment when all workers read to the end of the mail.
fn pages_a_minute(data: &Path, config: &Path, workers: usize) -> anyhow::Result<f64> {
    let nodes = (0..workers)
        .map(|_| Node::start(data, config, &["--roles", "work"]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    wait("every node reads", || nodes.iter().all(|node| node.pages() > 0.0))?;
    let pages = || nodes.iter().map(Node::pages).sum::<f64>();
    let (before, begun) = (pages(), Instant::now());
    wait("all is read", || nodes[0].metric("uketsuke_scans_waiting") == Some(0.0))?;
    let rate = (pages() - before) / begun.elapsed().as_secs_f64() * 60.0;
    nodes.into_iter().try_for_each(Node::stop)?;
    Ok(rate)
}

struct Node {
    process: Child,
    address: SocketAddr,
}

impl Node {
    fn start(data: &Path, config: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        // Free a moment ago; nobody else on this machine wants it.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let process = start::command(data)
            .arg("--config")
            .arg(config)
            .args(["serve", "--listen", &address.to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .context("serve")?;
        Ok(Self { process, address })
    }

    fn metric(&self, name: &str) -> Option<f64> {
        start::metric(self.address, name)
    }

    fn pages(&self) -> f64 {
        self.metric("uketsuke_pages_total").unwrap_or(0.0)
    }

    fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.process.id().to_string()).status()?;
        anyhow::ensure!(self.process.wait()?.success(), "a node did not stop in order");
        Ok(())
    }
}

fn wait(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !holds() {
        anyhow::ensure!(begun.elapsed() < LONGEST, "not within {} s: {what}", LONGEST.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
