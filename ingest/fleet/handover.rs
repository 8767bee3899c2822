//! How a scan comes to a reader: as an open file beside the first byte of the request to open it
//! (SCM_RIGHTS, unix(7)). So a reader needs no right to open anything by its name.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncWriteExt, Interest};

use super::protocol::{HEADER_BYTES, ProtocolError, Request, read_body};

/// A request as it reaches the reader.
pub(super) struct Received {
    pub request: Request,
    /// With a request to open a scan.
    pub scan: Option<File>,
}

/// Sends a whole message, and a scan with it.
pub(super) async fn send(
    to: &mut tokio::net::UnixStream,
    message: &[u8],
    scan: Option<&File>,
) -> io::Result<()> {
    let sent = match scan {
        Some(scan) => {
            let socket: &tokio::net::UnixStream = to;
            socket.async_io(Interest::WRITABLE, || send_with(socket, message, scan.as_fd())).await?
        }
        None => 0,
    };
    to.write_all(&message[sent..]).await
}

/// Sends what the socket takes of `message` at once; with its first byte goes the file.
fn send_with(to: impl AsFd, message: &[u8], scan: BorrowedFd<'_>) -> io::Result<usize> {
    let files = [scan];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    // There is room for one.
    beside.push(SendAncillaryMessage::ScmRights(&files));
    Ok(sendmsg(to, &[IoSlice::new(message)], &mut beside, SendFlags::NOSIGNAL)?)
}

/// The next request; none where the worker has closed its end between two.
pub(super) fn receive(from: &mut UnixStream) -> Result<Option<Received>, ProtocolError> {
    let (mut header, mut found, mut scan) = ([0; HEADER_BYTES], 0, None);
    while found < HEADER_BYTES {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut header[found..])];
        let received = match recvmsg(&*from, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            received => received.map_err(io::Error::from)?,
        };
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                scan = files.last().map(File::from);
            }
        }
        match (received.bytes, found) {
            (0, 0) => return Ok(None),
            (0, found) => return Err(ProtocolError::Truncated { found, announced: HEADER_BYTES }),
            (count, _) => found += count,
        }
    }
    let request = read_body(from, header)?;
    Ok(Some(Received { request, scan }))
}
