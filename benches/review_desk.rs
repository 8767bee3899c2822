//! How long does a person at the desk wait for the next task, while many tasks are open and many people
//! work?
//!
//! `cargo bench --bench review_desk [-- TASKS [PEOPLE [SECONDS [THOUGHT]]]]` opens as many tasks (100,000;
//! half to verify, half to key), logs people in (20) and has each claim, look at the picture, think for so
//! many milliseconds (1,000) and submit, for as long (20). Every request opens a connection of its own, which
//! browsers spare themselves. What the page hides by fetching a task ahead is counted here in full.

#[path = "../tests/support/arrivals.rs"]
mod arrivals;
#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/support/database.rs"]
mod database;
#[path = "../tests/review_desk/desk.rs"]
mod desk;
#[path = "../tests/review_desk/http.rs"]
mod http;
#[allow(dead_code, reason = "tests use the rest of it")]
#[path = "../tests/support/readings.rs"]
mod readings;

use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use uketsuke::review::Role;

use desk::{DeskSite, Person};
use readings::application;

/// Milliseconds.
#[derive(Default)]
struct Times {
    claim: Vec<f64>,
    picture: Vec<f64>,
    submit: Vec<f64>,
    /// From sending one task to having the next one's picture.
    next: Vec<f64>,
}

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let number = |place: usize, default: u64| numbers.get(place).copied().unwrap_or(default);
    let (tasks, people, seconds, thought) =
        (number(0, 100_000), number(1, 20), number(2, 20), Duration::from_millis(number(3, 1000)));
    let site = DeskSite::start().await;
    open_tasks(&site, tasks).await;
    let mut working = Vec::new();
    for number in 0..people {
        let person = site.person(&format!("k{number}"), Role::Keyer).await;
        let kind = if number % 2 == 0 { "verify" } else { "key" };
        working.push(tokio::task::spawn_blocking(move || {
            work(&person, kind, Duration::from_secs(seconds), thought)
        }));
    }
    let mut all = Times::default();
    for person in working {
        let times = person.await.expect("worked");
        all.claim.extend(times.claim);
        all.picture.extend(times.picture);
        all.submit.extend(times.submit);
        all.next.extend(times.next);
    }
    let done = all.submit.len() as u64;
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(["ms", "p50", "p95", "p99", "longest"]);
    for (name, times) in [
        ("claim", &mut all.claim),
        ("picture", &mut all.picture),
        ("submit", &mut all.submit),
        ("submit, claim, picture", &mut all.next),
    ] {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| {
            format!("{:.1}", times.get(((times.len() as f64 - 1.0) * share) as usize).unwrap_or(&0.0))
        };
        table.add_row([name.to_owned(), at(0.5), at(0.95), at(0.99), at(1.0)]);
    }
    for column in 1..5 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!(
        "{tasks} open tasks, {people} people who think {thought:?}, {done} tasks done in {seconds} s\n\n{table}"
    );
}

/// One capture as it would be published, and copies of it.
async fn open_tasks(site: &DeskSite, tasks: u64) {
    let fields = [("phone", "0451234567", 0.6), ("account_number", "0012345", 0.6)];
    site.capture(application(1), &fields).await;
    let captures = tasks / 2;
    let ids: Vec<String> = (2..2 + captures).map(|serial| application(serial).to_string()).collect();
    let mut connection = site.sql().await;
    for statement in [
        "insert into application (application_id) select unnest($1::text[]) where $2 > 0",
        "insert into capture (id, application_id, station, batch, seq, record, record_key, record_sha256,
                              captured_at, tasks_planned)
         select gen_random_uuid(), wanted, station, batch, 1, record, record_key, record_sha256, captured_at, true
         from (select * from capture limit 1) as c, unnest($1::text[]) as wanted where $2 > 0",
        "insert into task (kind, application_id, capture_id, fields)
         select 'verify', application_id, id, '{phone}' from capture where application_id = any($1) and $2 > 0",
        "insert into task (kind, application_id, capture_id, fields, turn)
         select 'key', application_id, id, '{account_number}', turn
         from (select application_id, id from capture where application_id = any($1) limit $2 / 2) as c,
              generate_series(1, 2) as turn",
    ] {
        let inserted = sqlx::query(statement).bind(&ids).bind(captures as i64).execute(&mut connection).await;
        inserted.expect(statement);
    }
    sqlx::query("analyze").execute(&mut connection).await.expect("analyze");
}

fn work(person: &Person, kind: &str, time: Duration, thought: Duration) -> Times {
    let begun = Instant::now();
    let mut times = Times::default();
    let milliseconds = |since: Instant| since.elapsed().as_secs_f64() * 1000.0;
    let mut sent: Option<Instant> = None;
    while begun.elapsed() < time {
        let start = Instant::now();
        let task = person.claim(&[kind]);
        times.claim.push(milliseconds(start));
        if task.is_null() {
            break;
        }
        let start = Instant::now();
        assert_eq!(person.get(task["fields"][0]["picture"].as_str().expect("a picture")).status, 200);
        times.picture.push(milliseconds(start));
        times.next.extend(sent.map(milliseconds));
        std::thread::sleep(thought);
        let start = Instant::now();
        sent = Some(start);
        let field = task["fields"][0]["name"].as_str().expect("a name");
        let entries = json!([{ "field": field, "outcome": "value", "text": "12345" }]);
        let path = format!("/api/v1/tasks/{}/submit", task["id"]);
        assert_eq!(person.post(&path, &json!({ "epoch": task["epoch"], "entries": entries })).status, 200);
        times.submit.push(milliseconds(start));
    }
    times
}
