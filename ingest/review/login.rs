//! Logging in and out, and who one is.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::guard::{self, Token};
use super::{AccountName, Desk, DeskError, Password, PasswordHash, oidc};
use crate::store::accounts;
use crate::store::login_failures::{self, FailureKey};
use crate::store::sessions::{self, Visitor};

/// Name and password.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

/// Who is logged in.
#[derive(Serialize, JsonSchema)]
pub(super) struct Me {
    name: String,
    role: &'static str,
    /// To be sent as `x-csrf-token` with whatever changes something.
    csrf: String,
}

impl Me {
    fn of(visitor: &Visitor, token: &Token) -> Self {
        Self { name: visitor.account.to_string(), role: visitor.role.name(), csrf: token.csrf() }
    }
}

pub(super) async fn log_in(State(desk): State<Desk>, request: Request) -> Result<Response, DeskError> {
    let address = guard::address(&desk, request.extensions(), request.headers());
    let before = Token::of(&desk, request.headers());
    let Ok(Json(Credentials { name, password })) = axum::RequestExt::extract(request).await else {
        return Err(DeskError::WrongLogin);
    };
    let (limit, pause) = (desk.settings.login_failures, desk.settings.lockout);
    let by_name = FailureKey::name(&name);
    let by_address = address.map(FailureKey::address);
    let mut locked = login_failures::locked(&desk.database, by_name, limit, pause).await?;
    if let Some(key) = by_address {
        locked |= login_failures::locked(&desk.database, key, desk.settings.address_failures, pause).await?;
    }
    if locked {
        return Err(DeskError::Locked);
    }
    let account: Option<AccountName> = name.parse().ok();
    let known = match &account {
        Some(account) => accounts::credentials(&desk.database, account).await?,
        None => None,
    };
    let password = Password::typed(password);
    let _turn = desk.hashing.acquire().await.map_err(|_| DeskError::Inside("the desk is closing"))?;
    let (right, known) = tokio::task::spawn_blocking(move || {
        (PasswordHash::verify(known.as_ref().map(|(_, hash)| hash), &password), known)
    })
    .await
    .map_err(|_| DeskError::Inside("a password could not be verified"))?;
    let (true, Some(account), Some((role, _))) = (right, &account, &known) else {
        let named = account.as_ref().filter(|_| known.is_some());
        let keys: Vec<FailureKey> = std::iter::once(by_name).chain(by_address).collect();
        login_failures::count(&desk.database, named, &keys, pause).await?;
        return Err(DeskError::WrongLogin);
    };
    login_failures::forget(&desk.database, by_name, pause).await?;
    // A new token always: one that somebody planted in the browser is worth nothing.
    let token = Token::new()?;
    let before = before.map(|token| token.digest());
    sessions::begin(&desk.database, account, token.digest(), before, desk.limits()).await?;
    let visitor = Visitor { account: account.clone(), role: *role };
    Ok(([(header::SET_COOKIE, token.cookie(&desk))], Json(Me::of(&visitor, &token))).into_response())
}

/// The session is over.
#[derive(Serialize, JsonSchema)]
pub(super) struct LoggedOut {
    /// Where the browser logs out of what it logged in by; else there is nothing more to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    continue_at: Option<String>,
}

pub(super) async fn log_out(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Extension(token): Extension<Token>,
) -> Result<Response, DeskError> {
    sessions::end(&desk.database, &visitor, token.digest()).await?;
    let answer = LoggedOut { continue_at: oidc::continue_at(&desk, &visitor.account).await? };
    Ok(([(header::SET_COOKIE, Token::cleared(&desk))], Json(answer)).into_response())
}

pub(super) async fn me(
    Extension(visitor): Extension<Visitor>,
    Extension(token): Extension<Token>,
) -> Json<Me> {
    Json(Me::of(&visitor, &token))
}
