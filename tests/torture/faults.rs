//! What is done to the fleet, at random instants. A deck of cards decides, so that even a short run
//! has some of everything.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::bucket::{Bucket, Trouble};
use crate::disk::Disk;
use crate::fleet::{self, Fleet};
use crate::site::signal;
use crate::stations;
use crate::verdict::{self, Ledger};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillIntake,
    KillWorker,
    KillReader,
    KillBackend,
    KillPostmaster,
    PauseWorker,
    FillDisk,
    Drain,
    S3(Trouble),
}

impl Fault {
    /// One round.
    const DECK: [Self; 17] = [
        Self::KillIntake,
        Self::KillIntake,
        Self::KillWorker,
        Self::KillWorker,
        Self::KillWorker,
        Self::KillReader,
        Self::KillReader,
        Self::KillReader,
        Self::KillBackend,
        Self::KillBackend,
        Self::KillPostmaster,
        Self::PauseWorker,
        Self::FillDisk,
        Self::Drain,
        Self::S3(Trouble::Fails),
        Self::S3(Trouble::Cuts),
        Self::S3(Trouble::Slow),
    ];

    pub const ALL: [Self; 11] = [
        Self::KillIntake,
        Self::KillWorker,
        Self::KillReader,
        Self::KillBackend,
        Self::KillPostmaster,
        Self::PauseWorker,
        Self::FillDisk,
        Self::Drain,
        Self::S3(Trouble::Fails),
        Self::S3(Trouble::Cuts),
        Self::S3(Trouble::Slow),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::KillIntake => "intake killed",
            Self::KillWorker => "worker killed",
            Self::KillReader => "reader killed",
            Self::KillBackend => "database connection killed",
            Self::KillPostmaster => "database server killed",
            Self::PauseWorker => "worker paused beyond its lease",
            Self::FillDisk => "disk filled",
            Self::Drain => "node told to stop, started again",
            Self::S3(Trouble::Fails) => "S3 answered 500 and 503 for a while",
            Self::S3(Trouble::Cuts) => "S3 cut connections and lost answers for a while",
            Self::S3(Trouble::Slow) => "S3 answered slowly, or too late, for a while",
        }
    }
}

/// What is made good after a while.
enum Undo {
    /// The node runs on, if it is still the process that was paused.
    Continue {
        node: usize,
        process: u32,
    },
    MakeRoom,
    MendS3,
}

const FULL: std::ops::Range<u64> = 500..3000;
/// All attempts of a request fit into a part of it.
const TROUBLED: std::ops::Range<u64> = 1000..5000;
const BETWEEN: std::ops::Range<u64> = 300..1600;

pub struct Faults<'a> {
    random: ChaCha8Rng,
    deck: Vec<Fault>,
    pending: Vec<(Instant, Undo)>,
    /// Milliseconds: longer than the lease, by up to as much again.
    pauses: std::ops::Range<u64>,
    disk: &'a Disk,
    /// None where objects are in a folder.
    bucket: Option<&'a Bucket>,
    pub done: BTreeMap<Fault, u32>,
    /// Nodes that did not stop in order when they were told to.
    pub refused_to_stop: u32,
}

impl<'a> Faults<'a> {
    pub fn new(seed: u64, lease: Duration, disk: &'a Disk, bucket: Option<&'a Bucket>) -> Self {
        let shortest = lease.as_millis() as u64 + 500;
        Self {
            pauses: shortest..2 * shortest - 500,
            random: ChaCha8Rng::seed_from_u64(seed ^ 0xf1fe),
            deck: Vec::new(),
            pending: Vec::new(),
            disk,
            bucket,
            done: BTreeMap::new(),
            refused_to_stop: 0,
        }
    }

    /// Waits a moment, then does the next thing.
    pub fn strike(&mut self, fleet: &mut Fleet<'_>, data: &Path) {
        let until = Instant::now() + Duration::from_millis(self.random.random_range(BETWEEN));
        while Instant::now() < until {
            self.undo(fleet, data, |due| due <= Instant::now());
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.deck.is_empty() {
            self.deck = Fault::DECK.to_vec();
            self.deck.shuffle(&mut self.random);
        }
        if let Some(fault) = self.deck.pop()
            && self.inflict(fault, fleet, data)
        {
            *self.done.entry(fault).or_default() += 1;
        }
    }

    /// False where there was nothing to strike at.
    fn inflict(&mut self, fault: Fault, fleet: &mut Fleet<'_>, data: &Path) -> bool {
        let random = &mut self.random;
        let mut later = |range| Instant::now() + Duration::from_millis(random.random_range(range));
        let (pause, full, troubled) = (later(self.pauses.clone()), later(FULL), later(TROUBLED));
        let mut one_of = |processes: Vec<u32>| processes.choose(&mut self.random).copied();
        match fault {
            Fault::KillIntake => fleet.kill(fleet.intakes()[0]),
            Fault::KillWorker => {
                let node = *fleet.workers().choose(&mut self.random).expect("workers");
                fleet.kill(node)
            }
            Fault::KillReader => one_of(fleet.readers()).map(fleet::kill).is_some(),
            Fault::KillBackend => one_of(fleet::backends(data)).map(fleet::kill).is_some(),
            Fault::KillPostmaster => fleet::postmaster(data).map(fleet::kill).is_some(),
            Fault::PauseWorker => {
                let node = *fleet.workers().choose(&mut self.random).expect("workers");
                let Some(process) = fleet.process(node) else { return false };
                signal(process, "STOP");
                self.pending.push((pause, Undo::Continue { node, process }));
                true
            }
            Fault::FillDisk => {
                let full_already = self.pending.iter().any(|(_, undo)| matches!(undo, Undo::MakeRoom));
                if self.disk.unfillable.is_some() || full_already {
                    return false;
                }
                self.disk.fill(data);
                self.pending.push((full, Undo::MakeRoom));
                true
            }
            Fault::Drain => {
                // A paused node would hear of it too late, and a node cannot write its results while
                // the disk is full or S3 is away.
                if !self.pending.is_empty() {
                    return false;
                }
                let node = self.random.random_range(0..fleet.intakes().len() + fleet.workers().len());
                if fleet.process(node).is_none() {
                    return false;
                }
                self.refused_to_stop += u32::from(!fleet.drain_one(node));
                true
            }
            Fault::S3(trouble) => {
                let Some(bucket) = self.bucket else { return false };
                if self.pending.iter().any(|(_, undo)| matches!(undo, Undo::MendS3)) {
                    return false;
                }
                bucket.trouble(trouble, self.random.random());
                self.pending.push((troubled, Undo::MendS3));
                true
            }
        }
    }

    fn undo(&mut self, fleet: &Fleet<'_>, data: &Path, is_due: impl Fn(Instant) -> bool) {
        let (due, pending) = std::mem::take(&mut self.pending).into_iter().partition(|&(at, _)| is_due(at));
        self.pending = pending;
        let due: Vec<(Instant, Undo)> = due;
        for (_, undo) in due {
            match undo {
                Undo::Continue { node, process } if fleet.process(node) == Some(process) => {
                    signal(process, "CONT");
                }
                Undo::Continue { .. } => {}
                Undo::MakeRoom => self.disk.make_room(data),
                Undo::MendS3 => self.bucket.into_iter().for_each(Bucket::mend),
            }
        }
    }

    /// Makes good what is still open.
    pub fn end(&mut self, fleet: &mut Fleet<'_>, data: &Path) {
        self.undo(fleet, data, |_| true);
    }
}

/// Kills a worker that has a scan, with nothing else going on, and says after how long another had
/// it; as often as said.
pub async fn quiet_kills(
    fleet: &mut Fleet<'_>,
    data: &Path,
    drop: &Path,
    ledger: &mut Ledger,
    count: usize,
) -> Vec<Duration> {
    let mut taken_over = Vec::new();
    for number in 0..count {
        ledger.add(stations::drop_one(drop, number as u64));
        let Some((job, attempt, worker)) = verdict::job_in_work(data).await else { continue };
        let process: Option<u32> = worker.rsplit(':').next().and_then(|process| process.parse().ok());
        let holder = fleet.workers().into_iter().find(|&node| fleet.process(node) == process);
        let Some(node) = holder else { continue };
        if fleet.kill(node) {
            let killed = Instant::now();
            if verdict::is_taken_over(data, job, attempt).await {
                taken_over.push(killed.elapsed());
            }
            fleet.start_missing();
        }
    }
    taken_over
}
