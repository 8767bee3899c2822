//! Which of the installed PostgreSQL versions to use.

use std::fs;
use std::path::{Path, PathBuf};

use super::PrivatePostgresError;

/// Where Debian puts every version's programs.
pub(super) const EVERYWHERE: &str = "/usr/lib/postgresql/<version>/bin";

/// The folder of the programs that can open the database in `pgdata`; for a new one those of the
/// newest version.
pub(super) fn find(pgdata: &Path) -> Result<PathBuf, PrivatePostgresError> {
    let installed = installed(Path::new("/usr/lib/postgresql"));
    let version = match fs::read_to_string(pgdata.join("PG_VERSION")) {
        Ok(version) => Some(version.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => {
            return Err(PrivatePostgresError::File {
                path: pgdata.join("PG_VERSION"),
                doing: "read the version of the database",
                source,
            });
        }
    };
    choose(&installed, version, pgdata)
}

fn choose(
    installed: &[(u32, PathBuf)],
    version: Option<String>,
    pgdata: &Path,
) -> Result<PathBuf, PrivatePostgresError> {
    let newest = installed.last().ok_or(PrivatePostgresError::NotInstalled)?;
    let Some(version) = version else { return Ok(newest.1.clone()) };
    installed
        .iter()
        .find(|(major, _)| major.to_string() == version)
        .map(|(_, folder)| folder.clone())
        .ok_or_else(|| PrivatePostgresError::OtherVersion {
            folder: pgdata.to_owned(),
            found: version,
            installed: installed.iter().map(|(major, _)| major.to_string()).collect::<Vec<_>>().join(", "),
        })
}

/// Versions with their folders of programs, oldest first.
fn installed(root: &Path) -> Vec<(u32, PathBuf)> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path().join("bin");
            folder.join("initdb").is_file().then_some((major, folder))
        })
        .collect();
    versions.sort();
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<(u32, PathBuf)> {
        vec![(9, "/usr/lib/postgresql/9/bin".into()), (15, "/usr/lib/postgresql/15/bin".into())]
    }

    #[test]
    fn a_new_database_gets_the_newest_and_an_old_one_its_own() {
        let pgdata = Path::new("/data/postgres/data");
        assert_eq!(choose(&two(), None, pgdata).expect("one"), two()[1].1);
        assert_eq!(choose(&two(), Some("9".into()), pgdata).expect("one"), two()[0].1);
        assert!(matches!(choose(&[], None, pgdata), Err(PrivatePostgresError::NotInstalled)));
    }

    #[test]
    fn another_version_is_named_with_the_way_out() {
        let error = choose(&two(), Some("18".into()), Path::new("/data/postgres/data")).expect_err("no 18");
        let message = error.to_string();
        for part in ["PostgreSQL 18", "installed is 9, 15", "/data/postgres/data", "pg_upgrade", "pg_dump"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
