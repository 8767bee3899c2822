//! `uketsuke erase`: what is known of applications goes, and a certificate says so.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::NaiveDate;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Common, OPERATOR, runtime, with_database};
use crate::application_id::ApplicationId;
use crate::fleet::manifest_key;
use crate::settings::Settings;
use crate::store::Database;
use crate::store::erasure::{self, Certificate, Eraser, Rule};
use crate::store::objects::{ObjectError, ObjectStore};
use crate::store::scans::ScanId;

/// Erase what is known of applications, or scans that are nobody's, and certify it
///
/// Households, originals, pictures, records and decisions go, from the database and the object store.
/// What stays: of every application its ID and dates, of every page what became of it, and the events,
/// which hold no personal data; so every sheet is accounted for as before. There is no way back but a
/// backup, and backups are yours to erase.
///
/// An original that holds pages of applications that are not erased stays, and is counted.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    rule: RuleArguments,
    /// Folder for the certificate, erasure-N.json, and its manifest, erasure-N.manifest
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Change nothing, only count
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct RuleArguments {
    /// These applications
    #[arg(long, value_name = "ID")]
    application_id: Vec<ApplicationId>,
    /// The applications of a file, one ID a line
    #[arg(long, value_name = "FILE")]
    applications: Option<PathBuf>,
    /// Applications of which nothing was captured on this day (UTC) or later, such as 2027-04-01
    #[arg(long, value_name = "DAY")]
    last_captured_before: Option<NaiveDate>,
    /// Of these scans, what is no application's: the whole scan where it is in quarantine, else its pages that
    /// nobody could assign. Numbers as `quarantine list` and the review desk show them
    #[arg(long, value_name = "SCAN", num_args = 1..)]
    scan: Vec<ScanId>,
    /// The same of all scans that came before this day (UTC); pages that a person has assigned stay with their
    /// applications
    #[arg(long, value_name = "DAY")]
    scans_arrived_before: Option<NaiveDate>,
    /// Erase nothing; write the certificates, and manifests, of what the fleet has erased by itself ([retention] of
    /// the configuration)
    #[arg(long)]
    certificates: bool,
}

impl RuleArguments {
    fn rule(self) -> anyhow::Result<Rule> {
        // One of them, as clap sees to.
        if let Some(file) = self.applications {
            return Ok(Rule::Applications(read_ids(&file)?));
        }
        let by_day = self.last_captured_before.map(Rule::LastCapturedBefore);
        let by_day = by_day.or(self.scans_arrived_before.map(Rule::ScansArrivedBefore));
        Ok(by_day.unwrap_or(match self.scan.is_empty() {
            true => Rule::Applications(self.application_id),
            false => Rule::Scans(self.scan),
        }))
    }
}

fn read_ids(file: &Path) -> anyhow::Result<Vec<ApplicationId>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let id = line.trim().parse();
            id.with_context(|| format!("{}, line {}: an application ID is wanted", file.display(), index + 1))
        })
        .collect()
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { rule, out, dry_run } = arguments;
    let settings = Settings::load(common.config.as_deref())?;
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    if rule.certificates {
        return fetch_certificates(common, &settings, &out);
    }
    let rule = rule.rule()?;
    let certificates = runtime()?.block_on(async {
        let database = common.database().await?;
        let result = async {
            if dry_run {
                let what = match &rule {
                    Rule::Applications(_) | Rule::LastCapturedBefore(_) => "applications",
                    Rule::Scans(_) | Rule::ScansArrivedBefore(_) => "scans",
                };
                eprintln!("{} {what} would be erased", erasure::count(&database, &rule).await?);
                return Ok(Vec::new());
            }
            let store = common.objects().open(&settings.objects).await?;
            let eraser = Eraser::begin(&database).await?;
            let erased = erase(&eraser, &rule, &*store, &out).await;
            eraser.end().await?;
            erased
        };
        let result: anyhow::Result<Vec<Certificate>> = result.await;
        database.close().await;
        result
    })?;
    for certificate in certificates {
        if common.json {
            println!("{}", serde_json::to_string(&certificate)?);
        } else {
            println!("{}", told(&certificate));
        }
    }
    Ok(())
}

/// Writes what retention has certified into a folder.
fn fetch_certificates(common: &Common, settings: &Settings, out: &Path) -> anyhow::Result<()> {
    with_database(common, async |database: &Database| {
        let store = common.objects().open(&settings.objects).await?;
        for (number, manifest_sha256, certificate) in erasure::finished(database).await? {
            let manifest = out.join(format!("erasure-{number}.manifest"));
            if !manifest.exists() {
                match store.get_file(&manifest_key(manifest_sha256), &manifest).await {
                    // By command: its manifest is where that has written it.
                    Err(ObjectError::NotFound { .. }) => continue,
                    fetched => fetched?,
                }
            }
            write(&out.join(format!("erasure-{number}.json")), &certificate)?;
            println!("erasure {number}: {manifest_sha256}");
        }
        Ok(())
    })
}

/// Finishes what was interrupted, then erases by the rule.
async fn erase(
    eraser: &Eraser,
    rule: &Rule,
    store: &dyn ObjectStore,
    out: &Path,
) -> anyhow::Result<Vec<Certificate>> {
    let mut numbers = eraser.unfinished().await?;
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template("{pos} erased {elapsed}")?);
    numbers.push(eraser.erase_rows(rule, OPERATOR, |count| bar.inc(count)).await?);
    bar.finish_and_clear();
    let mut certificates = Vec::new();
    for number in numbers {
        eraser.remove_objects(number, store).await?;
        let manifest = out.join(format!("erasure-{number}.manifest"));
        let certificate = async {
            let mut file = BufWriter::new(File::create(&manifest)?);
            let certificate = eraser.certify(number, &mut file).await?;
            file.into_inner()?.sync_all()?;
            anyhow::Ok(certificate)
        };
        let certificate = certificate.await.with_context(|| manifest.display().to_string())?;
        write(&out.join(format!("erasure-{number}.json")), &certificate)?;
        eraser.close(&certificate, OPERATOR).await?;
        certificates.push(certificate);
    }
    Ok(certificates)
}

fn write(path: &Path, certificate: &impl Serialize) -> anyhow::Result<()> {
    let written = || -> anyhow::Result<()> {
        let mut file = File::create(path)?;
        serde_json::to_writer_pretty(&mut file, certificate)?;
        writeln!(file)?;
        Ok(file.sync_all()?)
    };
    written().with_context(|| path.display().to_string())
}

fn told(certificate: &Certificate) -> String {
    let Certificate { erasure, erased, objects, objects_shared, originals_kept, manifest_sha256, .. } =
        certificate;
    let objects: Vec<String> = objects.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!(
        "erasure {erasure}: {} applications, {} scans, {} households, {} captures, {} pages, {} decisions\n\
         objects: {}; {objects_shared} are those of others, too, {originals_kept} originals hold pages of others\n\
         manifest: {manifest_sha256}",
        erased.applications,
        erased.scans,
        erased.households,
        erased.captures,
        erased.pages,
        erased.decisions,
        if objects.is_empty() { "none".to_owned() } else { objects.join(", ") },
    )
}
