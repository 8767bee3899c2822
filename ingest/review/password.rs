//! Passwords: argon2id, with the salt of the hash and the parameters that it names.

use std::fmt;
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use zeroize::Zeroizing;

/// What was typed; forgotten when it is dropped.
pub struct Password(Zeroizing<String>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("a password has {} to {} characters", Password::SHORTEST, Password::LONGEST)]
    Length,
    #[error("the system gave no random bytes for a salt; try again")]
    Salt,
}

impl Password {
    /// Length is what makes a password strong (NIST SP 800-63B, which asks for 15 where it is all
    /// there is, and for 8 with lock-out).
    pub const SHORTEST: usize = 10;
    /// Hashing takes time with the length.
    pub const LONGEST: usize = 200;

    /// One that is to be set.
    pub fn chosen(text: String) -> Result<Self, PasswordError> {
        if (Self::SHORTEST..=Self::LONGEST).contains(&text.chars().count()) {
            Ok(Self(Zeroizing::new(text)))
        } else {
            Err(PasswordError::Length)
        }
    }

    /// One that was typed to log in, whatever it is.
    pub fn typed(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(***)")
    }
}

/// In the PHC format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(***)")
    }
}

/// Of a password that nobody has: a name that does not exist takes as long as one that does.
static NOBODY: LazyLock<Option<PasswordHash>> =
    LazyLock::new(|| PasswordHash::of(&Password::typed("nobody".to_owned())).ok());

impl PasswordHash {
    /// 19 MiB and 2 passes, the crate's defaults and OWASP's recommendation; some 20 ms.
    pub fn of(password: &Password) -> Result<Self, PasswordError> {
        let hash: phc::PasswordHash =
            Argon2::default().hash_password(password.0.as_bytes()).map_err(|_| PasswordError::Salt)?;
        Ok(Self(hash.to_string()))
    }

    /// As the database keeps it.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the same time whether there is a hash or not. An over-long password is never right, and
    /// is not hashed.
    pub fn verify(hash: Option<&Self>, password: &Password) -> bool {
        if password.0.len() > 4 * Password::LONGEST {
            return false;
        }
        let against = hash.or(NOBODY.as_ref());
        let right = against.is_some_and(|hash| {
            Argon2::default().verify_password(password.0.as_bytes(), hash.as_str()).is_ok()
        });
        right && hash.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_only_for_its_own_hash() {
        let right = || Password::chosen("枕 the quick brown".to_owned()).expect("long enough");
        let hash = PasswordHash::of(&right()).expect("hashed");
        assert!(hash.as_str().starts_with("$argon2id$"));
        assert!(PasswordHash::verify(Some(&hash), &right()));
        assert!(!PasswordHash::verify(Some(&hash), &Password::typed("枕 the quick brow".to_owned())));
        assert!(!PasswordHash::verify(None, &Password::typed("nobody".to_owned())));
        assert_ne!(PasswordHash::of(&right()).expect("hashed"), hash, "salted");
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(Password::chosen("123456789".to_owned()).is_err());
        assert!(Password::chosen("x".repeat(201)).is_err());
        assert!(!PasswordHash::verify(None, &Password::typed("x".repeat(1 << 20))));
    }
}
