//! The talk between a worker and a reader: length-prefixed messages over a Unix socket there and a
//! pipe back.
//!
//! A message is its length (u32, little-endian) and that many bytes of postcard. The reader speaks
//! first ([`Hello`]), then every [`Request`] gets exactly one [`Response`]. Neither side trusts the
//! other's lengths: memory is taken as bytes arrive, never as they are announced.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::identify::Identity;
use crate::pipeline::{KnownApplication, PageLook, PageRead};

/// Raised whenever a message changes its meaning or its bytes.
pub const PROTOCOL_VERSION: u32 = 4;

/// The longest message. A page at the default limit of 150 megapixels is below 100 MB as a JPEG of
/// quality 75, in colour and full of noise.
pub const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Bytes of the length in front of a message.
pub const HEADER_BYTES: usize = 4;

/// What a reader says first, after it has loaded everything it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the reader. Stays the first field for ever: see [`decode_hello`].
    pub protocol: u32,
    pub loaded: Loaded,
}

/// What a reader works with. All readers of a pool must agree in it, since a record names it as its
/// provenance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Loaded {
    /// Version of this software.
    pub software: String,
    /// SHA-256 of each model file, by name.
    pub models: BTreeMap<String, Sha256>,
    /// SHA-256 of each form file, by `form@version`.
    pub forms: BTreeMap<String, Sha256>,
    /// SHA-256 of the calibration file, whose weights shape every reading of a comb.
    pub calibration: Option<Sha256>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Opens the scan that comes with it as an open file ([`super::handover`]); whatever was open
    /// before is closed. Answered by [`Response::Opened`].
    Open {
        /// Its name at the station, for messages.
        file_name: String,
    },
    /// Looks at a page of the open scan, as the one that a person said it is. Answered by
    /// [`Response::Looked`].
    Look { index: u32, given: Option<Identity> },
    /// Reads the page last looked at, which must be this one: its fields if it is registered, its
    /// published image in any case. Answered by [`Response::Read`].
    Read { index: u32, known: Option<KnownApplication> },
    /// Lets go of the open scan. Answered by [`Response::Closed`].
    Close,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Response {
    Opened {
        pages: u32,
    },
    Looked(Box<PageLook>),
    Read(Box<PageRead>),
    Closed,
    /// The scan or the page is bad: an answer, not a failure of the reader.
    Failed(Refusal),
}

/// Why a scan or a page cannot be read, for people and for rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A short word that programs compare, such as `truncated`.
    pub code: String,
    /// Names the file, the page and what to do; without personal data.
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error("a message of {bytes} bytes was announced, the longest is {MAX_MESSAGE_BYTES}")]
    TooLong { bytes: usize },
    #[error("the message ends after {found} of {announced} bytes")]
    Truncated { found: usize, announced: usize },
    #[error("{bytes} bytes are no message of this protocol")]
    Malformed { bytes: usize },
    #[error(
        "the reader speaks version {found} of the protocol, this program {PROTOCOL_VERSION}; both must be the same build"
    )]
    Version { found: u32 },
    #[error("a scan was to be opened, and none was handed over")]
    NoScan,
    #[error("the pipe failed: {0}")]
    Pipe(#[from] io::Error),
}

/// A message with its length in front, ready to be written.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, ProtocolError> {
    let mut bytes = postcard::to_extend(message, vec![0; HEADER_BYTES])
        .map_err(|_| ProtocolError::Malformed { bytes: 0 })?;
    let length = bytes.len() - HEADER_BYTES;
    let announced = u32::try_from(length).ok().filter(|_| length <= MAX_MESSAGE_BYTES);
    let announced = announced.ok_or(ProtocolError::TooLong { bytes: length })?;
    bytes[..HEADER_BYTES].copy_from_slice(&announced.to_le_bytes());
    Ok(bytes)
}

/// The length that a header announces.
pub fn announced_bytes(header: [u8; HEADER_BYTES]) -> Result<usize, ProtocolError> {
    match u32::from_le_bytes(header) as usize {
        bytes if bytes <= MAX_MESSAGE_BYTES => Ok(bytes),
        bytes => Err(ProtocolError::TooLong { bytes }),
    }
}

/// The message that `body` is, to its last byte.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProtocolError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(ProtocolError::Malformed { bytes: body.len() }),
    }
}

/// The greeting of a reader. Its version is looked at first, so that one of another build is told
/// from garbage.
pub fn decode_hello(body: &[u8]) -> Result<Loaded, ProtocolError> {
    match postcard::take_from_bytes::<u32>(body) {
        Ok((PROTOCOL_VERSION, _)) => Ok(decode::<Hello>(body)?.loaded),
        Ok((found, _)) => Err(ProtocolError::Version { found }),
        Err(_) => Err(ProtocolError::Malformed { bytes: body.len() }),
    }
}

pub fn write_message(to: &mut impl Write, message: &impl Serialize) -> Result<(), ProtocolError> {
    to.write_all(&encode(message)?)?;
    to.flush()?;
    Ok(())
}

/// The next message; none where the other side has closed its end between two messages.
pub fn read_message<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, ProtocolError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    from.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(None);
    }
    let found = header.len();
    let header =
        header.try_into().map_err(|_| ProtocolError::Truncated { found, announced: HEADER_BYTES })?;
    read_body(from, header).map(Some)
}

/// The message behind a header.
pub(super) fn read_body<T: DeserializeOwned>(
    from: &mut impl Read,
    header: [u8; HEADER_BYTES],
) -> Result<T, ProtocolError> {
    let announced = announced_bytes(header)?;
    let mut body = Vec::new();
    from.by_ref().take(announced as u64).read_to_end(&mut body)?;
    if body.len() < announced {
        return Err(ProtocolError::Truncated { found: body.len(), announced });
    }
    decode(&body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::publish::{EncodedImage, ImageFormat};

    /// Gives a few bytes at a time, as a pipe does.
    struct Dribble<'a> {
        bytes: &'a [u8],
        pieces: std::iter::Cycle<std::vec::IntoIter<usize>>,
    }

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.pieces.next().unwrap_or(1).min(buffer.len());
            self.bytes.read(&mut buffer[..piece])
        }
    }

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            ".*".prop_map(|file_name| Request::Open { file_name }),
            any::<u32>().prop_map(|index| Request::Look { index, given: None }),
            (any::<u32>(), proptest::option::of((".*", ".*"))).prop_map(|(index, known)| Request::Read {
                index,
                known: known.map(|(head_name, head_kana)| KnownApplication { head_name, head_kana })
            }),
            Just(Request::Close),
        ]
    }

    fn requests() -> impl Strategy<Value = Vec<Request>> {
        proptest::collection::vec(request(), 0..5)
    }

    fn read_all(mut from: impl Read) -> Result<Vec<Request>, ProtocolError> {
        std::iter::from_fn(|| read_message(&mut from).transpose()).collect()
    }

    proptest! {
        #[test]
        fn messages_survive_any_split_of_their_bytes(
            requests in requests(), pieces in proptest::collection::vec(1usize..9, 1..20),
        ) {
            let bytes = requests.iter().flat_map(|request| encode(request).expect("short")).collect::<Vec<u8>>();
            let dribble = Dribble { bytes: &bytes, pieces: pieces.into_iter().cycle() };
            prop_assert_eq!(read_all(dribble).expect("whole"), requests);
        }

        #[test]
        fn a_cut_off_message_is_an_error(request in request(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&request).expect("short");
            let kept = 1 + cut.index(bytes.len() - 1);
            let truncated = matches!(read_all(&bytes[..kept]), Err(ProtocolError::Truncated { .. }));
            prop_assert!(truncated);
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes: Vec<u8>) {
            let _ = read_all(&bytes[..]);
            let _ = decode::<Response>(&bytes);
            let _ = decode_hello(&bytes);
        }
    }

    #[test]
    fn a_length_beyond_the_maximum_is_refused_before_its_bytes_are_read() {
        let error = read_all(&[0xff; 8][..]).expect_err("4 GiB announced");
        assert!(matches!(error, ProtocolError::TooLong { bytes: 0xffff_ffff }), "{error}");
    }

    #[test]
    fn a_length_inside_a_message_takes_no_memory() {
        // Response::Read of a JPEG that claims 2^63 bytes: refused for want of them.
        let body = [2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(matches!(decode::<Response>(&body), Err(ProtocolError::Malformed { bytes: 11 })));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut body = encode(&Request::Close).expect("short").split_off(HEADER_BYTES);
        body.push(0);
        assert!(matches!(decode::<Request>(&body), Err(ProtocolError::Malformed { .. })));
    }

    #[test]
    fn a_page_travels_whole() {
        let read = PageRead {
            image: EncodedImage { format: ImageFormat::Png, bytes: vec![7; 100_000] },
            readings: Vec::new(),
            copies: None,
            unmasked: None,
        };
        let response = Response::Read(Box::new(read));
        let bytes = encode(&response).expect("short");
        assert_eq!(read_message::<Response>(&mut &bytes[..]).expect("whole"), Some(response));
    }

    #[test]
    fn a_reader_of_another_build_is_told_from_garbage() {
        let mut hello = Hello { protocol: PROTOCOL_VERSION, loaded: Loaded::default() };
        let body = postcard::to_stdvec(&hello).expect("memory");
        assert_eq!(decode_hello(&body).expect("the same build"), hello.loaded);
        hello.protocol += 1;
        let body = postcard::to_stdvec(&hello).expect("memory");
        assert!(matches!(decode_hello(&body), Err(ProtocolError::Version { found: 5 })));
    }
}
