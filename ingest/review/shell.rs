//! Pages: a frame with the way to the other pages, and the script that fills it.

use askama::Template;
use axum::Extension;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use std::collections::BTreeMap;

use super::guard::Token;
use super::routes::{Access, routes};
use super::texts::Language;
use super::{Desk, DeskError, Role};
use crate::store::sessions::Visitor;

#[derive(Template)]
#[template(path = "review/templates/shell.html")]
struct Shell<'a> {
    language: Language,
    /// The page's path without the slash; its script has the same name.
    page: &'a str,
    links: Vec<Link>,
    /// Nobody on the page to log in.
    visitor: Option<&'a Visitor>,
    csrf: String,
    /// Whether people may log in elsewhere.
    oidc: bool,
}

struct Link {
    page: &'static str,
    current: bool,
}

/// The pages of the table, in its order.
fn pages_of(role: Role) -> impl Iterator<Item = &'static str> {
    routes()
        .into_iter()
        .filter(move |route| matches!(route.access, Access::Only(_)) && route.access.admits(Some(role)))
        .filter_map(|route| route.path.strip_prefix('/').filter(|page| !page.contains('/')))
}

pub(super) async fn home(Extension(visitor): Extension<Visitor>) -> Response {
    // Every role has a page; a test says so.
    let first = pages_of(visitor.role).next().unwrap_or("login");
    Redirect::to(&format!("/{first}")).into_response()
}

pub(super) async fn page(
    uri: Uri,
    Extension(visitor): Extension<Visitor>,
    Extension(token): Extension<Token>,
    headers: HeaderMap,
) -> Result<Html<String>, DeskError> {
    let page = uri.path().trim_start_matches('/');
    let links = pages_of(visitor.role).map(|link| Link { page: link, current: link == page }).collect();
    let language = Language::of(&headers);
    let shell = Shell { language, page, links, visitor: Some(&visitor), csrf: token.csrf(), oidc: false };
    Ok(Html(shell.render()?))
}

pub(super) async fn login(State(desk): State<Desk>, request: Request) -> Result<Html<String>, DeskError> {
    let language = Language::of(request.headers());
    let (links, csrf, oidc) = (Vec::new(), String::new(), desk.oidc.is_some());
    let shell = Shell { language, page: "login", links, visitor: None, csrf, oidc };
    Ok(Html(shell.render()?))
}

pub(super) async fn texts(
    Path(language): Path<String>,
) -> Result<Json<&'static BTreeMap<String, String>>, DeskError> {
    let languages = [Language::Japanese, Language::English];
    let language = languages.into_iter().find(|known| known.code() == language);
    Ok(Json(language.ok_or(DeskError::NotFound)?.texts()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_page_and_every_page_a_name() {
        for role in Role::ALL {
            assert!(pages_of(role).next().is_some(), "{role:?}");
            for page in pages_of(role) {
                assert_ne!(Language::Japanese.named("page", page), "");
            }
        }
    }
}
