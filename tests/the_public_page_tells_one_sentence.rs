//! 13 digits in, one sentence out: nothing else, to nobody who guesses, and at the same pace.

#[path = "support/database.rs"]
mod database;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use uketsuke::application_id::ApplicationId;
use uketsuke::approve::StopReason;
use uketsuke::public_page::PublicPage;
use uketsuke::settings::{self, Settings};
use uketsuke::simulate::register::household;
use uketsuke::store::{Database, payment_stops, register};

/// Status, headers and body of an answer.
fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("the page listens");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

/// The sentence that a number gets.
fn told(address: SocketAddr, number: &str) -> (u16, String) {
    let (status, _, body) = ask(address, "POST", "/", &format!("number={number}"));
    let sentence = body.split_once("role=\"status\">").and_then(|(_, rest)| rest.split_once("</p>"));
    (status, sentence.map(|(sentence, _)| sentence.to_owned()).expect("a sentence"))
}

async fn page(database: &Database, settings: settings::PublicPage) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let page = PublicPage::new(database.clone(), settings);
    tokio::spawn(page.serve(listener, std::future::pending()));
    address
}

fn shipped() -> settings::PublicPage {
    Settings::load(None).expect("shipped settings").public_page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_gets_its_sentence_and_nothing_tells_whether_it_exists() {
    let database = database::fresh().await;
    let households = [household(1, 0), household(1, 1)];
    register::import(&database, &households).await.expect("imported");
    let [awaited, deceased] = households.map(|household| household.application_id);
    payment_stops::place(&database, deceased, StopReason::Deceased, "test").await.expect("placed");
    let beat = Duration::from_millis(300);
    let address =
        page(&database, settings::PublicPage { answer_after: beat, per_client_minute: 100, ..shipped() })
            .await;
    tokio::task::spawn_blocking(move || {
        let unknown =
            (0..).filter_map(ApplicationId::from_serial).find(|id| *id != awaited && *id != deceased);
        let unknown = unknown.expect("there are many");
        for (number, sentence) in [
            (awaited.to_string(), "申請書の到着待ちです"),
            (unknown.to_string(), "申請書の到着待ちです"),
            (deceased.to_string(), "審査中です"),
        ] {
            let begun = Instant::now();
            assert_eq!(told(address, &number), (200, sentence.to_owned()));
            let took = begun.elapsed();
            assert!(took >= beat && took < beat * 3, "{took:?}: on the beat, whatever was found");
        }
        // A slip of the pen is told at once.
        let mut wrong = awaited.to_string();
        let last = wrong.pop().and_then(|digit| digit.to_digit(10)).expect("a digit");
        wrong.push(char::from_digit((last + 1) % 10, 10).expect("a digit"));
        assert_eq!(told(address, &wrong).0, 400);
        assert_eq!(told(address, "<script>").0, 400);
        assert_eq!(ask(address, "POST", "/", &"1".repeat(2000)).0, 413);

        // Nothing else is there, and the page asks nobody for anything.
        for path in ["/metrics", "/readyz", "/api/v1/records", "/index.html"] {
            assert_eq!(ask(address, "GET", path, "").0, 404, "{path}");
        }
        let (status, head, body) = ask(address, "GET", "/", "");
        assert_eq!(status, 200);
        for header in ["cache-control: no-store", "default-src 'none'", "x-content-type-options: nosniff"] {
            assert!(head.contains(header), "{head}");
        }
        assert!(!head.contains("set-cookie") && !body.contains("http:") && !body.contains("<script"));
        // A number in the address of a page would be in every log on the way.
        assert!(!ask(address, "GET", &format!("/?number={awaited}"), "").2.contains("role=\"status\""));
    })
    .await
    .expect("asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_slowed_down() {
    let database = database::fresh().await;
    let settings =
        settings::PublicPage { answer_after: Duration::from_millis(1), per_client_minute: 5, ..shipped() };
    let address = page(&database, settings).await;
    tokio::task::spawn_blocking(move || {
        let statuses: Vec<u16> = (0..20)
            .filter_map(ApplicationId::from_serial)
            .map(|id| told(address, &id.to_string()).0)
            .collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
        assert!(statuses[5..].iter().all(|status| *status == 429));
    })
    .await
    .expect("asked");
}
