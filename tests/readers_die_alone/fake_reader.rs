//! A reader that reads nothing, and dies in the way that the name of a scan asks for.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Signal, getpid, getrlimit, kill_process};
use uketsuke::digest::Sha256;
use uketsuke::fleet::protocol::{
    Hello, Loaded, PROTOCOL_VERSION, Refusal, Request, Response, encode, read_message, write_message,
};
use uketsuke::fleet::reader::{self, PageReader};
use uketsuke::identify::{Identification, UnassignedReason};
use uketsuke::page::Quality;
use uketsuke::pipeline::{KnownApplication, PageLook, PageRead};
use uketsuke::publish::{EncodedImage, ImageFormat};

/// More than a pipe holds.
pub const IMAGE_BYTES: usize = 3_000_000;

const MEMORY_MIB: u64 = 768;

pub fn main(mode: &str) -> ExitCode {
    let outcome = match mode {
        "fake" => reader::run(MEMORY_MIB, || Ok::<_, String>(FakeReader { model: b"a".to_vec() })),
        "fickle" => {
            let model = std::process::id().to_le_bytes().to_vec();
            reader::run(MEMORY_MIB, || Ok::<_, String>(FakeReader { model }))
        }
        "missing model" => {
            reader::run(MEMORY_MIB, || Err::<FakeReader, _>("digits.rten is missing".to_owned()))
        }
        "silent" => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        "other build" => {
            let hello = Hello { protocol: PROTOCOL_VERSION + 1, loaded: Loaded::default() };
            write_message(&mut std::io::stdout(), &hello).expect("a worker");
            let _ = std::io::stdin().read(&mut [0]);
            return ExitCode::SUCCESS;
        }
        _ => {
            talk_nonsense();
            return ExitCode::SUCCESS;
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct FakeReader {
    model: Vec<u8>,
}

impl PageReader for FakeReader {
    fn loaded(&self) -> Loaded {
        Loaded {
            software: "fake".to_owned(),
            models: BTreeMap::from([("digits".to_owned(), Sha256::of(&self.model))]),
            forms: BTreeMap::new(),
            calibration: None,
        }
    }

    /// Says its process ID for a number of pages.
    fn open(&mut self, _: &Path, file_name: &str) -> Result<u32, Refusal> {
        let answer = |message: String| Refusal { code: "answer".to_owned(), message };
        match file_name {
            "abort" => std::process::abort(),
            "exit" => std::process::exit(7),
            "segv" => die_of(Signal::SEGV),
            "kill" => die_of(Signal::KILL),
            "hang" => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            "spin" => loop {
                std::hint::spin_loop();
            },
            "slow" => std::thread::sleep(Duration::from_millis(300)),
            "bomb" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1u8; 16 << 20]);
                    std::hint::black_box(&hoard);
                }
            }
            "panic" => panic!("cannot spell {}", std::hint::black_box("横浜 花子")),
            "refuse" => return Err(Refusal { code: "truncated".to_owned(), message: "cut off".to_owned() }),
            "chatter on stderr" => (0..200_000).for_each(|number| eprintln!("a library complains, {number}")),
            "chatter on stdout" => (0..200_000).for_each(|number| println!("a library prints, {number}")),
            "last words" => {
                (0..1000).for_each(|number| eprintln!("last words, {number}"));
                std::process::abort();
            }
            "connect" => {
                let outcome = std::net::TcpStream::connect("127.0.0.1:9").map(|_| ());
                return Err(answer(
                    outcome.map_or_else(|error| format!("{:?}", error.kind()), |()| "connected".into()),
                ));
            }
            "start a program" => {
                let outcome = std::process::Command::new("/bin/true").status().map(|_| ());
                return Err(answer(
                    outcome.map_or_else(|error| format!("{:?}", error.kind()), |()| "started".into()),
                ));
            }
            "secrets" => {
                let secret =
                    std::env::vars_os().find(|(_, value)| value.to_string_lossy().contains("secret"));
                return Err(answer(
                    secret.map_or("none".to_owned(), |(name, _)| format!("{}", name.display())),
                ));
            }
            "threads" => return Err(answer(std::env::var("OMP_THREAD_LIMIT").unwrap_or_default())),
            "core dumps" => {
                return Err(answer(format!("{}", getrlimit(Resource::Core).maximum.unwrap_or(1))));
            }
            _ => (),
        }
        Ok(std::process::id())
    }

    fn look(&mut self, index: u32) -> Result<PageLook, Refusal> {
        Ok(PageLook {
            index,
            width_px: 2480,
            height_px: 3508,
            declared_dpi: None,
            quality: Quality { ink: 0.0, contrast: 0.0, sharpness: 0.0 },
            blank: true,
            skew_deg: 0.0,
            symbols: Vec::new(),
            identification: Identification::Unassigned(UnassignedReason::NoSymbol),
            registration: None,
        })
    }

    fn read(&mut self, _: u32, _: Option<&KnownApplication>) -> Result<PageRead, Refusal> {
        let image = EncodedImage { format: ImageFormat::Png, bytes: vec![7; IMAGE_BYTES] };
        Ok(PageRead { image, readings: Vec::new() })
    }

    fn close(&mut self) {}
}

/// Rust's own handler of SIGSEGV takes the first one for a stack overflow that it is not, and steps
/// aside for the next.
fn die_of(signal: Signal) -> ! {
    for _ in 0..2 {
        let _ = kill_process(getpid(), signal);
    }
    std::process::exit(1)
}

/// A reader whose answers are not of the protocol.
fn talk_nonsense() {
    let (mut requests, mut responses) = (std::io::stdin(), std::io::stdout());
    write_message(&mut responses, &Hello { protocol: PROTOCOL_VERSION, loaded: Loaded::default() })
        .expect("a worker");
    while let Some(request) = read_message(&mut requests).expect("a worker's request") {
        let fine = encode(&Response::Opened { pages: 1 }).expect("short");
        let prank = match &request {
            Request::Open { file_name, .. } => file_name.as_str(),
            _ => "fine",
        };
        let bytes = match prank {
            "garbage" => b"\x0b\0\0\0hello world".to_vec(),
            "huge" => vec![0xff; 100],
            "other answer" => encode(&Response::Closed).expect("short"),
            "half an answer" => fine[..fine.len() - 1].to_vec(),
            _ => fine,
        };
        responses.write_all(&bytes).and_then(|()| responses.flush()).expect("a worker");
        if prank == "half an answer" {
            return;
        }
    }
}
