//! `uketsuke backup` and `uketsuke restore`: one machine's data folder, to another disk and back.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use sqlx::postgres::PgConnectOptions;

use super::Common;
use crate::settings::Settings;
use crate::store::Database;
use crate::store::objects::{KeyRing, LocalDirectory, Location, ObjectError, ObjectKind, ObjectStore};
use crate::store::private_postgres::PrivatePostgres;
use crate::store::references::Names;

/// Copy the private database and all objects of a data folder to another disk
///
/// The service may run meanwhile. The database is copied first: objects are written before the rows
/// that name them and never change, so that every object a copied row names is there to be copied.
/// A second backup into the same folder copies only the objects that came since.
///
/// For the private database and objects that lie plain in a folder. With DATABASE_URL, objects in S3 or
/// encrypted objects, use the tools of that server, of the store or of the file system
/// (docs/operations.md).
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where to, on another disk: DIR/database.dump and DIR/objects
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Bring a backup back into an empty data folder
///
/// Checks at the end that every object that the database names is there. Then start the service on the
/// folder, and compare the events with the seals that were exported: `audit verify --against`.
#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The folder that `backup` wrote
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
}

/// The dump of the database in a backup's folder.
const DUMP: &str = "database.dump";
const OBJECTS: &str = "objects";

/// Keys listed, or asked for, at once.
const CHUNK: usize = 1_000;

#[derive(Debug, Default, Serialize)]
struct Copied {
    objects: u64,
    /// They were there from an earlier backup.
    present: u64,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    private_only()?;
    let objects = plain_folder(common)?;
    ensure!(
        common.data.join("postgres").is_dir(),
        "{}: there is no database; name the data folder with --data",
        common.data.display()
    );
    std::fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let server = PrivatePostgres::start(&common.data)?;
    let dump = arguments.out.join(DUMP);
    // Renamed when it is whole: the dump of the day before stays until then.
    let passing = arguments.out.join(format!("{DUMP}.tmp"));
    let dumped = client(&server, "pg_dump")
        .args(["--format", "custom", "--dbname", Database::PRIVATE, "--file"])
        .arg(&passing)
        .status()
        .context("pg_dump")?;
    ensure!(dumped.success(), "pg_dump failed ({dumped}); the backup that was there is untouched");
    std::fs::File::open(&passing).and_then(|file| file.sync_all()).context("the dump")?;
    std::fs::rename(&passing, &dump).context("the dump")?;
    server.stop()?;
    let copied = copy(&objects, &arguments.out.join(OBJECTS))?;
    report(common, &copied)
}

pub(super) fn restore(common: &Common, arguments: RestoreArguments) -> anyhow::Result<()> {
    private_only()?;
    let folder = plain_folder(common)?;
    let dump = arguments.from.join(DUMP);
    ensure!(dump.is_file(), "{}: is not there; name a folder that `uketsuke backup` wrote", dump.display());
    ensure!(
        !common.data.join("postgres").exists(),
        "{}: holds a database already; name a new folder with --data",
        common.data.display()
    );
    let server = PrivatePostgres::start(&common.data)?;
    let restored = client(&server, "pg_restore")
        .args(["--exit-on-error", "--create", "--dbname", "postgres"])
        .arg(&dump)
        .status()
        .context("pg_restore")?;
    ensure!(
        restored.success(),
        "pg_restore failed ({restored}); remove {} and begin anew",
        common.data.display()
    );
    server.stop()?;
    let copied = copy(&arguments.from.join(OBJECTS), &folder)?;
    let objects = LocalDirectory::open(&folder)?;
    let missing =
        super::with_database(common, async |database: &Database| missing(database, &objects).await)?;
    report(common, &copied)?;
    ensure!(missing == 0, "{missing} objects that the database names are not in the backup");
    Ok(())
}

fn private_only() -> anyhow::Result<()> {
    ensure!(
        std::env::var_os("DATABASE_URL").is_none_or(|url| url.is_empty()),
        "DATABASE_URL is set: back up that server with its own tools (docs/operations.md)"
    );
    Ok(())
}

/// The folder of the objects, which must be the digests' own bytes to be compared with them.
fn plain_folder(common: &Common) -> anyhow::Result<PathBuf> {
    let settings = Settings::load(common.config.as_deref())?;
    ensure!(
        KeyRing::load(settings.objects.keys_file.as_deref())?.is_none(),
        "the objects are encrypted: stop the service and copy the data folder as it is (docs/operations.md)"
    );
    match common.objects() {
        Location::Folder(folder) => Ok(folder),
        Location::Bucket(bucket) => {
            bail!("{bucket}: is a store of its own; protect it with its own tools (docs/operations.md)")
        }
    }
}

/// A program of PostgreSQL that connects to the private server.
fn client(server: &PrivatePostgres, program: &str) -> Command {
    let options: PgConnectOptions = server.connect_options();
    let mut command = Command::new(server.program(program));
    command
        .env("PGHOST", options.get_socket().map_or(Path::new(""), PathBuf::as_path))
        .env("PGPORT", options.get_port().to_string())
        .env("PGUSER", options.get_username());
    command
}

/// Copies every object that is not in `to` yet; each is compared with its digest on the way.
fn copy(from: &Path, to: &Path) -> anyhow::Result<Copied> {
    let (from, to) = (LocalDirectory::open(from)?, LocalDirectory::open(to)?);
    super::runtime()?.block_on(async {
        let mut copied = Copied::default();
        // What is kept for a short time only must not live longer in a backup.
        for kind in ObjectKind::ALL.into_iter().filter(|&kind| kind != ObjectKind::Unmasked) {
            let mut last = None;
            loop {
                let keys = from.list(kind, last.as_ref(), CHUNK).await?;
                if keys.is_empty() {
                    break;
                }
                for key in &keys {
                    match to.head(key).await {
                        Ok(_) => copied.present += 1,
                        Err(ObjectError::NotFound { .. }) => {
                            to.put_file(key, &from.path(key)).await?;
                            copied.objects += 1;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                last = keys.into_iter().last();
            }
        }
        Ok(copied)
    })
}

/// How many of the objects that the database names are not in the store; each is named on stderr.
async fn missing(database: &Database, objects: &LocalDirectory) -> anyhow::Result<u64> {
    let mut names = Names::gather(database).await?;
    let (mut missing, mut keys) = (0, Vec::new());
    loop {
        keys = names.list(keys.last(), CHUNK as u32).await?;
        if keys.is_empty() {
            return Ok(missing);
        }
        for key in &keys {
            match objects.head(key).await {
                Ok(_) => {}
                Err(error @ ObjectError::NotFound { .. }) => {
                    missing += 1;
                    eprintln!("uketsuke: {error}");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn report(common: &Common, copied: &Copied) -> anyhow::Result<()> {
    if common.json {
        println!("{}", serde_json::to_string(copied)?);
    } else {
        println!("the database, and {} objects; {} were there", copied.objects, copied.present);
    }
    Ok(())
}
