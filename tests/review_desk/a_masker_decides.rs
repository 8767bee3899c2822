//! What the machine blacked out because it could not tell is looked at by a person, who says what must be black:
//! exactly that is black afterwards, a number that was found always, and what was kept for it is gone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::GrayImage;
use serde_json::{Value, json};
use uketsuke::application_id::ApplicationId;
use uketsuke::audit;
use uketsuke::decode::PageImage;
use uketsuke::digest::Sha256;
use uketsuke::geometry::PointPx;
use uketsuke::publish::{Record, encode};
use uketsuke::read::{CopiesSeen, Cover, Covered, black_out};
use uketsuke::review::Role;
use uketsuke::store::erasure::{Eraser, Rule};
use uketsuke::store::masking::PageMask;
use uketsuke::store::objects::{KeyRing, LocalDirectory, ObjectError, ObjectKey, ObjectKind, Sealed};
use uketsuke::store::pages::PageState;
use uketsuke::store::private_postgres::PrivatePostgres;
use uketsuke::store::publish::Published;
use uketsuke::store::sensitive_originals::remove_due;
use uketsuke::store::{Database, unmasked_pages};

use crate::arrivals;
use crate::browser::key;
use crate::desk::{DeskSite, Person, settings};
use crate::http::Answer;
use crate::in_the_browser::window;
use crate::readings::{Reading, application};
use crate::site::{Site, repository, sample_register};

/// Without line models nothing can be read, and what looks like a copy is blacked out.
const WITHOUT_LINES: &str = "[read]\ncopies = true";

/// Of the machine's two places, that with a number.
const NUMBER: usize = 0;
const DOUBT: usize = 1;

/// A page with stripes, on which a number was found and a row could not be read.
pub struct Doubtful {
    pub scan: i64,
    published: ObjectKey,
    unmasked: ObjectKey,
}

fn rectangle(x: f64, y: f64, w: f64, h: f64) -> [PointPx; 4] {
    [(x, y), (x + w, y), (x + w, y + h), (x, y + h)].map(|(x, y)| PointPx { x, y })
}

fn is_stripe(x: u32) -> bool {
    (x / 4).is_multiple_of(2)
}

async fn put(site: &DeskSite, kind: ObjectKind, page: &PageImage) -> ObjectKey {
    let picture = encode(page, 0, &settings().publish).expect("a small page");
    let key = ObjectKey::of(kind, Sha256::of(&picture.bytes), Some(picture.format.extension()));
    if kind == ObjectKind::Unmasked {
        // The scan that is read next.
        let scan = sqlx::query_scalar("select max(id) from scan").fetch_one(&mut site.sql().await).await;
        let scan = serde_json::from_value(json!(scan.unwrap_or(0_i64))).expect("an ID");
        let day = std::time::Duration::from_secs(24 * 3600);
        unmasked_pages::note(&site.database, scan, 0, &key, day).await.expect("noted");
    }
    site.desk.objects.put(&key, &picture.bytes).await.expect("stored");
    key
}

/// Publishes such a page: part of that application's capture, or without an ID.
pub async fn doubtful(site: &DeskSite, application: Option<ApplicationId>) -> Doubtful {
    arrivals::scan(&site.database, &format!("doubtful {application:?}")).await;
    let areas = vec![
        Covered { cover: Cover::Number, corners: rectangle(40.0, 120.0, 160.0, 40.0) },
        Covered { cover: Cover::Doubt, corners: rectangle(40.0, 40.0, 160.0, 40.0) },
    ];
    let gray = GrayImage::from_fn(240, 320, |x, _| image::Luma([if is_stripe(x) { 0 } else { 255 }]));
    let mut page = PageImage { gray, colour: None, bilevel: true, declared_dpi: None };
    black_out(&mut page, [&areas[NUMBER].corners]);
    let unmasked = put(site, ObjectKind::Unmasked, &page).await;
    black_out(&mut page, [&areas[DOUBT].corners]);
    let published = put(site, ObjectKind::Page, &page).await;

    let copies = CopiesSeen { removed: 1, doubtful: 1, ..CopiesSeen::default() };
    let mut reading = Reading::begin(&site.database).await;
    match application {
        Some(application) => {
            let build = |record: &mut Record| {
                let page = json!({
                    "page": 1, "sha256": record.source.sha256.to_string(), "page_index": 0,
                    "image": published.to_string(), "rotation": 0, "skew_deg": 0.1, "dpi": 300.0,
                    "residual_px": 0.4, "quality": { "ink": 0.05, "contrast": 0.8, "sharpness": 0.9 },
                    "copies": copies,
                });
                record.pages = vec![serde_json::from_value(page).expect("a page")];
                Vec::new()
            };
            reading.capture_with(&site.database, application, build).await;
        }
        None => reading.unassigned(Vec::new()),
    }
    match &mut reading.pages[0].state {
        PageState::Captured { page, .. } => {
            page.image = published.clone();
            page.copies = Some(copies);
        }
        PageState::Unassigned { image, .. } => *image = published.clone(),
        PageState::Blank { .. } => unreachable!("it is not blank"),
    }
    reading.masks = vec![PageMask { index: 0, areas, unmasked: unmasked.clone() }];
    assert_eq!(reading.publish(&site.database).await.expect("published"), Published::Committed);
    let scan = json!(reading.scan.id).as_i64().expect("a number");
    Doubtful { scan, published, unmasked }
}

fn mask(person: &Person, task: &Value, said: Value) -> Answer {
    let mut body = said;
    body["epoch"] = task["epoch"].clone();
    person.post(&format!("/api/v1/tasks/{}/mask", task["id"]), &body)
}

fn seen(bytes: &[u8]) -> GrayImage {
    image::load_from_memory(bytes).expect("a picture").to_luma8()
}

/// Whether the stripes are seen between those rows.
fn has_stripes(picture: &GrayImage, rows: std::ops::Range<u32>) -> bool {
    rows.into_iter().all(|y| (44..196).all(|x| (picture.get_pixel(x, y).0[0] == 0) == is_stripe(x)))
}

fn is_black(picture: &GrayImage, rows: std::ops::Range<u32>) -> bool {
    rows.into_iter().all(|y| (44..196).all(|x| picture.get_pixel(x, y).0[0] == 0))
}

async fn picture_of(site: &DeskSite, scan: i64) -> (String, GrayImage) {
    let key: String = sqlx::query_scalar("select image_key from page where scan_id = $1")
        .bind(scan)
        .fetch_one(&mut site.sql().await)
        .await
        .expect("a page");
    let bytes = site.desk.objects.get(&key.parse().expect("a key")).await.expect("stored");
    (key, seen(&bytes))
}

async fn is_there(site: &DeskSite, key: &ObjectKey) -> bool {
    match site.desk.objects.head(key).await {
        Ok(_) => true,
        Err(ObjectError::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_lifts_is_seen_again_and_a_number_never() {
    let site = DeskSite::start().await;
    let (masker, other) = (site.person("m1", Role::Masker).await, site.person("m2", Role::Masker).await);
    let reviewer = site.person("r1", Role::Reviewer).await;
    let page = doubtful(&site, Some(application(1))).await;
    assert_eq!(reviewer.post("/api/v1/tasks/claim", &json!({ "kinds": ["mask"] })).status, 403);
    assert_eq!(reviewer.claim(&[]), Value::Null, "nobody else's work");

    let task = masker.claim(&[]);
    assert_eq!((&task["kind"], &task["application_id"]), (&json!("mask"), &Value::Null));
    assert_eq!((&task["pages"], &task["fields"]), (&json!([]), &json!([])));
    let covers: Vec<&Value> = (0..2).map(|place| &task["masking"]["areas"][place]["cover"]).collect();
    assert_eq!(covers, [&json!("number"), &json!("doubt")]);
    let address = task["masking"]["picture"].as_str().expect("an address");
    let answer = masker.get(address);
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let picture = seen(&answer.body);
    assert!(has_stripes(&picture, 40..80) && is_black(&picture, 120..160), "a number is on no picture");
    assert_eq!(other.get(address).status, 404, "held by somebody else");
    assert_eq!(reviewer.get(address).status, 403);
    assert_eq!(
        site.count("select count(*) from event where kind = 'image.viewed' and actor = 'm1'").await,
        1
    );

    let lifted = mask(&masker, &task, json!({ "shown": [NUMBER] }));
    assert_eq!((lifted.status, &lifted.json()["code"]), (409, &json!("refused")));
    assert_eq!(mask(&masker, &task, json!({ "shown": [7] })).status, 409);
    assert_eq!(mask(&masker, &task, json!({ "added": [[0, 0, -5, 5]] })).status, 409);
    assert_eq!(mask(&reviewer, &task, json!({ "shown": [DOUBT] })).status, 403);
    let stale = mask(&other, &task, json!({ "shown": [DOUBT] }));
    assert_eq!((stale.status, &stale.json()["code"]), (409, &json!("stale")));
    assert_eq!(picture_of(&site, page.scan).await.0, page.published.to_string(), "nothing has changed");

    let saved = mask(&masker, &task, json!({ "shown": [DOUBT], "added": [[40, 200, 160, 20]] }));
    assert_eq!((saved.status, &saved.json()["first"]), (200, &json!(true)), "{}", saved.text());
    let again = mask(&masker, &task, json!({ "shown": [DOUBT] }));
    assert_eq!((again.status, &again.json()["first"]), (200, &json!(false)), "sent twice, done once");
    let (key, picture) = picture_of(&site, page.scan).await;
    assert!(has_stripes(&picture, 40..80) && is_black(&picture, 120..160) && is_black(&picture, 200..220));
    assert!(has_stripes(&picture, 0..120) && has_stripes(&picture, 220..320));

    // The record names the new picture and says who left what black; of the old one no row knows.
    let record: Value = sqlx::query_scalar("select record from capture")
        .fetch_one(&mut site.sql().await)
        .await
        .expect("a record");
    assert_eq!(record["pages"][0]["image"], json!(key));
    assert_eq!(record["pages"][0]["copies"]["by_hand"], json!({ "places": 2, "whole": false }));
    let named = "select count(*) from page_object where key = $1";
    let named: i64 = sqlx::query_scalar(named)
        .bind(page.published.to_string())
        .fetch_one(&mut site.sql().await)
        .await
        .expect("a count");
    assert_eq!(named, 0);
    assert_eq!(site.count("select version::bigint from capture").await, 2);
    assert_eq!(site.count("select count(*) from record_object").await, 2, "both versions are named");
    assert!(!is_there(&site, &page.unmasked).await, "what was kept for it is gone");
    assert_eq!(masker.get(address).status, 404);
    let told: Value =
        sqlx::query_scalar("select detail from event where kind = 'page.masked' and actor = 'm1'")
            .fetch_one(&mut site.sql().await)
            .await
            .expect("an event");
    assert_eq!((&told["boxes"], &told["shown"], &told["added"]), (&json!(2), &json!(1), &json!(1)));
    audit::seal_all(&site.database).await.expect("sealed");
    assert_eq!(audit::verify(&site.database, None).await.expect("an answer").flaw, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_page_may_be_black_also_of_one_without_an_id() {
    let site = DeskSite::start().await;
    let masker = site.person("m1", Role::Masker).await;
    let reviewer = site.person("r1", Role::Reviewer).await;
    let page = doubtful(&site, None).await;
    let task = masker.claim(&[]);
    assert_eq!(mask(&masker, &task, json!({ "whole": true })).status, 200);
    let (_, picture) = picture_of(&site, page.scan).await;
    assert!(picture.pixels().all(|pixel| pixel.0[0] == 0));
    assert!(!is_there(&site, &page.unmasked).await);
    // Whose it is, is another person's work.
    let task = reviewer.claim(&["page"]);
    assert_eq!(task["kind"], "page");
    assert_eq!(reviewer.get(task["pages"][0]["picture"].as_str().expect("a picture")).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_end_the_last_pages_at_once_one_lets_the_original_go() {
    let site = DeskSite::start().await;
    let masker = site.person("m1", Role::Masker).await;
    let page = doubtful(&site, Some(application(1))).await;
    let original = ObjectKey::of(ObjectKind::Original, Sha256::of(b"a scan"), None);
    site.desk.objects.put(&original, b"a scan").await.expect("stored");
    let task = masker.claim(&[]);
    let scan = page.scan;
    let mut other = site.sql().await;
    let second_page = format!(
        "update scan set page_count = 2 where id = {scan};
         insert into page (scan_id, page_index, state, look) values ({scan}, 1, 'blank', '{{}}');
         insert into task (kind, scan_id, page_index) values ('mask', {scan}, 1);
         insert into sensitive_original (scan_id, object_key, remove_after)
             values ({scan}, '{original}', now() + interval '1 day')"
    );
    // The other masker has ended the scan's other page, and their transaction is about to be committed.
    let under_way = format!(
        "begin;
         select from sensitive_original where scan_id = {scan} for update;
         update task set state = 'done', done_at = now(), done_by = 'm1' where page_index = 1"
    );
    for statements in [second_page, under_way] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut other).await.expect("done");
    }
    let saved = tokio::task::spawn_blocking(move || mask(&masker, &task, json!({ "shown": [DOUBT] })).status);
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    while site.count(waiting).await == 0 && !saved.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    sqlx::raw_sql("commit").execute(&mut other).await.expect("committed");
    assert_eq!(saved.await.expect("an answer"), 200);
    assert!(!is_there(&site, &original).await, "nobody needs it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_when_the_picture_is_gone() {
    let site = DeskSite::start().await;
    let masker = site.person("m1", Role::Masker).await;
    let late = doubtful(&site, Some(application(1))).await;
    let erased = doubtful(&site, Some(application(2))).await;
    // The second one has the same picture.
    assert_eq!(late.unmasked, erased.unmasked);
    let held = masker.claim(&[]);
    site.execute("update unmasked_page set remove_after = now() where scan_id = (select min(scan_id) from unmasked_page)")
        .await;
    remove_due(&site.database, &*site.desk.objects, "test").await.expect("removed");
    assert_eq!(mask(&masker, &held, json!({ "shown": [DOUBT] })).status, 409, "too late");
    assert_eq!(picture_of(&site, late.scan).await.0, late.published.to_string());
    assert!(is_there(&site, &erased.unmasked).await, "another page needs it");

    let held = masker.claim(&[]);
    let eraser = Eraser::begin(&site.database).await.expect("alone");
    let rule = Rule::Applications(vec![application(2)]);
    let number = eraser.erase_rows(&rule, "test", |_| {}).await.expect("erased");
    eraser.remove_objects(number, &*site.desk.objects).await.expect("removed");
    assert_eq!(mask(&masker, &held, json!({ "shown": [DOUBT] })).status, 409);
    assert!(!is_there(&site, &erased.unmasked).await);
    assert_eq!(site.count("select count(*) from task where kind = 'mask' and state = 'open'").await, 0);
    assert_eq!(site.count("select count(*) from page_mask").await, 1, "of the page that stays");
    remove_due(&site.database, &*site.desk.objects, "test").await.expect("what is gone goes once more");
    assert_eq!(site.count("select count(*) from unmasked_page where removed_at is null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masker_works_by_keys_alone() {
    let site = DeskSite::start().await;
    site.account("m1", Role::Masker).await;
    let page = doubtful(&site, Some(application(1))).await;
    let browser = window(&site, "m1");
    browser.until("document.activeElement?.matches('polygon.doubt.black')");
    browser.until("document.querySelector('.sheet img').naturalWidth === 240");
    // A number stays, whatever is pressed.
    browser.keys(key::RIGHT);
    browser.until("document.activeElement?.matches('polygon.number')");
    browser.keys(" ");
    browser.sees("番号が見つかった場所は黒塗りのままです");
    browser.keys(key::RIGHT);
    browser.keys(" ");
    browser.until("document.activeElement?.matches('polygon.doubt.seen')");
    browser.sees("黒塗り 1 か所、見せる 1 か所");
    browser.keys("++-w");
    browser.sees("ページ全体が黒塗りになります");
    browser.keys("w");
    // One box is added and taken away, another one stays.
    browser.keys(&format!("n{}{}{}", key::DOWN, key::DOWN, key::ENTER));
    browser.until("document.activeElement?.matches('polygon.own')");
    browser.keys("\u{e017}");
    browser.until("!document.querySelector('polygon.own')");
    browser.keys(&format!("n{}{}", key::RIGHT, key::ENTER));
    browser.until("document.querySelectorAll('polygon.own').length === 1");
    browser.keys(key::ENTER);
    browser.sees("いま作業はありません");
    let decided = "select count(*) from event where kind = 'page.masked' and detail ->> 'shown' = '1'
                       and detail ->> 'added' = '1' and detail ->> 'boxes' = '2'";
    assert_eq!(site.count(decided).await, 1);
    let (_, picture) = picture_of(&site, page.scan).await;
    // The new box lies in the middle of what was seen.
    assert!(has_stripes(&picture, 40..48) && has_stripes(&picture, 74..80) && is_black(&picture, 120..160));
    assert!(!has_stripes(&picture, 48..74));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Keys of one's own, as the variable has them.
fn keys() -> String {
    format!("test {}", "5a".repeat(32))
}

fn run_with_keys(site: &Site, arguments: &[&str]) -> String {
    let mut command = site.command(arguments);
    let output = command.env("UKETSUKE_OBJECT_KEYS", keys()).output().expect("the program runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The desk of a site with such keys; the server ends with what is returned first.
async fn desk_with_keys(site: &Site) -> (PrivatePostgres, DeskSite) {
    let server = PrivatePostgres::start(&site.data()).expect("the private server");
    let options = server.connect_options().database(Database::PRIVATE);
    let place = Arc::new(LocalDirectory::open(&site.data().join("objects")).expect("a store"));
    let ring = KeyRing::parse(&keys(), "a test").expect("keys");
    (server, DeskSite::of_store(options, Arc::new(Sealed::over(place, ring))).await)
}

fn sample_with_copies() -> PathBuf {
    repository().join("samples/scans/naka/batch-001/000013-1.png")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes a picture of the documentation"]
async fn masking_of_the_samples() {
    let Some(out) = std::env::var_os("UKETSUKE_SCREENSHOTS").map(PathBuf::from) else {
        panic!("UKETSUKE_SCREENSHOTS names the folder for the pictures");
    };
    let site = Site::new(Path::new(env!("CARGO_BIN_EXE_uketsuke")), WITHOUT_LINES);
    run_with_keys(&site, &["register", "import", &sample_register()]);
    run_with_keys(&site, &["ingest", sample_with_copies().to_str().expect("UTF-8")]);
    let (_server, desk) = desk_with_keys(&site).await;
    desk.account("masker-1", Role::Masker).await;
    let browser = window(&desk, "masker-1");
    browser.until(
        "document.querySelector('.sheet img')?.naturalWidth && document.activeElement?.matches('polygon')",
    );
    browser.keys(" ");
    browser.until("document.querySelector('polygon.seen')");
    std::thread::sleep(std::time::Duration::from_millis(300));
    std::fs::write(out.join("review-masking.png"), browser.screenshot()).expect("written");
}

/// A real scan: with keys of one's own it waits for a masker, encrypted; without nothing is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_nobody_could_read_is_usable_again() {
    let sample = sample_with_copies();
    let site = Site::new(Path::new(env!("CARGO_BIN_EXE_uketsuke")), WITHOUT_LINES);
    let run = |arguments: &[&str]| run_with_keys(&site, arguments);
    let records = || -> Vec<Value> {
        run(&["records"]).lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
    };
    let black = |record: &Value| {
        let findings = record["findings"].as_array().expect("findings");
        let black = findings.iter().find(|finding| finding["code"] == "copy_blacked_out").expect("a finding");
        (black["severity"].as_str().expect("a severity").to_owned(), black["message"].to_string())
    };
    run(&["register", "import", &sample_register()]);
    run(&["ingest", sample.to_str().expect("UTF-8")]);
    let before = records().pop().expect("a record");
    assert_eq!(black(&before).0, "warning");
    let kept = |kind: &str| crate::site::files_below(&site.data().join("objects").join(kind));
    assert_eq!((kept("original"), kept("unmasked")), (1, 1));

    let (_server, desk) = desk_with_keys(&site).await;
    let masker = desk.person("m1", Role::Masker).await;
    let task = masker.claim(&[]);
    let areas = task["masking"]["areas"].as_array().expect("areas").len();
    assert!(areas >= 2, "{task}");
    let original = image::open(&sample).expect("a picture").to_luma8();
    let shown = masker.get(task["masking"]["picture"].as_str().expect("an address"));
    assert!(seen(&shown.body) == original, "the page as it was scanned");
    let shown: Vec<usize> = (0..areas).collect();
    let saved = mask(&masker, &task, json!({ "shown": shown }));
    assert_eq!(saved.status, 200, "{}", saved.text());

    let after = records().pop().expect("a record");
    let key = after["pages"][0]["image"].as_str().expect("a key");
    assert_ne!(before["pages"][0]["image"], after["pages"][0]["image"]);
    let bytes = desk.desk.objects.get(&key.parse().expect("a key")).await.expect("stored");
    assert!(seen(&bytes) == original, "every pixel");
    let (severity, message) = black(&after);
    assert!(severity == "info" && message.contains("left 0 places black"), "{severity} {message}");
    assert_eq!((kept("original"), kept("unmasked")), (0, 0), "nothing is kept");
    let sweeps: Value =
        serde_json::from_str(&run(&["--json", "objects", "sweep", "--dry-run"])).expect("JSON");
    assert_eq!(sweeps["unnamed"], 1, "the old picture: {sweeps}");
    run(&["audit", "verify"]);
    drop(desk);

    let site = Site::new(Path::new(env!("CARGO_BIN_EXE_uketsuke")), WITHOUT_LINES);
    site.run(&["register", "import", &sample_register()]);
    site.run(&["ingest", sample.to_str().expect("UTF-8")]);
    let kept = |kind: &str| crate::site::files_below(&site.data().join("objects").join(kind));
    assert_eq!((site.records().len(), kept("original"), kept("unmasked")), (1, 0, 0));
}
