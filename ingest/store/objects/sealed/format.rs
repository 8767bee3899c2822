//! What an encrypted object looks like.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `uketsuk1` |
//! | 32 | name of the key, filled up with zeros |
//! | 24 | nonce of the data key |
//! | 48 | the data key, XChaCha20-Poly1305 under the named key |
//! | rest | chunks of 65,536 bytes (the last of 0 to 65,536), ChaCha20-Poly1305 under the data key |
//!
//! A chunk's nonce is its number and whether it is the last, so that none can be left out, put
//! elsewhere or cut off. The object's name is bound to the data key and to every chunk: an object
//! that is moved under another name does not open. A data key is used for one object.

use std::io::{self, Write};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::Digest;

use super::SealFailure;
use super::keyring::{KeyId, KeyRing, new_secret};
use crate::digest::Sha256;

const MAGIC: &[u8; 8] = b"uketsuk1";
const NONCE: usize = 24;
const WRAPPED: usize = 48;
pub(super) const HEADER: usize = MAGIC.len() + KeyId::LONGEST + NONCE + WRAPPED;
/// Bytes of a chunk before it is encrypted.
pub(super) const CHUNK: usize = 1 << 16;
/// Bytes that encryption adds to a chunk.
const TAG: usize = 16;
/// Bytes of a chunk as it is stored.
pub(super) const SEALED_CHUNK: usize = CHUNK + TAG;

pub(super) fn is_sealed(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC)
}

/// The length of what was encrypted, from the length of what is stored.
pub(super) fn plain_bytes(stored: u64) -> Option<u64> {
    let body = stored.checked_sub(HEADER as u64)?;
    let chunks = body.div_ceil(SEALED_CHUNK as u64).max(1);
    body.checked_sub(chunks * TAG as u64)
}

/// Encrypts what is given to it, in bounded memory.
pub(super) struct Sealer<W> {
    cipher: ChaCha20Poly1305,
    name: String,
    number: u32,
    pending: Vec<u8>,
    plain: sha2::Sha256,
    stored: sha2::Sha256,
    out: W,
}

/// What a [`Sealer`] has written.
pub(super) struct Written<W> {
    /// Of the bytes that were given.
    pub plain: Sha256,
    /// Of the bytes that were written.
    pub stored: Sha256,
    pub out: W,
}

impl<W: Write> Sealer<W> {
    /// Under `name`, which is bound to what is written.
    pub fn begin(name: &str, keys: &KeyRing, out: W) -> io::Result<Self> {
        let secret = new_secret()?;
        let mut nonce = [0; NONCE];
        OsRng.try_fill_bytes(&mut nonce).map_err(io::Error::other)?;
        let mut id = [0; KeyId::LONGEST];
        id[..keys.current().as_bytes().len()].copy_from_slice(keys.current().as_bytes());
        let wrapped = keys.wrap(&nonce, &secret, &bound(&id, name))?;
        let mut sealer = Self {
            cipher: ChaCha20Poly1305::new(&(*secret).into()),
            name: name.to_owned(),
            number: 0,
            pending: Vec::with_capacity(CHUNK),
            plain: sha2::Sha256::new(),
            stored: sha2::Sha256::new(),
            out,
        };
        for part in [&MAGIC[..], &id, &nonce, &wrapped] {
            sealer.write(part)?;
        }
        Ok(sealer)
    }

    pub fn update(&mut self, mut plain: &[u8]) -> io::Result<()> {
        self.plain.update(plain);
        while !plain.is_empty() {
            // Only when more comes is it known not to be the last.
            if self.pending.len() == CHUNK {
                self.seal(false)?;
            }
            let (now, later) = plain.split_at(plain.len().min(CHUNK - self.pending.len()));
            self.pending.extend_from_slice(now);
            plain = later;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<Written<W>> {
        self.seal(true)?;
        self.out.flush()?;
        let [plain, stored] =
            [self.plain, self.stored].map(|hasher| Sha256::from_bytes(hasher.finalize().into()));
        Ok(Written { plain, stored, out: self.out })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let payload = Payload { msg: &self.pending, aad: self.name.as_bytes() };
        let sealed = self
            .cipher
            .encrypt(&nonce(self.number, last), payload)
            .map_err(|_| io::Error::other("a chunk cannot be encrypted"))?;
        self.number = self.number.checked_add(1).ok_or_else(|| io::Error::other("more than 256 TiB"))?;
        self.pending.clear();
        self.write(&sealed)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stored.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Decrypts an object, a chunk at a time.
pub(super) struct Opener {
    cipher: ChaCha20Poly1305,
    name: String,
    number: u32,
}

impl Opener {
    /// With the key that the object was encrypted with.
    pub fn begin(header: &[u8], name: &str, keys: &KeyRing) -> Result<(KeyId, Self), SealFailure> {
        let rest = header.strip_prefix(MAGIC).ok_or(SealFailure::Plain)?;
        let (id, rest) = rest.split_first_chunk::<{ KeyId::LONGEST }>().ok_or(SealFailure::Cut)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(SealFailure::Cut)?;
        let wrapped = rest.first_chunk::<WRAPPED>().ok_or(SealFailure::Cut)?;
        let text = str::from_utf8(id).map_err(|_| SealFailure::Changed)?.trim_end_matches('\0');
        let named: KeyId = text.parse().map_err(|_| SealFailure::Changed)?;
        let secret = keys.unwrap(&named, nonce, wrapped, &bound(id, name))?;
        let cipher = ChaCha20Poly1305::new(&(*secret).into());
        Ok((named, Self { cipher, name: name.to_owned(), number: 0 }))
    }

    /// The chunks come in their order, each as it is stored.
    pub fn open(&mut self, sealed: &[u8], last: bool) -> Result<Vec<u8>, SealFailure> {
        if sealed.len() < TAG {
            return Err(SealFailure::Cut);
        }
        let payload = Payload { msg: sealed, aad: self.name.as_bytes() };
        let plain =
            self.cipher.decrypt(&nonce(self.number, last), payload).map_err(|_| SealFailure::Changed)?;
        self.number = self.number.checked_add(1).ok_or(SealFailure::Changed)?;
        Ok(plain)
    }
}

/// What a data key is bound to.
fn bound(id: &[u8], name: &str) -> Vec<u8> {
    [&MAGIC[..], id, name.as_bytes()].concat()
}

fn nonce(number: u32, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[7..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::objects::{ObjectKey, ObjectKind};

    fn keys() -> KeyRing {
        KeyRing::parse(&format!("test {}", "5a".repeat(32)), "a test").expect("keys")
    }

    fn key(content: &[u8]) -> ObjectKey {
        ObjectKey::of(ObjectKind::Original, Sha256::of(content), None)
    }

    fn seal(key: &ObjectKey, content: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::begin(&key.to_string(), &keys(), Vec::new()).expect("randomness");
        for part in content.chunks(50_000) {
            sealer.update(part).expect("memory");
        }
        let written = sealer.finish().expect("memory");
        assert_eq!((written.plain, written.stored), (Sha256::of(content), Sha256::of(&written.out)));
        written.out
    }

    fn open(key: &ObjectKey, sealed: &[u8]) -> Result<Vec<u8>, SealFailure> {
        let (header, body) = sealed.split_at(sealed.len().min(HEADER));
        let (_, mut opener) = Opener::begin(header, &key.to_string(), &keys())?;
        let mut chunks: Vec<&[u8]> = body.chunks(SEALED_CHUNK).collect();
        let last = chunks.pop().unwrap_or_default();
        let mut plain = Vec::new();
        for chunk in chunks {
            plain.extend(opener.open(chunk, false)?);
        }
        plain.extend(opener.open(last, true)?);
        Ok(plain)
    }

    #[test]
    fn what_is_sealed_opens_and_its_length_is_known() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
            let content = vec![7; length];
            let key = key(&content);
            let sealed = seal(&key, &content);
            assert_eq!(plain_bytes(sealed.len() as u64), Some(length as u64));
            assert_eq!(open(&key, &sealed).expect("it opens"), content);
        }
    }

    #[test]
    fn nothing_shows_and_nothing_repeats() {
        let content = vec![b'a'; 1000];
        let (one, two) = (seal(&key(&content), &content), seal(&key(&content), &content));
        assert!(!one.windows(8).any(|window| window == b"aaaaaaaa"));
        assert_ne!(one[HEADER..], two[HEADER..]);
    }

    #[test]
    fn what_was_moved_swapped_or_cut_does_not_open() {
        let content: Vec<u8> = (0..3 * CHUNK).map(|byte| byte as u8).collect();
        let key_of_it = key(&content);
        let sealed = seal(&key_of_it, &content);
        assert!(matches!(open(&key(b"another"), &sealed), Err(SealFailure::Changed)));
        for cut in [HEADER, HEADER + 5, sealed.len() - 1, HEADER + SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK] {
            assert!(open(&key_of_it, &sealed[..cut]).is_err(), "{cut}");
        }
        let mut swapped = sealed.clone();
        swapped[HEADER..HEADER + 2 * SEALED_CHUNK].rotate_left(SEALED_CHUNK);
        assert!(open(&key_of_it, &swapped).is_err());
        let foreign = KeyRing::parse(&format!("other {}", "5a".repeat(32)), "a test").expect("keys");
        let refused = Opener::begin(&sealed[..HEADER], &key_of_it.to_string(), &foreign).map(drop);
        assert!(matches!(refused, Err(SealFailure::UnknownKey { .. })));
        assert!(matches!(open(&key_of_it, b"a plain scan"), Err(SealFailure::Plain)));
    }

    proptest! {
        #[test]
        fn a_byte_that_changes_is_noticed(at in 0usize..HEADER + 1016, bit in 0u8..8) {
            let content = vec![1; 1000];
            let mut sealed = seal(&key(&content), &content);
            sealed[at] ^= 1 << bit;
            prop_assert!(open(&key(&content), &sealed).is_err());
        }
    }
}
