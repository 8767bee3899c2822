//! How readers of a pool have ended, counted for its metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::process::ReaderError;

/// Why a reader is no more, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderEnd {
    /// It crashed, gave up, or was killed.
    Died,
    /// A page took too long.
    TimedOut,
    /// It answered what nobody understands.
    Protocol,
    /// Its work was broken off: the lease was lost.
    Interrupted,
    /// It had looked at as many pages as one reader may.
    WornOut,
    /// It could not be started.
    NotStarted,
}

impl ReaderEnd {
    pub const ALL: [Self; 6] =
        [Self::Died, Self::TimedOut, Self::Protocol, Self::Interrupted, Self::WornOut, Self::NotStarted];

    pub fn name(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::TimedOut => "timed_out",
            Self::Protocol => "protocol",
            Self::Interrupted => "interrupted",
            Self::WornOut => "worn_out",
            Self::NotStarted => "not_started",
        }
    }

    /// None where the reader goes on, or everything is being shut down.
    pub(super) fn of(error: &ReaderError) -> Option<Self> {
        match error {
            ReaderError::Died { .. } => Some(Self::Died),
            ReaderError::TimedOut { .. } => Some(Self::TimedOut),
            ReaderError::Protocol { .. } => Some(Self::Protocol),
            ReaderError::Refused(_) | ReaderError::Gone | ReaderError::ShuttingDown => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Ends([AtomicU64; ReaderEnd::ALL.len()]);

impl Ends {
    pub fn count(&self, end: ReaderEnd) {
        self.0[end as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn counts(&self) -> Vec<(ReaderEnd, u64)> {
        ReaderEnd::ALL.into_iter().map(|end| (end, self.0[end as usize].load(Ordering::Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_own_count() {
        let ends = Ends::default();
        for (index, end) in ReaderEnd::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| ends.count(end));
        }
        let counts: Vec<u64> = ends.counts().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
    }
}
