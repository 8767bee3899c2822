//! `uketsuke reader`: the child process that reads scans; started by a worker, never by a person.

use std::ffi::OsString;

use super::Common;
use crate::fleet::{Confinement, ScanReader, reader};
use crate::settings::Settings;

/// The arguments that start a reader with the configuration of this command.
pub(super) fn arguments(common: &Common) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("reader")];
    if let Some(config) = &common.config {
        arguments.extend([OsString::from("--config"), config.into()]);
    }
    arguments
}

pub(super) fn run(common: &Common) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let confinement = Confinement::of(&settings);
    Ok(reader::run(&confinement, move || ScanReader::load(settings))?)
}
