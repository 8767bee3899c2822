//! The public page: 13 digits in, one sentence out.
//!
//! It asks for nothing else and tells nothing else. Whether a number is in the register cannot be found
//! out: one that is not is told the same as one whose form has not come. Every answer that the database
//! was asked for takes the same time. Nothing that was asked is logged, and no number is in a URL.

mod form;
mod rate;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::application_id::ApplicationId;
use crate::approve::{PublicState, state};
use crate::settings;
use crate::store::{Database, application_facts};
use rate::Rate;

/// What the page is made from; clones share it.
#[derive(Clone)]
pub struct PublicPage {
    database: Database,
    settings: settings::PublicPage,
    rate: Arc<Rate>,
}

/// A number has 13 digits, each at most three bytes in UTF-8 and nine in a form; blanks between them.
const BODY_BYTES: usize = 512;

/// What is told where no state can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Ask,
    State(PublicState),
    NoNumber,
    TooMany,
    OutOfOrder,
}

impl Answer {
    fn sentence(self) -> &'static str {
        match self {
            Self::Ask => "",
            Self::State(state) => state.sentence(),
            Self::NoNumber => "番号が正しくありません。申請書に印刷された13桁の数字をお確かめください",
            Self::TooMany => "照会が続いたため、しばらくお答えできません。数分後にもう一度お試しください",
            Self::OutOfOrder => "ただいまお答えできません。しばらくしてからもう一度お試しください",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Ask | Self::State(_) => StatusCode::OK,
            Self::NoNumber => StatusCode::BAD_REQUEST,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::OutOfOrder => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl PublicPage {
    pub fn new(database: Database, settings: settings::PublicPage) -> Self {
        let rate = Arc::new(Rate::new(settings.per_client_minute, settings.all_per_second));
        Self { database, settings, rate }
    }

    /// One page; `/healthz` for a load balancer, which says that the process lives.
    fn routes(self) -> Router {
        Router::new()
            .route("/", get(ask).post(look_up))
            .route("/healthz", get(async || "ok\n"))
            .layer(DefaultBodyLimit::max(BODY_BYTES))
            .with_state(self)
    }

    /// Answers until `stop` is done.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let service = self.routes().into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(stop).await
    }

    async fn answer(&self, body: &[u8], client: IpAddr) -> Answer {
        let begun = Instant::now();
        if !self.rate.allows(client, begun) {
            return Answer::TooMany;
        }
        // A wrong check digit is told at once: it says nothing of the register.
        let Some(application) = form::number(body).and_then(|number| ApplicationId::parse(&number).ok())
        else {
            return Answer::NoNumber;
        };
        let settings::PublicPage { paid_after_days, further, .. } = &self.settings;
        let asked = application_facts::of_application(&self.database, application, *paid_after_days);
        let answer = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(Some(found))) => Answer::State(state(&found.facts).public(further)),
            Ok(Ok(None)) => Answer::State(PublicState::Awaited),
            Ok(Err(_)) | Err(_) => Answer::OutOfOrder,
        };
        tokio::time::sleep_until(next_beat(begun, Instant::now(), self.settings.answer_after).into()).await;
        answer
    }
}

/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers leave at whole multiples of `beat` after they were asked for, so that how long the database
/// took does not show.
fn next_beat(begun: Instant, now: Instant, beat: Duration) -> Instant {
    let beats = (now - begun).as_nanos() / beat.as_nanos().max(1) + 1;
    begun + beat * u32::try_from(beats).unwrap_or(u32::MAX)
}

async fn ask() -> Response {
    page(Answer::Ask)
}

async fn look_up(
    State(public_page): State<PublicPage>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let client = client(public_page.settings.behind_proxy, peer, &headers);
    page(public_page.answer(&body, client).await)
}

/// Who asks. Of the addresses that proxies have written, only the last is the own proxy's.
fn client(behind_proxy: bool, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let last = headers.get_all("x-forwarded-for").iter().next_back();
    let last = last.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.filter(|_| behind_proxy).unwrap_or(peer.ip())
}

fn page(answer: Answer) -> Response {
    let sentence = answer.sentence();
    let told = match sentence {
        "" => String::new(),
        sentence => format!("<p class=\"answer\" role=\"status\">{sentence}</p>"),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (answer.status(), headers, PAGE.replace("<!--answer-->", &told)).into_response()
}

const PAGE: &str = include_str!("page.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_on_the_beat() {
        let begun = Instant::now();
        let beat = Duration::from_millis(400);
        for (took, expected) in [(0, 400), (1, 400), (399, 400), (400, 800), (1_000, 1_200)] {
            let left = next_beat(begun, begun + Duration::from_millis(took), beat);
            assert_eq!(left - begun, Duration::from_millis(expected), "{took} ms");
        }
    }

    #[test]
    fn only_the_own_proxy_is_believed() {
        let peer = SocketAddr::from(([10, 0, 0, 1], 1234));
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "198.51.100.7, 203.0.113.9".parse().expect("a value"));
        assert_eq!(client(false, peer, &headers), peer.ip());
        assert_eq!(client(true, peer, &headers), IpAddr::from([203, 0, 113, 9]));
        headers.insert("x-forwarded-for", "unknown".parse().expect("a value"));
        assert_eq!(client(true, peer, &headers), peer.ip());
    }
}
