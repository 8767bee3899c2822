//! Takes away objects that no row names: what a killed or losing attempt has left behind.
//!
//! Originals are never swept: each is somebody's application.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::condemned::{self, Condemned};
use super::objects::{ObjectError, ObjectKey, ObjectKind, ObjectStore};
use super::references::Names;
use super::{Database, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepRule {
    /// Younger objects are left alone: their rows may still be on the way.
    pub older_than: Duration,
    /// Between the two steps.
    pub condemned_for: Duration,
    /// Nothing is changed, only counted.
    pub dry_run: bool,
}

/// What a sweep saw and did, in numbers of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Swept {
    /// In the store, originals left out.
    pub seen: u64,
    /// That no row names, too young ones among them.
    pub unnamed: u64,
    /// Condemned by this sweep, or by one that is no dry run.
    pub condemned: u64,
    /// Taken away, or due to be.
    pub removed: u64,
    /// Condemned earlier, and named or stored anew since.
    pub spared: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
}

const SWEPT: [ObjectKind; 3] = [ObjectKind::Page, ObjectKind::Crop, ObjectKind::Record];

/// Keys that are looked at together.
const CHUNK: u32 = 500;

/// Objects that are being taken away at a time: a publication that names one of them waits so long.
const REMOVED_TOGETHER: usize = 50;

/// Longer than a worker can hold a scan: after that nobody believes an object there that is gone.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Takes away what an earlier sweep condemned, then condemns what is unnamed and old enough.
pub async fn sweep(
    database: &Database,
    store: &dyn ObjectStore,
    actor: &str,
    rule: SweepRule,
) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    if rule.dry_run {
        swept.removed = condemned::count_due(database, rule.condemned_for).await?;
    } else {
        condemned::forget(database, REMEMBERED).await?;
        remove_condemned(database, store, actor, rule, &mut swept).await?;
    }
    condemn_unnamed(database, store, rule, &mut swept).await?;
    Ok(swept)
}

async fn remove_condemned(
    database: &Database,
    store: &dyn ObjectStore,
    actor: &str,
    rule: SweepRule,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let mut due = condemned::due(database, rule.condemned_for, None, CHUNK).await?;
    if due.is_empty() {
        return Ok(());
    }
    // What is named later lifts the condemnation, so that it is not marked below.
    let mut names = Names::gather(database).await?;
    while let Some(last) = due.last() {
        let after = last.key.clone();
        let keys: Vec<ObjectKey> = due.iter().map(|object| object.key.clone()).collect();
        let unnamed: HashSet<ObjectKey> = names.missing(&keys).await?.into_iter().collect();
        let (mut removable, mut spared) = (Vec::new(), Vec::new());
        for Condemned { key, modified_at } in due {
            match !unnamed.contains(&key) || is_younger(store, &key, modified_at).await? {
                true => spared.push(key),
                false => removable.push(key),
            }
        }
        condemned::spare(database, &spared).await?;
        swept.spared += spared.len() as u64;
        for keys in removable.chunks(REMOVED_TOGETHER) {
            let removing = condemned::begin_removal(database, keys).await?;
            for key in &removing {
                store.remove(key).await?;
            }
            condemned::removed(database, actor, &removing).await?;
            swept.removed += removing.len() as u64;
        }
        due = condemned::due(database, rule.condemned_for, Some(&after), CHUNK).await?;
    }
    Ok(())
}

/// Whether an object was stored again since; one that is gone was not.
async fn is_younger(
    store: &dyn ObjectStore,
    key: &ObjectKey,
    than: DateTime<Utc>,
) -> Result<bool, ObjectError> {
    match store.head(key).await {
        // In microseconds: the database keeps no more of what a file system says.
        Ok(head) => Ok(head.modified_at.timestamp_micros() > than.timestamp_micros()),
        Err(ObjectError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn condemn_unnamed(
    database: &Database,
    store: &dyn ObjectStore,
    rule: SweepRule,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let mut names = Names::gather(database).await?;
    let now = Utc::now();
    for kind in SWEPT {
        let mut keys: Vec<ObjectKey> = Vec::new();
        loop {
            keys = store.list(kind, keys.last(), CHUNK as usize).await?;
            if keys.is_empty() {
                break;
            }
            let unnamed = names.missing(&keys).await?;
            let mut old = Vec::new();
            for key in &unnamed {
                let modified_at = match store.head(key).await {
                    Ok(head) => head.modified_at,
                    // Another sweep was faster.
                    Err(ObjectError::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                };
                let age = now.signed_duration_since(modified_at).to_std().unwrap_or_default();
                if age >= rule.older_than {
                    old.push(Condemned { key: key.clone(), modified_at });
                }
            }
            swept.seen += keys.len() as u64;
            swept.unnamed += unnamed.len() as u64;
            swept.condemned += match rule.dry_run {
                true => old.len() as u64,
                false => condemned::condemn(database, &old).await?,
            };
        }
    }
    Ok(())
}
