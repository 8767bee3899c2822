//! `uketsuke evaluate`: records against truth.

use clap::Args;

use super::{Common, judged};
use crate::form::Forms;
use crate::settings::Settings;

/// Compare records with truth
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: judged::Source,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let mut right = 0;
    let account = arguments.source.judge(common, &forms, |_, judged| {
        right += judged.iter().filter(|judged| judged.right).count();
    })?;
    println!("{right} of {} fields are right", account.records.fields_compared);
    Ok(())
}
