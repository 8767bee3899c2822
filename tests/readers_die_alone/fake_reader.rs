//! A reader that reads nothing, and dies in the way that the name of a scan asks for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Signal, getpid, getppid, getrlimit, getuid, kill_process, test_kill_process,
};
use uketsuke::digest::Sha256;
use uketsuke::fleet::Confinement;
use uketsuke::fleet::protocol::{
    Hello, Loaded, PROTOCOL_VERSION, Refusal, Request, Response, encode, read_message, write_message,
};
use uketsuke::fleet::reader::{self, PageReader};
use uketsuke::identify::{Identification, Identity, UnassignedReason};
use uketsuke::page::Quality;
use uketsuke::pipeline::{KnownApplication, PageLook, PageRead};
use uketsuke::publish::{EncodedImage, ImageFormat};

/// More than a pipe holds.
pub const IMAGE_BYTES: usize = 3_000_000;

const MEMORY_MIB: u64 = 768;

/// A reader of a kind; `readable` stands for its models.
pub fn main(mode: &str, readable: Option<&str>) -> ExitCode {
    let readable = readable.map(PathBuf::from).into_iter().collect();
    let confinement = Confinement { memory_mib: MEMORY_MIB, readable, user: "nobody".to_owned() };
    let outcome = match mode {
        "fake" => reader::run(&confinement, || Ok::<_, String>(FakeReader::new(b"a".to_vec()))),
        "fickle" => {
            let model = std::process::id().to_le_bytes().to_vec();
            reader::run(&confinement, || Ok::<_, String>(FakeReader::new(model)))
        }
        "missing model" => {
            reader::run(&confinement, || Err::<FakeReader, _>("digits.rten is missing".to_owned()))
        }
        "no such user" => {
            let confinement = Confinement { user: "no such user".to_owned(), ..confinement };
            reader::run(&confinement, || Ok::<_, String>(FakeReader::new(Vec::new())))
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

impl FakeReader {
    /// With a thread that was started while it was loaded, as libraries do.
    fn new(model: Vec<u8>) -> Self {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
        Self { model }
    }
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

    /// Does what `file_name` asks for; otherwise says its process ID for a number of pages.
    fn open(&mut self, mut scan: File, file_name: &str) -> Result<u32, Refusal> {
        let answer = |message: String| Refusal { code: "answer".to_owned(), message };
        if let Some((verb, path)) = file_name.split_once(' ').filter(|(_, path)| path.starts_with('/')) {
            return Err(answer(attempt(verb, path)));
        }
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
            "connect" => return Err(answer(outcome(std::net::TcpStream::connect("127.0.0.1:9")))),
            "connect to a socket" => {
                return Err(answer(outcome(std::os::unix::net::UnixStream::connect("/run/postgresql/5432"))));
            }
            "send a datagram" => {
                return Err(answer(outcome(std::net::UdpSocket::bind("127.0.0.1:0"))));
            }
            "start a program" => {
                return Err(answer(outcome(std::process::Command::new("/bin/true").status())));
            }
            // SAFETY: should it fork after all, the child ends at once.
            "fork" => match unsafe { libc::fork() } {
                0 => std::process::exit(0),
                -1 => return Err(answer(outcome(Err::<(), _>(std::io::Error::last_os_error())))),
                _ => return Err(answer("done".to_owned())),
            },
            "start a thread" => {
                let thread = std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().is_ok());
                return Err(answer(outcome(thread)));
            }
            "signal the worker" => {
                let worker = getppid().expect("a worker");
                return Err(answer(outcome(test_kill_process(worker).map_err(Into::into))));
            }
            "signal the first process" => {
                return Err(answer(outcome(test_kill_process(Pid::INIT).map_err(Into::into))));
            }
            "become root" => {
                // SAFETY: takes a number only.
                let result = match unsafe { libc::setuid(0) } {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                };
                return Err(answer(outcome(result)));
            }
            "who" => return Err(answer(getuid().as_raw().to_string())),
            "read the scan" => {
                let mut text = String::new();
                let read = scan.read_to_string(&mut text).map(|_| text);
                return Err(answer(read.unwrap_or_else(|error| format!("{:?}", error.kind()))));
            }
            "write the scan" => return Err(answer(outcome(scan.write_all(b"changed")))),
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

    fn look(&mut self, index: u32, _: Option<&Identity>) -> Result<PageLook, Refusal> {
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
        Ok(PageRead { image, readings: Vec::new(), copies: None, unmasked: None })
    }

    fn close(&mut self) {}
}

/// What comes of an attempt to touch a file by its name.
fn attempt(verb: &str, path: &str) -> String {
    match verb {
        "read" => outcome(std::fs::read(path)),
        "list" => outcome(std::fs::read_dir(path)),
        "write" => outcome(std::fs::write(path, b"changed")),
        "make" => outcome(std::fs::create_dir(path)),
        "remove" => outcome(std::fs::remove_file(path)),
        "rename" => outcome(std::fs::rename(path, format!("{path}.moved"))),
        "open" => {
            use std::os::unix::fs::PermissionsExt;
            outcome(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)))
        }
        _ => panic!("what is to be done?"),
    }
}

fn outcome<T>(result: std::io::Result<T>) -> String {
    result.map_or_else(|error| format!("{:?}", error.kind()), |_| "done".to_owned())
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
