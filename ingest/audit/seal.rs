//! What a seal holds, and what its digest is made of. Values in, values out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::digest::Sha256;

/// Where an event stands among all. In this order events are sealed: epochs of the server, then
/// transactions, then IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub epoch: i32,
    pub xid: i64,
    pub id: i64,
}

impl Place {
    /// Before every event.
    pub const START: Self = Self { epoch: i32::MIN, xid: i64::MIN, id: i64::MIN };
}

/// An event as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub place: Place,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub kind: String,
    pub subject: String,
    /// JSON, as PostgreSQL writes it.
    pub detail: String,
}

impl Event {
    /// Over every column. Lengths stand before texts, so that no two events are digested alike.
    pub fn digest(&self) -> Sha256 {
        let Self { place: Place { epoch, xid, id }, at, actor, kind, subject, detail } = self;
        let mut hasher = sha2::Sha256::new();
        hasher.update(b"uketsuke event 1\n");
        hasher.update(epoch.to_be_bytes());
        for number in [*xid, *id, at.timestamp_micros()] {
            hasher.update(number.to_be_bytes());
        }
        for text in [actor, kind, subject, detail] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        Sha256::from_bytes(hasher.finalize().into())
    }

    fn entry(&self) -> Entry {
        let mut mark = [0; 8];
        mark.copy_from_slice(&self.digest().as_bytes()[..8]);
        Entry { id: self.place.id, mark }
    }
}

/// What a seal keeps of each event, to tell which one was touched. The proof is the seal's digest,
/// which is over the events' whole digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: i64,
    /// The first bytes of the event's digest.
    pub mark: [u8; 8],
}

impl Entry {
    pub const BYTES: usize = 16;

    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.id.to_be_bytes());
        bytes[8..].copy_from_slice(&self.mark);
        bytes
    }

    /// Entries that stand one behind the other; what is left over at the end is no entry.
    pub fn all_of(bytes: &[u8]) -> Vec<Self> {
        let (entries, _) = bytes.as_chunks::<{ Self::BYTES }>();
        entries
            .iter()
            .map(|bytes| {
                let (mut id, mut mark) = ([0; 8], [0; 8]);
                id.copy_from_slice(&bytes[..8]);
                mark.copy_from_slice(&bytes[8..]);
                Self { id: i64::from_be_bytes(id), mark }
            })
            .collect()
    }
}

/// A seal without its events: enough to go on with the chain, and to compare it with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealHead {
    /// From 1, without gaps.
    pub number: i64,
    /// The digest of the seal before; zeros for the first.
    pub previous: Sha256,
    pub digest: Sha256,
    pub sealed_at: DateTime<Utc>,
    /// The last event's place: the seal holds those behind the last one of the seal before, up to it.
    pub through: Place,
    pub events: u64,
}

/// A statement about events: exactly these, exactly so, after exactly those seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    pub head: SealHead,
    pub entries: Vec<Entry>,
}

impl Seal {
    /// The seal over `events`, which stand in the order of their places, all behind those of the
    /// seal before. None over no events.
    pub fn over(previous: Option<&SealHead>, events: &[Event], sealed_at: DateTime<Utc>) -> Option<Self> {
        let mut head = SealHead {
            number: previous.map_or(1, |previous| previous.number + 1),
            previous: previous.map_or(Sha256::from_bytes([0; 32]), |previous| previous.digest),
            digest: Sha256::from_bytes([0; 32]),
            // To the precision of the database, which must give back what was digested.
            sealed_at: DateTime::from_timestamp_micros(sealed_at.timestamp_micros())?,
            through: events.last()?.place,
            events: events.len() as u64,
        };
        head.digest = head.digest_with(events);
        Some(Self { head, entries: events.iter().map(Event::entry).collect() })
    }

    /// The first event that is not as it was sealed: of `found`, what the database now has at the
    /// places of this seal, in their order.
    pub(super) fn first_difference(&self, found: &[Event]) -> Option<Difference> {
        let mut entries = self.entries.iter();
        let mut found_entries = found.iter().map(Event::entry);
        loop {
            match (entries.next(), found_entries.next()) {
                (None, None) => return None,
                (Some(sealed), Some(found)) if *sealed == found => {}
                (Some(sealed), Some(found)) if sealed.id == found.id => {
                    return Some(Difference::Altered(sealed.id));
                }
                (Some(sealed), other) => {
                    return Some(match other {
                        Some(other) if !self.entries.iter().any(|entry| entry.id == other.id) => {
                            Difference::Inserted(other.id)
                        }
                        _ if !found.iter().any(|event| event.place.id == sealed.id) => {
                            Difference::Removed(sealed.id)
                        }
                        // It is there, at another place.
                        _ => Difference::Altered(sealed.id),
                    });
                }
                (None, Some(found)) => return Some(Difference::Inserted(found.id)),
            }
        }
    }
}

impl SealHead {
    /// The digest that a seal with this head over these events must have.
    pub(super) fn digest_with(&self, events: &[Event]) -> Sha256 {
        let Self { number, previous, digest: _, sealed_at, through, events: count } = self;
        let mut hasher = sha2::Sha256::new();
        hasher.update(b"uketsuke seal 1\n");
        hasher.update(previous.as_bytes());
        hasher.update(through.epoch.to_be_bytes());
        for number in [*number, sealed_at.timestamp_micros(), through.xid, through.id] {
            hasher.update(number.to_be_bytes());
        }
        hasher.update(count.to_be_bytes());
        for event in events {
            hasher.update(event.digest().as_bytes());
        }
        Sha256::from_bytes(hasher.finalize().into())
    }
}

/// How an event is not as it was sealed, with its ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    Altered(i64),
    Removed(i64),
    Inserted(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: i64) -> Event {
        Event {
            place: Place { epoch: 1, xid: 700 + id / 2, id },
            at: DateTime::UNIX_EPOCH,
            actor: "worker".to_owned(),
            kind: "scan.arrived".to_owned(),
            subject: format!("scan {id}"),
            detail: "{}".to_owned(),
        }
    }

    fn events() -> Vec<Event> {
        (1..=5).map(event).collect()
    }

    fn sealed() -> Seal {
        Seal::over(None, &events(), DateTime::UNIX_EPOCH).expect("events")
    }

    #[test]
    fn every_column_counts_and_texts_do_not_run_into_each_other() {
        let plain = event(1).digest();
        let other = |change: fn(&mut Event)| {
            let mut event = event(1);
            change(&mut event);
            event.digest()
        };
        for digest in [
            other(|event| event.place.epoch = 2),
            other(|event| event.place.xid += 1),
            other(|event| event.place.id += 1),
            other(|event| event.at += chrono::TimeDelta::microseconds(1)),
            other(|event| event.actor.push('x')),
            other(|event| event.kind.push('x')),
            other(|event| event.subject.push('x')),
            other(|event| event.detail.push('x')),
            other(|event| {
                event.actor.push('s');
                event.kind.remove(0);
            }),
        ] {
            assert_ne!(digest, plain);
        }
    }

    #[test]
    fn what_differs_first_is_named() {
        let seal = sealed();
        assert_eq!(seal.first_difference(&events()), None);
        let mut altered = events();
        altered[2].actor = "nobody".to_owned();
        assert_eq!(seal.first_difference(&altered), Some(Difference::Altered(3)));
        for id in 1..=5_i64 {
            let mut removed = events();
            removed.retain(|event| event.place.id != id);
            assert_eq!(seal.first_difference(&removed), Some(Difference::Removed(id)));
            let mut inserted = events();
            inserted.insert(id as usize - 1, event(100));
            assert_eq!(seal.first_difference(&inserted), Some(Difference::Inserted(100)));
        }
        let mut appended = events();
        appended.push(event(100));
        assert_eq!(seal.first_difference(&appended), Some(Difference::Inserted(100)));
        let mut swapped = events();
        swapped.swap(1, 2);
        assert_eq!(seal.first_difference(&swapped), Some(Difference::Altered(2)));
    }

    #[test]
    fn entries_come_back_from_their_bytes() {
        let entries = sealed().entries;
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_bytes()).collect();
        assert_eq!(Entry::all_of(&bytes), entries);
    }

    #[test]
    fn a_seal_rests_on_the_one_before() {
        let first = sealed();
        let second = |first: &Seal| Seal::over(Some(&first.head), &[event(9)], DateTime::UNIX_EPOCH);
        let chained = second(&first).expect("an event").head;
        assert_eq!((chained.number, chained.previous), (2, first.head.digest));
        let other = Seal::over(None, &events()[..4], DateTime::UNIX_EPOCH).expect("events");
        assert_ne!(second(&other).expect("an event").head.digest, chained.digest);
        assert_eq!(Seal::over(None, &[], DateTime::UNIX_EPOCH), None);
    }
}
