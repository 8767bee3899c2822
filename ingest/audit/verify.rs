//! Walks the chain of seals from its beginning and stops at the first thing that does not fit.

use serde::Serialize;

use super::seal::{Difference, Seal, SealHead};
use super::{Event, Export, Place};
use crate::store::{Database, StoreError, seals};

/// Seals fetched at once. Each holds at most some thousand events, which are fetched seal by seal.
const CHUNK: u32 = 100;

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("seal {number} is missing")]
    SealMissing { number: i64 },
    #[error("seal {number} does not follow from the seal before it")]
    Unchained { number: i64 },
    #[error("event {event} is not as seal {number} sealed it")]
    EventAltered { number: i64, event: i64 },
    #[error("event {event}, which seal {number} sealed, is gone")]
    EventRemoved { number: i64, event: i64 },
    #[error("event {event} was put among those of seal {number} after it was made")]
    EventInserted { number: i64, event: i64 },
    #[error("seal {number} was changed: its digest is not that of its events")]
    SealAltered { number: i64 },
    #[error("seal {number} is not the one that was exported")]
    NotAsExported { number: i64 },
}

/// How far the chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Seals that fit, from the first.
    pub seals: u64,
    /// Their events.
    pub events: u64,
    /// The last seal that fits.
    pub head: Option<SealHead>,
    /// Events behind it; known where the whole chain fits.
    pub unsealed: Option<u64>,
    #[serde(serialize_with = "message")]
    pub flaw: Option<Flaw>,
}

fn message<S: serde::Serializer>(flaw: &Option<Flaw>, serializer: S) -> Result<S::Ok, S::Error> {
    flaw.as_ref().map(ToString::to_string).serialize(serializer)
}

/// Compares every sealed event with its seal, every seal with the one before, and the chain with
/// what was exported of it. Runs beside a service at work; its memory is that of one seal.
pub async fn verify(database: &Database, exported: Option<&Export>) -> Result<Verified, StoreError> {
    let mut verified = Verified { seals: 0, events: 0, head: None, unsealed: None, flaw: None };
    loop {
        let after = verified.head.as_ref().map_or(0, |head| head.number);
        let seals = seals::after(database, after, CHUNK).await?;
        if seals.is_empty() {
            break;
        }
        for seal in seals {
            let start = verified.head.as_ref().map_or(Place::START, |head| head.through);
            let events = seals::events(database, start, seal.head.through).await?;
            let flaw = flaw(verified.head.as_ref(), &seal, &events)
                .or_else(|| exported.and_then(|export| differs(export, &seal.head)));
            if flaw.is_some() {
                verified.flaw = flaw;
                return Ok(verified);
            }
            verified.seals += 1;
            verified.events += seal.head.events;
            verified.head = Some(seal.head);
        }
    }
    let last = verified.head.as_ref().map_or(0, |head| head.number);
    // Seals taken off the end leave a chain that fits in itself.
    let missing = exported.into_iter().flat_map(|export| &export.seals).map(|head| head.number);
    verified.flaw = missing.filter(|number| *number > last).min().map(|number| Flaw::SealMissing { number });
    let place = verified.head.as_ref().map_or(Place::START, |head| head.through);
    verified.unsealed = Some(seals::unsealed(database, place).await?);
    Ok(verified)
}

fn flaw(previous: Option<&SealHead>, seal: &Seal, events: &[Event]) -> Option<Flaw> {
    let number = seal.head.number;
    let expected = previous.map_or(1, |previous| previous.number + 1);
    if number != expected {
        return Some(Flaw::SealMissing { number: expected });
    }
    let before = previous.map_or([0; 32], |previous| *previous.digest.as_bytes());
    if *seal.head.previous.as_bytes() != before {
        return Some(Flaw::Unchained { number });
    }
    if let Some(difference) = seal.first_difference(events) {
        return Some(match difference {
            Difference::Altered(event) => Flaw::EventAltered { number, event },
            Difference::Removed(event) => Flaw::EventRemoved { number, event },
            Difference::Inserted(event) => Flaw::EventInserted { number, event },
        });
    }
    (seal.head.digest_with(events) != seal.head.digest).then_some(Flaw::SealAltered { number })
}

fn differs(export: &Export, head: &SealHead) -> Option<Flaw> {
    let exported = export.seals.iter().find(|exported| exported.number == head.number)?;
    (exported.digest != head.digest).then_some(Flaw::NotAsExported { number: head.number })
}
