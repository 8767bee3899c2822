//! Which applications share a file, where it is dropped, and the work itself: over all cores, with
//! `truth.jsonl` written in the order of the register.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use rand::Rng;
use rand::seq::IndexedRandom;
use serde::Serialize;

use super::copies::Enclosures;
use super::files::{self, Format, Packing};
use super::mail::{self, Mailroom};
use super::material::Material;
use super::press::Press;
use super::scanner::Scanner;
use super::truth::PageTruth;
use super::{SimulateError, random};
use crate::form::Form;
use crate::register::Household;

/// What is to be made.
pub struct Order {
    /// Each application was printed on one of them.
    pub forms: Vec<Form>,
    /// Each sends one application.
    pub households: Vec<Household>,
    pub seed: u64,
    pub formats: Vec<Format>,
    pub stations: Vec<String>,
    /// Neither paper nor scanner spoils anything.
    pub clean: bool,
    /// Numbers of the form's pages that are scanned; all where it is empty.
    pub pages: Vec<u32>,
    pub enclosures: Enclosures,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    pub applications: usize,
    pub files: usize,
    pub pages: usize,
    pub blank_pages: usize,
    pub bytes: u64,
}

/// Applications that may come in one pile; whether they do is drawn once for all of them.
const PILE: usize = 4;
const PILED: f64 = 0.08;
const BATCH: usize = 48;
/// Share of files that were scanned on both sides.
const DUPLEX: f64 = 0.2;

/// One run of a scanner: one file, or one a page where the format holds no more.
struct Drop<'a> {
    households: &'a [Household],
    /// Relative to the folder, without extension.
    name: String,
    format: Format,
    packing: Packing,
    scanner: Scanner,
    duplex: bool,
}

/// Makes all files of `order` in `folder`; `progress` is told after each file how many
/// applications are done since.
///
/// # Errors
/// A folder that already has a `truth.jsonl`, an order for nothing, a form that cannot be printed
/// or a file that cannot be written.
pub fn simulate(
    order: &Order,
    material: &Material,
    press: &Press,
    folder: &Path,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Summary, SimulateError> {
    let truth_path = folder.join("truth.jsonl");
    if truth_path.exists() {
        return Err(SimulateError::Occupied(folder.to_owned()));
    }
    let mailroom = Mailroom {
        seed: order.seed,
        material,
        press,
        clean: order.clean,
        pages: &order.pages,
        enclosures: order.enclosures,
    };
    let drops = drops(order)?;
    fs::create_dir_all(folder).map_err(|source| SimulateError::Write { path: folder.to_owned(), source })?;
    let unwritable = |source| SimulateError::Write { path: truth_path.clone(), source };
    let mut truth_file = BufWriter::new(fs::File::create(&truth_path).map_err(unwritable)?);
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (send, receive) = mpsc::sync_channel(2 * cores);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let send = send.clone();
            scope.spawn(|| {
                let send = send;
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(drop) = drops.get(place) else { break };
                    let done = perform(drop, order, &mailroom, folder);
                    // Nobody listens any more once something went wrong.
                    if send.send((place, done)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut summary = Summary::default();
        // Done, but not yet their turn.
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        for (place, done) in receive {
            waiting.insert(place, done?);
            while let Some((pages, part)) = waiting.remove(&turn) {
                for page in &pages {
                    serde_json::to_writer(&mut truth_file, page).map_err(|error| unwritable(error.into()))?;
                    truth_file.write_all(b"\n").map_err(unwritable)?;
                }
                summary.add(&part);
                progress(part.applications);
                turn += 1;
            }
        }
        truth_file.flush().map_err(unwritable)?;
        Ok(summary)
    })
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.applications += other.applications;
        self.files += other.files;
        self.pages += other.pages;
        self.blank_pages += other.blank_pages;
        self.bytes += other.bytes;
    }
}

/// Cuts the register into runs of scanners.
fn drops(order: &Order) -> Result<Vec<Drop<'_>>, SimulateError> {
    if order.forms.is_empty() {
        return Err(SimulateError::NoForm);
    }
    let lacks = |form: &&Form| {
        !order.pages.is_empty() && !form.pages.iter().any(|page| order.pages.contains(&page.number))
    };
    if let Some(form) = order.forms.iter().find(lacks) {
        return Err(SimulateError::NoPage { form: form.id.clone() });
    }
    let mut drops = Vec::new();
    for (pile, households) in order.households.chunks(PILE).enumerate() {
        let piled = random::source(order.seed, &format!("pile {pile}")).random_bool(PILED);
        let can_pile = order.formats.iter().any(|format| format.holds_many());
        let together = if piled && can_pile { PILE } else { 1 };
        for (place, households) in households.chunks(together).enumerate() {
            drops.push(drop_of(order, pile * PILE + place, households, together > 1)?);
        }
    }
    Ok(drops)
}

fn drop_of<'a>(
    order: &Order,
    first: usize,
    households: &'a [Household],
    piled: bool,
) -> Result<Drop<'a>, SimulateError> {
    let mut source = random::source(order.seed, &format!("drop {}", households[0].application_id));
    let formats: Vec<Format> =
        order.formats.iter().copied().filter(|format| !piled || format.holds_many()).collect();
    let format = *formats.choose(&mut source).ok_or(SimulateError::NoFormat)?;
    let station = order.stations.choose(&mut source).ok_or(SimulateError::NoStation)?;
    let scanner = if order.clean {
        Scanner::clean(format.modes())
    } else {
        Scanner::of_chance(format.modes(), &mut source)
    };
    Ok(Drop {
        households,
        name: format!("{station}/batch-{:03}/{:06}", first / BATCH + 1, first + 1),
        format,
        packing: Packing::of_chance(scanner.mode, &mut source),
        scanner,
        duplex: !order.clean && source.random_bool(DUPLEX),
    })
}

/// Scans and writes; gives the truth of every page.
fn perform(
    drop: &Drop<'_>,
    order: &Order,
    mailroom: &Mailroom<'_>,
    folder: &Path,
) -> Result<(Vec<PageTruth>, Summary), SimulateError> {
    let target = folder.join(&drop.name);
    let unwritable = |path: &Path, source| SimulateError::Write { path: path.to_owned(), source };
    let (mut truths, mut packed) = (Vec::new(), Vec::new());
    for household in drop.households {
        let mut source = random::source(order.seed, &format!("form {}", household.application_id));
        let form = order.forms.choose(&mut source).ok_or(SimulateError::NoForm)?;
        mail::send(mailroom, form, household, &drop.scanner, drop.duplex, &mut |raster, truth| {
            let page = files::pack(drop.format, drop.packing, drop.scanner.jpeg_quality, &raster)
                .map_err(|source| unwritable(&target, source))?;
            packed.push(page);
            truths.push(truth);
            Ok(())
        })?;
    }
    let files = files::assemble(packed).map_err(|source| unwritable(&target, source))?;
    let mut summary = Summary {
        applications: drop.households.len(),
        pages: truths.len(),
        blank_pages: truths.iter().filter(|truth| truth.blank).count(),
        ..Summary::default()
    };
    let names: Vec<String> = (0..files.len())
        .map(|place| {
            let part = if drop.format.holds_many() { String::new() } else { format!("-{}", place + 1) };
            format!("{}{part}.{}", drop.name, drop.format.extension())
        })
        .collect();
    for (place, truth) in truths.iter_mut().enumerate() {
        let (file, page_index) = if drop.format.holds_many() { (0, place) } else { (place, 0) };
        truth.file.clone_from(&names[file]);
        truth.page_index = page_index as u32;
    }
    for (name, bytes) in names.iter().zip(files) {
        write(&folder.join(name), &bytes)?;
        summary.files += 1;
        summary.bytes += bytes.len() as u64;
    }
    Ok((truths, summary))
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), SimulateError> {
    let unwritable = |source| SimulateError::Write { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(unwritable)?;
    }
    fs::write(path, bytes).map_err(unwritable)
}
