//! What came out, beside what was dropped. The database is asked as any client would, over its
//! socket: this program must not be the one that keeps it alive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Row};
use uketsuke::digest::Sha256;

use crate::site::{Site, files_below};
use crate::stations::{Content, Dropped, UNFINISHED_FILES};

/// Everything that was dropped.
#[derive(Default)]
pub struct Ledger {
    pub dropped: Vec<Dropped>,
}

impl Ledger {
    pub fn add(&mut self, dropped: Vec<Dropped>) {
        self.dropped.extend(dropped);
    }

    /// Each content once.
    fn contents(&self) -> BTreeMap<Sha256, &Content> {
        self.dropped.iter().map(|dropped| (dropped.sha256, &dropped.content)).collect()
    }
}

/// What is wrong, a line each.
#[derive(Default)]
pub struct Verdict {
    pub lost: Vec<String>,
    pub duplicated: Vec<String>,
    pub unexplained: Vec<String>,
    /// What came out.
    pub scans: usize,
    pub quarantined: usize,
    pub pages: usize,
    pub captures: usize,
    pub objects: usize,
}

impl Verdict {
    pub fn is_wrong(&self) -> bool {
        !(self.lost.is_empty() && self.duplicated.is_empty() && self.unexplained.is_empty())
    }
}

/// The private database; none while it is away.
async fn connect(data: &Path) -> Option<PgConnection> {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(data.join("postgres/socket"))
        .username("uketsuke")
        .database("uketsuke");
    let connected = tokio::time::timeout(Duration::from_secs(5), PgConnection::connect_with(&options));
    connected.await.ok()?.ok()
}

/// Waits until nothing is left to be done; false if that takes longer than `limit`.
pub async fn settle(
    data: &Path,
    drop: &Path,
    ledger: &Ledger,
    mut supervise: impl FnMut(),
    limit: Duration,
) -> bool {
    let certain = |content: &&Content| **content != Content::NeverWhole;
    let expected = ledger.contents().into_values().filter(certain).count() as i64;
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        supervise();
        if files_below(drop) == UNFINISHED_FILES
            && let Some(mut connection) = connect(data).await
        {
            let counts = "select (select count(*) from scan), (select count(*) from job)";
            let counts: Result<(i64, i64), _> = sqlx::query_as(counts).fetch_one(&mut connection).await;
            if counts.is_ok_and(|(scans, jobs)| scans >= expected && jobs == 0) {
                return true;
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    false
}

/// How long a quiet fleet may take to begin with a scan, or to take one over.
const QUIET: Duration = Duration::from_secs(120);

/// The job that is in work, its attempt and its worker; none if it is done before it is seen.
pub async fn job_in_work(data: &Path) -> Option<(i64, i32, String)> {
    let statement = "select id, attempts, worker from job where worker is not null and visible_at > now()";
    poll(data, async |connection| sqlx::query_as(statement).fetch_optional(connection).await.ok().flatten())
        .await
}

/// Waits until a job has a further attempt, or is done.
pub async fn is_taken_over(data: &Path, job: i64, attempt: i32) -> bool {
    let taken = poll(data, async |connection| {
        let query = sqlx::query_scalar("select attempts from job where id = $1").bind(job);
        let attempts: Option<i32> = query.fetch_optional(connection).await.ok()?;
        attempts.is_none_or(|attempts| attempts > attempt).then_some(())
    });
    taken.await.is_some()
}

async fn poll<T>(data: &Path, mut question: impl AsyncFnMut(&mut PgConnection) -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + QUIET;
    while Instant::now() < deadline {
        let Some(mut connection) = connect(data).await else { continue };
        // A new connection costs more than a question.
        while Instant::now() < deadline {
            if let Some(answer) = question(&mut connection).await {
                return Some(answer);
            }
            if connection.ping().await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    None
}

/// A scan as the database has it.
struct ScanSeen {
    id: i64,
    state: String,
    page_count: Option<i32>,
    reason: Option<String>,
    /// States of its pages, by their indexes.
    pages: Vec<String>,
    captures: BTreeSet<String>,
    published: i64,
}

/// `objects` is where the object store keeps them as files, whoever serves them.
pub async fn judge(site: &Site, drop: &Path, objects: &Path, ledger: &Ledger) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(mut connection) = connect(&site.data()).await else {
        verdict.unexplained.push("the database does not answer".to_owned());
        return verdict;
    };
    let scans = scans(&mut connection).await;
    verdict.scans = scans.len();
    verdict.quarantined = scans.values().filter(|scan| scan.state == "quarantined").count();
    verdict.pages = scans.values().map(|scan| scan.pages.len()).sum();
    judge_contents(&mut verdict, ledger, &scans);
    judge_variants(&mut verdict, ledger, &scans);
    judge_rows(&mut verdict, &mut connection, ledger).await;
    judge_objects(&mut verdict, &mut connection, objects).await;
    judge_events(&mut verdict, site);
    match files_below(drop) {
        UNFINISHED_FILES => {}
        found => verdict.unexplained.push(format!(
            "{found} files lie in the drop folders, {UNFINISHED_FILES} of them will never be whole"
        )),
    }
    verdict
}

async fn scans(connection: &mut PgConnection) -> BTreeMap<Sha256, ScanSeen> {
    let statement = "select id, sha256, scan.state, page_count, reason,
            array(select page.state from page where scan_id = scan.id order by page_index) as pages,
            array(select distinct capture_id::text from page where scan_id = scan.id and capture_id is not null)
                as captures,
            (select count(*) from event where kind = 'scan.published' and subject = 'scan ' || scan.id)
                as published
        from scan";
    let rows = sqlx::query(statement).fetch_all(connection).await.expect("all scans");
    rows.iter()
        .map(|row| {
            let sha256: Vec<u8> = row.get("sha256");
            let seen = ScanSeen {
                id: row.get("id"),
                state: row.get("state"),
                page_count: row.get("page_count"),
                reason: row.get("reason"),
                pages: row.get("pages"),
                captures: row.get::<Vec<String>, _>("captures").into_iter().collect(),
                published: row.get("published"),
            };
            (Sha256::from_bytes(sha256.try_into().expect("32 bytes")), seen)
        })
        .collect()
}

/// Every content once, in the state that it must end in, with all its pages.
fn judge_contents(verdict: &mut Verdict, ledger: &Ledger, scans: &BTreeMap<Sha256, ScanSeen>) {
    let contents = ledger.contents();
    for (sha256, content) in &contents {
        let Some(scan) = scans.get(sha256) else {
            if **content != Content::NeverWhole {
                verdict.lost.push(format!("{content:?} ({sha256}) is nowhere"));
            }
            continue;
        };
        let (id, state) = (scan.id, scan.state.as_str());
        match (content, state) {
            (Content::Mail { pages, .. }, "done") => {
                let found = scan.pages.len();
                if found < *pages as usize {
                    verdict.lost.push(format!("scan {id} has {found} of the {pages} pages of {content:?}"));
                } else if found > *pages as usize || scan.page_count != i32::try_from(*pages).ok() {
                    verdict.duplicated.push(format!("scan {id} has {found} pages, {content:?} has {pages}"));
                }
                if scan.published != 1 {
                    let found = scan.published;
                    verdict.duplicated.push(format!("scan {id} was published {found} times"));
                }
            }
            (Content::Poison(_) | Content::CutOff | Content::NeverWhole, "quarantined") => {
                if scan.reason.as_ref().is_none_or(String::is_empty) || !scan.pages.is_empty() {
                    verdict
                        .unexplained
                        .push(format!("scan {id} is quarantined without a reason, or has pages"));
                }
            }
            _ => {
                let reason = scan.reason.as_deref().unwrap_or("no reason");
                verdict.unexplained.push(format!("scan {id}, {content:?}, ended {state}: {reason}"));
            }
        }
    }
    for (sha256, scan) in scans {
        if !contents.contains_key(sha256) {
            verdict.unexplained.push(format!("scan {} ({sha256}) was never dropped", scan.id));
        }
    }
}

/// The same picture in other bytes comes out the same: what of its pages became what, and how many
/// captures its sheets are.
fn judge_variants(verdict: &mut Verdict, ledger: &Ledger, scans: &BTreeMap<Sha256, ScanSeen>) {
    type Outcome = (Vec<Vec<String>>, usize);
    let mut sheets: BTreeMap<(&str, u64), Vec<Sha256>> = BTreeMap::new();
    for dropped in &ledger.dropped {
        if let Content::Mail { mail, variant, .. } = &dropped.content {
            let sheets = sheets.entry((mail, *variant)).or_default();
            if !sheets.contains(&dropped.sha256) {
                sheets.push(dropped.sha256);
            }
        }
    }
    let mut outcomes: BTreeMap<&str, BTreeMap<Outcome, Vec<u64>>> = BTreeMap::new();
    for ((mail, variant), sheets) in sheets {
        let seen: Vec<&ScanSeen> = sheets.iter().filter_map(|sha256| scans.get(sha256)).collect();
        let pages = seen.iter().map(|scan| scan.pages.clone()).collect();
        let captures: BTreeSet<&String> = seen.iter().flat_map(|scan| &scan.captures).collect();
        outcomes.entry(mail).or_default().entry((pages, captures.len())).or_default().push(variant);
    }
    for (mail, outcomes) in outcomes {
        if outcomes.len() > 1 {
            verdict.unexplained.push(format!("variants of mail {mail} came out differently: {outcomes:?}"));
        }
    }
}

/// What no scan alone shows.
async fn judge_rows(verdict: &mut Verdict, connection: &mut PgConnection, ledger: &Ledger) {
    let mut count = async |statement: &'static str| -> i64 {
        sqlx::query_scalar(statement).fetch_one(&mut *connection).await.expect("a count")
    };
    let arrivals = count("select count(*) from arrival where path <> 'half.png'").await;
    let certain = |dropped: &&Dropped| dropped.content != Content::NeverWhole;
    let dropped = ledger.dropped.iter().filter(certain).count() as i64;
    if arrivals < dropped {
        verdict.lost.push(format!("{dropped} files were dropped, {arrivals} arrived"));
    } else if arrivals > dropped {
        verdict.duplicated.push(format!("{dropped} files were dropped, {arrivals} arrived"));
    }
    let jobs = count("select count(*) from job").await;
    if jobs > 0 {
        verdict.unexplained.push(format!("{jobs} jobs are left"));
    }
    let stray =
        "select count(*) from capture where not exists (select from page where capture_id = capture.id)";
    let stray = count(stray).await;
    if stray > 0 {
        verdict.duplicated.push(format!("{stray} captures hold no page"));
    }
    let firsts = "select count(*) from (select application_id from capture where seq = 1
                  group by application_id having count(*) <> 1) as application";
    if count(firsts).await > 0 {
        verdict.duplicated.push("an application has several first captures".to_owned());
    }
    let unmatched = "select count(*) from job_dead full join scan on scan_id = scan.id
                     where (scan.state = 'quarantined') is distinct from (job_dead.id is not null)";
    let unmatched = count(unmatched).await;
    if unmatched > 0 {
        verdict.unexplained.push(format!("{unmatched} jobs were buried without their scan, or the reverse"));
    }
    verdict.captures = count("select count(*) from capture").await as usize;
}

/// Every object that a row names is there, and is what its key says.
async fn judge_objects(verdict: &mut Verdict, connection: &mut PgConnection, store: &Path) {
    let statement = "select object_key from blob union select image_key from page where image_key is not null
                     union select record_key from capture";
    let mut keys: BTreeSet<String> =
        sqlx::query_scalar(statement).fetch_all(&mut *connection).await.expect("keys").into_iter().collect();
    let records: Vec<Value> =
        sqlx::query_scalar("select record from capture").fetch_all(connection).await.expect("records");
    for record in &records {
        let pages = record["pages"].as_array().into_iter().flatten().map(|page| &page["image"]);
        let fields = record["fields"].as_object().into_iter().flatten().map(|(_, field)| &field["crop"]);
        keys.extend(pages.chain(fields).filter_map(Value::as_str).map(str::to_owned));
    }
    verdict.objects = keys.len();
    for key in keys {
        let name = key.rsplit('/').next().and_then(|name| name.split('.').next());
        match std::fs::read(store.join(&key)) {
            Err(error) => verdict.lost.push(format!("the object {key}: {error}")),
            Ok(bytes) if name != Some(Sha256::of(&bytes).to_string().as_str()) => {
                verdict.lost.push(format!("the object {key} holds other bytes"));
            }
            Ok(_) => {}
        }
    }
}

/// The chain of sealed events holds.
fn judge_events(verdict: &mut Verdict, site: &Site) {
    let verified = site.command(&["audit", "verify"]).output().expect("audit verify runs");
    if !verified.status.success() {
        let said = [verified.stdout, verified.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        verdict.unexplained.push(format!("the events: {}", said.concat().trim()));
    }
}
