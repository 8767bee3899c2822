//! `uketsuke audit`: whether events are as they were sealed, and the proof to be kept elsewhere.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Common, with_database};
use crate::audit::{self, Export, Place, Verified};
use crate::digest::Sha256;
use crate::settings::Settings;
use crate::store::objects::{ObjectKey, ObjectKind};
use crate::store::{Database, seals};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare every event with its seal and every seal with the one before
    ///
    /// Exits with 1 and names the first event or seal that does not fit. The service may run
    /// meanwhile.
    Verify {
        /// Compare with what `audit export` wrote, too, a file or the key of an object: without it,
        /// whoever owns the database could have made the whole chain anew
        #[arg(long, value_name = "FILE|KEY")]
        against: Option<PathBuf>,
    },
    /// Write the newest seals as JSON, to be kept where the owner of the database cannot change them
    Export {
        /// Where to; to stdout if it is not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Into the object store, and print the key: in a bucket whose objects are locked, nobody can
        /// change them
        #[arg(long, conflicts_with = "out")]
        to_objects: bool,
        /// How many seals
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        newest: u32,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Verify { against } => verify(common, against.as_deref()),
        Command::Export { out, to_objects, newest } => with_database(common, async |database: &Database| {
            let export = Export::new(seals::newest(database, newest).await?, chrono::Utc::now());
            match out {
                Some(path) => export.write(&path)?,
                None if to_objects => println!("{}", store(common, &export).await?),
                None => println!("{}", serde_json::to_string_pretty(&export)?),
            }
            Ok(())
        }),
    }
}

async fn store(common: &Common, export: &Export) -> anyhow::Result<ObjectKey> {
    let settings = Settings::load(common.config.as_deref())?;
    let objects = common.objects().open(&settings.objects).await?;
    let bytes = export.to_bytes()?;
    let key = ObjectKey::of(ObjectKind::Seals, Sha256::of(&bytes), Some("json"));
    objects.put(&key, &bytes).await?;
    Ok(key)
}

/// What was exported to a file of that name or, where there is none, to the object of that key.
async fn exported(common: &Common, place: &Path) -> anyhow::Result<Export> {
    let key = place.to_str().and_then(|text| text.parse::<ObjectKey>().ok());
    match key.filter(|key| key.kind() == ObjectKind::Seals && !place.exists()) {
        None => Ok(Export::read(place)?),
        Some(key) => {
            let settings = Settings::load(common.config.as_deref())?;
            let objects = common.objects().open(&settings.objects).await?;
            Ok(Export::from_bytes(&objects.get(&key).await?, place)?)
        }
    }
}

fn verify(common: &Common, against: Option<&Path>) -> anyhow::Result<()> {
    with_database(common, async |database: &Database| {
        let exported = match against {
            Some(place) => Some(exported(common, place).await?),
            None => None,
        };
        let verified = audit::verify(database, exported.as_ref()).await?;
        if common.json {
            println!("{}", serde_json::to_string(&verified)?);
        } else {
            println!("{}", told(&verified));
        }
        match verified.flaw {
            None => Ok(()),
            Some(flaw) => anyhow::bail!("{flaw}; what comes after it is not proven"),
        }
    })
}

fn told(verified: &Verified) -> String {
    let Verified { seals, events, head, unsealed, flaw: _ } = verified;
    let last = match head {
        Some(head) => {
            let Place { id, .. } = head.through;
            let at = head.sealed_at.format("%Y-%m-%d %H:%M:%S UTC");
            format!(", the last of {at} up to event {id}: {}", head.digest)
        }
        None => String::new(),
    };
    let behind = match unsealed {
        Some(0) | None => String::new(),
        Some(count) => format!("\n{count} events behind it wait for their seal"),
    };
    format!("{seals} seals over {events} events fit{last}{behind}")
}
