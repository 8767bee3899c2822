//! When a file has arrived. A pure state machine: it is shown what lies in the folder, again and
//! again, and says what has become of each file.
//!
//! A file has arrived when it is whole and was announced: by being renamed into place, or by a
//! `NAME.ready` beside it. Not announced, it must besides stay unchanged for a time. Events tell of
//! renames sooner than looks; none of them is needed: a file whose events were all lost arrives by
//! staying unchanged.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::ArrivedFile;
use super::folder::IntakeFinding;
use crate::settings;

/// A file as one look saw it. Two equal stamps in a row: nobody wrote in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub device: u64,
    pub inode: u64,
    pub bytes: u64,
    /// Seconds and nanoseconds since 1970, by the clock of whoever holds the disk.
    pub modified: (i64, i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Its `sidecar` announces it.
    pub file: ArrivedFile,
    pub stamp: Stamp,
}

/// What is worth telling about a drop folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// To be taken in now. Told again after a minute while the file stays.
    Arrived(ArrivedFile),
    /// Not whole after the alarm time. Told once; the file is waited for nevertheless.
    Overdue { file: ArrivedFile, waited: Duration, why: Waiting },
    /// No scan, and left alone. Told once while it is there.
    Finding(IntakeFinding),
}

/// Why a file has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It changed a short while ago.
    Growing,
    /// It rests, but its end is missing.
    Incomplete,
}

/// A file that arrived and is still there was not taken in: the database or the object store may
/// have been away. So it is told again, as seldom as costs nothing.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The files of a drop folder that have not been taken in.
#[derive(Debug)]
pub struct Arrivals {
    settle: Duration,
    alarm: Duration,
    files: BTreeMap<PathBuf, Candidate>,
}

#[derive(Debug)]
struct Candidate {
    stamp: Stamp,
    /// The first look that saw this stamp, and how many did.
    since: Instant,
    looks: u32,
    /// The first look that saw this file, whatever its size.
    first_seen: Instant,
    announced: bool,
    /// It rested without being whole; looked into again no sooner than this.
    look_into_after: Option<Instant>,
    alarmed: bool,
    told: Option<Instant>,
}

impl Arrivals {
    pub fn new(settings: &settings::Intake) -> Self {
        Self {
            settle: settings.settle,
            alarm: Duration::from_secs(60 * u64::from(settings.arriving_alarm_minutes)),
            files: BTreeMap::new(),
        }
    }

    /// Takes note of everything that lies in the folder `now`. `renamed` names the files that were
    /// renamed into place since the last look; `is_whole` looks into a file: false where the end of
    /// its format is missing, true where it is there or the format has none that we know.
    pub fn look(
        &mut self,
        now: Instant,
        seen: Vec<Observation>,
        renamed: &HashSet<PathBuf>,
        mut is_whole: impl FnMut(&Path) -> bool,
    ) -> Vec<Sighting> {
        // What is not seen any more was taken in or taken away: both are fine.
        let mut before = std::mem::take(&mut self.files);
        let mut sightings = Vec::new();
        for Observation { file, stamp } in seen {
            let candidate = before.remove(&file.path);
            let mut candidate = Candidate::observed(candidate, stamp, now);
            candidate.announced |= file.sidecar.is_some() || renamed.contains(&file.path);
            self.files.insert(file.path.clone(), candidate);
            let Some(candidate) = self.files.get_mut(&file.path) else { continue };
            if candidate.arrives(now, self.settle, || is_whole(&file.path)) {
                sightings.push(Sighting::Arrived(file));
            } else if let Some(why) = candidate.alarms(now, self.alarm, self.settle) {
                sightings.push(Sighting::Overdue { file, waited: now - candidate.first_seen, why });
            }
        }
        sightings
    }

    /// How many files have not arrived, and how many of them are overdue.
    pub fn arriving(&self) -> (usize, usize) {
        let arriving = || self.files.values().filter(|candidate| candidate.told.is_none());
        (arriving().count(), arriving().filter(|candidate| candidate.alarmed).count())
    }
}

impl Candidate {
    fn observed(before: Option<Self>, stamp: Stamp, now: Instant) -> Self {
        let fresh = Self {
            stamp,
            since: now,
            looks: 1,
            first_seen: now,
            announced: false,
            look_into_after: None,
            alarmed: false,
            told: None,
        };
        match before {
            Some(same) if same.stamp == stamp => Self { looks: same.looks.saturating_add(1), ..same },
            // It grew: whatever was announced was not this. But it is waited for since the start.
            Some(grown) if grown.told.is_none() && grown.stamp.is_same_file(&stamp) => {
                Self { first_seen: grown.first_seen, alarmed: grown.alarmed, ..fresh }
            }
            _ => fresh,
        }
    }

    fn arrives(&mut self, now: Instant, settle: Duration, is_whole: impl FnOnce() -> bool) -> bool {
        if let Some(told) = self.told {
            let again = now - told >= TOLD_AGAIN_AFTER;
            if again {
                self.told = Some(now);
            }
            return again;
        }
        let settled = self.is_settled(now, settle);
        // An announced file that is not whole arrives too, once it rests: it will never be whole,
        // and somebody must be told why.
        let arrives = match (self.announced, settled) {
            (true, true) => true,
            (true, false) => is_whole(),
            (false, true) => self.look_into_after.is_none_or(|after| now >= after) && is_whole(),
            (false, false) => false,
        };
        if arrives {
            self.told = Some(now);
        } else if settled && self.look_into_after.is_none_or(|after| now >= after) {
            self.look_into_after = Some(now + settle);
        }
        arrives
    }

    fn alarms(&mut self, now: Instant, alarm: Duration, settle: Duration) -> Option<Waiting> {
        if self.told.is_some() || self.alarmed || now - self.first_seen < alarm {
            return None;
        }
        self.alarmed = true;
        Some(if self.is_settled(now, settle) { Waiting::Incomplete } else { Waiting::Growing })
    }

    /// Unchanged for the time set and over two looks.
    fn is_settled(&self, now: Instant, settle: Duration) -> bool {
        self.looks >= 2 && now - self.since >= settle
    }
}

impl Stamp {
    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTLE: u64 = 5_000;
    const POLL: u64 = 2_000;
    const ALARM: u64 = 30 * 60_000;

    fn arrivals() -> Arrivals {
        Arrivals::new(&settings::Intake {
            poll: Duration::from_millis(POLL),
            settle: Duration::from_millis(SETTLE),
            arriving_alarm_minutes: 30,
            max_file_mib: 1,
            max_ready_jobs: 1,
            min_free_gib: 1,
        })
    }

    /// How a station writes a file. Times are milliseconds.
    #[derive(Debug, Clone)]
    struct Script {
        starts: u64,
        /// Pauses between the pieces that it is written in.
        pauses: Vec<u64>,
        /// The end of its format can be told; if not, it always looks whole.
        has_an_end: bool,
        manner: Manner,
    }

    #[derive(Debug, Clone)]
    enum Manner {
        InPlace,
        /// Under a passing name until it is whole; events may be lost, or come a look late.
        Renamed {
            after: u64,
            event: Option<bool>,
        },
        Sidecar {
            after: u64,
        },
    }

    impl Script {
        fn written(&self) -> u64 {
            self.starts + self.pauses.iter().sum::<u64>()
        }

        /// When it was announced, if it is.
        fn announced(&self) -> Option<u64> {
            match self.manner {
                Manner::InPlace | Manner::Renamed { event: None, .. } => None,
                Manner::Renamed { after, .. } | Manner::Sidecar { after } => Some(self.written() + after),
            }
        }

        /// When its last piece lay under its own name.
        fn rests(&self) -> u64 {
            match self.manner {
                Manner::Renamed { after, .. } => self.written() + after,
                _ => self.written(),
            }
        }

        /// Latest time at which it must have been told.
        fn due(&self) -> u64 {
            let settled = self.rests() + SETTLE;
            self.announced().map_or(settled, |announced| (announced + POLL).min(settled)) + 2 * POLL
        }

        fn seen(&self, path: &Path, now: u64) -> Option<Observation> {
            let visible = match self.manner {
                Manner::Renamed { .. } => self.rests(),
                _ => self.starts,
            };
            let sidecar = matches!(self.manner, Manner::Sidecar { .. })
                && self.announced().is_some_and(|announced| now >= announced);
            let mut time = self.starts;
            let pieces = self.pauses.iter().take_while(|&&pause| {
                time += pause;
                time <= now
            });
            let bytes = 100 + pieces.count() as u64;
            (now >= visible).then(|| observation(path, bytes, sidecar))
        }
    }

    fn observation(path: &Path, bytes: u64, sidecar: bool) -> Observation {
        let sidecar = sidecar.then(|| path.with_added_extension("ready"));
        let file = ArrivedFile { station: "a".to_owned(), batch: None, path: path.to_owned(), sidecar };
        // The coarsest clock there is: only the size tells.
        Observation { file, stamp: Stamp { device: 1, inode: 7, bytes, modified: (0, 0) } }
    }

    fn scripts() -> impl Strategy<Value = Vec<Script>> {
        let manner = prop_oneof![
            Just(Manner::InPlace),
            (0..20_000u64, any::<Option<bool>>()).prop_map(|(after, event)| Manner::Renamed { after, event }),
            (0..20_000u64).prop_map(|after| Manner::Sidecar { after }),
        ];
        let script = (any::<bool>(), 0..60_000u64, manner).prop_flat_map(|(has_an_end, starts, manner)| {
            // Nothing but the time tells a pause from the end of a text.
            let longest = if has_an_end { 4 * SETTLE } else { SETTLE - 1 };
            proptest::collection::vec(1..=longest, 0..6).prop_map(move |pauses| Script {
                starts,
                pauses,
                has_an_end,
                manner: manner.clone(),
            })
        });
        proptest::collection::vec(script, 1..6)
    }

    proptest! {
        #[test]
        fn a_file_arrives_when_it_is_whole_and_not_much_later(
            scripts in scripts(), steps in proptest::collection::vec(1..=POLL, 1..50),
        ) {
            let paths: Vec<PathBuf> = (0..scripts.len()).map(|number| PathBuf::from(format!("/a/{number}"))).collect();
            let (mut arrivals, start) = (arrivals(), Instant::now());
            let mut told: Vec<Option<u64>> = vec![None; scripts.len()];
            let end = scripts.iter().map(Script::due).max().unwrap_or(0) + POLL;
            let (mut last, mut now) = (0, 0);
            for step in steps.iter().cycle() {
                now += step;
                let lies_there = |number: &usize| told[*number].is_none();
                let seen = (0..scripts.len()).filter(lies_there).filter_map(|number| scripts[number].seen(&paths[number], now));
                let seen: Vec<Observation> = seen.collect();
                let renamed = (0..scripts.len()).filter(|&number| match scripts[number].manner {
                    Manner::Renamed { event: Some(late), .. } => {
                        let told_at = if late { scripts[number].rests() + POLL } else { scripts[number].rests() };
                        (last + 1..=now).contains(&told_at)
                    }
                    _ => false,
                });
                let renamed = renamed.map(|number| paths[number].clone()).collect();
                let number_of = |path: &Path| paths.iter().position(|known| known == path).expect("known");
                let is_whole = |path: &Path| {
                    let script = &scripts[number_of(path)];
                    !script.has_an_end || now >= script.written()
                };
                for sighting in arrivals.look(start + Duration::from_millis(now), seen, &renamed, is_whole) {
                    let Sighting::Arrived(file) = sighting else { continue };
                    let number = number_of(&file.path);
                    prop_assert!(now >= scripts[number].rests(), "told at {now} while growing: {:?}", scripts[number]);
                    prop_assert!(now <= scripts[number].due(), "told at {now}, too late: {:?}", scripts[number]);
                    prop_assert_eq!(told[number].replace(now), None, "told twice");
                }
                last = now;
                if now >= end {
                    break;
                }
            }
            prop_assert!(told.iter().all(Option::is_some), "never told: {told:?} {scripts:?}");
        }
    }

    /// Looks every two seconds from `from` to `to` at one file, and says what was told when.
    fn watched(
        arrivals: &mut Arrivals,
        start: Instant,
        times: std::ops::Range<u64>,
        file: impl Fn(u64) -> Option<(u64, bool)>,
        renamed_at: Option<u64>,
    ) -> Vec<(u64, &'static str)> {
        let path = Path::new("/a/scan.tif");
        let mut told = Vec::new();
        for now in times.step_by(POLL as usize) {
            let seen = file(now).map(|(bytes, _)| observation(path, bytes, false));
            let is_whole = |_: &Path| file(now).is_some_and(|(_, whole)| whole);
            let renamed = renamed_at.filter(|&at| at == now).map(|_| path.to_owned()).into_iter().collect();
            let sightings = arrivals.look(
                start + Duration::from_millis(now),
                seen.into_iter().collect(),
                &renamed,
                is_whole,
            );
            told.extend(sightings.iter().map(|sighting| match sighting {
                Sighting::Arrived(_) => (now, "arrived"),
                Sighting::Overdue { why: Waiting::Growing, .. } => (now, "overdue, growing"),
                Sighting::Overdue { why: Waiting::Incomplete, .. } => (now, "overdue, incomplete"),
                Sighting::Finding(_) => (now, "finding"),
            }));
        }
        told
    }

    #[test]
    fn a_slow_writer_is_reported_once_and_waited_for() {
        let written = 2 * ALARM;
        let told = watched(
            &mut arrivals(),
            Instant::now(),
            0..written + 20_000,
            |now| Some((now.min(written), now >= written)),
            None,
        );
        assert_eq!(told, [(ALARM, "overdue, growing"), (written + 6_000, "arrived")]);
    }

    #[test]
    fn a_file_without_its_end_is_reported_and_never_given_up() {
        let (mut arrivals, start) = (arrivals(), Instant::now());
        let cut_off = |now: u64| Some((if now < 3 * ALARM { 100 } else { 200 }, now >= 3 * ALARM));
        let told = watched(&mut arrivals, start, 0..3 * ALARM, cut_off, None);
        assert_eq!(told, [(ALARM, "overdue, incomplete")]);
        assert_eq!(arrivals.arriving(), (1, 1));
        let told = watched(&mut arrivals, start, 3 * ALARM..3 * ALARM + 20_000, cut_off, None);
        assert_eq!(told, [(3 * ALARM + 6_000, "arrived")]);
    }

    #[test]
    fn a_broken_file_that_was_renamed_into_place_arrives_once_it_rests() {
        let told = watched(&mut arrivals(), Instant::now(), 0..20_000, |_| Some((100, false)), Some(0));
        assert_eq!(told, [(6_000, "arrived")]);
    }

    #[test]
    fn a_rename_says_nothing_of_what_is_written_afterwards() {
        let grows = |now: u64| Some((now, now >= 30_000));
        let told = watched(&mut arrivals(), Instant::now(), 0..30_000, grows, Some(4_000));
        assert_eq!(told, []);
    }

    #[test]
    fn what_was_not_taken_in_is_told_again() {
        let told = watched(&mut arrivals(), Instant::now(), 0..130_000, |_| Some((100, true)), None);
        assert_eq!(told, [(6_000, "arrived"), (66_000, "arrived"), (126_000, "arrived")]);
    }

    #[test]
    fn another_file_of_the_same_name_is_another_file() {
        let reused = |now: u64| (now != 10_000).then_some((if now < 10_000 { 100 } else { 200 }, true));
        let told = watched(&mut arrivals(), Instant::now(), 0..30_000, reused, None);
        assert_eq!(told, [(6_000, "arrived"), (18_000, "arrived")]);
        let overwritten = |now: u64| Some((if now < 10_000 { 100 } else { 200 }, true));
        let told = watched(&mut arrivals(), Instant::now(), 0..30_000, overwritten, None);
        assert_eq!(told, [(6_000, "arrived"), (16_000, "arrived")]);
    }

    #[test]
    fn what_vanishes_is_forgotten() {
        let (mut arrivals, start) = (arrivals(), Instant::now());
        let told = watched(&mut arrivals, start, 0..20_000, |now| (now < 4_000).then_some((100, true)), None);
        assert_eq!(told, []);
        assert_eq!(arrivals.arriving(), (0, 0));
    }
}
