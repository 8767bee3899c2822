//! Synthetic applications, made by the database itself: as many rows as real mail makes, in as many
//! tables, with slim documents. Constraints and indexes are kept; triggers are not fired.

use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uketsuke::application_id::ApplicationId;

/// Of the first synthetic application, minus one.
pub const FIRST_SERIAL: u64 = 100_000_000_000;

/// Applications of one statement.
const CHUNK: u64 = 50_000;

/// As intake, a worker, people and their events leave them: one scan of two pages and one task an application,
/// a thousand scans a batch, eight stations. What is computed is computed once, in a table of the session.
const STATEMENTS: [&str; 11] = [
    "truncate chunk",
    "with numbered as materialized (
         select n, 100000000000 + n as payload from generate_series($1::bigint, $2) as n
     ), summed as materialized (
         select n, payload, (select sum(payload / (10::bigint ^ place)::bigint % 10 * case when place % 2 = 0 then 3 else 1 end)
                             from generate_series(0, 11) as place) as sum
         from numbered
     ), named as materialized (
         select n, payload::text || (10 - sum % 10) % 10 as id, sha256(('scan ' || n)::bytea) as content,
                md5('capture ' || n)::uuid as capture
         from summed
     ), recorded as materialized (
         select *, '{\"application_id\":\"' || id || '\",\"disposition\":\"verify\"}' as record from named
     ), digested as materialized (
         select *, sha256(record::bytea) as record_sha256 from recorded
     )
     insert into chunk
     select n, id, content, capture, record, record_sha256,
            's' || n % 8, 'b' || n / 1000, encode(record_sha256, 'hex')
     from digested",
    "insert into register (application_id, head_name, head_kana, postal_code, address, birth_date, members, amount)
     select id, '見本 太郎', 'ﾐﾎﾝ ﾀﾛｳ', '1000001', '東京都千代田区千代田一丁目', '1970-01-01', 2, 200000 from chunk",
    "insert into application (application_id, version) select id, 1 from chunk",
    "insert into blob (sha256, bytes, object_key)
     select content, 300000, 'original/' || encode(content, 'hex') from chunk",
    "insert into scan (id, sha256, station, batch, file, state, page_count, state_at) overriding system value
     select 1000000000 + n, content, station, batch, n || '.tif', 'done', 2, now() - interval '1 day' from chunk",
    "insert into arrival (station, batch, path, occasion, sha256, modified_at, repeated)
     select station, batch, n || '.tif', n::text, content, now(), false from chunk",
    "insert into capture (id, application_id, station, batch, seq, record, record_key, record_sha256, captured_at,
                          tasks_planned, qa_drawn)
     select capture, id, station, batch, 1, record::json,
            format('record/%s/%s/%s.json', substr(digest, 1, 2), substr(digest, 3, 2), digest), record_sha256,
            now(), true, true
     from chunk",
    "insert into page (scan_id, page_index, state, capture_id, application_id, form, form_version, form_page,
                       image_key, captured)
     select 1000000000 + n, side, 'captured', capture, id, 'benefit-2020', '1', side + 1,
            format('page/%s/%s/%s%s.jpg', substr(digest, 1, 2), side, substr(digest, 1, 63), side), '{}'
     from chunk, generate_series(0, 1) as side",
    // Of fifty tasks, one is open.
    "insert into task (kind, application_id, capture_id, fields, state, done_at, done_by)
     select 'verify', id, capture, '{phone}', case when n % 50 = 0 then 'open' else 'done' end,
            case when n % 50 = 0 then null else now() end, case when n % 50 = 0 then null else 'bench' end
     from chunk",
    "insert into event (actor, kind, subject, detail)
     select 'load', kind, subject, detail from (
         select n, 1 as place, 'scan.arrived' as kind, 'scan ' || 1000000000 + n as subject,
                jsonb_build_object('station', station) as detail
         from chunk
         union all
         select n, 2, 'scan.published', 'scan ' || 1000000000 + n, '{\"attempt\":1,\"pages\":2}' from chunk
         union all
         select n, 3, 'capture.created', 'capture ' || capture, jsonb_build_object('application_id', id) from chunk
     ) as told order by n, place",
];

/// Indexes that no constraint needs, with what makes them.
const INDEXES: &str = "
    select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
    where indrelid in ('register'::regclass, 'application'::regclass, 'blob'::regclass, 'scan'::regclass,
                       'arrival'::regclass, 'capture'::regclass, 'page'::regclass, 'task'::regclass,
                       'event'::regclass)
      and not indisunique and not exists (select from pg_constraint where conindid = indexrelid)";

const SESSION: &str = "
    set session_replication_role = replica;
    set synchronous_commit = off;
    set maintenance_work_mem = '512MB';
    insert into account (name, role, password_hash) values ('bench', 'keyer', '$argon2id$none')
        on conflict do nothing;
    create temp table chunk (n bigint, id text, content bytea, capture uuid, record text, record_sha256 bytea,
                             station text, batch text, digest text)";

/// The superuser of the private server.
pub async fn connect(data: &Path) -> anyhow::Result<PgConnection> {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(data.join("postgres/socket"))
        .username("uketsuke")
        .database("uketsuke");
    Ok(PgConnection::connect_with(&options).await?)
}

/// Adds applications until there are `wanted`, where `present` are there.
pub async fn load(data: &Path, present: u64, wanted: u64) -> anyhow::Result<()> {
    let mut connection = connect(data).await?;
    sqlx::raw_sql(SESSION).execute(&mut connection).await?;
    if present == wanted {
        return Ok(());
    }
    // What is loaded is not what is measured.
    for statement in ["alter system set max_wal_size = '16GB'", "select pg_reload_conf()"] {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    // Made anew when the rows are there, which is quicker.
    let indexes: Vec<(String, String)> = sqlx::query_as(INDEXES).fetch_all(&mut connection).await?;
    for (name, _) in &indexes {
        sqlx::query(AssertSqlSafe(format!("drop index {name}"))).execute(&mut connection).await?;
    }
    let mut first = present + 1;
    while first <= wanted {
        let last = (first + CHUNK - 1).min(wanted);
        for statement in STATEMENTS {
            let mut query = sqlx::query(statement);
            if statement.contains("$1") {
                query = query.bind(i64::try_from(first)?).bind(i64::try_from(last)?);
            }
            query.execute(&mut connection).await?;
        }
        eprintln!("{last} applications");
        first = last + 1;
    }
    for (_, definition) in indexes {
        sqlx::query(AssertSqlSafe(definition)).execute(&mut connection).await?;
    }
    for statement in
        ["vacuum analyze", "checkpoint", "alter system reset max_wal_size", "select pg_reload_conf()"]
    {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    Ok(())
}

/// A synthetic application; `place` from 1.
pub fn application(place: u64) -> Option<ApplicationId> {
    ApplicationId::from_serial(FIRST_SERIAL + place)
}

pub async fn database_mib(data: &Path) -> anyhow::Result<i64> {
    let mut connection = connect(data).await?;
    let statement = "select pg_database_size(current_database()) / 1048576";
    Ok(sqlx::query_scalar(statement).fetch_one(&mut connection).await?)
}
