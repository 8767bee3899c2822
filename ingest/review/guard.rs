//! Who asks, and whether they may: in front of every route. Behind it the session's account and role
//! are known, the role is one of the route's, and what changes something came from a page of ours.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::routes::Access;
use super::{AccountName, ApiToken, Desk, DeskError, Scope};
use crate::digest::Sha256;
use crate::store::api_tokens;
use crate::store::sessions::{self, Visitor};

/// What the browser keeps of a session: 32 random bytes, in hexadecimal digits.
#[derive(Clone)]
pub(super) struct Token(String);

/// Scripts of ours say with it that nobody has touched keys or mouse for a while: what a page asks by itself
/// does not keep a session that its person has left.
const UNATTENDED_HEADER: &str = "x-unattended";

/// The header that scripts of ours send with what changes something; other sites cannot read it.
pub(super) const CSRF_HEADER: &str = "x-csrf-token";

/// 256 random bits in hexadecimal digits.
pub(super) fn random_digits() -> Result<String, DeskError> {
    use rand::TryRngCore;
    let mut bytes = [0; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| DeskError::Inside("the system gave no random bytes for a token"))?;
    Ok(hex::encode(bytes))
}

impl Token {
    pub fn new() -> Result<Self, DeskError> {
        random_digits().map(Self)
    }

    /// The one that the browser came with.
    pub fn of(desk: &Desk, headers: &HeaderMap) -> Option<Self> {
        cookie(headers, cookie_name(desk)).map(|value| Self(value.to_owned()))
    }

    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }

    /// Follows from the token, so that it lives exactly as long.
    pub fn csrf(&self) -> String {
        Sha256::of(format!("csrf {}", self.0).as_bytes()).to_string()
    }

    /// No other site can have the browser send it, and no script can read it.
    pub fn cookie(&self, desk: &Desk) -> String {
        let secure = if desk.settings.secure_cookie { "; Secure" } else { "" };
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(desk), self.0)
    }

    pub fn cleared(desk: &Desk) -> String {
        let secure = if desk.settings.secure_cookie { "; Secure" } else { "" };
        format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}", cookie_name(desk))
    }
}

/// A cookie that the browser came with.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The prefix has the browser refuse the cookie from another host, or over plain http.
fn cookie_name(desk: &Desk) -> &'static str {
    if desk.settings.secure_cookie { "__Host-uketsuke" } else { "uketsuke" }
}

pub(super) async fn guard(
    State((desk, access, scopes)): State<(Desk, Access, &'static [Scope])>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&desk, access, scopes, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let is_page = !request.uri().path().starts_with("/api/");
            match error {
                DeskError::NotLoggedIn if is_page => Redirect::to("/login").into_response(),
                DeskError::Forbidden if is_page => Redirect::to("/").into_response(),
                error => error.into_response(),
            }
        }
    }
}

async fn admit(
    desk: &Desk,
    access: Access,
    scopes: &[Scope],
    request: &mut Request,
) -> Result<(), DeskError> {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !is_of_this_site(request.headers()) {
        return Err(DeskError::Forbidden);
    }
    let roles = match access {
        Access::Anyone => return Ok(()),
        Access::LoggedIn => None,
        Access::Only(roles) => Some(roles),
    };
    // A machine says who it is with every request, so no other site can have it ask: there is no CSRF.
    if let Some(token) = ApiToken::of(request.headers()) {
        let visitor = machine(desk, &token?, scopes).await?;
        request.extensions_mut().insert(visitor);
        return Ok(());
    }
    let token = Token::of(desk, request.headers()).ok_or(DeskError::NotLoggedIn)?;
    let attended = !request.headers().contains_key(UNATTENDED_HEADER);
    let visitor: Visitor = sessions::visitor(&desk.database, token.digest(), desk.limits(), attended)
        .await?
        .ok_or(DeskError::NotLoggedIn)?;
    if roles.is_some_and(|roles| !roles.contains(&visitor.role)) {
        return Err(DeskError::Forbidden);
    }
    if changes {
        let given = request.headers().get(CSRF_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
        // Compared by digest: how long it takes says nothing about where they differ.
        if Sha256::of(given) != Sha256::of(token.csrf().as_bytes()) {
            return Err(DeskError::Forbidden);
        }
    }
    request.extensions_mut().insert(visitor);
    request.extensions_mut().insert(token);
    Ok(())
}

/// The machine whose token it is, if one of its scopes is one of the route's.
async fn machine(desk: &Desk, token: &ApiToken, scopes: &[Scope]) -> Result<Visitor, DeskError> {
    let holder = api_tokens::holder(&desk.database, token.digest()).await?;
    let (name, held) = holder.ok_or(DeskError::NotLoggedIn)?;
    let scope = scopes.iter().find(|scope| held.contains(scope)).ok_or(DeskError::Forbidden)?;
    Ok(Visitor { account: AccountName::of_machine(&name), role: scope.role() })
}

/// What the browser says of where a request comes from; programs that are no browsers say nothing.
fn is_of_this_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let site_is_ours = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let origin_is_ours = text("origin").is_none_or(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && host == text("host")
    });
    site_is_ours && origin_is_ours
}

/// Where a request comes from, for the rate limit. Behind a proxy of our own, what it says.
pub(super) fn address(desk: &Desk, request: &axum::http::Extensions, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = request.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    if !desk.settings.trust_forwarded_for {
        return peer;
    }
    let named = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    named.and_then(|list| list.rsplit(',').next()).and_then(|last| last.trim().parse().ok()).or(peer)
}

/// Headers of every answer: nothing is framed, sniffed, kept in a cache or loaded from elsewhere.
pub(super) async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    );
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()");
    response
}
