//! What an operator says of the provider.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use openidconnect::{ClientSecret, url::Url};
use serde::Deserialize;

use super::OidcError;
use crate::review::Role;

/// The client's secret, where no file holds it.
pub const SECRET_VARIABLE: &str = "UKETSUKE_OIDC_SECRET";

/// The way back to us, below the desk's address.
pub(in crate::review) const BACK: &str = "/login/oidc/back";
/// Where the provider says that somebody is logged out there.
pub(in crate::review) const LOGGED_OUT: &str = "/login/oidc/backchannel-logout";
/// Where browsers come back to that logged out at the provider.
pub(super) const LEFT: &str = "/login";

/// Logins by accounts of another system.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// As its discovery document names it.
    pub issuer: String,
    pub client_id: String,
    /// Else [`SECRET_VARIABLE`].
    pub client_secret_file: Option<PathBuf>,
    /// How browsers reach the desk, without a path.
    pub desk_url: String,
    /// Of the ID token: a text, or a list of texts.
    pub role_claim: String,
    /// What it holds, and the role that this is.
    pub roles: BTreeMap<String, Role>,
}

impl Oidc {
    /// Whether it can be; nobody is asked anything.
    pub fn check(&self) -> Result<(), &'static str> {
        for address in [&self.issuer, &self.desk_url] {
            let address = Url::parse(address).map_err(|_| "oidc: issuer and desk_url are addresses")?;
            if !is_private(&address) {
                return Err(
                    "oidc: issuer and desk_url begin with https:// (or http://localhost, for a trial)",
                );
            }
        }
        match self.client_id.is_empty() || self.role_claim.is_empty() || self.roles.is_empty() {
            true => Err("oidc: client_id, role_claim and at least one of roles are needed"),
            false => Ok(()),
        }
    }

    /// Read anew each time, so that it can be changed.
    pub fn secret(&self) -> Result<ClientSecret, OidcError> {
        let secret = match &self.client_secret_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| OidcError::Secret { path: path.clone(), source })?,
            None => std::env::var(SECRET_VARIABLE).map_err(|_| OidcError::NoSecret)?,
        };
        match secret.trim() {
            "" => Err(OidcError::NoSecret),
            secret => Ok(ClientSecret::new(secret.to_owned())),
        }
    }

    /// As browsers reach it.
    pub(super) fn at_desk(&self, path: &str) -> String {
        format!("{}{path}", self.desk_url.trim_end_matches('/'))
    }

    /// The one role that somebody has by what the claim holds.
    pub(super) fn role(&self, held: &[String]) -> Result<Role, OidcError> {
        let roles: BTreeSet<Role> = held.iter().filter_map(|name| self.roles.get(name).copied()).collect();
        match roles.len() {
            1 => roles.into_iter().next().ok_or(OidcError::NoRole),
            0 => Err(OidcError::NoRole),
            _ => Err(OidcError::ManyRoles),
        }
    }
}

/// Nobody on the way can read or change what goes there.
pub(super) fn is_private(address: &Url) -> bool {
    match address.scheme() {
        "https" => true,
        "http" => matches!(address.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oidc() -> Oidc {
        Oidc {
            issuer: "https://login.example".to_owned(),
            client_id: "desk".to_owned(),
            client_secret_file: None,
            desk_url: "https://desk.example".to_owned(),
            role_claim: "groups".to_owned(),
            roles: [("a", Role::Keyer), ("b", Role::Keyer), ("c", Role::Qa)]
                .map(|(name, role)| (name.to_owned(), role))
                .into(),
        }
    }

    #[test]
    fn a_role_is_one_of_the_mapping_and_never_two() {
        let role = |held: &[&str]| oidc().role(&held.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(role(&["a", "staff"]).expect("one"), Role::Keyer);
        assert_eq!(role(&["a", "b"]).expect("the same twice"), Role::Keyer);
        assert!(matches!(role(&["a", "c"]), Err(OidcError::ManyRoles)));
        assert!(
            matches!(role(&["keyer", "administrator"]), Err(OidcError::NoRole)),
            "names of roles are none"
        );
        assert!(matches!(role(&[]), Err(OidcError::NoRole)));
    }

    #[test]
    fn what_others_could_read_is_refused() {
        assert_eq!(oidc().check(), Ok(()));
        for issuer in ["http://login.example", "login.example", "ftp://login.example", ""] {
            assert!(Oidc { issuer: issuer.to_owned(), ..oidc() }.check().is_err(), "{issuer}");
        }
        assert_eq!(Oidc { issuer: "http://localhost:9000".to_owned(), ..oidc() }.check(), Ok(()));
        assert!(Oidc { roles: BTreeMap::new(), ..oidc() }.check().is_err());
    }
}
