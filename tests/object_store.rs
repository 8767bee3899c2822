//! Every object store passes the same suite; the local directory also survives a crash.

#[path = "support/object_store_suite.rs"]
mod object_store_suite;

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use object_store_suite::key;
use uketsuke::store::objects::{LocalDirectory, ObjectError, ObjectKind, ObjectStore, Put};

#[tokio::test]
async fn a_local_directory_is_an_object_store() {
    let folder = tempfile::tempdir().expect("a folder");
    object_store_suite::all(&LocalDirectory::open(folder.path()).expect("a store")).await;
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

#[tokio::test]
async fn a_damaged_object_is_told_and_a_second_put_mends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = LocalDirectory::open(folder.path()).expect("a store");
    let key = key(ObjectKind::Original, b"a scan");
    store.put(&key, b"a scan").await.expect("put");
    std::fs::write(store.path(&key), b"a scar").expect("damaged");
    let error = store.verify(&key, 6).await.expect_err("damaged");
    assert!(matches!(error, ObjectError::Damaged { .. }), "{error}");
    assert_eq!(store.put(&key, b"a scan").await.expect("put"), Put::Written);
    store.verify(&key, 6).await.expect("mended");
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
