//! The newest seals as a file to be kept where the owner of the database cannot change it.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::SealHead;

pub const EXPORT_SCHEMA: &str = "uketsuke.seals/1";

/// Seals as they were at a time; whoever has them can tell whether the chain still holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    pub schema: String,
    pub exported_at: DateTime<Utc>,
    /// Newest first.
    pub seals: Vec<SealHead>,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{}: cannot be read: {source}; name a file that `uketsuke audit export` wrote", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: is no export of seals ({EXPORT_SCHEMA}): {message}", path.display())]
    Invalid { path: PathBuf, message: String },
    #[error("{}: cannot be written: {source}; what was there is untouched", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

impl Export {
    pub fn new(seals: Vec<SealHead>, exported_at: DateTime<Utc>) -> Self {
        Self { schema: EXPORT_SCHEMA.to_owned(), exported_at, seals }
    }

    pub fn read(path: &Path) -> Result<Self, ExportError> {
        let bytes = std::fs::read(path)
            .map_err(|source| ExportError::Unreadable { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes, path)
    }

    /// `path` says in errors where the bytes are from.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, ExportError> {
        let invalid = |message: String| ExportError::Invalid { path: path.to_owned(), message };
        let export: Self = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        match export.schema.as_str() {
            EXPORT_SCHEMA => Ok(export),
            other => Err(invalid(format!("its schema is {other:?}"))),
        }
    }

    /// As it is written to a file, or stored.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Replaces the file as a whole: a crash leaves the old one or the new one.
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let failed = |source| ExportError::Unwritable { path: path.to_owned(), source };
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let text = self.to_bytes().map_err(|error| failed(error.into()))?;
        file.write_all(&text).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}
