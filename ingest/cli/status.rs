//! `uketsuke status`: what an operator asks first.

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::{Common, with_database};
use crate::digest::Sha256;
use crate::score::{Basis, ScoreFiles};
use crate::settings::Settings;
use crate::store::seals;
use crate::store::standing::{self, Rate, Standing};
use crate::store::{Database, drift, revocations};

/// Show how things stand: backlog, speed, quarantine, space, certificate, seals
#[derive(Debug, Args)]
pub(super) struct Arguments {}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    standing: Standing,
    last_minute: Rate,
    last_hour: Rate,
    data_free_bytes: u64,
    certificate: Option<Certificate>,
    newest_seal: Option<NewestSeal>,
}

#[derive(Debug, Serialize)]
struct Certificate {
    sha256: Sha256,
    basis: Basis,
    /// Made for the calibration beside it; another one accepts nothing.
    fits_calibration: bool,
    accepts: bool,
    /// QA found more errors than it promises.
    revoked: bool,
    /// Fields that it accepts nothing more of.
    suspended: usize,
}

#[derive(Debug, Serialize)]
struct NewestSeal {
    number: i64,
    sealed_at: DateTime<Utc>,
    digest: Sha256,
}

pub(super) fn run(common: &Common, _: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let report =
        with_database(common, async |database: &Database| report(common, &settings, database).await)?;
    if common.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", table(&report));
    }
    Ok(())
}

async fn report(common: &Common, settings: &Settings, database: &Database) -> anyhow::Result<Report> {
    let files = ScoreFiles::load(&settings.paths.calibration)?;
    let certificate = match files.certificate {
        None => None,
        Some(file) => {
            let calibration = files.calibration.map(|calibration| calibration.sha256);
            let fits_calibration = calibration == Some(file.content.calibration);
            let enough = file.content.basis == Basis::Proven || settings.score.accept_provisional;
            let revoked = revocations::of(database, file.sha256).await?.is_some();
            Some(Certificate {
                sha256: file.sha256,
                basis: file.content.basis,
                fits_calibration,
                accepts: fits_calibration && enough && !revoked,
                revoked,
                suspended: drift::suspended(database, file.sha256).await?.len(),
            })
        }
    };
    let newest = seals::newest(database, 1).await?.pop();
    Ok(Report {
        standing: standing::standing(database).await?,
        last_minute: standing::rate(database, 60.0).await?,
        last_hour: standing::rate(database, 3600.0).await?,
        data_free_bytes: super::free_bytes(&common.data)
            .with_context(|| format!("{}: free space", common.data.display()))?,
        certificate,
        newest_seal: newest.map(|head| NewestSeal {
            number: head.number,
            sealed_at: head.sealed_at,
            digest: head.digest,
        }),
    })
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for (what, is) in rows(report) {
        table.add_row([what, is]);
    }
    table
}

fn rows(report: &Report) -> Vec<(String, String)> {
    let Report { standing, last_minute, last_hour, data_free_bytes, certificate, newest_seal } = report;
    let mut rows = Vec::new();
    let mut row = |what: &str, is: String| rows.push((what.to_owned(), is));
    if standing.queues.is_empty() {
        row("backlog", "nothing waits".to_owned());
    }
    for queue in &standing.queues {
        let oldest = queue.oldest_s.map(|age| format!("; oldest {}", duration(age))).unwrap_or_default();
        let overdue = if queue.overdue > 0 { format!(", {} OVERDUE", queue.overdue) } else { String::new() };
        let dead = if queue.dead > 0 { format!(", {} given up", queue.dead) } else { String::new() };
        let counts = format!("{} ready, {} working, {} pausing", queue.ready, queue.working, queue.pausing);
        row(&format!("backlog: {}", queue.kind), format!("{counts}{overdue}{dead}{oldest}"));
    }
    for (what, rate) in [("last minute", last_minute), ("last hour", last_hour)] {
        row(what, format!("{} scans, {} pages read", rate.scans, rate.pages));
    }
    let quarantined = match standing.scans_quarantined {
        0 => "nothing".to_owned(),
        count => format!("{count} scans; see `uketsuke quarantine list`"),
    };
    row("quarantine", quarantined);
    row("unassigned", format!("{} pages", standing.pages_unassigned));
    row("free disk", format!("{:.1} GiB", *data_free_bytes as f64 / f64::from(1 << 30)));
    row(
        "certificate",
        certificate.as_ref().map_or("none: every field goes to a person".to_owned(), of_certificate),
    );
    let seals = match newest_seal {
        None => "none yet".to_owned(),
        Some(NewestSeal { number, sealed_at, .. }) => {
            format!("{number}, the last of {}", sealed_at.format("%Y-%m-%d %H:%M:%S UTC"))
        }
    };
    let waiting = match (standing.events_unsealed, standing.oldest_unsealed_s) {
        (0, _) | (_, None) => String::new(),
        (count, Some(age)) => format!("; {count} events wait, the oldest for {}", duration(age)),
    };
    row("seals", seals + &waiting);
    rows
}

fn of_certificate(certificate: &Certificate) -> String {
    let basis = match certificate.basis {
        Basis::Proven => "proven",
        Basis::Provisional => "PROVISIONAL",
    };
    let accepts = match (certificate.fits_calibration, certificate.accepts) {
        _ if certificate.revoked => "REVOKED, accepts nothing: QA found more errors than it promises",
        (false, _) => "accepts nothing: it was made for another calibration",
        (true, false) => "accepts nothing: it rests on simulated pages",
        (true, true) => "accepts",
    };
    let suspended = match certificate.suspended {
        0 => String::new(),
        count => format!("; {count} fields SUSPENDED, see `uketsuke calibrate status`"),
    };
    let name = certificate.sha256.to_string();
    format!("{}…, {basis}, {accepts}{suspended}", &name[..12])
}

/// In the two largest units.
fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoked_certificate_is_told_before_all() {
        let certificate = |revoked: bool| Certificate {
            sha256: Sha256::of(b"certificate"),
            basis: Basis::Proven,
            fits_calibration: true,
            accepts: !revoked,
            revoked,
            suspended: 0,
        };
        assert!(of_certificate(&certificate(true)).contains("REVOKED, accepts nothing"));
        assert!(of_certificate(&certificate(false)).ends_with("proven, accepts"));
    }

    #[test]
    fn a_duration_is_told_in_two_units() {
        for (seconds, told) in [
            (-1.0, "0 s"),
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (7_260.0, "2 h 1 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(duration(seconds), told);
        }
    }
}
