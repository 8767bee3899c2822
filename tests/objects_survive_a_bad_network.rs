//! Between the program and S3, connections end, servers fail and answers are lost: what was put is
//! there whole or is reported, and half an object never counts.

#[path = "support/faulty_proxy.rs"]
mod faulty_proxy;
#[path = "support/object_store_suite.rs"]
mod object_store_suite;
#[path = "support/s3.rs"]
mod s3;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use faulty_proxy::{Fault, FaultyProxy};
use object_store_suite::key;
use rand::{Rng, SeedableRng};
use s3::S3Server;
use uketsuke::digest::Sha256;
use uketsuke::store::objects::{ObjectError, ObjectKind, ObjectStore, S3, S3Failure};

/// Longer than [`IMPATIENT`] waits.
const LATE: Fault = Fault::Late(Duration::from_secs(3));
const IMPATIENT: &str = "request_seconds = 1.0";

/// A server, a store that reaches it through a proxy, and one that reaches it directly.
struct Network {
    server: S3Server,
    proxy: FaultyProxy,
    store: S3,
    direct: S3,
}

impl Network {
    async fn new() -> Self {
        let server = S3Server::start();
        let proxy = FaultyProxy::to(server.port);
        let store = s3::connect(proxy.port, IMPATIENT).await.expect("a store");
        let direct = s3::connect(server.port, "").await.expect("a store");
        Self { server, proxy, store, direct }
    }
}

fn content(words: u32) -> Vec<u8> {
    (0..words).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[tokio::test]
async fn a_put_is_tried_again() {
    let network = Network::new().await;
    let faults = [
        Fault::Answer(500),
        Fault::Answer(503),
        Fault::CutRequest,
        Fault::CutAnswer(0),
        Fault::LoseAnswer,
        LATE,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let content = content(20_000 + number as u32);
        let key = key(ObjectKind::Page, &content);
        network.proxy.next(&[fault]);
        network.store.put(&key, &content).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        network.direct.verify(&key, content.len() as u64).await.expect("whole");
    }
}

#[tokio::test]
async fn a_put_that_fails_says_why_and_leaves_nothing() {
    let network = Network::new().await;
    let content = content(20_000);
    let key = key(ObjectKind::Page, &content);
    for (fault, reason) in [
        (Fault::Answer(503), "503"),
        (Fault::Answer(403), "check the credentials"),
        (Fault::Answer(501), "if_none_match"),
        (Fault::CutRequest, "check objects.endpoint and the network"),
    ] {
        network.proxy.plan(move || fault);
        let error = network.store.put(&key, &content).await.expect_err("it fails every time");
        let message = error.to_string();
        assert!(matches!(error, ObjectError::Request { .. }), "{message}");
        for part in ["s3://mailroom/fall", &key.to_string(), reason] {
            assert!(message.contains(part), "{fault:?}: {message}");
        }
        assert!(matches!(network.direct.head(&key).await, Err(ObjectError::NotFound { .. })), "{fault:?}");
    }
    network.proxy.next(&[]);
    network.store.put(&key, &content).await.expect("put");
    network.direct.verify(&key, content.len() as u64).await.expect("whole");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_taken_up_where_it_ended() {
    let network = Network::new().await;
    let content = content(500_000);
    let key = key(ObjectKind::Original, &content);
    network.direct.put(&key, &content).await.expect("put");
    network.proxy.next(&[
        Fault::CutAnswer(300_000),
        Fault::CutAnswer(0),
        Fault::Answer(500),
        Fault::CutAnswer(1),
    ]);
    assert_eq!(network.store.get(&key).await.expect("get"), content);

    let copy = network.server.objects().join("copy");
    network.proxy.plan(|| Fault::CutAnswer(0));
    let error = network.store.get_file(&key, &copy).await.expect_err("it never gets anywhere");
    assert!(
        matches!(&error, ObjectError::Request { failure: S3Failure::BrokenOff { bytes: 0, .. }, .. }),
        "{error}"
    );
    assert!(!copy.exists(), "nobody takes it for the object");
}

#[tokio::test]
async fn a_file_in_parts_is_there_whole_or_not_at_all() {
    let network = Network::new().await;
    let content = content(3_000_000);
    let key = key(ObjectKind::Original, &content);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&content).expect("written");

    // Is it there? Begin. The first part. The second is refused for good; so is tidying up.
    let mut requests = 0;
    network.proxy.plan(move || {
        requests += 1;
        if requests > 3 { Fault::Answer(500) } else { Fault::Pass }
    });
    let error = network.store.put_file(&key, file.path()).await.expect_err("the second part fails");
    assert!(matches!(error, ObjectError::Request { .. }), "{error}");
    assert!(matches!(network.direct.head(&key).await, Err(ObjectError::NotFound { .. })));

    let faults = [
        Fault::Pass,
        Fault::LoseAnswer,
        Fault::CutRequest,
        Fault::Pass,
        Fault::Answer(503),
        Fault::LoseAnswer,
        Fault::Pass,
        Fault::LoseAnswer,
    ];
    network.proxy.next(&faults);
    network.store.put_file(&key, file.path()).await.expect("put");
    network.direct.verify(&key, content.len() as u64).await.expect("whole");
}

#[tokio::test]
async fn the_suite_passes_on_a_bad_day() {
    let network = Network::new().await;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    network.proxy.plan(move || match random.random_range(0..40) {
        0 => Fault::Answer(500),
        1 => Fault::Answer(503),
        2 => Fault::CutRequest,
        3 => Fault::CutAnswer(random.random_range(0..200_000)),
        _ => Fault::Pass,
    });
    object_store_suite::all(&network.store).await;
}

/// From a scan to its record, with every fifth request failing.
#[test]
fn a_scan_is_taken_in() {
    let server = S3Server::start();
    let proxy = FaultyProxy::to(server.port);
    let mut requests = 0;
    proxy.plan(move || {
        requests += 1;
        match requests % 10 {
            4 => Fault::Answer(503),
            9 => Fault::CutAnswer(0),
            _ => Fault::Pass,
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = folder.path().join("uketsuke.toml");
    let at = |path: &str| home.join(path).display().to_string();
    let text = format!(
        "[paths]\nforms = {:?}\nmodels = {:?}\nvendor = {:?}\ncalibration = {:?}\nbanks = {:?}\n\
         bank_aliases = {:?}\n[read]\nline_models = false\ncopies = false\n{}",
        at("config/forms"),
        at("ocr-models"),
        at("vendor"),
        at("config/calibration"),
        at("vendor/zengin-code"),
        at("config/bank-aliases.toml"),
        s3::settings_text(proxy.port, ""),
    );
    std::fs::write(&config, text).expect("the configuration");
    let place = format!("s3://{}", s3::PLACE);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
            .arg("--data")
            .arg(folder.path().join("data"))
            .arg("--config")
            .arg(&config)
            .args(["--objects", &place])
            .args(arguments)
            .env_remove("DATABASE_URL")
            .env("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY)
            .env_remove("AWS_PROFILE")
            .output()
            .expect("the program runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let scan = at("samples/scans/minami/batch-001/000002.tif");
    let summary: serde_json::Value =
        serde_json::from_str(&run(&["--json", "ingest", &scan])).expect("a summary");
    assert_eq!(summary["scans_done"], 1, "{summary}");
    assert_eq!(summary["captures"], 1, "{summary}");

    let records = run(&["records"]);
    let record: serde_json::Value = serde_json::from_str(&records).expect("one record");
    let images = record["pages"].as_array().expect("pages").iter().map(|page| &page["image"]);
    let crops = record["fields"].as_object().expect("fields").values().map(|field| &field["crop"]);
    for key in images.chain(crops) {
        let key = key.as_str().expect("a key");
        let bytes =
            std::fs::read(server.objects().join(key)).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(key.contains(&Sha256::of(&bytes).to_string()), "{key} holds other bytes");
    }
    assert!(!folder.path().join("data/objects").exists(), "nothing is kept beside the bucket");
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_told_at_once() {
    let server = S3Server::start();
    let settings = s3::settings(server.port, "");
    let (ours, elsewhere) = (s3::PLACE.parse().expect("a bucket"), "elsewhere".parse().expect("a bucket"));
    let wrong_key = S3::connect_as(&ours, &settings, s3::ACCESS_KEY, "another secret");
    let no_bucket = S3::connect_as(&elsewhere, &settings, s3::ACCESS_KEY, s3::SECRET_KEY);
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port that nobody listens on")
        .port();
    for (result, reason) in [
        (wrong_key.await, "check the credentials"),
        (no_bucket.await, "there is no such bucket"),
        (s3::connect(port, "attempts = 1").await, "check objects.endpoint"),
    ] {
        let message = result.map(drop).expect_err("it cannot be used").to_string();
        assert!(message.contains("s3://") && message.contains(reason), "{message}");
    }
}
