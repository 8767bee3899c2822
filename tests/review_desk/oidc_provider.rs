//! A provider of logins on a port of its own: as much of OpenID Connect as one client needs, and whatever a test
//! wants to be wrong about it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uketsuke::digest::Sha256;

pub const CLIENT: &str = "uketsuke";
pub const SECRET: &str = "a secret of the client";

pub struct Provider {
    pub issuer: String,
    state: Arc<Inner>,
    serving: JoinHandle<()>,
}

struct Inner {
    issuer: String,
    key: EcdsaKeyPair,
    /// Not in the provider's list of keys.
    foreign: EcdsaKeyPair,
    codes: Mutex<HashMap<String, Grant>>,
    /// Who is logged in at the provider, for browsers; null: nobody.
    person: Mutex<Value>,
    /// Where they log out of it, if it says so.
    end: Mutex<Option<String>>,
}

struct Grant {
    asked: HashMap<String, String>,
    claims: Value,
    foreign: bool,
}

/// What the desk asks the provider for.
pub struct Asked(HashMap<String, String>);

impl Asked {
    /// Out of the address that the desk sends a browser to.
    pub fn of(address: &str) -> Self {
        Self(parameters(address.split_once('?').expect("a question").1))
    }

    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }
}

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        // Another site than the desk's, as far as browsers are concerned.
        let port = listener.local_addr().expect("an address").port();
        let issuer = format!("http://localhost:{port}");
        let state = Arc::new(Inner {
            issuer: issuer.clone(),
            key: key(),
            foreign: key(),
            codes: Mutex::default(),
            person: Mutex::default(),
            end: Mutex::new(Some(format!("{issuer}/end"))),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/end", get(end))
            .with_state(state.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.expect("served") });
        Self { issuer, state, serving }
    }

    /// Nobody answers any more.
    pub async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    pub fn ends_at(&self, place: Option<&str>) {
        *self.state.end.lock().expect("a place") = place.map(str::to_owned);
    }

    /// A logout token that is right but for `wrong`, of that type.
    pub fn logout_token(&self, kind: &str, subject: &str, wrong: &Value) -> String {
        let now = now();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "1", "sub": subject,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        replace(&mut claims, wrong);
        signed(&self.state.key, kind, &claims)
    }

    pub fn foreign_logout_token(&self, subject: &str) -> String {
        let token = self.logout_token("logout+jwt", subject, &json!({}));
        sign(&self.state.foreign, token.rsplit_once('.').expect("a signature").0)
    }

    /// The ID token that a right answer holds.
    pub fn claims(&self, asked: &Asked, subject: &str, groups: &[&str]) -> Value {
        claims(&self.issuer, asked.get("nonce"), &json!({ "sub": subject, "groups": groups }))
    }

    /// A code for these claims, good for one answer.
    pub fn grant(&self, asked: &Asked, claims: Value) -> String {
        self.state.grant(asked.0.clone(), claims, false)
    }

    /// One whose token nobody knows the key of.
    pub fn grant_foreign(&self, asked: &Asked, claims: Value) -> String {
        self.state.grant(asked.0.clone(), claims, true)
    }

    pub fn expire(&self, code: &str) {
        self.state.codes.lock().expect("codes").remove(code).expect("a code");
    }

    /// Whoever comes by a browser is this person.
    pub fn logged_in(&self, claims: Value) {
        *self.state.person.lock().expect("a person") = claims;
    }
}

impl Inner {
    fn grant(&self, asked: HashMap<String, String>, claims: Value, foreign: bool) -> String {
        let code = format!("code-{}", Sha256::of(format!("{asked:?} {claims}").as_bytes()));
        self.codes.lock().expect("codes").insert(code.clone(), Grant { asked, claims, foreign });
        code
    }
}

fn claims(issuer: &str, nonce: &str, person: &Value) -> Value {
    let now = now();
    let mut claims = json!({ "iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce });
    replace(&mut claims, person);
    claims
}

fn replace(claims: &mut Value, by: &Value) {
    for (key, value) in by.as_object().expect("an object") {
        claims[key] = value.clone();
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn signed(key: &EcdsaKeyPair, kind: &str, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    sign(key, &format!("{}.{}", part(&json!({ "alg": "ES256", "kid": "one", "typ": kind })), part(claims)))
}

fn sign(key: &EcdsaKeyPair, text: &str) -> String {
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("signed");
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).expect("a key")
}

fn parameters(query: &str) -> HashMap<String, String> {
    openidconnect::url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

async fn discovery(State(state): State<Arc<Inner>>) -> Json<Value> {
    let issuer = &state.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    if let Some(end) = &*state.end.lock().expect("a place") {
        metadata["end_session_endpoint"] = json!(end);
    }
    Json(metadata)
}

async fn keys(State(state): State<Arc<Inner>>) -> Json<Value> {
    let point = state.key.public_key().as_ref();
    let part = |range: std::ops::Range<usize>| BASE64_URL_SAFE_NO_PAD.encode(&point[range]);
    Json(json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one", "x": part(1..33), "y": part(33..65),
    }] }))
}

/// Asks nothing: the person is logged in here already, or gives up.
async fn authorize(State(state): State<Arc<Inner>>, uri: Uri) -> Redirect {
    let asked = parameters(uri.query().unwrap_or_default());
    let person = state.person.lock().expect("a person").clone();
    let (back, given) = (asked["redirect_uri"].clone(), asked["state"].clone());
    if person.is_null() {
        return Redirect::to(&format!("{back}?error=access_denied&state={given}"));
    }
    let claims = claims(&state.issuer, &asked["nonce"], &person);
    let code = state.grant(asked, claims, false);
    Redirect::to(&format!("{back}?code={code}&state={given}"))
}

async fn token(State(state): State<Arc<Inner>>, headers: HeaderMap, body: String) -> Response {
    let given = parameters(&body);
    let refuse = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    let secret = openidconnect::url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect::<String>();
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT}:{secret}")));
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&expected) {
        return refuse("invalid_client");
    }
    // A code is good once.
    let Some(grant) = state.codes.lock().expect("codes").remove(&given["code"]) else {
        return refuse("invalid_grant");
    };
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::of(given["code_verifier"].as_bytes()).as_bytes());
    if grant.asked["code_challenge_method"] != "S256"
        || grant.asked["code_challenge"] != challenge
        || grant.asked["redirect_uri"] != given["redirect_uri"]
    {
        return refuse("invalid_grant");
    }
    let key = if grant.foreign { &state.foreign } else { &state.key };
    let token = signed(key, "JWT", &grant.claims);
    Json(json!({ "access_token": "an access token", "token_type": "Bearer", "expires_in": 300, "id_token": token }))
        .into_response()
}

/// Logs whoever it is out, and sends them where the client wants them.
async fn end(State(state): State<Arc<Inner>>, uri: Uri) -> Redirect {
    let asked = parameters(uri.query().unwrap_or_default());
    assert_eq!(asked["client_id"], CLIENT);
    *state.person.lock().expect("a person") = Value::Null;
    Redirect::to(&asked["post_logout_redirect_uri"])
}

/// Where a desk at that address is told about this provider.
pub fn settings(provider: &Provider, desk: SocketAddr, secret: &std::path::Path) -> uketsuke::review::Oidc {
    use uketsuke::review::Role;
    std::fs::write(secret, format!("{SECRET}\n")).expect("written");
    let roles =
        [("town-keyers", Role::Keyer), ("town-reviewers", Role::Reviewer), ("town-leads", Role::Supervisor)];
    uketsuke::review::Oidc {
        issuer: provider.issuer.clone(),
        client_id: CLIENT.to_owned(),
        client_secret_file: Some(secret.to_owned()),
        desk_url: format!("http://{desk}"),
        role_claim: "groups".to_owned(),
        roles: roles.map(|(name, role)| (name.to_owned(), role)).into(),
    }
}
