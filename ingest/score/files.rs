//! The calibration and the certificate as files in `paths.calibration`.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Calibration, Certificate};
use crate::digest::Sha256;
use crate::read::Fusion;

pub const CALIBRATION_FILE: &str = "calibration.json";
pub const CERTIFICATE_FILE: &str = "certificate.json";

#[derive(Debug, thiserror::Error)]
pub enum ScoreFileError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: {reason}; make it anew with `uketsuke calibrate`, or move it away", path.display())]
    Invalid { path: PathBuf, reason: String },
    #[error("{}: cannot be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// What a file holds, and the digest of its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Identified<T> {
    pub sha256: Sha256,
    pub content: T,
}

/// What is there of both; each may be missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoreFiles {
    pub calibration: Option<Identified<Calibration>>,
    pub certificate: Option<Identified<Certificate>>,
}

impl ScoreFiles {
    pub fn load(folder: &Path) -> Result<Self, ScoreFileError> {
        Ok(Self {
            calibration: load(&folder.join(CALIBRATION_FILE), Calibration::parse)?,
            certificate: load(&folder.join(CERTIFICATE_FILE), Certificate::parse)?,
        })
    }
}

impl ScoreFiles {
    /// The weights that the readers of combs are fused with: those of the calibration where it was
    /// made with these models.
    pub fn fusion(&self, models: &BTreeMap<String, Sha256>) -> Fusion {
        let fitting = self.calibration.iter().filter(|file| file.content.applies.models == *models);
        fitting.map(|file| file.content.fusion).next().unwrap_or_default()
    }
}

fn load<T>(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<Option<Identified<T>>, ScoreFileError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ScoreFileError::Unreadable { path: path.to_owned(), source }),
    };
    let content =
        parse(&bytes).map_err(|reason| ScoreFileError::Invalid { path: path.to_owned(), reason })?;
    Ok(Some(Identified { sha256: Sha256::of(&bytes), content }))
}

/// The bytes of a file, and their digest.
pub fn encoded<T: Serialize>(content: &T) -> Result<(Vec<u8>, Sha256), serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(content)?;
    bytes.push(b'\n');
    let sha256 = Sha256::of(&bytes);
    Ok((bytes, sha256))
}

/// Writes a file whole: whoever reads meanwhile sees the old one or the new one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ScoreFileError> {
    let unwritable = |source| ScoreFileError::Unwritable { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    // A service under another user must be able to read it.
    let readable = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(readable).tempfile_in(folder).map_err(unwritable)?;
    io::Write::write_all(&mut file, bytes).map_err(unwritable)?;
    file.as_file().sync_all().map_err(unwritable)?;
    file.persist(path).map_err(|error| unwritable(error.error)).map(drop)
}
