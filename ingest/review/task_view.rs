//! A task as a person sees it: fields with their pictures, what was read where they may see it, and
//! the whole pages where they may see those.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::group::{self, GroupView};
use super::masking::{self, MaskingView};
use super::{Desk, DeskError, Role};
use crate::application_id::ApplicationId;
use crate::check::Finding;
use crate::form::{Field, FieldKind, Form, Forms};
use crate::publish::Record;
use crate::read::{CharacterReading, Evidence};
use crate::score::{Disposition, Reason};
use crate::store::captures::{self, CaptureId};
use crate::store::escalations::{self, Message};
use crate::store::field_decisions::Outcome;
use crate::store::known_answers;
use crate::store::page_decisions::{self, FormPageName, Neighbour, Origin};
use crate::store::register;
use crate::store::tasks::{About, Task, TaskId, TaskKind};
use crate::store::{Database, StoreError, entries};

/// A piece of work in a person's hands.
#[derive(Serialize, JsonSchema)]
pub(super) struct TaskView {
    #[schemars(with = "i64")]
    pub id: TaskId,
    /// Sent back with what ends or keeps the task.
    pub epoch: i32,
    pub kind: TaskKind,
    /// The task goes to somebody else when it is not renewed for so long.
    pub lease_seconds: u64,
    pub application_id: Option<ApplicationId>,
    /// Why the municipality is asked.
    pub reason: Option<String>,
    pub fields: Vec<FieldView>,
    /// Whole pages, for those who may see them.
    pub pages: Vec<PageView>,
    /// Of a duplicate: pages and values of the capture that came first.
    pub earlier: Option<EarlierView>,
    /// Of an escalation: the register's row and what was written.
    pub household: Option<HouseholdView>,
    /// Of an escalation and a duplicate.
    pub findings: Vec<Finding>,
    pub messages: Vec<Message>,
    /// Of a page without an ID: where it came from.
    pub origin: Option<OriginView>,
    /// Of a group: what all of its cells were read as, and their picture.
    pub group: Option<GroupView>,
    /// Of a page on which something was blacked out that could not be told.
    pub masking: Option<MaskingView>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FieldView {
    pub name: String,
    pub kind: KindView,
    pub cells: usize,
    pub options: Vec<String>,
    /// Where the field's picture is.
    pub picture: Option<String>,
    /// None for a blind key.
    pub machine: Option<MachineView>,
    /// What others keyed, for the person who adjudicates.
    pub keyed: Vec<EntryView>,
    /// What the person entered before they took the task back.
    pub entered: Option<EntryView>,
}

/// How a field is typed in.
#[derive(Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum KindView {
    Digits,
    Kana,
    Text,
    Mark,
    Signature,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MachineView {
    pub value: Option<String>,
    pub confidence: f64,
    pub disposition: Disposition,
    pub reasons: Vec<Reason>,
    pub characters: Vec<CharacterReading>,
    /// Of an escalation: what each source says of the field.
    pub evidence: Vec<Evidence>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct EntryView {
    pub outcome: String,
    pub value: Option<String>,
}

impl EntryView {
    pub fn of(outcome: &Outcome) -> Self {
        let (name, value) = outcome.parts();
        Self { outcome: name.to_owned(), value: value.map(str::to_owned) }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PageView {
    /// The form's page, from 1; of a scan the place in it, from 1.
    pub number: u32,
    pub picture: String,
    /// The page that the task is about, among its neighbours; of a duplicate those that came later.
    pub current: bool,
    /// Of a neighbour that carries its ID.
    pub application_id: Option<ApplicationId>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct EarlierView {
    pub captured_at: DateTime<Utc>,
    pub later_captured_at: DateTime<Utc>,
    pub pages: Vec<PageView>,
    /// Values of both captures by field, the earlier first.
    pub values: BTreeMap<String, [Option<String>; 2]>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct HouseholdView {
    pub head_name: String,
    pub head_kana: String,
    pub address: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct OriginView {
    pub station: String,
    pub batch: Option<String>,
    pub file: String,
    pub page: u32,
    pub reason: String,
    /// What it may be.
    pub form_pages: Vec<FormPageView>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FormPageView {
    pub title: String,
    #[serde(flatten)]
    pub name: FormPageName,
}

/// Whole pages show everything about a household: keyers see fields only.
pub(super) fn sees_pages(role: Role) -> bool {
    matches!(role, Role::Reviewer | Role::Supervisor | Role::Qa | Role::Municipality)
}

/// The record that stands for a capture now.
pub(super) async fn record(database: &Database, capture: CaptureId) -> Result<Record, DeskError> {
    let json = captures::record(database, capture).await?.ok_or(DeskError::NotFound)?;
    // The parser's message may repeat a piece of the document.
    serde_json::from_str(&json).map_err(|_| DeskError::Inside("a record cannot be read"))
}

pub(super) async fn view(
    desk: &Desk,
    role: Role,
    task: Task,
    entered: &BTreeMap<String, Outcome>,
) -> Result<TaskView, DeskError> {
    let mut view = TaskView {
        id: task.id,
        epoch: task.epoch,
        // Nobody is told that the answer is known.
        kind: if task.kind == TaskKind::Seed { TaskKind::Key } else { task.kind },
        lease_seconds: desk.settings.lease.as_secs(),
        application_id: None,
        reason: task.reason.clone(),
        fields: Vec::new(),
        pages: Vec::new(),
        earlier: None,
        household: None,
        findings: Vec::new(),
        messages: Vec::new(),
        origin: None,
        group: None,
        masking: None,
    };
    let task = match task.about {
        About::Seed => known_answers::about(&desk.database, task).await?,
        _ => task,
    };
    match task.about {
        About::Seed => {}
        About::Group => view.group = Some(group::view(desk, task.id).await?),
        About::Page { scan, index } if task.kind == TaskKind::Mask => {
            view.masking = Some(masking::view(desk, task.id, scan, index).await?);
        }
        About::Page { scan, index } => {
            let Origin { station, batch, file, reason } =
                page_decisions::origin(&desk.database, scan, index).await?;
            let form_pages = form_pages(&desk.forms);
            view.origin = Some(OriginView { station, batch, file, page: index + 1, reason, form_pages });
            let around = page_decisions::around(&desk.database, scan, index).await?;
            view.pages = around
                .iter()
                .enumerate()
                .map(|(place, page)| neighbour(task.id, place, page, index))
                .collect();
        }
        About::Capture { application_id, capture, fields } => {
            let record = record(&desk.database, capture).await?;
            let form = desk.forms.find(&record.form.id, &record.form.version);
            let keyed = match task.kind {
                TaskKind::Adjudicate => entries::keyed(&desk.database, capture).await?,
                _ => BTreeMap::new(),
            };
            let shown =
                Shown { task: task.id, kind: task.kind, record: &record, form, keyed: &keyed, entered };
            let mut fields: Vec<(usize, &String)> = fields.iter().enumerate().collect();
            // As they stand on the form: the eye goes down the page once.
            fields.sort_by_key(|(_, name)| form.and_then(|form| form_place(form, name)));
            view.fields = fields.into_iter().map(|(place, name)| shown.field(place, name)).collect();
            if sees_pages(role) {
                view.application_id = Some(application_id);
                view.pages = pages_of(task.id, &record, 0);
            }
            match task.kind {
                TaskKind::Duplicate => {
                    if let Some(first) = first_capture(desk, capture).await? {
                        // What was not sent again is the same on both sides.
                        for (page, read) in view.pages.iter_mut().zip(&record.pages) {
                            page.current = !first.pages.iter().any(|before| before.image == read.image);
                        }
                        view.earlier = Some(earlier(task.id, &first, &record));
                    }
                    view.findings = record.findings;
                }
                TaskKind::Escalation | TaskKind::Question => {
                    view.findings = record.findings;
                    view.messages = escalations::messages(&desk.database, task.id).await?;
                    view.household = household(&desk.database, application_id).await?;
                }
                _ => {}
            }
        }
    }
    Ok(view)
}

/// What fields are shown from.
struct Shown<'a> {
    task: TaskId,
    kind: TaskKind,
    record: &'a Record,
    form: Option<&'a Form>,
    keyed: &'a BTreeMap<String, Vec<Outcome>>,
    entered: &'a BTreeMap<String, Outcome>,
}

impl Shown<'_> {
    /// `place` is that among the task's fields, by which its picture is asked for.
    fn field(&self, place: usize, name: &str) -> FieldView {
        let field = self.form.and_then(|form| form_field(form, name));
        let read = self.record.fields.get(name);
        let machine = read
            .filter(|_| !matches!(self.kind, TaskKind::Key | TaskKind::Seed | TaskKind::Qa))
            .map(|read| MachineView {
                value: read.value.clone(),
                confidence: read.confidence,
                disposition: read.disposition,
                reasons: read.reasons.clone(),
                characters: read.characters.clone(),
                evidence: match self.kind {
                    TaskKind::Escalation | TaskKind::Question => read.evidence.clone(),
                    _ => Vec::new(),
                },
            });
        let keyed = self.keyed.get(name).map(|keyed| keyed.iter().map(EntryView::of).collect());
        FieldView {
            name: name.to_owned(),
            kind: match field.map_or(FieldKind::Text, |field| field.kind) {
                FieldKind::Digits => KindView::Digits,
                FieldKind::Kana => KindView::Kana,
                FieldKind::Text => KindView::Text,
                FieldKind::Mark => KindView::Mark,
                FieldKind::Signature => KindView::Signature,
            },
            cells: field.map_or(0, |field| field.cells.len()),
            options: field
                .map(|field| field.options.iter().map(|option| option.value.clone()).collect())
                .unwrap_or_default(),
            picture: read
                .and_then(|read| read.crop.as_ref())
                .map(|_| format!("/api/v1/tasks/{}/fields/{place}", self.task)),
            machine,
            keyed: keyed.unwrap_or_default(),
            entered: self.entered.get(name).map(EntryView::of),
        }
    }
}

fn form_pages(forms: &Forms) -> Vec<FormPageView> {
    let pages = forms.iter().flat_map(|form| form.pages.iter().map(move |page| (form, page.number)));
    pages
        .map(|(Form { id, version, title, .. }, page)| FormPageView {
            title: title.clone(),
            name: FormPageName { form: id.clone(), version: version.clone(), page },
        })
        .collect()
}

fn form_place(form: &Form, name: &str) -> Option<usize> {
    form.pages.iter().flat_map(|page| &page.fields).position(|field| field.name == name)
}

pub(super) fn form_field<'a>(form: &'a Form, name: &str) -> Option<&'a Field> {
    form.pages.iter().flat_map(|page| &page.fields).find(|field| field.name == name)
}

/// Pictures of a task's pages are numbered from `first` on.
fn pages_of(task: TaskId, record: &Record, first: usize) -> Vec<PageView> {
    let page = |(place, page): (usize, &crate::publish::RecordPage)| PageView {
        number: page.page,
        picture: format!("/api/v1/tasks/{task}/pages/{}", first + place),
        current: first == 0,
        application_id: None,
    };
    record.pages.iter().enumerate().map(page).collect()
}

fn neighbour(task: TaskId, place: usize, page: &Neighbour, current: u32) -> PageView {
    PageView {
        number: page.index + 1,
        picture: format!("/api/v1/tasks/{task}/pages/{place}"),
        current: page.index == current,
        application_id: page.application_id,
    }
}

/// The first capture of the application, whose pages are numbered behind those of the later one.
async fn first_capture(desk: &Desk, capture: CaptureId) -> Result<Option<Record>, DeskError> {
    let before = page_decisions::captures_before(&desk.database, capture).await?;
    match before.first() {
        Some(&first) => Ok(Some(record(&desk.database, first).await?)),
        None => Ok(None),
    }
}

fn earlier(task: TaskId, first: &Record, later: &Record) -> EarlierView {
    let value = |record: &Record, name: &str| record.fields.get(name).and_then(|field| field.value.clone());
    let names = first.fields.keys().chain(later.fields.keys());
    EarlierView {
        captured_at: first.captured_at,
        later_captured_at: later.captured_at,
        pages: pages_of(task, first, later.pages.len()),
        values: names.map(|name| (name.clone(), [value(first, name), value(later, name)])).collect(),
    }
}

async fn household(
    database: &Database,
    application: ApplicationId,
) -> Result<Option<HouseholdView>, StoreError> {
    let household = register::households(database, &[application]).await?.remove(&application);
    Ok(household.map(|household| HouseholdView {
        head_name: household.head_name,
        head_kana: household.head_kana,
        address: household.address,
    }))
}
