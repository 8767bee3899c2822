//! Chromium without a screen, driven through chromedriver by the W3C WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::ask;

/// How long a page may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// Starts chromedriver on a port that it chooses; none where it ended before it said which.
fn start_driver() -> Option<(Child, SocketAddr)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is installed (scripts/setup)");
    let mut lines = BufReader::new(driver.stdout.take().expect("its stdout")).lines();
    let port: Option<u16> = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.split("started successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
    });
    let Some(port) = port else {
        driver.wait().expect("chromedriver ends");
        return None;
    };
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, SocketAddr::from(([127, 0, 0, 1], port))))
}

/// One window with cookies of its own; closed when it is dropped.
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
        // The port that it finds free for one protocol may be taken for the other: then it ends.
        let (driver, address) = (0..20).find_map(|_| start_driver()).expect("chromedriver says its port");
        let profile = tempfile::tempdir().expect("a profile");
        let arguments = json!([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1366,768",
            format!("--user-data-dir={}", profile.path().display()),
        ]);
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments }, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let answer = ask(address, "POST", "/session", &[], capabilities.to_string().as_bytes()).json();
        let session = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { driver, address, session, _profile: profile }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let path = format!("/session/{}{path}", self.session);
        let answer = ask(self.address, method, &path, &[], body.as_bytes());
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
        let _ = ask(self.address, "DELETE", &format!("/session/{}", self.session), &[], b"");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
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
