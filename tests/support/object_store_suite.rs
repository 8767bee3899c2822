//! What every object store must do. Each function takes an empty store.

use std::io::Write;

use uketsuke::digest::Sha256;
use uketsuke::store::objects::{ObjectError, ObjectKey, ObjectKind, ObjectStore, Put};

pub fn key(kind: ObjectKind, content: &[u8]) -> ObjectKey {
    ObjectKey::of(kind, Sha256::of(content), None)
}

pub async fn all(store: &dyn ObjectStore) {
    put_get_head(store).await;
    put_again_is_harmless(store).await;
    other_bytes_are_refused(store).await;
    what_is_not_there_is_not_found(store).await;
    files(store).await;
    a_file_of_many_parts(store).await;
    what_is_removed_is_gone(store).await;
    many_writers_of_one_object(store).await;
    list_in_order(store).await;
}

async fn put_get_head(store: &dyn ObjectStore) {
    for content in [&b""[..], b"a record", &[7; 3_000_000]] {
        let key = key(ObjectKind::Record, content);
        assert_eq!(store.put(&key, content).await.expect("put"), Put::Written);
        assert_eq!(store.get(&key).await.expect("get"), content);
        assert_eq!(store.head(&key).await.expect("head").bytes, content.len() as u64);
        store.verify(&key, content.len() as u64).await.expect("as it was written");
        let error = store.verify(&key, content.len() as u64 + 1).await.expect_err("another length");
        assert!(matches!(error, ObjectError::Damaged { .. }), "{error}");
    }
}

async fn put_again_is_harmless(store: &dyn ObjectStore) {
    let key = key(ObjectKind::Page, b"twice");
    assert_eq!(store.put(&key, b"twice").await.expect("put"), Put::Written);
    store.put(&key, b"twice").await.expect("put again");
    assert_eq!(store.get(&key).await.expect("get"), b"twice");
}

async fn other_bytes_are_refused(store: &dyn ObjectStore) {
    let key = key(ObjectKind::Page, b"these");
    let error = store.put(&key, b"those").await.expect_err("other bytes");
    assert!(matches!(&error, ObjectError::OtherBytes { key: named, .. } if **named == key), "{error}");
    assert!(matches!(store.get(&key).await, Err(ObjectError::NotFound { .. })), "nothing was stored");
}

async fn what_is_not_there_is_not_found(store: &dyn ObjectStore) {
    let key = key(ObjectKind::Crop, b"never put");
    let folder = tempfile::tempdir().expect("a folder");
    for error in [
        store.get(&key).await.map(drop).expect_err("get"),
        store.head(&key).await.map(drop).expect_err("head"),
        store.verify(&key, 1).await.expect_err("verify"),
        store.get_file(&key, &folder.path().join("x")).await.expect_err("get_file"),
    ] {
        assert!(matches!(&error, ObjectError::NotFound { key: named, .. } if **named == key), "{error}");
        assert!(error.to_string().contains(&key.to_string()), "{error}");
    }
}

async fn files(store: &dyn ObjectStore) {
    let content: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let key = key(ObjectKind::Original, &content);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&content).expect("written");
    assert_eq!(store.put_file(&key, file.path()).await.expect("put"), Put::Written);
    store.put_file(&key, file.path()).await.expect("put again");
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy");
    store.get_file(&key, &copy).await.expect("get");
    assert_eq!(std::fs::read(&copy).expect("the copy"), content);
    assert!(matches!(store.get_file(&key, &copy).await, Err(ObjectError::File { .. })), "never over a file");

    // The file changes between being hashed and being stored.
    file.write_all(b"more").expect("written");
    let changed = ObjectKey::of(ObjectKind::Original, Sha256::of(b"as it was"), None);
    let error = store.put_file(&changed, file.path()).await.expect_err("other bytes");
    assert!(matches!(error, ObjectError::OtherBytes { .. }), "{error}");
    let missing = folder.path().join("missing");
    let error = store.put_file(&changed, &missing).await.expect_err("no file");
    assert!(matches!(&error, ObjectError::File { file, .. } if *file == missing), "{error}");
}

/// More than two parts of 5 MiB, the smallest that S3 takes.
async fn a_file_of_many_parts(store: &dyn ObjectStore) {
    let content: Vec<u8> =
        (0..3_000_000u32).flat_map(|number| number.wrapping_mul(97).to_be_bytes()).collect();
    let key = key(ObjectKind::Original, &content);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&content).expect("written");
    assert_eq!(store.put_file(&key, file.path()).await.expect("put"), Put::Written);
    store.put_file(&key, file.path()).await.expect("put again");
    store.verify(&key, content.len() as u64).await.expect("whole");
    assert_eq!(store.head(&key).await.expect("head").bytes, content.len() as u64);

    let changed = ObjectKey::of(ObjectKind::Original, Sha256::of(b"before it grew"), None);
    let error = store.put_file(&changed, file.path()).await.expect_err("other bytes");
    assert!(matches!(error, ObjectError::OtherBytes { .. }), "{error}");
    assert!(matches!(store.head(&changed).await, Err(ObjectError::NotFound { .. })), "nothing was stored");
}

async fn what_is_removed_is_gone(store: &dyn ObjectStore) {
    let key = key(ObjectKind::Page, b"not for long");
    store.put(&key, b"not for long").await.expect("put");
    store.remove(&key).await.expect("removed");
    assert!(matches!(store.get(&key).await, Err(ObjectError::NotFound { .. })), "gone");
    store.remove(&key).await.expect("it is no error that it is gone");
    assert_eq!(store.put(&key, b"not for long").await.expect("put"), Put::Written);
}

async fn many_writers_of_one_object(store: &dyn ObjectStore) {
    let content = vec![9; 500_000];
    let key = key(ObjectKind::Page, &content);
    let put = || store.put(&key, &content);
    let (a, b, c, d) = tokio::join!(put(), put(), put(), put());
    for result in [a, b, c, d] {
        result.expect("put");
    }
    store.verify(&key, 500_000).await.expect("whole");
}

async fn list_in_order(store: &dyn ObjectStore) {
    let mut wanted: Vec<String> = Vec::new();
    for number in 0..50u8 {
        let key = key(ObjectKind::Crop, &[number]);
        store.put(&key, &[number]).await.expect("put");
        wanted.push(key.to_string());
    }
    wanted.sort();
    let mut listed: Vec<ObjectKey> = Vec::new();
    loop {
        let chunk = store.list(ObjectKind::Crop, listed.last(), 7).await.expect("a list");
        assert!(chunk.len() <= 7);
        if chunk.is_empty() {
            break;
        }
        listed.extend(chunk);
    }
    assert_eq!(listed.iter().map(ToString::to_string).collect::<Vec<_>>(), wanted);
}
