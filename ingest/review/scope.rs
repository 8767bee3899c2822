//! What machines may have of the API: tokens of 256 random bits with scopes, kept by their digest.

use std::fmt;
use std::str::FromStr;

use axum::http::{HeaderMap, header};

use super::{DeskError, Role};
use crate::digest::Sha256;

/// A part of the API. What needs a person's account (tasks, decisions, pictures) is in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Scope {
    /// Look applications up: name, address and how they stand
    Inquiry,
    /// How the work stands: board, rates of errors, rescans, missing pages
    Board,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such scope")]
pub struct ScopeError;

impl Scope {
    pub const ALL: [Self; 2] = [Self::Inquiry, Self::Board];

    pub fn name(self) -> &'static str {
        match self {
            Self::Inquiry => "inquiry",
            Self::Board => "board",
        }
    }

    /// Whose eyes the machine sees with.
    pub(super) fn role(self) -> Role {
        match self {
            Self::Inquiry => Role::Inquiry,
            Self::Board => Role::Supervisor,
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or(ScopeError)
    }
}

/// What a machine sends as `Authorization: Bearer`: random, so that its digest is enough to keep and nobody
/// guesses it. It is told once, to whoever makes it.
pub struct ApiToken(String);

/// A token that is found in a log or a repository is told from other texts by it.
const PREFIX: &str = "uketsuke_";

impl ApiToken {
    pub fn new() -> Result<Self, DeskError> {
        Ok(Self(format!("{PREFIX}{}", super::guard::random_digits()?)))
    }

    /// The one that a request came with; an error where it came with another credential.
    pub(super) fn of(headers: &HeaderMap) -> Option<Result<Self, DeskError>> {
        let given = headers.get(header::AUTHORIZATION)?;
        let token = given.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        Some(token.map(|token| Self(token.trim().to_owned())).ok_or(DeskError::NotLoggedIn))
    }

    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }

    /// For whoever has made it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiToken(***)")
    }
}
