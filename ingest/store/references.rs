//! The objects that rows name. What of a row names an object is said by the views `page_object` and
//! `record_object`; here everything is gathered, to be compared with what a store holds.

use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Row};

use super::error::{corrupt, query};
use super::objects::ObjectKey;
use super::{Database, StoreError};

/// Rows that one statement goes through; a page's row is some 20 kB.
const CHUNK: i64 = 2_000;

/// The keys of all objects that rows name: originals, pictures and every version of every record.
///
/// Lasts as long as the connection; nothing else is locked meanwhile.
pub struct Names {
    connection: PoolConnection<Postgres>,
}

impl Names {
    /// Goes through all scans, all pages and all events of captures, in many short statements.
    pub async fn gather(database: &Database) -> Result<Self, StoreError> {
        let doing = query("gather the names of objects");
        let mut connection = database.pool().acquire().await.map_err(&doing)?;
        // Of this session, so that another sweep has its own.
        for statement in [
            "drop table if exists pg_temp.named",
            "create temp table named (key text collate \"C\" not null)",
        ] {
            sqlx::query(statement).execute(&mut *connection).await.map_err(&doing)?;
        }
        let mut names = Self { connection };
        names.gather_originals().await.map_err(&doing)?;
        names.gather_pages().await.map_err(&doing)?;
        names.gather_records().await.map_err(&doing)?;
        for statement in ["create index on named (key)", "analyze named"] {
            sqlx::query(statement).execute(&mut *names.connection).await.map_err(&doing)?;
        }
        Ok(names)
    }

    async fn gather_originals(&mut self) -> Result<(), sqlx::Error> {
        let mut after = String::new();
        loop {
            let last: Option<String> = sqlx::query_scalar(
                "with chunk as materialized (
                     select object_key, erased_at from blob where object_key > $1 order by object_key limit $2
                 ), put as (
                     insert into named select object_key from chunk where erased_at is null
                 )
                 select max(object_key) from chunk",
            )
            .bind(after)
            .bind(CHUNK)
            .fetch_one(&mut *self.connection)
            .await?;
            let Some(last) = last else { return Ok(()) };
            after = last;
        }
    }

    async fn gather_pages(&mut self) -> Result<(), sqlx::Error> {
        let mut after = (0_i64, -1_i32);
        loop {
            let last = sqlx::query(
                "select scan_id, page_index from (
                     select scan_id, page_index from page
                     where (scan_id, page_index) > ($1, $2) order by scan_id, page_index limit $3
                 ) as chunk order by scan_id desc, page_index desc limit 1",
            )
            .bind(after.0)
            .bind(after.1)
            .bind(CHUNK)
            .fetch_optional(&mut *self.connection)
            .await?;
            let Some(last) = last else { return Ok(()) };
            let last = (last.try_get("scan_id")?, last.try_get("page_index")?);
            sqlx::query(
                "insert into named select key from page_object
                 where (scan_id, page_index) > ($1, $2) and (scan_id, page_index) <= ($3, $4)",
            )
            .bind(after.0)
            .bind(after.1)
            .bind(last.0)
            .bind(last.1)
            .execute(&mut *self.connection)
            .await?;
            after = last;
        }
    }

    async fn gather_records(&mut self) -> Result<(), sqlx::Error> {
        let mut after = 0_i64;
        loop {
            let last: Option<i64> = sqlx::query_scalar(
                "select max(id) from (select id from event where id > $1 order by id limit $2) as chunk",
            )
            .bind(after)
            .bind(CHUNK)
            .fetch_one(&mut *self.connection)
            .await?;
            let Some(last) = last else { return Ok(()) };
            sqlx::query(
                "insert into named select key from record_object where event_id > $1 and event_id <= $2",
            )
            .bind(after)
            .bind(last)
            .execute(&mut *self.connection)
            .await?;
            after = last;
        }
    }

    /// Those of `keys` that no row names.
    pub async fn missing(&mut self, keys: &[ObjectKey]) -> Result<Vec<ObjectKey>, StoreError> {
        sqlx::query_scalar(
            "select key from unnest($1::text[]) with ordinality as asked (key, place)
             where not exists (select from named where named.key = asked.key) order by place",
        )
        .bind(keys.iter().map(ToString::to_string).collect::<Vec<_>>())
        .fetch_all(&mut *self.connection)
        .await
        .map_err(query("compare the names of objects"))?
        .into_iter()
        .map(key)
        .collect()
    }

    /// Up to `limit` keys in their order, each once: those behind `after`.
    pub async fn list(
        &mut self,
        after: Option<&ObjectKey>,
        limit: u32,
    ) -> Result<Vec<ObjectKey>, StoreError> {
        sqlx::query_scalar("select distinct key from named where key > $1 order by key limit $2")
            .bind(after.map(ToString::to_string).unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(&mut *self.connection)
            .await
            .map_err(query("list the objects that rows name"))?
            .into_iter()
            .map(key)
            .collect()
    }
}

fn key(text: String) -> Result<ObjectKey, StoreError> {
    text.parse().map_err(corrupt("key of an object"))
}
