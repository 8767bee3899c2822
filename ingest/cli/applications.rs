//! `uketsuke applications`: what may be paid, and what holds it back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::listed::{listed, listed_date};
use super::{Common, login_name, with_database};
use crate::application_id::ApplicationId;
use crate::approve::{StopReason, state};
use crate::check::FindingCode;
use crate::settings::Settings;
use crate::store::approvals::{self, Settled};
use crate::store::online_applications::{self, OnlineApplication, OnlineState};
use crate::store::payment_stops::{self, Placed};
use crate::store::{Database, application_facts, revocations, waivers};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Approve for payment whatever may be paid as it stands; of all applications, or of those named
    ///
    /// An application is approved when every field that says where its money goes was accepted under
    /// a certificate or decided by people, and no error is open. Running it again changes nothing.
    Approve {
        #[arg(value_name = "ID")]
        applications: Vec<ApplicationId>,
    },
    /// Show the state of an application, and what is in the way of its payment
    Show {
        #[arg(value_name = "ID")]
        application: ApplicationId,
    },
    /// Do not pay the household of an application until the stop is lifted
    Stop(Stop),
    /// Lift a stop
    Release(Stop),
    /// Lift every stop that the revocation of a certificate has placed: QA's errors are understood, and somebody
    /// answers for the others
    ReleaseCertificate {
        #[command(flatten)]
        by: By,
    },
    /// Answer for a finding that no field settles, such as missing_page
    Waive {
        #[arg(value_name = "ID")]
        application: ApplicationId,
        /// As records name it
        #[arg(value_name = "CODE", value_parser = finding_code)]
        code: FindingCode,
        #[command(flatten)]
        by: By,
    },
    /// Load the list of applications that came online: their households are not paid for a letter too
    ///
    /// CSV in UTF-8 with the columns application_id, state (received, paid, void) and received_on
    /// (2020-05-31); further columns are ignored. Loading a list again changes nothing.
    ImportOnline {
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct Stop {
    #[arg(value_name = "ID")]
    application: ApplicationId,
    /// withdrawn, declined, deceased, paid_elsewhere, applied_online, qa, lot, certificate or other
    #[arg(long, value_name = "REASON", value_parser = stop_reason)]
    reason: StopReason,
    #[command(flatten)]
    by: By,
}

/// Who acts.
#[derive(Debug, Args)]
pub(super) struct By {
    /// Who acts, as events name them; [default: the login name]
    #[arg(long = "by", value_name = "NAME")]
    name: Option<String>,
}

impl By {
    pub(super) fn name(self) -> anyhow::Result<String> {
        match self.name {
            Some(name) => Ok(name),
            None => login_name().context("this machine does not say who you are; name yourself with --by"),
        }
    }
}

fn stop_reason(name: &str) -> Result<StopReason, String> {
    let names: Vec<&str> = StopReason::ALL.iter().map(|reason| reason.name()).collect();
    StopReason::named(name).ok_or_else(|| format!("it is one of {}", names.join(", ")))
}

fn finding_code(name: &str) -> Result<FindingCode, String> {
    let value = serde_json::Value::String(name.to_owned());
    serde_json::from_value(value).map_err(|_| "no finding has this code; records name theirs".to_owned())
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Approve { applications } => approve(common, applications),
        Command::Show { application } => show(common, application),
        Command::Stop(stop) => place(common, stop),
        Command::Release(stop) => release(common, stop),
        Command::ReleaseCertificate { by } => release_certificate(common, &by.name()?),
        Command::Waive { application, code, by } => waive(common, application, code, &by.name()?),
        Command::ImportOnline { file, by } => import_online(common, &file, &by.name()?),
    }
}

/// Applications a transaction; a record has some 30 kB.
const CHUNK: i64 = 200;

/// What was done, by outcome; and how often each obstacle is in the way.
#[derive(Debug, Default, Serialize)]
struct Report {
    approved: u64,
    declined: u64,
    requested_before: u64,
    not_yet: u64,
    in_the_way: BTreeMap<String, u64>,
}

impl Report {
    fn add(&mut self, settled: BTreeMap<ApplicationId, Settled>) {
        for settled in settled.into_values() {
            match settled {
                Settled::Approved => self.approved += 1,
                Settled::Declined => self.declined += 1,
                Settled::Requested => self.requested_before += 1,
                Settled::NotYet(obstacles) => {
                    self.not_yet += 1;
                    for obstacle in obstacles {
                        *self.in_the_way.entry(obstacle.to_string()).or_default() += 1;
                    }
                }
            }
        }
    }
}

fn approve(common: &Common, applications: Vec<ApplicationId>) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let banks = super::banks(&settings)?;
    let rules = settings.check.rules(banks.as_ref());
    let limit = settings.check.households_per_account;
    let report = with_database(common, async |database: &Database| {
        let mut report = Report::default();
        if !applications.is_empty() {
            for chunk in applications.chunks(CHUNK as usize) {
                report.add(approvals::settle(database, chunk, &rules, limit, super::OPERATOR).await?);
            }
            return Ok(report);
        }
        let mut after = None;
        loop {
            let chunk = approvals::unapproved(database, after, CHUNK).await?;
            let Some(&last) = chunk.last() else { return Ok(report) };
            after = Some(last);
            report.add(approvals::settle(database, &chunk, &rules, limit, super::OPERATOR).await?);
        }
    })?;
    if common.json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    let Report { approved, declined, requested_before, not_yet, in_the_way } = report;
    println!(
        "{approved} approved, {declined} declined, {requested_before} requested before, {not_yet} not yet"
    );
    let mut in_the_way: Vec<(String, u64)> = in_the_way.into_iter().collect();
    in_the_way.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    in_the_way.iter().for_each(|(obstacle, count)| println!("{count:>8}  {obstacle}"));
    Ok(())
}

fn show(common: &Common, application: ApplicationId) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let banks = super::banks(&settings)?;
    let rules = settings.check.rules(banks.as_ref());
    let limit = settings.check.households_per_account;
    let (facts, settled) = with_database(common, async |database: &Database| {
        let paid_after_days = settings.public_page.paid_after_days;
        let facts = application_facts::of_application(database, application, paid_after_days).await?;
        Ok((facts, approvals::look(database, application, &rules, limit).await?))
    })?;
    let facts = facts.with_context(|| format!("application {application} is not in the register"))?;
    let state = state(&facts.facts);
    let public = state.public(&settings.public_page.further).sentence();
    let obstacles = match settled {
        Some(Settled::NotYet(obstacles)) => obstacles,
        _ => Vec::new(),
    };
    if common.json {
        let shown = serde_json::json!({
            "application_id": application,
            "state": state,
            "public": public,
            "changed_at": facts.changed_at,
            "stops": facts.facts.stops,
            "in_the_way": obstacles,
        });
        println!("{shown}");
        return Ok(());
    }
    println!("{application}: {} ({})", state.name(), public);
    facts.facts.stops.iter().for_each(|stop| println!("  stopped: {}", stop.name()));
    obstacles.iter().for_each(|obstacle| println!("  {obstacle}"));
    Ok(())
}

fn place(common: &Common, stop: Stop) -> anyhow::Result<()> {
    let by = stop.by.name()?;
    let placed = with_database(common, async |database: &Database| {
        Ok(payment_stops::place(database, stop.application, stop.reason, &by).await?)
    })?;
    let (told, too_late) = match placed {
        Placed::New => ("stopped", false),
        Placed::There => ("was stopped before", false),
        Placed::TooLate => ("stopped, but the bank was asked to pay before", true),
    };
    tell(common, stop.application, told);
    anyhow::ensure!(!too_late, "application {}: ask the bank to take the payment back", stop.application);
    Ok(())
}

fn release(common: &Common, stop: Stop) -> anyhow::Result<()> {
    let by = stop.by.name()?;
    let lifted = with_database(common, async |database: &Database| {
        Ok(payment_stops::lift(database, stop.application, stop.reason, &by).await?)
    })?;
    anyhow::ensure!(lifted, "application {} is not stopped as {}", stop.application, stop.reason.name());
    tell(common, stop.application, "released");
    Ok(())
}

fn release_certificate(common: &Common, by: &str) -> anyhow::Result<()> {
    let released = with_database(common, async |database: &Database| {
        Ok(revocations::release_households(database, by).await?)
    })?;
    if common.json {
        println!("{}", serde_json::json!({ "released": released }));
    } else {
        println!("{} households released", released.len());
    }
    Ok(())
}

fn waive(common: &Common, application: ApplicationId, code: FindingCode, by: &str) -> anyhow::Result<()> {
    let is_new = with_database(common, async |database: &Database| {
        Ok(waivers::waive(database, application, code, by).await?)
    })?;
    anyhow::ensure!(
        is_new,
        "application {application} has no capture, or the finding was answered for before"
    );
    tell(common, application, "the finding no longer holds it back");
    Ok(())
}

fn tell(common: &Common, application: ApplicationId, told: &str) {
    if common.json {
        println!("{}", serde_json::json!({ "application_id": application, "result": told }));
    } else {
        println!("{application}: {told}");
    }
}

fn import_online(common: &Common, path: &Path, by: &str) -> anyhow::Result<()> {
    let list = listed(path, ["application_id", "state", "received_on"], |[id, state, received_on]| {
        Ok(OnlineApplication {
            application: ApplicationId::parse(&id).context("application_id")?,
            state: OnlineState::named(&state).context("state is received, paid or void")?,
            received_on: listed_date(&received_on, "received_on")?,
        })
    })?;
    let imported = with_database(common, async |database: &Database| {
        Ok(online_applications::import(database, &list, by).await?)
    })?;
    if common.json {
        println!("{}", serde_json::to_string(&imported)?);
    } else {
        println!("{} added, {} changed, {} unchanged", imported.added, imported.changed, imported.unchanged);
    }
    let late = &imported.requested_before;
    anyhow::ensure!(
        late.is_empty(),
        "the bank was asked to pay before the list came; ask it to take back: {}",
        late.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}
