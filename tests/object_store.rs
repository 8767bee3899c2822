//! Every object store passes the same suite; the local directory also survives a crash. What S3 does
//! when the network fails is in `objects_survive_a_bad_network.rs`.

#[path = "support/object_store_suite.rs"]
mod object_store_suite;
#[path = "support/s3.rs"]
mod s3;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store_suite::key;
use uketsuke::store::objects::{
    KeyRing, LocalDirectory, Location, ObjectError, ObjectKind, ObjectStore, Put, Reencrypted, S3, Sealed,
};

#[tokio::test]
async fn a_local_directory_is_an_object_store() {
    let folder = tempfile::tempdir().expect("a folder");
    object_store_suite::all(&LocalDirectory::open(folder.path()).expect("a store")).await;
}

#[tokio::test]
async fn a_bucket_is_an_object_store() {
    for more in ["", "if_none_match = false"] {
        let server = s3::S3Server::start();
        object_store_suite::all(&s3::connect(server.port, more).await.expect("a store")).await;
    }
}

/// Any server that speaks S3: `scripts/with-garage` sets these variables, and so can you.
#[tokio::test]
async fn the_server_of_the_environment_is_an_object_store() {
    let variable = |name: &str| std::env::var(format!("UKETSUKE_TEST_S3_{name}")).ok();
    let Some(endpoint) = variable("ENDPOINT") else {
        eprintln!("not run: UKETSUKE_TEST_S3_ENDPOINT names no server");
        return;
    };
    let [bucket, region, access_key, secret_key] = ["BUCKET", "REGION", "ACCESS_KEY", "SECRET_KEY"]
        .map(|name| variable(name).unwrap_or_else(|| panic!("UKETSUKE_TEST_S3_{name} is missing")));
    // The suite takes an empty store, the bucket may hold what an earlier run has left.
    for if_none_match in [true, false] {
        let prefix = format!("suite-{}-{if_none_match}", chrono::Utc::now().timestamp_micros());
        let settings = s3::load(&format!(
            "[objects]\nendpoint = {endpoint:?}\nregion = {region:?}\npath_style = true\npart_mib = 5\n\
             if_none_match = {if_none_match}\n"
        ));
        let bucket = format!("{bucket}/{prefix}").parse().expect("a bucket");
        let store = S3::connect_as(&bucket, &settings, &access_key, &secret_key).await.expect("a store");
        object_store_suite::all(&store).await;
    }
}

#[tokio::test]
async fn what_others_keep_in_a_bucket_is_no_object() {
    let server = s3::S3Server::start();
    let store = s3::connect(server.port, "").await.expect("a store");
    let key = key(ObjectKind::Page, b"ours");
    store.put(&key, b"ours").await.expect("put");
    std::fs::write(server.objects().join("page/README"), "theirs").expect("written");
    std::fs::write(server.objects().join("pages of a book"), "theirs").expect("written");
    assert_eq!(store.list(ObjectKind::Page, None, 10).await.expect("a list"), [key]);
}

#[tokio::test]
async fn what_a_crash_leaves_is_no_object_and_is_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("objects");
    let store = LocalDirectory::open(&root).expect("a store");
    let (old, new) = (root.join(".tmp/old"), root.join(".tmp/new"));
    std::fs::write(&old, b"half an obj").expect("written");
    std::fs::write(&new, b"half an obj").expect("written");
    let age = SystemTime::now() - Duration::from_secs(2 * 3600);
    std::fs::File::options()
        .write(true)
        .open(&old)
        .and_then(|file| file.set_modified(age))
        .expect("made old");
    for kind in ObjectKind::ALL {
        assert!(store.list(kind, None, 10).await.expect("a list").is_empty());
    }
    LocalDirectory::open(&root).expect("opened again");
    assert!(!old.exists(), "its writer is long gone");
    assert!(new.exists(), "another program may be writing it");
}

/// `folder` is where the store keeps its files.
async fn a_second_put_mends(store: &dyn ObjectStore, folder: &Path) {
    let key = key(ObjectKind::Original, b"a scan");
    store.put(&key, b"a scan").await.expect("put");
    std::fs::write(folder.join(key.to_string()), b"a scar").expect("damaged");
    let copy = folder.join("copy");
    for error in [
        store.verify(&key, 6).await.expect_err("damaged"),
        store.get(&key).await.map(drop).expect_err("damaged"),
        store.get_file(&key, &copy).await.expect_err("damaged"),
    ] {
        assert!(matches!(error, ObjectError::Damaged { .. }), "{error}");
    }
    assert!(!copy.exists(), "nobody takes it for the scan");
    assert_eq!(store.put(&key, b"a scan").await.expect("put"), Put::Written);
    store.verify(&key, 6).await.expect("mended");
}

#[tokio::test]
async fn a_damaged_object_is_told_and_a_second_put_mends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = LocalDirectory::open(folder.path()).expect("a store");
    a_second_put_mends(&store, folder.path()).await;
    let server = s3::S3Server::start();
    let store = s3::connect(server.port, "").await.expect("a store");
    a_second_put_mends(&store, &server.objects()).await;
}

#[tokio::test]
async fn objects_are_closed_to_other_users() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("objects");
    let store = LocalDirectory::open(&root).expect("a store");
    let key = key(ObjectKind::Page, b"a page");
    store.put(&key, b"a page").await.expect("put");
    for path in [root, store.path(&key)] {
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

fn keys(text: &str) -> KeyRing {
    KeyRing::parse(text, "a test").expect("keys")
}

fn key_line(name: &str, digit: &str) -> String {
    format!("{name} {}\n", digit.repeat(64))
}

#[tokio::test]
async fn encrypted_objects_are_an_object_store_in_a_folder_and_in_a_bucket() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = LocalDirectory::open(folder.path()).expect("a store");
    object_store_suite::all(&Sealed::over(Arc::new(directory), keys(&key_line("one", "1")))).await;
    let server = s3::S3Server::start();
    let bucket = s3::connect(server.port, "").await.expect("a store");
    object_store_suite::all(&Sealed::over(Arc::new(bucket), keys(&key_line("one", "1")))).await;
}

#[tokio::test]
async fn who_keeps_encrypted_objects_cannot_read_or_change_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = LocalDirectory::open(folder.path()).expect("a store");
    let store = Sealed::over(Arc::new(directory.clone()), keys(&key_line("one", "1")));
    let key = key(ObjectKind::Record, b"the name of an applicant");
    store.put(&key, b"the name of an applicant").await.expect("put");
    let stored = std::fs::read(directory.path(&key)).expect("a file");
    assert!(!stored.windows(9).any(|window| window == b"applicant"));

    let mut changed = stored.clone();
    changed[130] ^= 1;
    for bytes in [&changed[..], &stored[..stored.len() - 1], &stored[..50], b"the name of an applicant", b""]
    {
        std::fs::write(directory.path(&key), bytes).expect("damaged");
        let error = store.get(&key).await.expect_err("it does not open");
        assert!(matches!(error, ObjectError::Sealed { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains(&key.to_string()) && !message.contains("applicant"), "{message}");
        assert!(store.verify(&key, 24).await.is_err());
        assert_eq!(store.put(&key, b"the name of an applicant").await.expect("put"), Put::Written);
        store.verify(&key, 24).await.expect("mended");
    }
}

#[tokio::test]
async fn keys_are_rotated() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = Arc::new(LocalDirectory::open(folder.path()).expect("a store"));
    let (one, two) = (key_line("one", "1"), key_line("two", "2"));
    let content = vec![3; 300_000];
    let (plain, old) = (key(ObjectKind::Page, &content), key(ObjectKind::Original, b"old"));
    directory.put(&plain, &content).await.expect("put before there were keys");
    Sealed::over(directory.clone(), keys(&one)).put(&old, b"old").await.expect("put");

    // The new key first, the old one behind it.
    let both = Sealed::over(directory.clone(), keys(&format!("{two}{one}")));
    assert_eq!(both.get(&old).await.expect("get"), b"old");
    assert_eq!(both.reencrypt(&old).await.expect("done"), Reencrypted::Rotated);
    assert_eq!(both.reencrypt(&plain).await.expect("done"), Reencrypted::Sealed);
    assert_eq!(both.reencrypt(&plain).await.expect("done"), Reencrypted::Current);

    let only_two = Sealed::over(directory.clone(), keys(&two));
    assert_eq!(only_two.get(&old).await.expect("get"), b"old");
    assert_eq!(only_two.get(&plain).await.expect("get"), content);
    let error = Sealed::over(directory.clone(), keys(&one)).get(&old).await.expect_err("an old key");
    assert!(error.to_string().contains("the key two, which is not at hand"), "{error}");
    // What is damaged is not encrypted as if it were good.
    std::fs::write(directory.path(&plain), b"something else").expect("damaged");
    assert!(matches!(both.reencrypt(&plain).await, Err(ObjectError::Damaged { .. })));
}

#[tokio::test]
async fn encrypted_objects_are_not_taken_for_plain_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::Folder(folder.path().to_owned());
    let keys_file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(keys_file.path(), key_line("one", "1")).expect("written");
    let with_keys = s3::load(&format!("[objects]\nkeys_file = {:?}", keys_file.path()));
    let key = key(ObjectKind::Original, b"a scan");
    let store = location.open(&with_keys).await.expect("a store");
    assert_eq!(store.encrypts_with().map(ToString::to_string).as_deref(), Some("one"));
    assert_eq!(store.local_path(&key), None, "what lies there is no scan");
    store.put(&key, b"a scan").await.expect("put");

    let error = location.open(&s3::load("")).await.map(drop).expect_err("no keys are given");
    assert!(error.to_string().contains("objects.keys_file"), "{error}");
}
