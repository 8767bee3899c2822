//! Files that no reader survives, and the reader that does not survive them: that of `uketsuke`, but
//! that some contents crash it. The bugs that would do so are not known, or they would be mended.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use uketsuke::fleet::protocol::{Loaded, Refusal};
use uketsuke::fleet::reader::{self, PageReader};
use uketsuke::fleet::{Confinement, ScanReader};
use uketsuke::identify::Identity;
use uketsuke::pipeline::{KnownApplication, PageLook, PageRead};
use uketsuke::settings::Settings;

/// What a file that is no mail does to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Poison {
    Abort,
    /// Invalid memory access.
    Trap,
    /// Takes all the memory that it can get.
    Hoard,
    Hang,
    /// Is of no format; a reader says so and lives.
    Garbage,
}

impl Poison {
    /// A hang costs its time limit on every attempt, so it is left out of the short run.
    pub const QUICK: [Self; 4] = [Self::Abort, Self::Trap, Self::Hoard, Self::Garbage];
    pub const ALL: [Self; 5] = [Self::Abort, Self::Trap, Self::Hoard, Self::Garbage, Self::Hang];

    const MARK: &'static str = "POISON ";

    /// The file's bytes; each number gives another content.
    pub fn bytes(self, number: u64) -> Vec<u8> {
        match self {
            Self::Garbage => format!("Dear Sir or Madam, {number}").into_bytes(),
            poison => format!("{}{poison:?} {number}", Self::MARK).into_bytes(),
        }
    }

    fn of(head: &str) -> Option<Self> {
        let name = head.strip_prefix(Self::MARK)?.split(' ').next()?;
        Self::ALL.into_iter().find(|poison| format!("{poison:?}") == name)
    }

    fn work(self) {
        match self {
            Self::Abort => std::process::abort(),
            // SAFETY: none: this is the crash that is asked for, of a process that has nothing to lose.
            Self::Trap => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
            Self::Hoard => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1u8; 16 << 20]);
                    std::hint::black_box(&hoard);
                }
            }
            Self::Hang => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            Self::Garbage => (),
        }
    }
}

/// `uketsuke reader`, with the arguments that the pool gives it.
pub fn reader(arguments: &[String]) -> ExitCode {
    let config = arguments.iter().position(|argument| argument == "--config");
    let config = config.and_then(|at| arguments.get(at + 1)).map(Path::new);
    let settings = Settings::load(config).expect("the site's settings");
    let confinement = Confinement::of(&settings);
    let load = || ScanReader::load(settings).map(|reader| MortalReader { reader });
    match reader::run(&confinement, load) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct MortalReader {
    reader: ScanReader,
}

impl PageReader for MortalReader {
    fn loaded(&self) -> Loaded {
        self.reader.loaded()
    }

    fn open(&mut self, mut scan: File, file_name: &str) -> Result<u32, Refusal> {
        let mut head = [0; 32];
        let count = scan.read(&mut head).expect("a file that was handed over");
        scan.rewind().expect("a file");
        if let Some(poison) = Poison::of(&String::from_utf8_lossy(&head[..count])) {
            poison.work();
        }
        self.reader.open(scan, file_name)
    }

    fn look(&mut self, index: u32, given: Option<&Identity>) -> Result<PageLook, Refusal> {
        self.reader.look(index, given)
    }

    fn read(&mut self, index: u32, known: Option<&KnownApplication>) -> Result<PageRead, Refusal> {
        self.reader.read(index, known)
    }

    fn close(&mut self) {
        self.reader.close();
    }
}
