//! Stations that drop simulated mail as real ones do: fast, slowly, in two parts, under a passing
//! name, with an announcement, twice; and what is no mail at all.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uketsuke::digest::Sha256;

use crate::poison::Poison;
use crate::site::sample_scans;

/// What was dropped under one name.
#[derive(Debug, Clone)]
pub struct Dropped {
    pub sha256: Sha256,
    pub content: Content,
    /// Other bytes than any file before.
    pub first: bool,
    pub manner: Manner,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// A sheet of a piece of mail; all variants of a mail must come out alike.
    Mail {
        mail: String,
        variant: u64,
        pages: u32,
    },
    Poison(Poison),
    /// Announced without its end: it will never be whole.
    CutOff,
    /// Neither whole nor announced: it is waited for, and after a time quarantined as it is; either
    /// way it stays where it is.
    NeverWhole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    Renamed,
    /// In one go, under its own name.
    InPlace,
    TwoParts,
    Slowly,
    Announced,
}

const MANNERS: [Manner; 5] =
    [Manner::Renamed, Manner::InPlace, Manner::TwoParts, Manner::Slowly, Manner::Announced];

pub struct Station {
    pub thread: JoinHandle<Vec<Dropped>>,
}

/// A piece of mail out of `samples/`: its files go into one batch.
struct Mail {
    name: String,
    files: Vec<Sheet>,
}

struct Sheet {
    file_name: String,
    bytes: Vec<u8>,
    pages: u32,
}

const STATIONS: u64 = 3;

/// Opens stations that drop until they are told to stop. The mail that they begin is finished.
pub fn open(drop: &Path, seed: u64, duration: Duration, stop: &Arc<AtomicBool>) -> Vec<Station> {
    let poisons: &'static [Poison] =
        if duration > Duration::from_secs(120) { &Poison::ALL } else { &Poison::QUICK };
    (0..STATIONS)
        .map(|number| {
            let random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(STATIONS) + number);
            let (folder, stop) = (drop.join(format!("station-{number}")), stop.clone());
            let clerk = Clerk { random, folder, number, next: 0, poisons, dropped: Vec::new() };
            Station { thread: std::thread::spawn(move || clerk.work(&stop)) }
        })
        .collect()
}

/// Drops one piece of mail of one page, and returns what it dropped.
pub fn drop_one(drop: &Path, variant: u64) -> Vec<Dropped> {
    let random = ChaCha8Rng::seed_from_u64(variant);
    let mut clerk = Clerk {
        random,
        folder: drop.join("station-quiet"),
        number: STATIONS,
        next: variant,
        poisons: &Poison::QUICK,
        dropped: Vec::new(),
    };
    let mails = mails();
    let mail = mails.iter().find(|mail| mail.files.len() == 1 && mail.files[0].pages > 1).expect("a sample");
    clerk.drop_mail(mail);
    clerk.dropped
}

struct Clerk {
    random: ChaCha8Rng,
    folder: PathBuf,
    number: u64,
    next: u64,
    poisons: &'static [Poison],
    dropped: Vec<Dropped>,
}

impl Clerk {
    fn work(mut self, stop: &AtomicBool) -> Vec<Dropped> {
        let mails = mails();
        self.leave_unfinished(&mails[0].files[0]);
        let poisons: Vec<Poison> =
            self.poisons.iter().skip(self.number as usize).step_by(STATIONS as usize).copied().collect();
        for poison in poisons {
            let bytes = poison.bytes(self.number);
            self.drop("poison", &format!("{poison:?}.tif"), &bytes, Content::Poison(poison), Manner::Renamed);
        }
        let cut_off = &mails[0].files[0].bytes;
        self.drop(
            "poison",
            "cut-off.tif",
            &cut_off[..cut_off.len() / 2 + self.number as usize],
            Content::CutOff,
            Manner::Announced,
        );
        while !stop.load(Ordering::Relaxed) {
            let mail = mails.choose(&mut self.random).expect("samples");
            self.drop_mail(mail);
            // Fast stations and slow hours.
            let pause = if self.random.random_bool(0.3) { 0..50 } else { 500..6000 };
            self.pause(pause);
        }
        self.dropped
    }

    fn drop_mail(&mut self, mail: &Mail) {
        let variant = self.number * 1_000_000 + self.next;
        self.next += 1;
        let batch = format!("batch-{:05}", self.next);
        for sheet in &mail.files {
            let bytes = varied(&sheet.bytes, variant);
            let content = Content::Mail { mail: mail.name.clone(), variant, pages: sheet.pages };
            let manner = *MANNERS.choose(&mut self.random).expect("manners");
            self.drop(&batch, &sheet.file_name, &bytes, content.clone(), manner);
            if self.random.random_bool(0.15) {
                let (again, manner) = (format!("again {}", sheet.file_name), Manner::Renamed);
                self.drop(&batch, &again, &bytes, content, manner);
            }
        }
    }

    fn drop(&mut self, batch: &str, name: &str, bytes: &[u8], content: Content, manner: Manner) {
        let folder = self.folder.join(batch);
        fs::create_dir_all(&folder).expect("a batch");
        let (target, passing) = (folder.join(name), folder.join(format!("{name}.tmp")));
        match manner {
            Manner::Renamed => {
                fs::write(&passing, bytes).expect("written");
                fs::rename(&passing, &target).expect("renamed");
            }
            Manner::InPlace => fs::write(&target, bytes).expect("written"),
            Manner::TwoParts => self.write_in(2, &target, bytes, 300..2000),
            Manner::Slowly => self.write_in(12, &target, bytes, 5..60),
            Manner::Announced => {
                self.write_in(3, &target, bytes, 5..60);
                fs::write(folder.join(format!("{name}.ready")), "").expect("announced");
            }
        }
        let sha256 = Sha256::of(bytes);
        let first = self.dropped.iter().all(|dropped| dropped.sha256 != sha256);
        self.dropped.push(Dropped { sha256, content, first, manner });
    }

    fn write_in(&mut self, parts: usize, target: &Path, bytes: &[u8], pauses: std::ops::Range<u64>) {
        let mut file = OpenOptions::new().create_new(true).append(true).open(target).expect("a new file");
        for part in bytes.chunks(bytes.len().div_ceil(parts).max(1)) {
            file.write_all(part).expect("written");
            self.pause(pauses.clone());
        }
    }

    /// What has not arrived and never will: it is not to be touched.
    fn leave_unfinished(&mut self, sheet: &Sheet) {
        let folder = self.folder.join("unfinished");
        fs::create_dir_all(&folder).expect("a batch");
        fs::write(folder.join("still coming.tif.tmp"), &sheet.bytes).expect("written");
        let half = &sheet.bytes[..sheet.bytes.len() / 2 - 1 - self.number as usize];
        self.drop("unfinished", "half.png", half, Content::NeverWhole, Manner::InPlace);
    }

    fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        std::thread::sleep(Duration::from_millis(self.random.random_range(milliseconds)));
    }
}

/// Files that [`Clerk::leave_unfinished`] leaves at every station.
pub const UNFINISHED_FILES: usize = 2 * STATIONS as usize;

/// The samples by the number of the mail that they are of, without the pile of many applications,
/// which would keep every worker from everything else.
fn mails() -> Vec<Mail> {
    let pages = pages_by_file();
    let mut mails: BTreeMap<String, Vec<Sheet>> = BTreeMap::new();
    for (place, path) in sample_scans() {
        let file_name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let number = file_name.split(['-', '.']).next().expect("a number").to_owned();
        let pages = pages[&format!("{}/{file_name}", place.display())];
        let bytes = fs::read(&path).expect("a sample");
        mails.entry(number).or_default().push(Sheet { file_name, bytes, pages });
    }
    let mails = mails.into_iter().map(|(name, files)| Mail { name, files });
    mails.filter(|mail| mail.files.iter().all(|sheet| sheet.pages <= 2)).collect()
}

/// How many pages each sample has, by its truth.
fn pages_by_file() -> BTreeMap<String, u32> {
    let truth =
        fs::read_to_string(crate::site::repository().join("samples/scans/truth.jsonl")).expect("the truth");
    let mut pages = BTreeMap::new();
    for line in truth.lines() {
        let page: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        *pages.entry(page["file"].as_str().expect("a file").to_owned()).or_default() += 1;
    }
    pages
}

/// The same picture in other bytes: a comment where its format has room for one.
fn varied(bytes: &[u8], variant: u64) -> Vec<u8> {
    let comment = format!("variant {variant:020}");
    match bytes {
        // Behind the start of image comes a segment: COM, with its length.
        [0xff, 0xd8, rest @ ..] => {
            let length = (comment.len() as u16 + 2).to_be_bytes();
            [&[0xff, 0xd8, 0xff, 0xfe], &length[..], comment.as_bytes(), rest].concat()
        }
        // After the end of a PDF a line of comment may come; after that of the others, anything.
        bytes => [bytes, b"\n%", comment.as_bytes(), b"\n"].concat(),
    }
}
