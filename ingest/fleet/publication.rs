//! A scan that was read, to captures, records and rows: what is there is looked at, the records are
//! built on it and written, and all of it commits, or nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::protocol::Loaded;
use super::work::{StoredPage, WorkError, Worker, identity};
use crate::application_id::ApplicationId;
use crate::check::{self, Circumstances};
use crate::form::Form;
use crate::identify::{Identification, UnassignedReason};
use crate::publish::{
    CaptureFacts, CapturedPage, Group, Provenance, Record, build_record, facing_application,
};
use crate::read::CopiesSeen;
use crate::review;
use crate::score::{Scoring, Suspended, Tally};
use crate::store::applications::{self, ApplicationState, ApplicationVersion};
use crate::store::captures::{CaptureId, CaptureState, RecordObject};
use crate::store::drift::{self, Watch};
use crate::store::jobs::Lease;
use crate::store::masking::PageMask;
use crate::store::pages::{PageOutcome, PageState};
use crate::store::publish::{CaptureChange, CaptureWrite, Extent, Publication, Published, commit};
use crate::store::scans::Scan;
use crate::store::sensitive_originals::remove_due;
use crate::store::{StoreError, register, revocations};

impl Worker {
    /// Builds the records of the scan's captures on what is there now, writes them, and commits.
    pub(super) async fn publish(
        &self,
        lease: &Lease,
        scan: &Scan,
        pages: &[StoredPage],
        groups: &[Group],
        extent: Extent,
    ) -> Result<Published, WorkError> {
        let mut ids: Vec<ApplicationId> = groups.iter().map(|group| group.application_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let states = applications::states(&self.database, &ids).await?;
        let households = register::households(&self.database, &ids).await?;
        let suspended = self.suspended().await?;
        let Loaded { models, calibration, .. } = self.readers.loaded();
        let rules = self.settings.check.rules(self.banks.as_deref());
        let mut tally = Tally::default();

        let captured: BTreeMap<u32, CapturedPage> = pages
            .iter()
            .filter_map(|page| Some((page.look.index, captured_page(scan, page, groups)?)))
            .collect();
        let mut captures: Vec<CaptureWrite> = Vec::new();
        let mut capture_of_page: BTreeMap<u32, CaptureId> = BTreeMap::new();
        for group in groups {
            let state = states.get(&group.application_id);
            let own: Vec<CapturedPage> =
                group.pages.iter().filter_map(|(_, index)| captured.get(index).cloned()).collect();
            let earlier = state.and_then(|state| capture_to_complete(state, scan, group, &captures));
            let first_index = group.pages.first().map_or(0, |&(_, index)| index);
            let (id, captured_at, change, others) = match earlier {
                Some(capture) => (
                    capture.id,
                    capture.captured_at,
                    CaptureChange::Completed { version: capture.version },
                    capture.pages.clone(),
                ),
                None => (
                    CaptureId::of(scan.sha256, group.application_id, first_index),
                    scan.arrived_at,
                    CaptureChange::New { captured_at: scan.arrived_at },
                    Vec::new(),
                ),
            };
            let duplicate = match earlier {
                Some(capture) => capture.duplicate_of.is_some(),
                None => {
                    state.is_some_and(|state| !state.captures.is_empty())
                        || captures.iter().any(|other| other.application_id == group.application_id)
                }
            };
            let own: Vec<CapturedPage> = others.into_iter().chain(own).collect();
            let form = self.forms.find(&group.form, &group.version).ok_or(StoreError::Refused(
                "a page was identified by a form that this worker does not have",
            ))?;
            let scoring = self.scorer.scoring(&models, calibration, form, &suspended);
            let facts = CaptureFacts {
                capture_id: id.to_string(),
                application_id: group.application_id,
                station: scan.station.clone(),
                batch: scan.batch.clone(),
                captured_at,
                taken_over: state.map_or(Vec::new(), |state| taken_over(state, id, &own)),
                circumstances: Circumstances {
                    household: households.get(&group.application_id).cloned(),
                    duplicate,
                    received_at: captured_at,
                },
                provenance: self.provenance(form, &scoring),
            };
            let record = build_record(form, own, facts, &scoring, &rules)
                .ok_or(StoreError::Refused("a capture has no pages"))?;
            tally_scan(&mut tally, &scoring, form, group, &record);
            let tasks = review::plan(&record, Some(form), duplicate, &self.settings.review);
            let has = |number: u32| record.pages.iter().any(|page| page.page == number);
            let missing = form.pages.iter().map(|page| page.number).filter(|&number| !has(number)).collect();
            let record = RecordObject::of(&record)?;
            self.objects.put(record.key(), record.bytes()).await?;
            capture_of_page.extend(group.pages.iter().map(|&(_, index)| (index, id)));
            captures.push(CaptureWrite {
                id,
                application_id: group.application_id,
                change,
                record,
                missing,
                tasks,
            });
        }

        let outcomes = outcomes(pages, captured, &capture_of_page);
        let expected: BTreeMap<ApplicationId, ApplicationVersion> =
            states.iter().map(|(&id, state)| (id, state.version)).collect();
        let masks: Vec<PageMask> = pages.iter().filter_map(|page| page.mask.clone()).collect();
        let seen = || pages.iter().filter_map(|page| page.copies.as_ref());
        let sensitive = seen().any(CopiesSeen::is_sensitive).then(|| self.sensitive_originals_kept());
        let publication = Publication {
            lease,
            sensitive,
            blacked_out: seen().map(CopiesSeen::blacked_out).sum(),
            masks: &masks,
            actor: &self.name,
            scan,
            pages: &outcomes,
            captures: &captures,
            expected: &expected,
            watch: self.scorer.certificate().map(|certificate| Watch {
                certificate,
                rule: certificate.content.drift_rule(&self.settings.score),
                tally: &tally,
                known_revoked: suspended.revoked,
            }),
        };
        let published = commit(&self.database, &publication, extent).await?;
        if published == Published::Committed {
            // An assigned page was counted with its scan.
            if extent == Extent::Scan {
                self.metrics.pages(&outcomes);
            }
            // What is not kept at all goes now; what cannot be reached now is tried again.
            if sensitive == Some(Duration::ZERO)
                && let Err(error) = remove_due(&self.database, &*self.objects, &self.name).await
            {
                tracing::warn!(scan = %scan.id, %error, "the original cannot be removed yet");
            }
        }
        Ok(published)
    }

    /// For how long an original with numbers that must not be kept is there: not at all where whoever
    /// reads the store's disks could read it.
    pub(super) fn sensitive_originals_kept(&self) -> Duration {
        match self.objects.encrypts_with() {
            Some(_) => self.settings.objects.sensitive_originals,
            None => Duration::ZERO,
        }
    }

    /// What the certificate in use accepts no more.
    async fn suspended(&self) -> Result<Suspended, StoreError> {
        let Some(certificate) = self.scorer.certificate() else { return Ok(Suspended::default()) };
        Ok(Suspended {
            revoked: revocations::of(&self.database, certificate.sha256).await?.is_some(),
            strata: drift::suspended(&self.database, certificate.sha256).await?,
        })
    }

    fn provenance(&self, form: &Form, scoring: &Scoring<'_>) -> Provenance {
        let loaded = self.readers.loaded();
        Provenance {
            software: loaded.software,
            form: form.digest,
            models: loaded.models,
            calibration: loaded.calibration,
            certificate: scoring.certificate_in_force(),
        }
    }
}

/// Counts what was scored of this scan's own pages: those that a capture had before were counted
/// with the scan that they came in.
fn tally_scan(tally: &mut Tally, scoring: &Scoring<'_>, form: &Form, group: &Group, record: &Record) {
    let pages = group.pages.iter().filter_map(|&(number, _)| form.page(number));
    for field in pages.flat_map(|page| &page.fields) {
        let Some(scored) = record.fields.get(&field.name) else { continue };
        let Some(ink) = scored.ink else { continue };
        scoring.tally(tally, &field.name, ink, scored.value.as_deref(), scored.confidence);
    }
}

/// The capture that these pages complete: one of the same station and batch that lacks them all,
/// and that no other group of this scan completes already.
fn capture_to_complete<'a>(
    state: &'a ApplicationState,
    scan: &Scan,
    group: &Group,
    taken: &[CaptureWrite],
) -> Option<&'a CaptureState> {
    state.captures.iter().find(|capture| {
        !capture.erased
            && capture.station == scan.station
            && capture.batch == scan.batch
            && !taken.iter().any(|other| other.id == capture.id)
            && capture.pages.iter().all(|page| group.lacks(&page.identity))
    })
}

/// What a form that was sent again lacks, of the captures before it, the newest first: a letter asks for the
/// page in question, and for no other.
fn taken_over(state: &ApplicationState, id: CaptureId, own: &[CapturedPage]) -> Vec<CapturedPage> {
    let Some(first) = own.first().map(|page| &page.identity) else { return Vec::new() };
    let issue = own.iter().find_map(|page| page.identity.issue);
    let Some(issue) = issue.filter(|issue| issue.letter().is_some()) else { return Vec::new() };
    let before: Vec<&CaptureState> = state.captures.iter().take_while(|capture| capture.id != id).collect();
    let mut taken: Vec<CapturedPage> = Vec::new();
    for page in before.iter().rev().filter(|capture| !capture.erased).flat_map(|capture| &capture.pages) {
        let identity = &page.identity;
        let is_older = identity.issue.is_none_or(|other| other < issue);
        let is_there = own.iter().chain(&taken).any(|there| there.identity.page == identity.page);
        if is_older && !is_there && (&identity.form, &identity.version) == (&first.form, &first.version) {
            taken.push(page.clone());
        }
    }
    taken
}

fn captured_page(scan: &Scan, page: &StoredPage, groups: &[Group]) -> Option<CapturedPage> {
    let identity = identity(&page.look)?.clone();
    let facing = facing_application(groups, page.look.index);
    Some(CapturedPage {
        sha256: scan.sha256,
        file: scan.file.clone(),
        findings: facing
            .map(|other| check::sides_disagree(identity.page, other))
            .into_iter()
            .chain(identity.carried_by.is_empty().then(|| check::assigned_by_hand(identity.page)))
            .collect(),
        identity,
        image: page.image.clone(),
        look: page.look.clone(),
        readings: page.readings.clone(),
        copies: page.copies.clone(),
    })
}

/// What becomes of every page: part of a capture by its own ID, blank, or waiting for a person.
fn outcomes(
    pages: &[StoredPage],
    mut captured: BTreeMap<u32, CapturedPage>,
    captures: &BTreeMap<u32, CaptureId>,
) -> Vec<PageOutcome> {
    let neighbours = |index: u32| {
        let at = |index: Option<u32>| Some(identity(&pages.get(index? as usize)?.look)?.application_id);
        [at(index.checked_sub(1)), at(index.checked_add(1))].into_iter().flatten().collect()
    };
    let unassigned = |page: &StoredPage, reason| PageState::Unassigned {
        image: page.image.clone(),
        reason,
        neighbours: neighbours(page.look.index),
    };
    let mut state = |page: &StoredPage| match &page.look.identification {
        Identification::Unassigned(UnassignedReason::NoSymbol) if page.look.blank => {
            PageState::Blank { image: Some(page.image.clone()) }
        }
        Identification::Unassigned(reason) => unassigned(page, *reason),
        Identification::Identified(_) => {
            let capture = captures.get(&page.look.index).zip(captured.remove(&page.look.index));
            match capture {
                Some((&capture, page)) => PageState::Captured { capture, page: Box::new(page) },
                None => unassigned(page, UnassignedReason::UnknownForm),
            }
        }
    };
    pages.iter().map(|page| PageOutcome { look: page.look.clone(), state: state(page) }).collect()
}
