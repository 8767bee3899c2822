//! Synthetic applications, made by the database itself: as many rows as real mail makes, in as many
//! tables, with slim documents. Constraints and indexes are kept; triggers are not fired.

use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use uketsuke::application_id::ApplicationId;

/// Of the first synthetic application, minus one.
pub const FIRST_SERIAL: u64 = 100_000_000_000;

/// Applications of one statement.
const CHUNK: u64 = 50_000;

/// As intake, a worker and their events leave them: one scan of two pages an application, a thousand
/// scans a batch, eight stations.
const STATEMENTS: [&str; 8] = [
    "insert into register (application_id, head_name, head_kana, postal_code, address, birth_date, members, amount)
     select pg_temp.id(n), '見本 太郎', 'ﾐﾎﾝ ﾀﾛｳ', '1000001', '東京都千代田区千代田一丁目', '1970-01-01', 2, 200000
     from generate_series($1::bigint, $2) as n",
    "insert into application (application_id, version)
     select pg_temp.id(n), 1 from generate_series($1::bigint, $2) as n",
    "insert into blob (sha256, bytes, object_key)
     select pg_temp.digest(n), 300000, 'original/' || encode(pg_temp.digest(n), 'hex')
     from generate_series($1::bigint, $2) as n",
    "insert into scan (id, sha256, station, batch, file, state, page_count, state_at) overriding system value
     select 1000000000 + n, pg_temp.digest(n), 's' || n % 8, 'b' || n / 1000, n || '.tif', 'done', 2,
            now() - interval '1 day'
     from generate_series($1::bigint, $2) as n",
    "insert into arrival (station, batch, path, occasion, sha256, modified_at, repeated)
     select 's' || n % 8, 'b' || n / 1000, n || '.tif', n::text, pg_temp.digest(n), now(), false
     from generate_series($1::bigint, $2) as n",
    "insert into capture (id, application_id, station, batch, seq, record, record_key, record_sha256, captured_at)
     select md5('capture ' || n)::uuid, pg_temp.id(n), 's' || n % 8, 'b' || n / 1000, 1, record::json,
            format('record/%s/%s/%s.json', substr(digest, 1, 2), substr(digest, 3, 2), digest),
            decode(digest, 'hex'), now()
     from (select n, record, encode(sha256(convert_to(record, 'UTF8')), 'hex') as digest
           from (select n, '{\"application_id\":\"' || pg_temp.id(n) || '\",\"disposition\":\"verify\"}' as record
                 from generate_series($1::bigint, $2) as n) as written) as digested",
    "insert into page (scan_id, page_index, state, capture_id, application_id, form, form_version, form_page,
                       image_key, captured)
     select 1000000000 + n, side, 'captured', md5('capture ' || n)::uuid, pg_temp.id(n), 'benefit-2020', '1',
            side + 1, format('page/%s/%s/%s.jpg', substr(digest, 1, 2), substr(digest, 3, 2), digest), '{}'
     from (select n, side, encode(sha256(('page ' || n || side)::bytea), 'hex') as digest
           from generate_series($1::bigint, $2) as n, generate_series(0, 1) as side) as sides",
    "insert into event (actor, kind, subject, detail)
     select 'load', kind, subject, detail from (
         select n, 1 as place, 'scan.arrived' as kind, 'scan ' || 1000000000 + n as subject,
                jsonb_build_object('station', 's' || n % 8) as detail
         from generate_series($1::bigint, $2) as n
         union all
         select n, 2, 'scan.published', 'scan ' || 1000000000 + n, '{\"attempt\":1,\"pages\":2}'
         from generate_series($1::bigint, $2) as n
         union all
         select n, 3, 'capture.created', 'capture ' || md5('capture ' || n)::uuid,
                jsonb_build_object('application_id', pg_temp.id(n))
         from generate_series($1::bigint, $2) as n
     ) as told order by n, place",
];

const FUNCTIONS: &str = "
    set session_replication_role = replica;
    set synchronous_commit = off;
    create function pg_temp.digest(n bigint) returns bytea immutable language sql
        return sha256(('scan ' || n)::bytea);
    create function pg_temp.id(n bigint) returns text immutable language sql as $$
        select payload || (10 - (
            3 * (substr(payload, 2, 1)::int + substr(payload, 4, 1)::int + substr(payload, 6, 1)::int
                 + substr(payload, 8, 1)::int + substr(payload, 10, 1)::int + substr(payload, 12, 1)::int)
            + substr(payload, 1, 1)::int + substr(payload, 3, 1)::int + substr(payload, 5, 1)::int
            + substr(payload, 7, 1)::int + substr(payload, 9, 1)::int + substr(payload, 11, 1)::int) % 10) % 10
        from (select (100000000000 + n)::text as payload) as serial
    $$;";

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
    sqlx::raw_sql(FUNCTIONS).execute(&mut connection).await?;
    let mut first = present + 1;
    while first <= wanted {
        let last = (first + CHUNK - 1).min(wanted);
        for statement in STATEMENTS {
            sqlx::query(statement)
                .bind(i64::try_from(first)?)
                .bind(i64::try_from(last)?)
                .execute(&mut connection)
                .await?;
        }
        eprintln!("{last} applications");
        first = last + 1;
    }
    sqlx::raw_sql("vacuum analyze").execute(&mut connection).await?;
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
