//! How the provider is asked: the TLS that the object store uses, and no answer that is late, large or elsewhere.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::url::Url;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, http};

use super::configured::is_private;

#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the certificates of the system cannot be read: {0}")]
    Certificates(std::io::Error),
    #[error("the provider names an address that is not https")]
    NotPrivate,
    #[error("the provider did not answer within 10 seconds")]
    Late,
    #[error("the provider cannot be reached: {0}")]
    Unreachable(hyper_util::client::legacy::Error),
    /// Cut off, or larger than anything that it has to say.
    #[error("the provider's answer is no whole document")]
    Answer,
}

const LIMIT: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 1 << 20;

pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    pub fn new() -> Result<Self, HttpError> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(Arc::new(rustls::crypto::ring::default_provider()))
            .map_err(HttpError::Certificates)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let address = Url::parse(&request.uri().to_string()).map_err(|_| HttpError::NotPrivate)?;
        if !is_private(&address) {
            return Err(HttpError::NotPrivate);
        }
        let request = request.map(|body| Full::new(Bytes::from(body)));
        // A redirect is an answer like any other: it is not followed.
        let (head, body) = self.0.request(request).await.map_err(HttpError::Unreachable)?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|_| HttpError::Answer)?;
        Ok(http::Response::from_parts(head, body.to_bytes().to_vec()))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            tokio::time::timeout(LIMIT, self.ask(request)).await.unwrap_or(Err(HttpError::Late))
        })
    }
}
