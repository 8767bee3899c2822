//! `uketsuke export letters`: deficiency letters with their return forms, as one PDF for the printer.

use std::fs;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{Days, NaiveDate, Utc};
use clap::Args;
use serde::Serialize;

use super::super::applications::By;
use super::super::{Common, banks, with_database};
use crate::application_id::ApplicationId;
use crate::check::Rules;
use crate::form::print::{self, Part};
use crate::form::{Form, Forms};
use crate::letter::Letter;
use crate::publish::FormVersion;
use crate::settings::Settings;
use crate::store::Database;
use crate::store::letters::{self, Due, Looked};

/// Write to applicants who must mend something: what is missing, with a form to send back
///
/// One PDF, a letter and its return form after another, for window envelopes. An applicant is written to
/// when nobody at the review desk has anything left to decide, and not again before something has changed.
/// Who was written to is an event. Applications that wait for the desk or the municipality are counted.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The PDF; nothing is written where nobody is to be written to
    #[arg(long, value_name = "FILE.pdf")]
    out: PathBuf,
    /// Also write letters again that were written before and still hold
    #[arg(long)]
    again: bool,
    /// The date of the letters; [default: today, in Japan]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<NaiveDate>,
    #[command(flatten)]
    by: By,
    /// Only these applications
    #[arg(value_name = "ID")]
    applications: Vec<ApplicationId>,
}

/// Applications a transaction; a record has some 30 kB.
const CHUNK: i64 = 200;

#[derive(Debug, Default, Serialize)]
struct Report {
    letters: usize,
    pages: u64,
    /// Nothing has changed since; written again only where that was asked for.
    written_before: usize,
    waits_for_people: u64,
    waits_for_municipality: u64,
    /// Names that were printed with a 〓.
    lacking_characters: u64,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { out, again, date, by, applications } = arguments;
    let by = by.name()?;
    let settings = Settings::load(common.config.as_deref())?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let banks = banks(&settings)?;
    let rules = settings.check.rules(banks.as_ref());
    let today = Utc::now().with_timezone(&crate::check::JAPAN).date_naive();
    let written_on = date.unwrap_or(today);
    anyhow::ensure!(
        written_on.checked_add_days(Days::new(u64::from(settings.letters.reply_within_days))).is_some(),
        "{written_on} is too late a date"
    );
    let report = with_database(common, async |database: &Database| {
        let mut report = Report::default();
        let mut due = due(database, &applications, &rules, &forms, &mut report).await?;
        report.written_before = due.iter().filter(|due| due.written_before).count();
        due.retain(|due| again || !due.written_before);
        report.letters = due.len();
        if due.is_empty() {
            return Ok(report);
        }
        // Seen by nobody under its name before it is whole and noted.
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let unwritable = || format!("{}: cannot be written", out.display());
        let file = tempfile::NamedTempFile::new_in(folder).with_context(unwritable)?;
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).with_context(unwritable)?;
        let parts = || {
            due.iter().flat_map(|due| match form_of(&forms, &due.form) {
                Some(form) => letter(due, form).parts(written_on, &settings.letters),
                None => Vec::<Part<'_>>::new(),
            })
        };
        let printed =
            print::write_parts("不備通知書", parts, BufWriter::with_capacity(1 << 16, file.as_file()))?;
        report.pages = printed.pages;
        report.lacking_characters = printed.lacking_characters;
        file.as_file().sync_all().with_context(unwritable)?;
        let noted = letters::note(database, &due, &by).await?;
        file.persist(&out).with_context(unwritable)?;
        noted.commit().await.with_context(|| {
            format!("{}: its letters could not be noted; destroy it and try again", out.display())
        })?;
        Ok(report)
    })?;
    tell(common, &report, &out)
}

fn form_of<'a>(forms: &'a Forms, form: &FormVersion) -> Option<&'a Form> {
    forms.find(&form.id, &form.version)
}

fn letter<'a>(due: &'a Due, form: &'a Form) -> Letter<'a> {
    Letter { household: &due.household, form, deficiencies: &due.deficiencies, number: due.number }
}

async fn due(
    database: &Database,
    applications: &[ApplicationId],
    rules: &Rules<'_>,
    forms: &Forms,
    report: &mut Report,
) -> anyhow::Result<Vec<Due>> {
    let mut due = Vec::new();
    let mut after = None;
    loop {
        let mut chunk = letters::candidates(database, after, CHUNK).await?;
        let Some(&last) = chunk.last() else { return Ok(due) };
        after = Some(last);
        chunk.retain(|application| applications.is_empty() || applications.contains(application));
        if chunk.is_empty() {
            continue;
        }
        for looked in letters::look(database, &chunk, rules, forms).await? {
            match looked {
                Looked::Due(letter) => due.push(*letter),
                Looked::WaitsForPeople => report.waits_for_people += 1,
                Looked::WaitsForMunicipality => report.waits_for_municipality += 1,
                Looked::NoSuchForm(FormVersion { id, version }) => anyhow::bail!(
                    "an application came on the form {id}@{version}, which is no longer there; put its file back into the folder of the forms"
                ),
            }
        }
    }
}

fn tell(common: &Common, report: &Report, out: &Path) -> anyhow::Result<()> {
    let Report {
        letters,
        pages,
        written_before,
        waits_for_people,
        waits_for_municipality,
        lacking_characters,
    } = report;
    if *lacking_characters > 0 {
        eprintln!("{lacking_characters} letters have characters that the font lacks, printed as 〓");
    }
    if common.json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    match letters {
        0 => println!("nobody is to be written to"),
        _ => println!("{letters} letters, {pages} pages with their return forms, are in {}", out.display()),
    }
    println!(
        "{written_before} written before and unchanged, {waits_for_people} wait for the review desk, \
         {waits_for_municipality} for the municipality"
    );
    Ok(())
}
