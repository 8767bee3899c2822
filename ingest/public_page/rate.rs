//! How often may be asked: each client some times a minute, all together some times a second. Numbers
//! can be guessed; this is what makes guessing slow.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Clients that are remembered; beyond, those that have asked least lately are forgotten.
const MOST_CLIENTS: usize = 100_000;

/// What is left, and as of when.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    /// Fills up with time, and gives one if there is one.
    fn take(&mut self, most: f64, per_second: f64, now: Instant) -> bool {
        self.left = (self.left + (now - self.at).as_secs_f64() * per_second).min(most);
        self.at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[derive(Debug)]
pub(super) struct Rate {
    per_client_minute: f64,
    all_per_second: f64,
    state: Mutex<(Option<Bucket>, HashMap<IpAddr, Bucket>)>,
}

impl Rate {
    pub fn new(per_client_minute: u32, all_per_second: u32) -> Self {
        Self {
            per_client_minute: f64::from(per_client_minute),
            all_per_second: f64::from(all_per_second),
            state: Mutex::default(),
        }
    }

    /// Whether one more may be answered. What is refused to a client is not taken from the others.
    pub fn allows(&self, client: IpAddr, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, clients) = &mut *state;
        if clients.len() >= MOST_CLIENTS {
            // Whoever has not asked for a minute has a full bucket: as if never seen.
            clients.retain(|_, bucket| (now - bucket.at).as_secs() < 60);
            if clients.len() >= MOST_CLIENTS {
                return false;
            }
        }
        let full = Bucket { left: self.per_client_minute, at: now };
        let of_client = clients.entry(network(client)).or_insert(full);
        if !of_client.take(self.per_client_minute, self.per_client_minute / 60.0, now) {
            return false;
        }
        let all = all.get_or_insert(Bucket { left: self.all_per_second, at: now });
        all.take(self.all_per_second, self.all_per_second, now)
    }
}

/// A household has all of an IPv6 /64.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_asks_some_times_a_minute() {
        let rate = Rate::new(6, 1000);
        let (client, begun) = (IpAddr::from([192, 0, 2, 1]), Instant::now());
        let allowed = (0..20).filter(|_| rate.allows(client, begun)).count();
        assert_eq!(allowed, 6);
        assert!(!rate.allows(client, begun + Duration::from_secs(9)));
        assert!(rate.allows(client, begun + Duration::from_secs(11)));
        assert!(rate.allows(IpAddr::from([192, 0, 2, 2]), begun + Duration::from_secs(11)), "another client");
        let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let allowed = (0..20).filter(|&last| rate.allows(six(last), begun + Duration::from_secs(11))).count();
        assert_eq!(allowed, 6, "one household");
    }

    #[test]
    fn all_together_ask_some_times_a_second() {
        let rate = Rate::new(60, 10);
        let begun = Instant::now();
        let ask = |last: u8, at: Instant| rate.allows(IpAddr::from([192, 0, 2, last]), at);
        assert_eq!((0..50).filter(|&last| ask(last, begun)).count(), 10);
        assert_eq!((50..99).filter(|&last| ask(last, begun + Duration::from_secs(1))).count(), 10);
    }
}
