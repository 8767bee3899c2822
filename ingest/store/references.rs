//! The objects that rows name.

use super::error::{corrupt, query};
use super::objects::ObjectKey;
use super::{Database, StoreError};

/// A column that names objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Originals,
    PageImages,
    Records,
}

impl Source {
    pub const ALL: [Self; 3] = [Self::Originals, Self::PageImages, Self::Records];
}

/// Up to `limit` keys of a column in their order, each once: those behind `after`, which is empty at
/// first.
pub async fn named(
    database: &Database,
    source: Source,
    after: &str,
    limit: u32,
) -> Result<Vec<ObjectKey>, StoreError> {
    let statement = match source {
        Source::Originals => {
            "select object_key from blob where object_key > $1 and erased_at is null order by 1 limit $2"
        }
        Source::PageImages => "select distinct image_key from page where image_key > $1 order by 1 limit $2",
        Source::Records => {
            "select distinct record_key from capture where record_key > $1 order by 1 limit $2"
        }
    };
    let keys: Vec<String> = sqlx::query_scalar(statement)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(database.pool())
        .await
        .map_err(query("list the objects that rows name"))?;
    keys.iter().map(|key| key.parse().map_err(corrupt("key of an object"))).collect()
}
