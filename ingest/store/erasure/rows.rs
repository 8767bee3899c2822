//! The rows of applications and of scans: what they hold goes, and the objects that go with it are noted.

use serde_json::json;
use sqlx::PgConnection;

use super::super::applications::{self, texts};
use super::super::error::query;
use super::super::events::{self, EventKind};
use super::super::scans::ScanId;
use super::super::{Database, StoreError};
use crate::application_id::ApplicationId;

/// Takes the rows of some applications away, in one transaction.
pub(super) async fn erase_applications(
    database: &Database,
    number: i32,
    actor: &str,
    ids: &[ApplicationId],
) -> Result<(), StoreError> {
    let doing = query("erase applications");
    let mut transaction = database.begin().await?;
    // A publication that is on its way finds the versions moved on, and looks again.
    applications::advance(&mut transaction, ids).await?;
    for statement in NOTE_OF_APPLICATIONS {
        let done = sqlx::query(statement).bind(number).bind(texts(ids)).execute(&mut *transaction);
        done.await.map_err(&doing)?;
    }
    let scans: Vec<i64> = sqlx::query_scalar(PAGES_OF_APPLICATIONS)
        .bind(number)
        .bind(texts(ids))
        .fetch_all(&mut *transaction)
        .await
        .map_err(&doing)?;
    erase_whole(&mut transaction, number, &scans).await?;
    for statement in COUNTED_OF_APPLICATIONS {
        let done = sqlx::query(statement).bind(number).bind(texts(ids)).execute(&mut *transaction);
        done.await.map_err(&doing)?;
    }
    for statement in WORK_OF_APPLICATIONS {
        let done = sqlx::query(statement).bind(texts(ids)).execute(&mut *transaction);
        done.await.map_err(&doing)?;
    }
    for id in ids {
        let detail = json!({ "erasure": number });
        let subject = format!("application {id}");
        events::append(&mut transaction, actor, EventKind::ApplicationErased, &subject, detail).await?;
    }
    transaction.commit().await.map_err(query("commit an erasure"))
}

/// What is to go is noted before its name is taken away: $1 the erasure, $2 the applications.
const NOTE_OF_APPLICATIONS: [&str; 4] = [
    "insert into erased_item (erasure, name)
     select $1, 'application/' || id from unnest($2::text[]) as id",
    // Pictures of pages and fields; of pages that a person has assigned, too.
    "insert into erased_item (erasure, name)
     select $1, key from page_object where (scan_id, page_index) in (
         select scan_id, page_index from page join capture on capture.id = capture_id
         where capture.application_id = any($2)
         union all
         select scan_id, page_index from page_decision where application_id = any($2)
     ) on conflict do nothing",
    "insert into erased_item (erasure, name)
     select $1, object_key from unmasked_page where removed_at is null and (scan_id, page_index) in (
         select scan_id, page_index from page join capture on capture.id = capture_id
         where capture.application_id = any($2)
         union all
         select scan_id, page_index from page_decision where application_id = any($2)
     ) on conflict do nothing",
    "insert into erased_item (erasure, name)
     select $1, key from record_object where application_id = any($2) on conflict do nothing",
];

/// Empties the pages; the scans that they are of. $1 the erasure, $2 the applications.
const PAGES_OF_APPLICATIONS: &str = "
    with gone as (
        update page set erased_at = now(), image_key = null, captured = null, look = null, unassigned_reason = null,
                        neighbours = '{}'
        where erased_at is null and (scan_id, page_index) in (
            select scan_id, page_index from page join capture on capture.id = capture_id
            where capture.application_id = any($2) and capture.erased_at is null
            union all
            select scan_id, page_index from page_decision where application_id = any($2)
        )
        returning scan_id
    ), noted as (
        insert into erased_scan (erasure, scan_id) select distinct $1::int, scan_id from gone on conflict do nothing
    ), counted as (
        update erasure set pages = pages + (select count(*) from gone) where number = $1
    )
    select distinct scan_id from gone";

/// $1 the erasure, $2 the applications.
const COUNTED_OF_APPLICATIONS: [&str; 3] = [
    "with gone as (
         update capture set erased_at = now(), record = null, record_key = null, record_sha256 = null
         where application_id = any($2) and erased_at is null returning id
     ), told as (
         update application set erased_at = now() where application_id = any($2)
     )
     update erasure set captures = captures + (select count(*) from gone),
                        applications = applications + cardinality($2)
     where number = $1",
    "with gone as (delete from field_decision where application_id = any($2) returning id)
     update erasure set decisions = decisions + (select count(*) from gone) where number = $1",
    "with gone as (delete from register where application_id = any($2) returning application_id)
     update erasure set households = households + (select count(*) from gone) where number = $1",
];

/// $1 the applications. What was typed goes; that somebody had a hand in it stays.
const WORK_OF_APPLICATIONS: [&str; 4] = [
    // Nobody is asked about it any more.
    "update task set state = 'withdrawn', holder = null, leased_until = null
     where application_id = any($1) and state = 'open'",
    // Characters, and where their pictures are.
    "delete from doubtful_cell using capture where capture.id = doubtful_cell.capture_id and application_id = any($1)",
    "delete from entry using task where task.id = entry.task_id and task.application_id = any($1)",
    "delete from escalation_message using task
     where task.id = escalation_message.task_id and task.application_id = any($1)",
];

/// Takes away what some scans hold that is nobody's application: their pages that nobody could assign, and all of
/// those in quarantine.
pub(super) async fn erase_scans(
    database: &Database,
    number: i32,
    actor: &str,
    scans: &[ScanId],
) -> Result<(), StoreError> {
    let doing = query("erase scans");
    let mut transaction = database.begin().await?;
    // One that was put back to be read meanwhile is left alone; one that is to be put back waits here.
    let scans: Vec<i64> = sqlx::query_scalar(
        "select id from scan where id = any($1) and state <> 'waiting' and erased_at is null order by id for update",
    )
    .bind(scans.iter().map(|scan| scan.0).collect::<Vec<_>>())
    .fetch_all(&mut *transaction)
    .await
    .map_err(&doing)?;
    for statement in NOTE_OF_SCANS {
        let done = sqlx::query(statement).bind(number).bind(&scans).execute(&mut *transaction);
        done.await.map_err(&doing)?;
    }
    erase_whole(&mut transaction, number, &scans).await?;
    for statement in WORK_OF_SCANS {
        let done = sqlx::query(statement).bind(&scans).execute(&mut *transaction);
        done.await.map_err(&doing)?;
    }
    for scan in scans {
        let detail = json!({ "erasure": number });
        let subject = format!("scan {scan}");
        events::append(&mut transaction, actor, EventKind::ScanErased, &subject, detail).await?;
    }
    transaction.commit().await.map_err(query("commit an erasure"))
}

/// $1 the erasure, $2 the scans, which are locked.
const NOTE_OF_SCANS: [&str; 4] = [
    "with noted as (
         insert into erased_item (erasure, name) select $1, 'scan/' || id from unnest($2::bigint[]) as id
     ), left_over as (
         insert into erased_scan (erasure, scan_id) select $1, id from unnest($2) as id on conflict do nothing
     )
     update erasure set scans = scans + cardinality($2) where number = $1",
    "insert into erased_item (erasure, name)
     select $1, image_key from page where scan_id = any($2) and state = 'unassigned' and image_key is not null
     on conflict do nothing",
    // Of readings that came to nothing, too.
    "insert into erased_item (erasure, name)
     select $1, object_key from unmasked_page as u
     where u.scan_id = any($2) and removed_at is null
       and not exists (select from page where page.scan_id = u.scan_id and page.page_index = u.page_index
                                          and page.state <> 'unassigned')
     on conflict do nothing",
    "with gone as (
         update page set erased_at = now(), image_key = null, look = null, unassigned_reason = null,
                         neighbours = '{}'
         where scan_id = any($2) and state = 'unassigned' and erased_at is null returning scan_id
     )
     update erasure set pages = pages + (select count(*) from gone) where number = $1",
];

/// $1 the scans.
const WORK_OF_SCANS: [&str; 2] = [
    "update task set state = 'withdrawn', holder = null, leased_until = null
     where scan_id = any($1) and state = 'open' and kind = 'page'",
    "delete from job_dead where scan_id = any($1)",
];

/// Of these scans, those of which nothing is left that anybody needs go as a whole: the file, its name, and its
/// blank pages.
async fn erase_whole(connection: &mut PgConnection, number: i32, scans: &[i64]) -> Result<(), StoreError> {
    sqlx::query(
        "with whole as materialized (
             select id, sha256 from scan
             where id = any($2)
               and not exists (select from page where page.scan_id = scan.id and page.erased_at is null
                                                  and page.state <> 'blank')
         ), blanks as materialized (
             select page.scan_id, page_index, image_key from page join whole on whole.id = page.scan_id
             where page.erased_at is null
         ), noted as (
             insert into erased_item (erasure, name)
             select $1, object_key from blob join whole using (sha256)
             union select $1, image_key from blanks where image_key is not null
             on conflict do nothing
         ), gone as (
             update blob set erased_at = now() from whole where blob.sha256 = whole.sha256
         ), nameless as (
             update scan set erased_at = now(), file = 'erased',
                             reason = case when state = 'quarantined' then 'erased' end
             from whole where scan.id = whole.id
         ), unknown as (
             update arrival set path = 'erased ' || arrival.id from whole where arrival.sha256 = whole.sha256
         )
         update page set erased_at = now(), image_key = null, look = null from blanks
         where page.scan_id = blanks.scan_id and page.page_index = blanks.page_index",
    )
    .bind(number)
    .bind(scans)
    .execute(connection)
    .await
    .map_err(query("erase files of stations"))
    .map(drop)
}
