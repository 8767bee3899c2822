//! The keys that data keys are encrypted with: several can be read with, the first one writes.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::SealFailure;

/// Environment variable that holds keys, for those who keep no file.
pub const KEYS_VARIABLE: &str = "UKETSUKE_OBJECT_KEYS";

/// What a key is called in objects, messages and by people: 1 to 32 of `a-z`, `0-9`, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    pub(super) const LONGEST: usize = 32;

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for KeyId {
    type Err = KeyRingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        match (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(good) {
            true => Ok(Self(text.to_owned())),
            false => Err(KeyRingError::Id),
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(super) type Secret = Zeroizing<[u8; 32]>;

/// 32 bytes from the system's source of randomness.
pub(super) fn new_secret() -> std::io::Result<Secret> {
    let mut secret = Secret::default();
    OsRng.try_fill_bytes(&mut *secret).map_err(std::io::Error::other)?;
    Ok(secret)
}

/// Never empty. Debug output shows names only.
pub struct KeyRing {
    first: (KeyId, Secret),
    others: Vec<(KeyId, Secret)>,
}

/// Messages never show what stands in the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    #[error("{}: the keys cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: others than its owner may read the keys; close it with chmod 600", path.display())]
    Open { path: PathBuf },
    #[error(
        "{origin}, line {line}: a key is written NAME and 64 hexadecimal digits; `uketsuke objects key NAME` makes one"
    )]
    Line { origin: String, line: usize },
    #[error("{origin}: there is no key in it; `uketsuke objects key NAME` makes one")]
    Empty { origin: String },
    #[error("{origin}: the name {id} stands before two keys")]
    Twice { origin: String, id: KeyId },
    #[error("keys are given in objects.keys_file and in {KEYS_VARIABLE}; give them in one place")]
    TwoPlaces,
    #[error("the name of a key has 1 to 32 lower-case letters, digits, '.', '_' and '-'")]
    Id,
}

impl KeyRing {
    /// The keys of a file, or those that the environment holds; None where neither is given.
    pub fn load(file: Option<&Path>) -> Result<Option<Self>, KeyRingError> {
        let given =
            std::env::var(KEYS_VARIABLE).ok().filter(|text| !text.trim().is_empty()).map(Zeroizing::new);
        match (file, given) {
            (Some(_), Some(_)) => Err(KeyRingError::TwoPlaces),
            (Some(path), None) => Self::read(path).map(Some),
            (None, Some(text)) => Self::parse(&text, KEYS_VARIABLE).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn read(path: &Path) -> Result<Self, KeyRingError> {
        let unreadable = |source| KeyRingError::Unreadable { path: path.to_owned(), source };
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyRingError::Open { path: path.to_owned() });
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
        Self::parse(&text, &path.display().to_string())
    }

    /// One key a line (or between commas, for the environment): its name and its 64 hexadecimal
    /// digits. Empty lines and lines that begin with `#` are passed over.
    pub fn parse(text: &str, origin: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<(KeyId, Secret)> = Vec::new();
        for (line, words) in text.split(['\n', ',']).enumerate() {
            let words = words.trim();
            if words.is_empty() || words.starts_with('#') {
                continue;
            }
            let bad = || KeyRingError::Line { origin: origin.to_owned(), line: line + 1 };
            let (id, digits) = words.split_once(char::is_whitespace).ok_or_else(bad)?;
            let id: KeyId = id.parse()?;
            let mut secret = Secret::default();
            hex::decode_to_slice(digits.trim(), &mut *secret).map_err(|_| bad())?;
            if keys.iter().any(|(known, _)| *known == id) {
                return Err(KeyRingError::Twice { origin: origin.to_owned(), id });
            }
            keys.push((id, secret));
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or_else(|| KeyRingError::Empty { origin: origin.to_owned() })?;
        Ok(Self { first, others: keys.collect() })
    }

    /// A new key as a line for the file.
    pub fn new_line(id: &KeyId) -> std::io::Result<Zeroizing<String>> {
        let secret = new_secret()?;
        Ok(Zeroizing::new(format!("{id} {}", *Zeroizing::new(hex::encode(*secret)))))
    }

    /// The key that writes.
    pub fn current(&self) -> &KeyId {
        &self.first.0
    }

    /// Encrypts a data key with the current key; `aad` is bound to it.
    pub(super) fn wrap(&self, nonce: &[u8; 24], secret: &Secret, aad: &[u8]) -> std::io::Result<Vec<u8>> {
        let payload = Payload { msg: &secret[..], aad };
        cipher(&self.first.1)
            .encrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| std::io::Error::other("a data key cannot be encrypted"))
    }

    pub(super) fn unwrap(
        &self,
        id: &KeyId,
        nonce: &[u8; 24],
        wrapped: &[u8],
        aad: &[u8],
    ) -> Result<Secret, SealFailure> {
        let all = std::iter::once(&self.first).chain(&self.others);
        let Some((_, key)) = all.into_iter().find(|(known, _)| known == id) else {
            return Err(SealFailure::UnknownKey { id: id.clone() });
        };
        let payload = Payload { msg: wrapped, aad };
        let opened = cipher(key).decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new);
        let bytes = opened.map_err(|_| SealFailure::Changed)?;
        <[u8; 32]>::try_from(&bytes[..]).map(Secret::from).map_err(|_| SealFailure::Changed)
    }
}

fn cipher(key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(**key).into())
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = std::iter::once(&self.first).chain(&self.others).map(|(id, _)| id);
        formatter.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn the_first_key_writes() {
        let text = format!("# since April\n2026-04 {DIGITS}\n\n2025-04 {DIGITS}\n");
        let keys = KeyRing::parse(&text, "a file").expect("keys");
        assert_eq!(keys.current().to_string(), "2026-04");
        assert_eq!(format!("{keys:?}"), "[KeyId(\"2026-04\"), KeyId(\"2025-04\")]");
        assert!(KeyRing::parse(&format!("a {DIGITS},b {DIGITS}"), KEYS_VARIABLE).is_ok());
    }

    #[test]
    fn a_new_key_is_a_line_of_its_own() {
        let id = "2026-04".parse().expect("a name");
        let (one, two) = (KeyRing::new_line(&id).expect("a key"), KeyRing::new_line(&id).expect("a key"));
        assert_ne!(*one, *two);
        assert!(KeyRing::parse(&one, "a file").is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for text in ["", "a", "a 0123", &format!("A {DIGITS}"), &format!("a {DIGITS}\na {DIGITS}"), DIGITS] {
            let message = KeyRing::parse(text, "a file").expect_err(text).to_string();
            assert!(!message.contains("0123") && !message.contains(DIGITS), "{message}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("a {DIGITS}")).expect("written");
        assert!(KeyRing::read(file.path()).is_ok());
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o640)).expect("opened");
        assert!(matches!(KeyRing::read(file.path()), Err(KeyRingError::Open { .. })));
    }
}
