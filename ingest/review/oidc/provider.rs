//! The talk with the provider: where a browser is sent, and who came back. What a provider says is believed only
//! under its signature, for us, now, and with the nonce of this browser's attempt.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, Client, ClientId,
    CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};

use super::configured::{BACK, Oidc};
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

/// Asked each time: it may have other keys today, and people log in once a day.
async fn provider(oidc: &Oidc, http: &Http) -> Result<Provider, OidcError> {
    let issuer = IssuerUrl::new(oidc.issuer.clone()).map_err(|_| OidcError::Address)?;
    let redirect = RedirectUrl::new(format!("{}{BACK}", oidc.desk_url.trim_end_matches('/')))
        .map_err(|_| OidcError::Address)?;
    let metadata = CoreProviderMetadata::discover_async(issuer, http).await.map_err(|error| match error {
        DiscoveryError::Request(error) => OidcError::Unreachable(error.to_string()),
        _ => OidcError::Discovery,
    })?;
    let client = ClientId::new(oidc.client_id.clone());
    Ok(Client::from_provider_metadata(metadata, client, Some(oidc.secret()?)).set_redirect_uri(redirect))
}

/// The address at the provider for a new attempt.
pub(super) async fn begin(oidc: &Oidc) -> Result<(String, Attempt), OidcError> {
    let http = Http::new().map_err(|error| OidcError::Unreachable(error.to_string()))?;
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
    let http = Http::new().map_err(|error| OidcError::Unreachable(error.to_string()))?;
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
    let claims = token.claims(&verifier, &Nonce::new(nonce)).map_err(|error| {
        // Their messages repeat what stood in the token.
        OidcError::Refused(match error {
            ClaimsVerificationError::Expired(_) => Refusal::Expired,
            ClaimsVerificationError::InvalidAudience(_) => Refusal::Audience,
            ClaimsVerificationError::InvalidIssuer(_) => Refusal::Issuer,
            ClaimsVerificationError::InvalidNonce(_) => Refusal::Nonce,
            ClaimsVerificationError::SignatureVerification(_) => Refusal::Signature,
            _ => Refusal::Answer,
        })
    })?;
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
