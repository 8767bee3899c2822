//! Style and scripts, as they stand in `static/`: compiled in, served as they are.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::DeskError;
use crate::digest::Sha256;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! assets {
    ($($name:literal $content_type:literal),* $(,)?) => {
        [$(Asset { name: $name, content_type: $content_type, text: include_str!(concat!("static/", $name)) }),*]
    };
}

#[cfg(test)]
const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: &[Asset] = &assets![
    "desk.css" "text/css; charset=utf-8",
    "icon.svg" "image/svg+xml",
    "accounts.js" "text/javascript; charset=utf-8",
    "api.js" "text/javascript; charset=utf-8",
    "board.js" "text/javascript; charset=utf-8",
    "dom.js" "text/javascript; charset=utf-8",
    "editor.js" "text/javascript; charset=utf-8",
    "escalations.js" "text/javascript; charset=utf-8",
    "group.js" "text/javascript; charset=utf-8",
    "inquiry.js" "text/javascript; charset=utf-8",
    "keyers.js" "text/javascript; charset=utf-8",
    "login.js" "text/javascript; charset=utf-8",
    "masking.js" "text/javascript; charset=utf-8",
    "pages.js" "text/javascript; charset=utf-8",
    "plots.js" "text/javascript; charset=utf-8",
    "qa.js" "text/javascript; charset=utf-8",
    "rescans.js" "text/javascript; charset=utf-8",
    "romaji.js" "text/javascript; charset=utf-8",
    "shell.js" "text/javascript; charset=utf-8",
    "task.js" "text/javascript; charset=utf-8",
    "viewer.js" "text/javascript; charset=utf-8",
    "work.js" "text/javascript; charset=utf-8",
];

/// A browser asks again each time, and gets the bytes when they differ from those that it has: after a
/// new version no page is left with half of the old one.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, DeskError> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or(DeskError::NotFound)?;
    let tag = format!("\"{}\"", Sha256::of(asset.text.as_bytes()));
    let kept = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let head = [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if kept {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    Ok((head, [(header::CONTENT_TYPE, asset.content_type)], asset.text).into_response())
}

#[cfg(test)]
pub(super) fn scripts() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().filter(|asset| asset.content_type == SCRIPT).map(|asset| asset.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_write_text_and_never_markup() {
        for script in scripts() {
            for way in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
            {
                assert!(!script.contains(way), "{way}");
            }
            // The name of a namespace, which nobody fetches.
            let script = script.replace("http://www.w3.org/2000/svg", "");
            assert!(!script.contains("://"), "no other host");
        }
    }
}
