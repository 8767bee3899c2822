//! The child's side: answers requests until the worker closes the pipe. One page at a time, on one
//! thread; what does the work is a [`PageReader`].

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;

use super::confine::{self, ConfineError, Confinement, Streams};
use super::handover::{self, Received};
use super::protocol::{
    Hello, Loaded, PROTOCOL_VERSION, ProtocolError, Refusal, Request, Response, write_message,
};
use crate::identify::Identity;
use crate::pipeline::{KnownApplication, PageLook, PageRead};

/// Variables that a reader must find in its environment when it starts: a library that has begun
/// with more threads cannot be brought back to one (tesseract#3109: 459 s instead of 9 s).
pub const SINGLE_THREADED: [(&str, &str); 4] = [
    ("OMP_THREAD_LIMIT", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("RTEN_NUM_THREADS", "1"),
    ("RAYON_NUM_THREADS", "1"),
];

/// Opens scans, looks at their pages and reads them. Bad input is a [`Refusal`], never a panic.
pub trait PageReader {
    fn loaded(&self) -> Loaded;

    /// Opens a scan in place of the one before and says how many pages it has.
    fn open(&mut self, scan: File, file_name: &str) -> Result<u32, Refusal>;

    /// What is seen of a page of the open scan, which is kept until the next call. `given` is what a person
    /// said that it is.
    fn look(&mut self, index: u32, given: Option<&Identity>) -> Result<PageLook, Refusal>;

    /// Reads the page last looked at, which must be `index`.
    fn read(&mut self, index: u32, known: Option<&KnownApplication>) -> Result<PageRead, Refusal>;

    /// Lets go of the open scan and its page.
    fn close(&mut self);
}

#[derive(Debug, thiserror::Error)]
pub enum ReaderProcessError<E> {
    #[error(transparent)]
    Confine(#[from] ConfineError),
    #[error("{0:#}")]
    Load(E),
    #[error("the talk with the worker broke off: {0}")]
    Talk(#[from] ProtocolError),
}

/// Code of a [`Refusal`] for an answer longer than a message may be.
const TOO_LARGE: &str = "answer_too_large";

/// Turns this process into a reader: confines it, then loads what `load` loads, then serves until
/// the worker has nothing more to ask. Must be the first thing the process does. No byte of a scan
/// is seen before the process has given up everything.
pub fn run<R: PageReader, E: std::fmt::Display>(
    confinement: &Confinement,
    load: impl FnOnce() -> Result<R, E>,
) -> Result<(), ReaderProcessError<E>> {
    std::panic::set_hook(Box::new(report_panic));
    let account = confine::account(confinement)?;
    let Streams { mut requests, mut responses } = confine::confine(confinement)?;
    let mut reader = load().map_err(ReaderProcessError::Load)?;
    if let Some(account) = account {
        confine::become_account(account)?;
    }
    serve(&mut reader, &mut requests, &mut responses)?;
    Ok(())
}

/// Greets, then answers every request until `requests` ends.
fn serve(
    reader: &mut impl PageReader,
    requests: &mut UnixStream,
    responses: &mut impl Write,
) -> Result<(), ProtocolError> {
    write_message(responses, &Hello { protocol: PROTOCOL_VERSION, loaded: reader.loaded() })?;
    while let Some(received) = handover::receive(requests)? {
        match write_message(responses, &answer(reader, received)?) {
            Err(error @ ProtocolError::TooLong { .. }) => {
                let message = format!("what was read cannot be handed over: {error}");
                write_message(responses, &Response::Failed(Refusal { code: TOO_LARGE.to_owned(), message }))?;
            }
            written => written?,
        }
    }
    Ok(())
}

fn answer(
    reader: &mut impl PageReader,
    Received { request, scan }: Received,
) -> Result<Response, ProtocolError> {
    let answer = match request {
        Request::Open { file_name } => {
            let scan = scan.ok_or(ProtocolError::NoScan)?;
            reader.open(scan, &file_name).map(|pages| Response::Opened { pages })
        }
        Request::Look { index, given } => {
            reader.look(index, given.as_ref()).map(|look| Response::Looked(Box::new(look)))
        }
        Request::Read { index, known } => {
            reader.read(index, known.as_ref()).map(|read| Response::Read(Box::new(read)))
        }
        Request::Close => {
            reader.close();
            Ok(Response::Closed)
        }
    };
    Ok(answer.unwrap_or_else(Response::Failed))
}

/// Says where a reader panicked. What it says besides is repeated only where it is a literal of the
/// program: a formatted message may quote what was read on a page.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let message = panic.payload().downcast_ref::<&'static str>().unwrap_or(&"(message withheld)");
    eprintln!("panicked at {location}: {message}");
}
