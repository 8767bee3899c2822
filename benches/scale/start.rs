//! How soon a node that is started has its first page read: with a private database from nothing, and
//! with one that runs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use uketsuke::store::private_postgres::PrivatePostgres;

const ROUNDS: usize = 3;
const LONGEST: Duration = Duration::from_secs(120);

pub fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uketsuke"));
    command.arg("--data").arg(data).env_remove("DATABASE_URL").env("UKETSUKE_LOG", "error");
    command
}

/// Runs the program to its end.
pub fn run(data: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    output(data, arguments).map(drop)
}

/// What the program prints.
pub fn output(data: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = command(data).args(arguments).output()?;
    anyhow::ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

pub fn print() -> anyhow::Result<()> {
    let (mut fresh, mut running) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        fresh.push(first_page(&data, "minami/batch-001/000002.tif")?);
        let server = PrivatePostgres::start(&data)?;
        running.push(first_page(&data, "kita/batch-001/000015.tif")?);
        server.stop()?;
    }
    let seconds = |times: &[Duration]| {
        let times: Vec<String> = times.iter().map(|time| format!("{:.1}", time.as_secs_f64())).collect();
        times.join(", ")
    };
    println!("start of a node to its first scan read, seconds:");
    println!("  private database from nothing: {}", seconds(&fresh));
    println!("  a database that runs:          {}", seconds(&running));
    Ok(())
}

/// From the start of `serve`, with a scan in its drop folder, to the first page that it counts.
fn first_page(data: &Path, sample: &str) -> anyhow::Result<Duration> {
    let drop = data.join("drop/station");
    std::fs::create_dir_all(&drop)?;
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/scans").join(sample);
    std::fs::copy(&source, drop.join("scan.tif"))?;
    std::fs::write(drop.join("scan.tif.ready"), "")?;
    // Free a moment ago; nobody else on this machine wants it.
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let begun = Instant::now();
    let mut node = command(data)
        .args(["serve", "--listen", &address.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .context("serve")?;
    let first = loop {
        if metric(address, "uketsuke_pages_total").is_some_and(|pages| pages > 0.0) {
            break Ok(begun.elapsed());
        }
        if begun.elapsed() > LONGEST {
            break Err(anyhow::anyhow!("no page after {} s", LONGEST.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Command::new("kill").arg(node.id().to_string()).status()?;
    node.wait()?;
    first
}

/// The sum of a metric over its labels, if the node answers.
pub fn metric(address: std::net::SocketAddr, name: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    // A node that starts has no metrics.
    answer.starts_with("HTTP/1.1 200").then_some(())?;
    let counts = answer.lines().filter(|line| line.starts_with(name));
    Some(counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}
