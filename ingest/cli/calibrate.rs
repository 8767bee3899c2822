//! `uketsuke calibrate`: confidences that hold, and the risk certificate; and how the one in use
//! stands.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use chrono::Utc;
use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Common, judged, with_database};
use crate::digest::Sha256;
use crate::evaluate::{Collection, Collections, Opinions, Parts, Skipped};
use crate::form::Forms;
use crate::score::{
    Basis, CALIBRATION_FILE, CALIBRATION_SCHEMA, CERTIFICATE_FILE, CERTIFICATE_SCHEMA, Calibration,
    CalibrationBasis, Certificate, FieldCertificate, METHOD, ScoreFiles, Split, Target, Verdict, encoded,
    fit, write,
};
use crate::settings::Settings;
use crate::store::Database;
use crate::store::drift::{self, Standing};
use crate::store::revocations::{self, Breach};

/// Calibrate confidences on readings whose truth is known, and make the risk certificate
///
/// Of every field it is learned with which probability a reading is right, and from which
/// probability on the share of wrong readings is below --target-risk, with --confidence. Written
/// values and empty fields are certified apart. From then on `ingest` and `serve` accept what the
/// certificate covers; everything else goes to a person.
///
/// What is true comes from simulated pages (--truth; the certificate is `provisional` and accepts
/// nothing without --accept-provisional) or from people who saw the readings of real mail
/// (--judged; `proven`). People must have judged a random sample of all readings, not of doubtful
/// ones. With both, the certificate is provisional.
///
/// Applications are divided by a hash of their ID: 20 % fit, 10 % recalibrate, 70 % certify. To prove a risk
/// of 0.14 % at 95 %, a field needs 2,139 accepted certifying readings without an error, and more with errors:
/// some 6,000 applications.
///
/// A proof counts once: whoever changed something because of what certifying readings said certifies on
/// others, and hands the ones that were seen to --looked-at, where they still teach.
///
/// The whole way on simulated mail:
///
///   uketsuke register generate --count 10000 --out register.csv
///   uketsuke simulate --register register.csv --out mail
///   uketsuke ingest mail
///   uketsuke calibrate --truth mail/truth.jsonl
///   uketsuke calibrate status
///
/// Where the line model is on, its weight beside the cell models is fitted first
/// (`calibrate --fit-fusion`), and the mail read again, since other weights make other readings.
/// docs/confidence.md says what the numbers promise and what they do not.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    make: Make,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the certificate in use, what it covers, and what drift has suspended
    Status,
}

#[derive(Debug, Args)]
struct Make {
    /// Share of wrong readings among accepted ones; 0.0014 is what two people who key a value
    /// independently reach
    #[arg(long, value_name = "SHARE", default_value_t = 0.0014, value_parser = share)]
    target_risk: f64,
    /// Probability with which the certificate keeps its word
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, value_parser = share)]
    confidence: f64,
    /// What stands on simulated pages, as `simulate` writes it
    #[arg(long, value_name = "FILE", num_args = 1..)]
    truth: Vec<PathBuf>,
    /// What stands on simulated pages whose readings were looked at before, by an earlier `calibrate` or by people: two
    /// thirds of them fit, one recalibrates, and only those of --truth or --judged certify
    #[arg(long, value_name = "FILE", num_args = 1..)]
    looked_at: Vec<PathBuf>,
    /// What people saw: JSON lines {"capture_id", "field", "value": "…" or null for an empty field}
    #[arg(long, value_name = "FILE", num_args = 1..)]
    judged: Vec<PathBuf>,
    /// Records as `uketsuke records` prints them, `-` for stdin; without it those of the database
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// Where calibration.json and certificate.json go, instead of paths.calibration
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Divides the applications; another one divides anew. Choosing among several makes the
    /// certificate's word void
    #[arg(long, default_value = "1")]
    seed: String,
    /// What the readings are, for whoever reads the files later
    #[arg(long, value_name = "TEXT", default_value = "")]
    describe: String,
    /// Fit the weights of the two readers of combs only. Read the mail again with them, then
    /// calibrate
    #[arg(long)]
    fit_fusion: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err("between 0 and 1".to_owned()) }
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    match arguments.command {
        Some(Command::Status) => status(common, &settings),
        None => make(common, &settings, &arguments.make),
    }
}

fn make(common: &Common, settings: &Settings, arguments: &Make) -> anyhow::Result<()> {
    ensure!(
        !arguments.truth.is_empty() || !arguments.judged.is_empty(),
        "what is true is not known: name --truth of simulated pages, or --judged readings"
    );
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let in_use = ScoreFiles::load(&settings.paths.calibration)?;
    let mut truths = judged::truths(&arguments.looked_at)?;
    let looked_at = truths.applications();
    judged::add_truths(&mut truths, &arguments.truth)?;
    let simulated = truths.applications().len() - looked_at.len();
    let mut opinions = Opinions::default();
    for path in &arguments.judged {
        opinions
            .read(judged::open(path)?)
            .with_context(|| format!("{} cannot be used as judgements", path.display()))?;
    }
    let data = description(arguments, simulated, looked_at.len(), &opinions);
    let split = Split::beside(&arguments.seed, looked_at);
    let mut collections = Collections::new(&forms, &truths, &opinions, &split, in_use.calibration.as_ref());
    judged::each_record(common, arguments.records.as_deref(), |record| collections.add(&record))?;
    let (collection, skipped) = collections.latest();
    let collection = collection.with_context(|| {
        format!(
            "no record whose truth is known{}; do --truth and the records belong together?",
            left_out_of(&skipped)
        )
    })?;
    let folder = arguments.out.as_deref().unwrap_or(&settings.paths.calibration);
    let frame = frame(arguments, &collection, split, data);
    if arguments.fit_fusion {
        return weigh(common, folder, &collection, frame, skipped);
    }
    certify(common, arguments, folder, &collection, frame, skipped)
}

/// What the readings were: simulated pages of so many applications, and of so many that were looked at before.
fn description(arguments: &Make, simulated: usize, looked_at: usize, opinions: &Opinions) -> String {
    if !arguments.describe.is_empty() {
        return arguments.describe.clone();
    }
    let mut parts = Vec::new();
    if looked_at > 0 {
        parts.push(format!(
            "fitted on simulated pages of {looked_at} applications that were looked at before"
        ));
    }
    if !arguments.truth.is_empty() {
        parts.push(format!("simulated pages of {simulated} applications"));
    }
    if !arguments.judged.is_empty() {
        parts.push(format!("judged readings of {} captures", opinions.captures()));
    }
    parts.join(", ")
}

/// The calibration without its fields.
fn frame(arguments: &Make, collection: &Collection, split: Split, data: String) -> Calibration {
    let judged_alone = arguments.truth.is_empty() && arguments.looked_at.is_empty();
    Calibration {
        schema: CALIBRATION_SCHEMA.to_owned(),
        made_at: Utc::now(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        applies: collection.applies.clone(),
        basis: if judged_alone { CalibrationBasis::Judged } else { CalibrationBasis::Simulated },
        data,
        applications: collection.applications.total(),
        split,
        fusion: collection.fusion,
        fields: Vec::new(),
    }
}

fn weigh(
    common: &Common,
    folder: &Path,
    collection: &Collection,
    frame: Calibration,
    skipped: Skipped,
) -> anyhow::Result<()> {
    let fusion = collection.cells.fit();
    let [digits, kana] = collection.cells.counts();
    let calibration = Calibration { fusion, ..frame };
    let (bytes, sha256) = encoded(&calibration)?;
    let path = folder.join(CALIBRATION_FILE);
    write(&path, &bytes)?;
    if common.json {
        let cells = serde_json::json!({ "digits": digits, "kana": kana });
        let report = serde_json::json!({
            "path": path, "sha256": sha256, "fusion": fusion, "cells": cells, "left_out": skipped,
        });
        println!("{report}");
        return Ok(());
    }
    println!(
        "digits: cell model {:.3}, line model {:.3}, from {digits} cells",
        fusion.digits.cell, fusion.digits.line
    );
    println!(
        "kana:   cell model {:.3}, line model {:.3}, from {kana} cells",
        fusion.kana.cell, fusion.kana.line
    );
    println!("{}: written, without confidences. Read the mail again, then calibrate.", path.display());
    Ok(())
}

/// What was made, as JSON.
#[derive(Debug, Serialize)]
struct Made<'a> {
    calibration: Written,
    certificate: Written,
    basis: Basis,
    target_risk: f64,
    confidence: f64,
    applications: Parts,
    left_out: Skipped,
    fields: &'a [FieldCertificate],
}

#[derive(Debug, Serialize)]
struct Written {
    path: PathBuf,
    sha256: Sha256,
}

fn certify(
    common: &Common,
    arguments: &Make,
    folder: &Path,
    collection: &Collection,
    frame: Calibration,
    left_out: Skipped,
) -> anyhow::Result<()> {
    let target = Target { risk: arguments.target_risk, confidence: arguments.confidence };
    // What was fitted may have been simulated: the proof rests on what certifies.
    let basis = if arguments.truth.is_empty() { Basis::Proven } else { Basis::Provisional };
    let mut calibration = frame;
    let mut fields = Vec::new();
    for fitted in fit(&collection.strata, target) {
        calibration.fields.extend(fitted.calibration);
        fields.push(fitted.certificate);
    }
    let (calibration_bytes, calibration_sha256) = encoded(&calibration)?;
    let certificate = Certificate {
        schema: CERTIFICATE_SCHEMA.to_owned(),
        made_at: calibration.made_at,
        software: calibration.software.clone(),
        basis,
        target_risk: target.risk,
        confidence: target.confidence,
        method: METHOD.to_owned(),
        applies: calibration.applies.clone(),
        calibration: calibration_sha256,
        data: calibration.data.clone(),
        applications: collection.applications.certify,
        fields,
    };
    let (certificate_bytes, certificate_sha256) = encoded(&certificate)?;
    let calibration = Written { path: folder.join(CALIBRATION_FILE), sha256: calibration_sha256 };
    // The certificate last: until it is there, the new calibration has none and nothing is accepted.
    write(&calibration.path, &calibration_bytes)?;
    let written = Written { path: folder.join(CERTIFICATE_FILE), sha256: certificate_sha256 };
    write(&written.path, &certificate_bytes)?;

    if common.json {
        let made = Made {
            calibration,
            certificate: written,
            basis,
            target_risk: target.risk,
            confidence: target.confidence,
            applications: collection.applications,
            left_out,
            fields: &certificate.fields,
        };
        println!("{}", serde_json::to_string(&made)?);
        return Ok(());
    }
    let Parts { fit, recalibrate, certify } = collection.applications;
    println!("{}", table(&certificate.fields, |_| String::new()));
    println!("{}", summary(&certificate));
    println!(
        "applications: {fit} fitted, {recalibrate} recalibrated, {certify} certified{}",
        left_out_of(&left_out)
    );
    println!("{}\n{}", calibration.path.display(), written.path.display());
    println!("A running service takes them up when it is started again.");
    Ok(())
}

fn left_out_of(skipped: &Skipped) -> String {
    let text = left_out(skipped);
    if text.is_empty() { text } else { format!("; left out{text}") }
}

/// Records that were not used, by reason; begins with a blank.
fn left_out(skipped: &Skipped) -> String {
    let Skipped { no_truth, duplicates, other_form, other_calibration, other_models } = *skipped;
    [
        (no_truth, "without truth or not read"),
        (duplicates, "duplicates"),
        (other_form, "of another version of the form"),
        (other_calibration, "read under a calibration that is not in use (read them again)"),
        (other_models, "of other models than the latest"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, why)| format!(" {count} {why}"))
    .collect::<Vec<_>>()
    .join(",")
}

/// `last` is a further column, left out where it is always empty.
fn table(fields: &[FieldCertificate], last: impl Fn(&FieldCertificate) -> String) -> Table {
    let notes: Vec<String> = fields.iter().map(last).collect();
    let noted = notes.iter().any(|note| !note.is_empty());
    let mut header = vec!["field", "", "n", "accepted", "errors", "bound", "coverage", "threshold"];
    if noted {
        header.push("");
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_HORIZONTAL_ONLY).set_header(header);
    for (field, note) in fields.iter().zip(notes) {
        let (accepted, errors, bound, coverage, threshold) = match field.verdict {
            Verdict::Certified { threshold, accepted, errors, bound, coverage } => {
                (accepted, errors, percent(bound), percent(coverage), format!("{threshold:.6}"))
            }
            Verdict::TooLittleEvidence { accepted, errors, missing } => {
                let missing = match missing {
                    // Known from the certifying readings themselves, it proves nothing.
                    0 => "not tested so strictly; certify on others".to_owned(),
                    missing => format!("needs {missing} more readings"),
                };
                (accepted, errors, "-".to_owned(), "-".to_owned(), missing)
            }
            Verdict::NotCalibrated { fit_missing, recalibrate_missing } => {
                let needs = [(fit_missing, "to fit"), (recalibrate_missing, "to recalibrate")];
                let needs = needs.into_iter().filter(|(missing, _)| *missing > 0);
                let needs: Vec<String> =
                    needs.map(|(missing, what)| format!("{missing} more {what}")).collect();
                let missing = format!("needs {}", needs.join(", "));
                (0, 0, "-".to_owned(), "-".to_owned(), missing)
            }
        };
        let mut row = vec![field.field.clone(), field.stratum.to_string(), field.readings.to_string()];
        row.extend([accepted.to_string(), errors.to_string(), bound, coverage, threshold]);
        if noted {
            row.push(note);
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(2).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

/// What a certificate says, in two lines.
fn summary(certificate: &Certificate) -> String {
    let certified = |field: &&FieldCertificate| matches!(field.verdict, Verdict::Certified { .. });
    let basis = match certificate.basis {
        Basis::Provisional => {
            "PROVISIONAL: it rests on simulated pages and accepts nothing without the operator's word"
        }
        Basis::Proven => "proven: it rests on readings of real mail that people judged",
    };
    format!(
        "{} of {} statements certified: fewer than {} of the accepted ones are wrong, each with {} confidence.\n{basis}.",
        certificate.fields.iter().filter(certified).count(),
        certificate.fields.len(),
        percent(certificate.target_risk),
        percent(certificate.confidence),
    )
}

fn status(common: &Common, settings: &Settings) -> anyhow::Result<()> {
    let folder = &settings.paths.calibration;
    let files = ScoreFiles::load(folder)?;
    let Some(certificate) = files.certificate else {
        if common.json {
            println!("{}", serde_json::json!({ "certificate": null }));
        } else {
            println!("There is no certificate in {}: every field goes to a person.", folder.display());
        }
        return Ok(());
    };
    let fits = files.calibration.is_some_and(|file| file.sha256 == certificate.content.calibration);
    let (standings, revocation) = with_database(common, async |database: &Database| {
        let standings = drift::standings(database, certificate.sha256).await?;
        Ok((standings, revocations::of(database, certificate.sha256).await?))
    })?;
    let standing = |field: &FieldCertificate| standings.iter().find(|standing| standing.key == field.key());
    if common.json {
        let watched: Vec<_> = standings.iter().map(standing_json).collect();
        let report = serde_json::json!({
            "certificate": certificate.sha256,
            "content": certificate.content,
            "fits_calibration": fits,
            "drift": watched,
            "revoked_at": revocation.map(|revocation| revocation.revoked_at),
        });
        println!("{report}");
        return Ok(());
    }
    let note = |field: &FieldCertificate| match standing(field) {
        Some(Standing { suspended_at: Some(at), .. }) => {
            format!("SUSPENDED {}", at.format("%Y-%m-%d %H:%M UTC"))
        }
        Some(Standing { windows, readings, .. }) => {
            format!("{windows} windows passed, {readings} readings open")
        }
        None => String::new(),
    };
    println!(
        "certificate {}, made {}",
        certificate.sha256,
        certificate.content.made_at.format("%Y-%m-%d %H:%M UTC")
    );
    println!("{}", table(&certificate.content.fields, note));
    println!("{}", summary(&certificate.content));
    if !fits {
        println!("It was made for another calibration than the one beside it: nothing is accepted.");
    }
    if let Some(revocation) = &revocation {
        let Breach { found, low, .. } = &revocation.breach;
        println!(
            "REVOKED {}: of {} second looks at {}, {} found an error; the rate is {:.4} or more. Nothing is accepted until there is a new certificate.",
            revocation.revoked_at.format("%Y-%m-%d %H:%M UTC"),
            found.judged,
            found.key,
            found.wrong,
            low,
        );
    }
    if standings.iter().any(|standing| standing.suspended_at.is_some()) {
        println!(
            "Confidences of suspended fields have shifted: nothing more of them is accepted until there is a new certificate."
        );
    }
    Ok(())
}

fn standing_json(standing: &Standing) -> serde_json::Value {
    serde_json::json!({
        "field": standing.key.field,
        "stratum": standing.key.stratum,
        "windows": standing.windows,
        "readings": standing.readings,
        "suspended_at": standing.suspended_at,
    })
}
