//! The rows of applications: what they hold goes, and the objects that go with it are noted.

use serde_json::json;

use super::super::applications::{self, texts};
use super::super::error::query;
use super::super::events::{self, EventKind};
use super::super::{Database, StoreError};
use crate::application_id::ApplicationId;

/// Takes the rows of some applications away, in one transaction.
pub(super) async fn erase(
    database: &Database,
    number: i32,
    actor: &str,
    ids: &[ApplicationId],
) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    // A publication that is on its way finds the versions moved on, and looks again.
    applications::lock(&mut transaction, ids).await?;
    applications::advance(&mut transaction, ids).await?;
    for statement in STATEMENTS {
        sqlx::query(statement)
            .bind(number)
            .bind(texts(ids))
            .execute(&mut *transaction)
            .await
            .map_err(query("erase applications"))?;
    }
    for id in ids {
        let detail = json!({ "erasure": number });
        let subject = format!("application {id}");
        events::append(&mut transaction, actor, EventKind::ApplicationErased, &subject, detail).await?;
    }
    transaction.commit().await.map_err(query("commit an erasure"))
}

/// In this order, each with the erasure as $1 and the applications as $2: what is to go is noted before
/// its name is taken away.
const STATEMENTS: [&str; 11] = [
    "insert into erased_item (erasure, name)
     select $1::int, 'application/' || id from unnest($2::text[]) as id",
    // Pictures of pages and fields.
    "insert into erased_item (erasure, name)
     select $1::int, key from (
         select image_key as key from page join capture on capture.id = capture_id
         where capture.application_id = any($2) and page.erased_at is null
         union
         select reading ->> 'crop' from page join capture on capture.id = capture_id,
                json_array_elements(captured -> 'readings') as reading
         where capture.application_id = any($2) and page.erased_at is null
     ) as named where key is not null on conflict do nothing",
    // Every version of every record, as the events tell.
    "insert into erased_item (erasure, name)
     select distinct $1::int, format('record/%s/%s/%s.json', substr(sha256, 1, 2), substr(sha256, 3, 2), sha256)
     from (select detail ->> 'record_sha256' as sha256 from capture join event on subject = 'capture ' || capture.id
           where application_id = any($2) and erased_at is null) as told
     where sha256 is not null on conflict do nothing",
    "with gone as (
         update page set erased_at = now(), image_key = null, captured = null
         where erased_at is null
           and capture_id in (select id from capture where application_id = any($2) and erased_at is null)
         returning scan_id
     ), noted as (
         insert into erased_scan (erasure, scan_id) select distinct $1::int, scan_id from gone on conflict do nothing
     )
     update erasure set pages = pages + (select count(*) from gone) where number = $1",
    // Files of stations of which nothing is left that anybody needs, with their blank pages.
    "with whole as materialized (
         select scan.id, sha256 from erased_scan join scan on scan.id = scan_id
         where erasure = $1
           and exists (select from page join capture on capture.id = capture_id
                       where page.scan_id = scan.id and capture.application_id = any($2))
           and not exists (select from page where page.scan_id = scan.id and page.erased_at is null
                                              and page.state <> 'blank')
     ), blanks as materialized (
         select page.scan_id, page_index, image_key from page join whole on whole.id = page.scan_id
         where page.erased_at is null
     ), noted as (
         insert into erased_item (erasure, name)
         select $1::int, object_key from blob join whole using (sha256)
         union select $1::int, image_key from blanks where image_key is not null
         on conflict do nothing
     ), gone as (
         update blob set erased_at = now() from whole where blob.sha256 = whole.sha256
     ), nameless as (
         update scan set file = 'erased' from whole where scan.id = whole.id
     ), unknown as (
         update arrival set path = 'erased ' || arrival.id from whole where arrival.sha256 = whole.sha256
     )
     update page set erased_at = now(), image_key = null, look = null from blanks
     where page.scan_id = blanks.scan_id and page.page_index = blanks.page_index",
    "with gone as (
         update capture set erased_at = now(), record = null, record_key = null, record_sha256 = null
         where application_id = any($2) and erased_at is null returning id
     ), told as (
         update application set erased_at = now() where application_id = any($2)
     )
     update erasure set captures = captures + (select count(*) from gone),
                        applications = applications + cardinality($2)
     where number = $1",
    // Nobody is asked about it any more.
    "update task set state = 'withdrawn', holder = null, leased_until = null
     where application_id = any($2) and state = 'open' and $1::int is not null",
    // What was typed; that somebody had a hand in it stays.
    "delete from entry using task
     where task.id = entry.task_id and task.application_id = any($2) and $1::int is not null",
    "delete from escalation_message using task
     where task.id = escalation_message.task_id and task.application_id = any($2) and $1::int is not null",
    "with gone as (delete from field_decision where application_id = any($2) returning id)
     update erasure set decisions = decisions + (select count(*) from gone) where number = $1",
    "with gone as (delete from register where application_id = any($2) returning application_id)
     update erasure set households = households + (select count(*) from gone) where number = $1",
];
