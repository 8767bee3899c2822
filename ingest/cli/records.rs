//! `uketsuke records`: what was published.

use std::io::{self, BufWriter, Write};

use clap::Args;

use super::{Common, with_database};
use crate::application_id::ApplicationId;
use crate::store::Database;
use crate::store::captures::current_records;

/// Print the current records; one JSON line a capture
///
/// In the order of application IDs. A capture that was completed later appears once, as it is now;
/// duplicates of an application appear after its first.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only those of one application
    #[arg(long, value_name = "ID")]
    application_id: Option<ApplicationId>,
}

/// Records fetched at once, of some 30 kB each; no transaction stays open between.
const CHUNK: u32 = 200;

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    with_database(common, async |database: &Database| {
        let mut output = BufWriter::new(io::stdout().lock());
        match print(database, arguments.application_id, &mut output).await {
            // Whoever reads has seen enough, as `head` has.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            result => result,
        }
    })
}

async fn print(
    database: &Database,
    application: Option<ApplicationId>,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    each(database, application, |record| Ok(writeln!(output, "{record}")?)).await?;
    Ok(output.flush()?)
}

/// Shows the JSON of every current record to `visit`, in the order of application IDs.
pub(super) async fn each(
    database: &Database,
    application: Option<ApplicationId>,
    mut visit: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let records = current_records(database, application, after, CHUNK).await?;
        let Some(last) = records.last() else { return Ok(()) };
        after = Some(last.place);
        for record in records {
            visit(&record.json)?;
        }
    }
}

pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
