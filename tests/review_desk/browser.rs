//! A browser without a screen, driven by the W3C WebDriver protocol: Chromium, or Firefox.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::ask;

/// How long a page may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// The smallest screen that the desk is made for, in pixels.
pub const SCREEN: (u32, u32) = (1366, 768);

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

/// The WebDriver names of keys that are no characters.
pub mod key {
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const RIGHT: &str = "\u{e014}";
    pub const DOWN: &str = "\u{e015}";
    pub const PAGE_DOWN: &str = "\u{e00f}";
    pub const F2: &str = "\u{e032}";
    pub const F4: &str = "\u{e034}";
    pub const F9: &str = "\u{e039}";
}

/// Which browser it is: Chromium, or the one that UKETSUKE_TEST_BROWSER names (scripts/with-firefox).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Chromium,
    Firefox,
}

impl Engine {
    fn chosen() -> Self {
        match std::env::var("UKETSUKE_TEST_BROWSER").as_deref() {
            Ok("firefox") => Self::Firefox,
            Ok("chromium") | Err(_) => Self::Chromium,
            Ok(other) => panic!("UKETSUKE_TEST_BROWSER is chromium or firefox, not {other}"),
        }
    }

    fn driver(self) -> &'static str {
        match self {
            Self::Chromium => "chromedriver",
            Self::Firefox => "geckodriver",
        }
    }

    /// The port that the driver chose, where a line of its output says so.
    fn port(self, line: &str) -> Option<u16> {
        let port = match self {
            Self::Chromium => line.split("started successfully on port ").nth(1)?.trim_end_matches('.'),
            Self::Firefox => line.split("Listening on 127.0.0.1:").nth(1)?,
        };
        port.parse().ok()
    }

    fn capabilities(self, profile: &Path) -> Value {
        let own = match self {
            Self::Chromium => {
                let arguments = json!([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--disable-dev-shm-usage",
                    format!("--user-data-dir={}", profile.display()),
                ]);
                json!({ "goog:chromeOptions": { "args": arguments }, "goog:loggingPrefs": { "browser": "ALL" } })
            }
            // It makes a profile of its own.
            Self::Firefox => json!({ "moz:firefoxOptions": { "args": ["-headless"] } }),
        };
        json!({ "capabilities": { "alwaysMatch": own } })
    }

    /// Whether a line of the driver's errors is a complaint of a page, not of the browser itself.
    fn complains(self, line: &str) -> bool {
        self == Self::Firefox && line.starts_with("JavaScript error: http")
    }
}

/// A driver of its own for each window.
struct Driver {
    process: Child,
    address: SocketAddr,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Driver {
    /// Starts it on a port that it chooses; none where it ended before it said which.
    fn start(engine: Engine) -> Option<Self> {
        let mut process = Command::new(engine.driver())
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; scripts/setup, scripts/with-firefox", engine.driver())
            });
        let mut lines =
            BufReader::new(process.stdout.take().expect("its stdout")).lines().map_while(Result::ok);
        let Some(port) = lines.by_ref().find_map(|line| engine.port(&line)) else {
            process.wait().expect("the driver ends");
            return None;
        };
        std::thread::spawn(move || lines.for_each(drop));
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&complaints);
        let errors = BufReader::new(process.stderr.take().expect("its stderr")).lines().map_while(Result::ok);
        std::thread::spawn(move || {
            let complaining = errors.filter(|line| engine.complains(line));
            complaining.for_each(|line| heard.lock().expect("nobody panics").push(line));
        });
        Some(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)), complaints })
    }
}

/// One window with cookies of its own; closed when it is dropped.
pub struct Browser {
    engine: Engine,
    driver: Driver,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let engine = Engine::chosen();
        // The port that it finds free for one protocol may be taken for the other: then it ends.
        let driver = (0..20).find_map(|_| Driver::start(engine)).expect("the driver says its port");
        let profile = tempfile::tempdir().expect("a profile");
        let capabilities = engine.capabilities(profile.path()).to_string();
        let answer = ask(driver.address, "POST", "/session", JSON, capabilities.as_bytes()).json();
        let session = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let browser = Self { engine, driver, session, _profile: profile };
        browser.resize(SCREEN.0, SCREEN.1);
        browser
    }

    pub fn resize(&self, width: u32, height: u32) {
        self.command("POST", "/window/rect", &json!({ "width": width, "height": height }));
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let path = format!("/session/{}{path}", self.session);
        let answer = ask(self.driver.address, method, &path, JSON, body.as_bytes());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["value"].clone()
    }

    pub fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    pub fn back(&self) {
        self.command("POST", "/back", &json!({}));
    }

    /// What a script in the page gives.
    pub fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Presses keys, one after another, wherever the cursor is.
    pub fn keys(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.command("POST", "/actions", &actions);
    }

    /// Says yes to what the page asks in a dialog; what that was.
    pub fn consent(&self) -> String {
        let asked = self.command("GET", "/alert/text", &json!({}));
        self.command("POST", "/alert/accept", &json!({}));
        asked.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says yes to a question in JavaScript.
    pub fn until(&self, question: &str) {
        let begun = Instant::now();
        while self.run(&format!("return Boolean({question})")) != true {
            assert!(
                begun.elapsed() < PATIENCE,
                "{question}; the page: {}; {:?}",
                self.text(),
                self.complaints()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The window as it looks, as a PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let text = self.command("GET", "/screenshot", &json!({}));
        unbase64(text.as_str().expect("a picture"))
    }

    /// Waits until a text is on the page.
    pub fn sees(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    pub fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// What stands in the box that has the cursor.
    pub fn typed(&self) -> String {
        self.run("return document.activeElement.value ?? ''").as_str().unwrap_or_default().to_owned()
    }

    /// What the browser's console complained of since it was last asked: errors of scripts, what the content
    /// security policy kept out.
    pub fn complaints(&self) -> Vec<String> {
        if self.engine == Engine::Firefox {
            return std::mem::take(&mut self.driver.complaints.lock().expect("nobody panics"));
        }
        let log = self.command("POST", "/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().cloned().unwrap_or_default();
        lines
            .iter()
            .filter(|line| line["level"] == "SEVERE")
            .filter_map(|line| line["message"].as_str().map(str::to_owned))
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = ask(self.driver.address, "DELETE", &format!("/session/{}", self.session), JSON, b"");
        let _ = self.driver.process.kill();
        let _ = self.driver.process.wait();
    }
}

/// RFC 4648, clause 4.
fn unbase64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
    let of_four = |four: &[u8]| -> Vec<u8> {
        let bits = four.iter().fold(0u32, |bits, &digit| bits << 6 | u32::from(value(digit)))
            << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(of_four).collect()
}
