//! Every page, with something on it, as each role sees it: its texts stand out enough from what is behind them,
//! zoomed to twice its size nothing is cut off (WCAG AA), and nothing on it is kept from being loaded.
//!
//! `UKETSUKE_SCREENSHOTS=docs/images cargo test --test review_desk of_the_samples -- --ignored` makes the
//! pictures of docs/review.md, from the samples.

use std::path::{Path, PathBuf};

use serde_json::json;
use uketsuke::review::Role;
use uketsuke::store::Database;
use uketsuke::store::private_postgres::PrivatePostgres;

use crate::a_masker_decides;
use crate::browser::{Browser, SCREEN, key};
use crate::desk::DeskSite;
use crate::in_the_browser::window;
use crate::readings::application;
use crate::second_looks::{self, call, certificate};
use crate::site::{Site, repository, sample_register};

fn visit(browser: &Browser, site: &DeskSite, page: &str, there: &str) {
    browser.open(&format!("http://{}/{page}", site.address));
    browser.until(there);
}

pub fn legible(browser: &Browser, page: &str) {
    let measured = browser.run(include_str!("contrast.js"));
    assert!(measured["measured"].as_u64().is_some_and(|count| count > 10), "{page}: {measured}");
    assert_eq!(measured["found"], json!([]), "{page}");
    fits_when_zoomed(browser, page);
    assert_eq!(browser.complaints(), Vec::<String>::new(), "{page}");
}

/// At 200 % a window has half as many of the pixels that pages are laid out in.
fn fits_when_zoomed(browser: &Browser, page: &str) {
    browser.resize(SCREEN.0 / 2, SCREEN.1 / 2);
    let measured = browser.run(include_str!("reflow.js"));
    assert!(
        measured["width"].as_u64().is_some_and(|width| width <= u64::from(SCREEN.0 / 2)),
        "{page}: {measured}"
    );
    assert!(measured["measured"].as_u64().is_some_and(|count| count > 3), "{page}: {measured}");
    assert_eq!(measured["found"], json!([]), "{page}");
    browser.resize(SCREEN.0, SCREEN.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_texts_stand_out_from_what_is_behind_them() {
    let site = DeskSite::under(certificate()).await;
    for role in Role::ALL {
        site.account(role.name(), role).await;
    }
    site.account("q2", Role::Qa).await;
    site.register(&[(application(1), "横浜 花子", "ヨコハマ ハナコ")]).await;
    // What QA finds wrong twice revokes the certificate.
    for serial in 1..=2 {
        site.capture(application(serial), &[("phone", "0451234567", 0.9999)]).await;
    }
    second_looks::draw(&site).await;
    let qa = site.log_in("q2");
    for _ in 0..2 {
        let sample = qa.claim(&[]);
        assert_eq!(call(&qa, &sample, "look", json!({ "outcome": "illegible" })).status, 200);
        assert_eq!(call(&qa, &sample, "settle", json!({ "wrong": true })).status, 200);
    }
    site.capture(application(3), &[("phone", "0457654321", 0.9999)]).await;
    second_looks::draw(&site).await;
    // Of three batches one is open, one is rejected, one was let go; of another station nothing should be taken.
    site.execute(
        "insert into lot (station, batch, size, aql, letter, sample, acceptance, verdict, judged_at, released_by,
                          released_at)
         values ('desk', 'monday', 2400, 0.65, 'K', 125, 2, null, null, null, null),
                ('desk', 'tuesday', 2400, 0.65, 'K', 125, 2, 'rejected', now(), null, null),
                ('desk', 'friday', 20, 0.65, 'F', 20, 0, 'rejected', now(), 'qa', now())",
    )
    .await;
    site.execute(
        "insert into lot (station, batch, size, aql, letter, sample, acceptance, severity, verdict, judged_at)
         select 'annex', 'day ' || day, 2400, 0.65, 'K', 125, 1, case when day > 2 then 'tightened' else 'normal' end,
                'rejected', now()
         from generate_series(1, 7) as day",
    )
    .await;
    // The municipality asks back about one of two, and has the other one before it.
    let (reviewer, official) = (site.log_in("reviewer"), site.person("city", Role::Municipality).await);
    for serial in 8..=9 {
        site.capture(application(serial), &[("phone", "0451234567", 0.6)]).await;
        let task = reviewer.claim(&["verify"]);
        let entry = json!({ "field": "phone", "outcome": "escalated", "reason": "remark", "text": "二つ" });
        assert_eq!(call(&reviewer, &task, "submit", json!({ "entries": [entry] })).status, 200);
    }
    let asked = official.claim(&[]);
    assert_eq!(call(&official, &asked, "ask", json!({ "text": "どちらが濃いですか" })).status, 200);
    site.unassigned(application(4), application(5)).await;
    site.capture_as(application(1), &[("phone", "0451234568", 0.6)], true).await;
    let doubtful =
        [("application_date", "777777", 0.6), ("account_route", "bank", 0.6), ("phone", "0457654321", 0.95)];
    site.capture(application(6), &doubtful).await;

    a_masker_decides::doubtful(&site, Some(application(10))).await;

    let browser = window(&site, "reviewer");
    visit(&browser, &site, "work", "document.activeElement?.matches('.entry, .options')");
    browser.until("document.querySelector('nav .tag')");
    legible(&browser, "work");
    browser.keys(key::PAGE_DOWN);
    browser.until("document.querySelector('dialog.viewer[open]')");
    legible(&browser, "work, the whole page");
    browser.keys(key::ESCAPE);
    browser.keys(key::F9);
    browser.until("document.querySelector('dialog[open] textarea')");
    legible(&browser, "work, a question to the municipality");
    browser.open("about:blank");
    visit(&browser, &site, "escalations", "document.activeElement?.id === 'reply'");
    browser.until("document.querySelectorAll('details').length === 2");
    browser.run("for (const each of document.querySelectorAll('details')) each.open = true");
    legible(&browser, "escalations, a question");
    browser.open("about:blank");
    visit(&browser, &site, "pages", "document.querySelector('.strip')");
    legible(&browser, "pages");
    visit(&browser, &site, "rescans", "document.querySelector('h1')");
    legible(&browser, "rescans");
    visit(&browser, &site, "inquiry", "document.activeElement?.id === 'wanted'");
    browser.keys(&format!("{}{}", application(1), key::ENTER));
    browser.until("document.querySelector('.answer')");
    legible(&browser, "inquiry");
    drop(browser);
    let browser = window(&site, "keyer");
    browser.open("about:blank");
    site.capture(application(7), &[("application_date", "777777", 0.6)]).await;
    visit(&browser, &site, "group", "document.querySelector('.cell')");
    legible(&browser, "group");
    drop(browser);
    for (name, page, there) in [
        ("supervisor", "board", "document.querySelector('.revoked') && document.querySelector('[data-lot]')"),
        ("supervisor", "keyers", "document.querySelector('h1')"),
        ("qa", "qa", "document.querySelector('.out, .in') && document.activeElement?.matches('.entry')"),
        ("municipality", "escalations", "document.querySelector('#why')"),
        ("masker", "masking", "document.activeElement?.matches('polygon')"),
        ("administrator", "accounts", "document.querySelector('table')"),
    ] {
        let browser = window(&site, name);
        visit(&browser, &site, page, there);
        legible(&browser, page);
    }
}

/// Nobody has work with anything any more.
const DONE: &str = "update task set state = 'withdrawn', holder = null, leased_until = null
    where state = 'open' and kind in ('verify', 'key', 'group', 'escalation')";
/// Judgements of two weeks, few of them against what stood.
const JUDGED: &str = "with judged as (
        insert into qa_judgement (task_id, outcome, judged_by, judged_at)
        select task_id, case when task_id % 37 = 5 then 'wrong' else 'right' end, 'qa-2',
               now() - (task_id % 14) * interval '1 day'
        from qa_sample where task_id <> (select max(task_id) from qa_sample where field = 'phone') returning task_id)
    update task set state = 'done', done_at = now(), done_by = 'qa-2' from judged where id = task_id";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes the pictures of the documentation"]
async fn pages_of_the_samples() {
    let Some(out) = std::env::var_os("UKETSUKE_SCREENSHOTS").map(PathBuf::from) else {
        panic!("UKETSUKE_SCREENSHOTS names the folder for the pictures");
    };
    let taken = Site::new(Path::new(env!("CARGO_BIN_EXE_uketsuke")), "[read]\nline_models = true");
    let (register, again) = (sample_register(), taken.folder().join("again"));
    let again = again.to_str().expect("UTF-8");
    taken.run(&["register", "import", &register]);
    let samples = repository().join("samples/scans");
    taken.run(&["ingest", samples.to_str().expect("UTF-8"), "--accept-provisional"]);
    // Some letters come twice.
    let simulate = ["simulate", "--register", &register, "--out", again, "--seed", "5", "--count", "2"];
    taken.run(&simulate);
    taken.run(&["ingest", again, "--accept-provisional"]);
    let server = PrivatePostgres::start(&taken.data()).expect("the private server");
    let options = server.connect_options().database(Database::PRIVATE);
    let site = DeskSite::of_data(&taken.data(), options).await;
    for role in Role::ALL {
        site.account(&format!("{}-1", role.name()), role).await;
    }
    for (name, role) in [("keyer-2", Role::Keyer), ("reviewer-2", Role::Reviewer), ("qa-2", Role::Qa)] {
        site.account(name, role).await;
    }
    let take = |browser: &Browser, name: &str| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        std::fs::write(out.join(format!("review-{name}.png")), browser.screenshot()).expect("written");
    };
    // Whole pages wait for their viewer to be opened.
    let loaded =
        "[...document.images].every((image) => !image.offsetParent || image.complete && image.naturalWidth)";
    let entry = "document.activeElement?.matches('.entry, .options') && document.querySelector('img.crop')";
    let browser = window(&site, "reviewer-1");
    visit(&browser, &site, "work", &format!("{entry} && {loaded}"));
    take(&browser, "verify");
    browser.open("about:blank");
    visit(&browser, &site, "pages", &format!("document.querySelector('.strip') && {loaded}"));
    take(&browser, "duplicates");
    visit(&browser, &site, "inquiry", "document.activeElement?.id === 'wanted'");
    let id: String =
        sqlx::query_scalar("select application_id from capture where seq = 2 order by id limit 1")
            .fetch_one(&mut site.sql().await)
            .await
            .expect("a letter that came twice");
    browser.keys(&format!("{id}{}", key::ENTER));
    browser.until("document.querySelector('.answer')");
    take(&browser, "inquiry");
    drop(browser);
    let browser = window(&site, "keyer-1");
    browser.until(entry);
    browser.open("about:blank");
    site.execute("update task set holder = null, leased_until = null where state = 'open'").await;
    visit(&browser, &site, "group", "document.activeElement?.matches('.cell')");
    take(&browser, "group");
    drop(browser);
    site.execute(DONE).await;
    second_looks::draw(&site).await;
    site.execute(JUDGED).await;
    for (name, page, there) in [
        ("qa-1", "qa", "document.activeElement?.matches('.entry')"),
        ("supervisor-1", "board", "document.querySelector('.quality')"),
        ("administrator-1", "accounts", "document.querySelector('table')"),
    ] {
        let browser = window(&site, name);
        visit(&browser, &site, page, &format!("{there} && {loaded}"));
        take(&browser, page);
    }
}
