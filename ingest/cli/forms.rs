//! `uketsuke forms`: prints forms, or shows their layout.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::Common;
use crate::form::print::{self, Progress, Report};
use crate::form::{Form, Forms};
use crate::register::read_register;
use crate::rows::RowsError;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the forms of a register, one application after another; without a register, one
    /// specimen (見本)
    Print {
        /// A form of config/forms, as benefit-2020 or benefit-2020@1
        #[arg(long, value_name = "FORM")]
        form: String,
        /// Households to print for
        #[arg(long, value_name = "FILE.csv")]
        register: Option<PathBuf>,
        #[arg(long, value_name = "FILE.pdf")]
        out: PathBuf,
    },
    /// Print a form's layout as JSON, in millimetres
    Layout {
        /// A form of config/forms, as benefit-2020 or benefit-2020@1
        #[arg(long, value_name = "FORM")]
        form: String,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    match arguments.command {
        Command::Print { form, register, out } => {
            let report = print_to(find(&forms, &form)?, register.as_deref(), &out)?;
            tell(&report, common.json)
        }
        Command::Layout { form } => {
            let mut stdout = std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut stdout, &find(&forms, &form)?.layout())?;
            writeln!(stdout)?;
            Ok(())
        }
    }
}

/// The form named `benefit-2020@1`, or `benefit-2020` where there is one version of it.
fn find<'a>(forms: &'a Forms, name: &str) -> anyhow::Result<&'a Form> {
    let (id, version) = name.split_once('@').map_or((name, None), |(id, version)| (id, Some(version)));
    let fitting = |form: &&Form| form.id == id && version.is_none_or(|version| form.version == version);
    let found: Vec<&Form> = forms.iter().filter(fitting).collect();
    let names = |forms: &[&Form]| {
        forms.iter().map(|form| format!("{}@{}", form.id, form.version)).collect::<Vec<_>>().join(", ")
    };
    match found[..] {
        [form] => Ok(form),
        [] => bail!("no form is called {name}; there are {}", names(&forms.iter().collect::<Vec<_>>())),
        _ => bail!("there are several versions of {name}: {}; name one of them", names(&found)),
    }
}

fn print_to(form: &Form, register: Option<&Path>, out: &Path) -> anyhow::Result<Report> {
    // A PDF appears under its name only when it is whole.
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unwritable = || format!("{}: cannot be written", out.display());
    let file = tempfile::NamedTempFile::new_in(folder).with_context(unwritable)?;
    let writer = BufWriter::with_capacity(1 << 16, file.as_file());
    let report = match register {
        None => print::write_specimen(form, writer)?,
        Some(path) => {
            let bar = ProgressBar::new_spinner();
            let households = || {
                let file = File::open(path).map_err(csv::Error::from).map_err(RowsError::from)?;
                read_register(file)
            };
            let report = print::write_pdf(form, households, writer, &mut |progress| show(&bar, progress));
            bar.finish_and_clear();
            report.with_context(|| path.display().to_string())?
        }
    };
    file.persist(out).with_context(unwritable)?;
    Ok(report)
}

fn show(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Counted(count) => {
            bar.set_message(format!("{count} applications in the register"));
            bar.tick();
        }
        Progress::Printed { done, total } => {
            if bar.length() != Some(total) {
                bar.set_length(total);
                let template = "{bar:40} {pos}/{len} applications, {per_sec}, {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
            }
            bar.set_position(done);
        }
    }
}

fn tell(report: &Report, json: bool) -> anyhow::Result<()> {
    let Report { applications, pages, lacking_characters, lacking_first, without_customer_barcode } = report;
    if *lacking_characters > 0 {
        let first: Vec<String> = lacking_first.iter().map(ToString::to_string).collect();
        eprintln!(
            "uketsuke: {lacking_characters} applications have characters that the font lacks, printed as 〓; \
             write these in by hand: {}{}",
            first.join(", "),
            if *lacking_characters > first.len() as u64 { ", …" } else { "" }
        );
    }
    if *without_customer_barcode > 0 {
        eprintln!(
            "uketsuke: {without_customer_barcode} applications have no customer barcode, because their postal \
             code has not seven digits"
        );
    }
    let mut stdout = std::io::stdout().lock();
    if json {
        let report = serde_json::json!({
            "applications": applications,
            "pages": pages,
            "lacking_characters": lacking_characters,
            "without_customer_barcode": without_customer_barcode,
        });
        writeln!(stdout, "{report}")?;
    } else {
        writeln!(stdout, "{applications} applications, {pages} pages")?;
    }
    Ok(())
}
