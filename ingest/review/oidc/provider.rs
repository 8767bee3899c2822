//! The talk with the provider: where a browser is sent, who came back, and who has left. What a provider says is
//! believed only under its signature, for us, now, and, of a login, with the nonce of this browser's attempt.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, Client, ClientId,
    CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken,
    IdTokenFields, IssuerUrl, JsonWebTokenType, LogoutRequest, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, RequestTokenError, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};

use super::configured::{BACK, LEFT, Oidc, is_private};
use super::http::Http;
use super::{OidcError, Refusal};

/// What the standard does not name: the groups are among it. Personal, so nothing prints it.
#[derive(Clone, Serialize, Deserialize)]
struct OtherClaims(serde_json::Map<String, serde_json::Value>);

impl std::fmt::Debug for OtherClaims {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("OtherClaims(***)")
    }
}

impl AdditionalClaims for OtherClaims {}

/// What makes a token a logout token; without it, it is none and does not parse.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LogoutClaims {
    events: Events,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Events {
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    logout: serde_json::Map<String, serde_json::Value>,
}

impl AdditionalClaims for LogoutClaims {}

/// Like an ID token but for its claims, the subject included: the standard allows a session's ID instead of it, which
/// we do not keep.
type LogoutToken =
    IdToken<LogoutClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Types that the header of a logout token has, where it has one; older providers call it a JWT.
const LOGOUT_TYPES: [&str; 2] = ["logout+jwt", "JWT"];

type Tokens = StandardTokenResponse<
    IdTokenFields<
        OtherClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Provider = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Signatures that only the provider can make.
const SIGNATURES: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What the attempt of one browser is recognised and finished by; secret.
pub(super) struct Attempt {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// Who came back.
pub(super) struct Person {
    /// Of the issuer; never given to anybody else.
    pub subject: String,
    pub preferred_username: Option<String>,
    /// What the claim of the settings holds.
    pub groups: Vec<String>,
}

fn http() -> Result<Http, OidcError> {
    Http::new().map_err(|error| OidcError::Unreachable(error.to_string()))
}

/// Asked each time: it may have other keys today, and people log in once a day.
async fn discover(oidc: &Oidc, http: &Http) -> Result<ProviderMetadataWithLogout, OidcError> {
    let issuer = IssuerUrl::new(oidc.issuer.clone()).map_err(|_| OidcError::Address)?;
    ProviderMetadataWithLogout::discover_async(issuer, http).await.map_err(|error| match error {
        DiscoveryError::Request(error) => OidcError::Unreachable(error.to_string()),
        _ => OidcError::Discovery,
    })
}

async fn provider(oidc: &Oidc, http: &Http) -> Result<Provider, OidcError> {
    let redirect = RedirectUrl::new(oidc.at_desk(BACK)).map_err(|_| OidcError::Address)?;
    let metadata = discover(oidc, http).await?;
    let client = ClientId::new(oidc.client_id.clone());
    Ok(Client::from_provider_metadata(metadata, client, Some(oidc.secret()?)).set_redirect_uri(redirect))
}

/// The address at the provider for a new attempt.
pub(super) async fn begin(oidc: &Oidc) -> Result<(String, Attempt), OidcError> {
    let http = http()?;
    let provider = provider(oidc, &http).await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (address, state, nonce) = provider
        .authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .set_pkce_challenge(challenge)
        .url();
    let attempt = Attempt {
        state: state.into_secret(),
        nonce: nonce.secret().clone(),
        verifier: verifier.into_secret(),
    };
    Ok((address.to_string(), attempt))
}

/// Who the code stands for, if the provider says so to this attempt.
pub(super) async fn finish(
    oidc: &Oidc,
    code: String,
    nonce: String,
    verifier: String,
) -> Result<Person, OidcError> {
    let http = http()?;
    let provider = provider(oidc, &http).await?;
    let tokens = provider
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|_| OidcError::Discovery)?
        .set_pkce_verifier(PkceCodeVerifier::new(verifier))
        .request_async(&http)
        .await
        .map_err(|error| match error {
            RequestTokenError::Request(error) => OidcError::Unreachable(error.to_string()),
            RequestTokenError::ServerResponse(_) => OidcError::Refused(Refusal::Code),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => OidcError::Refused(Refusal::Answer),
        })?;
    let token = tokens.id_token().ok_or(OidcError::Refused(Refusal::Answer))?;
    let verifier = provider.id_token_verifier().set_allowed_algs(SIGNATURES);
    let claims = token.claims(&verifier, &Nonce::new(nonce)).map_err(refused)?;
    let groups = match claims.additional_claims().0.get(&oidc.role_claim) {
        Some(serde_json::Value::String(group)) => vec![group.clone()],
        Some(serde_json::Value::Array(groups)) => {
            groups.iter().filter_map(|group| group.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    Ok(Person {
        subject: claims.subject().to_string(),
        preferred_username: claims.preferred_username().map(|name| name.to_string()),
        groups,
    })
}

/// Where a browser ends its login at the provider, if the provider has such a place.
///
/// It is told the client and nothing of the person. An `id_token_hint` would spare them a question that Keycloak asks
/// (Entra ID needs none), but the ID token holds their name and groups: it would lie in the database until they leave,
/// and then stand in an address, which browsers and proxies keep. Nothing waits for them to come back, so there is no
/// state either.
pub(super) async fn end(oidc: &Oidc) -> Result<Option<String>, OidcError> {
    let back = PostLogoutRedirectUrl::new(oidc.at_desk(LEFT)).map_err(|_| OidcError::Address)?;
    let metadata = discover(oidc, &http()?).await?;
    let Some(end) = metadata.additional_metadata().end_session_endpoint.clone() else { return Ok(None) };
    // A page of ours will go there.
    if !is_private(end.url()) {
        return Err(OidcError::Discovery);
    }
    let request = LogoutRequest::from(end)
        .set_client_id(ClientId::new(oidc.client_id.clone()))
        .set_post_logout_redirect_uri(back);
    Ok(Some(request.http_get_url().to_string()))
}

/// The subject that is logged out at the provider, if the provider says so by this token. The same one again is
/// believed again, until it expires.
pub(super) async fn logged_out(oidc: &Oidc, token: &str) -> Result<String, OidcError> {
    // Before the provider is asked anything: anybody may send one.
    let token: LogoutToken = token.parse().map_err(|_| OidcError::Refused(Refusal::Logout))?;
    let provider = provider(oidc, &http()?).await?;
    let types = LOGOUT_TYPES.map(|name| JsonWebTokenType::new(name.to_owned()).normalize());
    let verifier = provider
        .id_token_verifier()
        .set_allowed_algs(SIGNATURES)
        .set_allowed_jose_types(types.into_iter().flatten());
    // It has no nonce, so that nobody can have an ID token pass for one.
    let without = |nonce: Option<&Nonce>| nonce.map_or(Ok(()), |_| Err(String::new()));
    Ok(token.claims(&verifier, without).map_err(refused)?.subject().to_string())
}

/// Their messages repeat what stood in the token.
fn refused(error: ClaimsVerificationError) -> OidcError {
    OidcError::Refused(match error {
        ClaimsVerificationError::Expired(_) => Refusal::Expired,
        ClaimsVerificationError::InvalidAudience(_) => Refusal::Audience,
        ClaimsVerificationError::InvalidIssuer(_) => Refusal::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => Refusal::Nonce,
        ClaimsVerificationError::SignatureVerification(_) => Refusal::Signature,
        _ => Refusal::Answer,
    })
}
