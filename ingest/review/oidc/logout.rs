//! Logging out, on both sides: RP-Initiated Logout 1.0 and Back-Channel Logout 1.0. A session here never waits for the
//! provider to end.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use openidconnect::url::form_urlencoded;
use serde_json::json;

use super::provider;
use crate::review::{AccountName, Desk, DeskError};
use crate::store::oidc_logins;

/// Where the browser of somebody whose session has just ended logs out at the provider, if it logged in there. `asking`
/// does not bound it: each session ends once.
pub(in crate::review) async fn continue_at(
    desk: &Desk,
    account: &AccountName,
) -> Result<Option<String>, DeskError> {
    let Some(oidc) = &desk.oidc else { return Ok(None) };
    if !oidc_logins::knows(&desk.database, &oidc.issuer, account).await? {
        return Ok(None);
    }
    Ok(provider::end(oidc).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "somebody logged out here, and may still be logged in at the provider");
        None
    }))
}

/// The provider says that somebody is logged out there. A token names a person, not one of their browsers, as far as
/// we read it: every session of theirs ends.
pub(in crate::review) async fn logged_out(
    State(desk): State<Desk>,
    body: String,
) -> Result<Response, DeskError> {
    let oidc = desk.oidc.clone().ok_or(DeskError::NotFound)?;
    let _turn = desk.asking.try_acquire().map_err(|_| DeskError::Locked)?;
    let token = form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == "logout_token");
    let token = token.map(|(_, token)| token).unwrap_or_default();
    match provider::logged_out(&oidc, &token).await {
        Ok(subject) => {
            oidc_logins::end(&desk.database, &oidc.issuer, &subject).await?;
            Ok(StatusCode::OK.into_response())
        }
        // The standard knows one status for whatever went wrong.
        Err(error) => {
            tracing::warn!(%error, "a logout by the provider failed");
            Ok((StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_request" }))).into_response())
        }
    }
}
