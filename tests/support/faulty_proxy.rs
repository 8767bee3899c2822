//! Stands between a client and an HTTP server on this machine and does to requests what networks
//! and servers do to them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens to it.
    Pass,
    /// The server never sees it; the client gets this status.
    Answer(u16),
    /// The connection ends when the server has half the body.
    CutRequest,
    /// The server does it, and nobody is told.
    LoseAnswer,
    /// The connection ends when the client has so many bytes of the answer's body.
    CutAnswer(usize),
    /// It is passed on so late that nobody waits for it any more.
    Late(Duration),
}

/// What happens to the next requests, in their order.
type Plan = Box<dyn FnMut() -> Fault + Send>;

/// Runs on threads of its own until the test process ends.
pub struct FaultyProxy {
    pub port: u16,
    plan: Arc<Mutex<Plan>>,
}

impl FaultyProxy {
    /// Passes everything on to a server until told otherwise.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(|| Fault::Pass)));
        let shared = plan.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let plan = shared.clone();
                std::thread::spawn(move || {
                    // Either side may end the connection at any time.
                    let _ = serve(client, server, &plan);
                });
            }
        });
        Self { port, plan }
    }

    /// These happen to the next requests, then nothing more.
    pub fn next(&self, faults: &[Fault]) {
        let mut faults: VecDeque<Fault> = faults.iter().copied().collect();
        self.plan(move || faults.pop_front().unwrap_or(Fault::Pass));
    }

    pub fn plan(&self, plan: impl FnMut() -> Fault + Send + 'static) {
        *self.plan.lock().expect("no panic") = Box::new(plan);
    }
}

/// One request a connection, so that a fault meets one request.
fn serve(mut client: TcpStream, server: u16, plan: &Mutex<Plan>) -> io::Result<()> {
    let (head, mut body) = read_head(&mut client)?;
    let length: usize = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    if header(&head, "expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let read = body.len();
    body.resize(length, 0);
    client.read_exact(&mut body[read..])?;
    let fault = (plan.lock().expect("no panic"))();
    let sent = match fault {
        Fault::Answer(status) => {
            let answer = format!("HTTP/1.1 {status} Fault\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return client.write_all(answer.as_bytes());
        }
        Fault::CutRequest => length / 2,
        Fault::Late(delay) => {
            std::thread::sleep(delay);
            length
        }
        Fault::Pass | Fault::LoseAnswer | Fault::CutAnswer(_) => length,
    };
    let mut upstream = TcpStream::connect(("127.0.0.1", server))?;
    let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
    let kept: Vec<&str> =
        rest.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("expect:")).collect();
    write!(upstream, "{first}\r\nconnection: close\r\n{}", kept.join("\r\n"))?;
    upstream.write_all(&body[..sent])?;
    match fault {
        Fault::CutRequest => Ok(()),
        Fault::LoseAnswer => io::copy(&mut upstream, &mut io::sink()).map(drop),
        Fault::CutAnswer(bytes) => {
            let (head, begun) = read_head(&mut upstream)?;
            client.write_all(head.as_bytes())?;
            let mut answer = begun.as_slice().chain(upstream).take(bytes as u64);
            io::copy(&mut answer, &mut client).map(drop)
        }
        Fault::Pass | Fault::Answer(_) | Fault::Late(_) => io::copy(&mut upstream, &mut client).map(drop),
    }
}

/// The head with its empty line, and what came after it.
fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then(|| value.trim()))
}
