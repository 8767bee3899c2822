//! What an answer says where something does not work: a status, and a code that the page turns into
//! words of its language.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::StoreError;
use crate::store::objects::ObjectError;

/// A value of a field that cannot be, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    pub field: String,
    /// Of the language file: `fault_CODE`.
    pub code: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// The role may not, or the request did not come from a page of ours.
    #[error("not allowed")]
    Forbidden,
    #[error("name or password is wrong")]
    WrongLogin,
    #[error("too many failed logins")]
    Locked,
    #[error("there is no such thing, or not for this person")]
    NotFound,
    /// Somebody else has the task now.
    #[error("the lease has ended")]
    Stale,
    #[error("entries that cannot be")]
    Faults(Vec<Fault>),
    #[error("{0}")]
    Refused(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("a page cannot be written: {0}")]
    Template(#[from] askama::Error),
    #[error("{0}")]
    Inside(&'static str),
}

impl DeskError {
    fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotLoggedIn => (StatusCode::UNAUTHORIZED, "not_logged_in"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::WrongLogin => (StatusCode::UNAUTHORIZED, "wrong_login"),
            Self::Locked => (StatusCode::TOO_MANY_REQUESTS, "locked"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Stale => (StatusCode::CONFLICT, "stale"),
            Self::Faults(_) => (StatusCode::UNPROCESSABLE_ENTITY, "faults"),
            Self::Refused(_) | Self::Store(StoreError::Refused(_)) => (StatusCode::CONFLICT, "refused"),
            Self::Store(error) if error.is_transient() => (StatusCode::SERVICE_UNAVAILABLE, "database"),
            Self::Store(_) | Self::Template(_) | Self::Inside(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "inside")
            }
            Self::Object(ObjectError::NotFound { .. }) => (StatusCode::NOT_FOUND, "no_picture"),
            Self::Object(_) => (StatusCode::INTERNAL_SERVER_ERROR, "no_picture"),
        }
    }
}

impl IntoResponse for DeskError {
    fn into_response(self) -> Response {
        let (status, code) = self.answer();
        if status.is_server_error() {
            // Messages of the store name the question that was asked, never a value.
            tracing::error!(error = %self, "an answer of the review desk failed");
        }
        let mut body = json!({ "code": code });
        match &self {
            Self::Faults(faults) => body["faults"] = json!(faults),
            Self::Refused(reason) | Self::Store(StoreError::Refused(reason)) => {
                body["reason"] = json!(reason)
            }
            _ => {}
        }
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        }
        response
    }
}
