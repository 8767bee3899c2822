//! From the settings to a client: endpoint, credentials, retries and time limits.

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Credentials, ProvideCredentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::{Client, config};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::S3Failure;
use crate::settings::Objects;

/// Credentials that are not given come from where every program of AWS finds them: the environment, the profile that
/// AWS_PROFILE names, a web identity, the role of the container or of the machine.
pub(super) async fn client(
    settings: &Objects,
    credentials: Option<Credentials>,
) -> Result<Client, S3Failure> {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.connect_limit)
        .operation_attempt_timeout(settings.request_limit)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(settings.attempts)
        .with_initial_backoff(settings.first_backoff)
        .with_max_backoff(settings.longest_backoff);
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(settings.stall_limit).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.build_https())
        .timeout_config(timeouts)
        .retry_config(retries)
        .stalled_stream_protection(stalls);
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials);
    }
    let shared = loader.load().await;
    if shared.region().is_none() {
        return Err(S3Failure::NoRegion);
    }
    match shared.credentials_provider() {
        Some(provider) => {
            let found = provider.provide_credentials().await;
            found.map_err(|error| S3Failure::NoCredentials(error.to_string()))?;
        }
        None => return Err(S3Failure::NoCredentials("there is no chain of providers".to_owned())),
    }
    // Bodies are sent with the SHA-256 that we know and checked by the digest in their key. The
    // driver's own checksums come as trailers, which Garage and RadosGW refuse over plain HTTP.
    let config = config::Builder::from(&shared)
        .force_path_style(settings.path_style)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Ok(Client::from_conf(config))
}
