//! What `ingest PATH…` takes in: files, and folders of stations.

use std::io;
use std::path::{Path, PathBuf};

use super::ArrivedFile;
use super::arrival::Observation;
use super::folder::{IntakeFinding, Listing, Place, not_a_file};
use super::name::escaped;

/// The station of files that were named one by one.
pub const CLI_STATION: &str = "cli";

/// Files to be taken in, in the order of their paths and each once, and what was left alone.
#[derive(Debug, Default)]
pub struct Collected {
    pub files: Vec<ArrivedFile>,
    pub findings: Vec<IntakeFinding>,
}

/// What was typed is not there.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be read: {source}", escaped(path.as_os_str()))]
pub struct CollectError {
    path: PathBuf,
    source: io::Error,
}

/// Lists the files of `paths`. Files belong to the station [`CLI_STATION`]. A folder's sub-folders
/// are stations and theirs are batches; files directly in it belong to a station named after it.
/// Inside folders passing names (`*.tmp`, `.*`, …) are skipped.
pub fn collect(paths: &[PathBuf]) -> Result<Collected, CollectError> {
    let mut collected = Collected::default();
    for path in paths {
        let failed = |source| CollectError { path: path.clone(), source };
        let metadata = std::fs::symlink_metadata(path).map_err(failed)?;
        // A folder may be typed by way of a link; below it none is followed.
        if path.is_dir() {
            let place = Place::Stations { own: Some(folder_name(path).map_err(failed)?) };
            let Listing { files, findings } = Listing::of(path, &place).map_err(failed)?;
            collected.files.extend(files.into_iter().map(|Observation { file, .. }| file));
            collected.findings.extend(findings);
        } else if let Some(reason) = not_a_file(metadata.file_type()) {
            collected.findings.push(IntakeFinding { path: path.clone(), reason });
        } else {
            let station = CLI_STATION.to_owned();
            collected.files.push(ArrivedFile { station, batch: None, path: path.clone(), sidecar: None });
        }
    }
    collected.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    collected.files.dedup_by(|a, b| a.path == b.path);
    Ok(collected)
}

/// The folder's own name, also where `.` or `..` was typed.
fn folder_name(path: &Path) -> io::Result<String> {
    let path = path.canonicalize()?;
    Ok(escaped(path.file_name().unwrap_or(path.as_os_str())))
}
