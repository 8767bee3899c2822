//! Logging in by an account of another system: OpenID Connect, the authorization code flow with PKCE.
//!
//! A browser is sent to the provider with a state, a nonce and a challenge that we keep for it, and comes back with a
//! code, once. The account is found by issuer and subject, or made; its role is what the settings make of the groups
//! in the token, at each login. Whoever logs out here is sent there to log out, too, and whoever is logged out there has
//! no session here any more. Nothing that the provider says is logged.

mod configured;
mod http;
mod logout;
mod provider;

use std::path::PathBuf;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use openidconnect::url::form_urlencoded;

pub(super) use configured::{BACK, LOGGED_OUT};
pub use configured::{Oidc, SECRET_VARIABLE};
pub(super) use logout::{continue_at, logged_out};

use super::guard::{Token, cookie};
use super::texts::Language;
use super::{Desk, DeskError};
use crate::digest::Sha256;
use crate::store::oidc_logins::{self, Entered};
use crate::store::sessions;

#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error("the client's secret cannot be read from {path}: {source}")]
    Secret { path: PathBuf, source: std::io::Error },
    #[error("there is no client's secret: set oidc.client_secret_file, or {SECRET_VARIABLE}")]
    NoSecret,
    #[error("oidc.issuer or oidc.desk_url is no address")]
    Address,
    #[error("{0}")]
    Unreachable(String),
    #[error("the provider's discovery document is not that of oidc.issuer, or incomplete")]
    Discovery,
    #[error("the provider's answer is not accepted: {0}")]
    Refused(Refusal),
    /// Too old, another browser's, or a repetition.
    #[error("no login of this browser was under way")]
    NoAttempt,
    #[error("the provider ended the login")]
    Ended,
    #[error("none of the person's groups is one of oidc.roles")]
    NoRole,
    #[error("the person's groups are of several roles; an account has one")]
    ManyRoles,
    #[error("the account is disabled here")]
    Disabled,
}

/// Why an answer of the provider does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the code is expired, used or unknown, or the client's secret is wrong")]
    Code,
    #[error("it is no answer with an ID token")]
    Answer,
    #[error("its signature")]
    Signature,
    #[error("it is for another client")]
    Audience,
    #[error("it is another provider's")]
    Issuer,
    #[error("it is the answer to another login")]
    Nonce,
    #[error("it has expired")]
    Expired,
    #[error("it is no logout token with a subject")]
    Logout,
}

impl OidcError {
    /// Of the language file: `login_failed_CODE`.
    fn code(&self) -> &'static str {
        match self {
            Self::NoAttempt => "attempt",
            Self::Ended => "ended",
            Self::NoRole | Self::ManyRoles => "role",
            Self::Disabled => "disabled",
            Self::Secret { .. }
            | Self::NoSecret
            | Self::Address
            | Self::Unreachable(_)
            | Self::Discovery
            | Self::Refused(_) => "provider",
        }
    }
}

/// The browser's own secret while it is at the provider. It comes back from there by a link, so it is `Lax`.
fn attempt_cookie(desk: &Desk, value: &str, seconds: u32) -> String {
    let secure = if desk.settings.secure_cookie { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", cookie_name(desk))
}

fn cookie_name(desk: &Desk) -> &'static str {
    if desk.settings.secure_cookie { "__Host-uketsuke-oidc" } else { "uketsuke-oidc" }
}

fn digest(secret: &str) -> Sha256 {
    Sha256::of(secret.as_bytes())
}

pub(super) async fn begin(State(desk): State<Desk>) -> Result<Response, DeskError> {
    let oidc = desk.oidc.clone().ok_or(DeskError::NotFound)?;
    let _turn = desk.asking.try_acquire().map_err(|_| DeskError::Locked)?;
    let (address, attempt) = match provider::begin(&oidc).await {
        Ok(begun) => begun,
        Err(error) => return failed(&desk, &error).await,
    };
    let browser = super::guard::random_digits()?;
    let begun = oidc_logins::begin(
        &desk.database,
        digest(&attempt.state),
        digest(&browser),
        &attempt.nonce,
        &attempt.verifier,
    );
    if !begun.await? {
        return Err(DeskError::Locked);
    }
    let set = [(header::SET_COOKIE, attempt_cookie(&desk, &browser, oidc_logins::LONGEST_SECONDS))];
    Ok((set, Redirect::to(&address)).into_response())
}

pub(super) async fn back(
    State(desk): State<Desk>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, DeskError> {
    let oidc = desk.oidc.clone().ok_or(DeskError::NotFound)?;
    let (mut code, mut state) = (None, None);
    for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match &*key {
            "code" => code = Some(value.into_owned()),
            "state" => state = Some(value.into_owned()),
            _ => {}
        }
    }
    // Taken before anything else, so that it is good for one answer, whatever that is.
    let browser = cookie(&headers, cookie_name(&desk));
    let attempt = match (&state, browser) {
        (Some(state), Some(browser)) => {
            oidc_logins::take(&desk.database, digest(state), digest(browser)).await?
        }
        _ => None,
    };
    let Some((nonce, verifier)) = attempt else { return failed(&desk, &OidcError::NoAttempt).await };
    let Some(code) = code else { return failed(&desk, &OidcError::Ended).await };
    let found = async {
        let person = provider::finish(&oidc, code, nonce, verifier).await?;
        let role = oidc.role(&person.groups)?;
        Ok::<_, OidcError>((person, role))
    };
    let (person, role) = match found.await {
        Ok(found) => found,
        Err(error) => return failed(&desk, &error).await,
    };
    let (issuer, username) = (&oidc.issuer, person.preferred_username.as_deref());
    let entered = oidc_logins::enter(&desk.database, issuer, &person.subject, username, role).await?;
    let Entered::Account(account) = entered else { return failed(&desk, &OidcError::Disabled).await };
    let token = Token::new()?;
    let before = Token::of(&desk, &headers).map(|token| token.digest());
    sessions::begin(&desk.database, &account, token.digest(), before, desk.limits()).await?;
    let cookies = [token.cookie(&desk), attempt_cookie(&desk, "", 0)];
    let set = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    // The session's cookie is not sent where another site has led; our own page leads on.
    let page = LoggedIn { language: Language::of(&headers) }.render()?;
    Ok((set, Html(page)).into_response())
}

#[derive(Template)]
#[template(path = "review/templates/logged_in.html")]
struct LoggedIn {
    language: Language,
}

async fn failed(desk: &Desk, error: &OidcError) -> Result<Response, DeskError> {
    tracing::warn!(%error, "a login by the provider failed");
    oidc_logins::fail(&desk.database, error.code()).await?;
    let set = [(header::SET_COOKIE, attempt_cookie(desk, "", 0))];
    Ok((set, Redirect::to(&format!("/login?failed={}", error.code()))).into_response())
}
