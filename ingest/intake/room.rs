//! Whether there is room for more files. Where there is none they stay in the drop folder: it is the
//! only queue that costs nothing, and stations see what is behind.

use crate::settings;

/// Why no file is taken in at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("{ready} jobs wait for a worker, intake.max_ready_jobs is {limit}; add a node that works")]
    Backlog { ready: u64, limit: u64 },
    #[error(
        "{free_mib} MiB are free where the data folder is, intake.min_free_gib is {least_gib}; add space"
    )]
    Disk { free_mib: u64, least_gib: u64 },
}

impl Full {
    /// `ready` jobs wait in the fleet, `free_bytes` are free on this machine.
    pub fn is(settings: &settings::Intake, ready: u64, free_bytes: u64) -> Option<Self> {
        let settings::Intake { max_ready_jobs, min_free_gib, .. } = *settings;
        if free_bytes >> 30 < min_free_gib {
            return Some(Self::Disk { free_mib: free_bytes >> 20, least_gib: min_free_gib });
        }
        (ready >= max_ready_jobs).then_some(Self::Backlog { ready, limit: max_ready_jobs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn either_mark_holds_files_back() {
        let mut settings = Settings::load(None).expect("the shipped settings").intake;
        (settings.max_ready_jobs, settings.min_free_gib) = (10, 2);
        assert_eq!(Full::is(&settings, 9, 2 << 30), None);
        assert_eq!(Full::is(&settings, 10, 2 << 30), Some(Full::Backlog { ready: 10, limit: 10 }));
        let disk = Full::Disk { free_mib: 2047, least_gib: 2 };
        assert_eq!(Full::is(&settings, 10, (2 << 30) - 1), Some(disk));
        assert!(disk.to_string().contains("intake.min_free_gib"));
    }
}
