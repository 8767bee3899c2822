//! Does a reader hold more memory the more pages it has read?
//!
//! `cargo bench --bench endurance [-- PAGES]` lets one reader, which is never replaced, read the sample
//! scans again and again until it has read so many pages (20,000: an hour or two), and prints what it
//! holds as it goes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use uketsuke::fleet::ReaderPool;
use uketsuke::settings::{Readers, Settings};

/// Pages after which the reader has seen everything that it keeps: models, buffers, caches.
const SETTLED: u64 = 1_000;
/// Pages between two looks.
const LOOK: u64 = 250;

fn main() -> anyhow::Result<()> {
    // cargo adds arguments of its own, which begin with a dash.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let pages: u64 =
        arguments.next().map_or(Ok(20_000), |pages| pages.parse()).context("PAGES is a number")?;
    let settings = Settings::load(None)?;
    let readers = Readers { count: 1, recycle_pages: u64::MAX, ..settings.readers };
    let scans = scans(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/scans"))?;
    let program = PathBuf::from(env!("CARGO_BIN_EXE_uketsuke"));
    tokio::runtime::Runtime::new()?.block_on(async {
        let pool = ReaderPool::start(&readers, program, vec!["reader".into()]).await?;
        let mut reader = pool.acquire().await?;
        let process = reader_process().context("the reader's process")?;
        let (begun, mut read, mut settled) = (Instant::now(), 0, None);
        'pages: for scan in scans.iter().cycle() {
            // What is refused is part of the mail.
            let Ok(count) = reader.open(&std::fs::File::open(scan)?, "scan").await else { continue };
            for index in 0..count {
                reader.look(index).await?;
                reader.read(index, None).await?;
                read += 1;
                if read % LOOK == 0 || read == pages {
                    let held = resident_kib(process).context("the reader has ended")?;
                    let minutes = begun.elapsed().as_secs_f64() / 60.0;
                    println!("{read:6} pages  {:7.1} MiB  {minutes:6.1} min", held as f64 / 1024.0);
                    if read == SETTLED {
                        settled = Some(held);
                    }
                    if let Some(settled) = settled.filter(|_| read >= pages) {
                        let growth = (held as f64 / settled as f64 - 1.0) * 100.0;
                        println!("{growth:+.1} % over what it held after {SETTLED} pages");
                    }
                }
                if read >= pages {
                    break 'pages;
                }
            }
            reader.close().await?;
        }
        drop(reader);
        pool.shut_down().await;
        Ok(())
    })
}

fn scans(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(scans(&path)?),
            path => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

fn status(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn resident_kib(process: u32) -> Option<u64> {
    status(process, "VmRSS")
}

/// The child of this process that is a reader.
fn reader_process() -> Option<u32> {
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let arguments = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_reader = arguments.split(|&byte| byte == 0).any(|argument| argument == b"reader");
        (is_reader && status(process, "PPid")? == u64::from(std::process::id())).then_some(process)
    })
}
