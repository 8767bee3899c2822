//! What killed attempts leave in the object store is taken away, and nothing that a row names, or is
//! about to name, ever is.

#[path = "support/arrivals.rs"]
mod arrivals;
#[path = "support/database.rs"]
mod database;
#[path = "support/readings.rs"]
mod readings;

use std::time::Duration;

use arrivals::scan;
use readings::{Reading, application};
use uketsuke::digest::Sha256;
use uketsuke::store::condemned::{self, Condemned};
use uketsuke::store::objects::{LocalDirectory, ObjectError, ObjectKey, ObjectKind, ObjectStore};
use uketsuke::store::publish::Published;
use uketsuke::store::sweep::{SweepRule, Swept, sweep};
use uketsuke::store::{Database, StoreError};

/// Everything is old enough at once.
const NOW: SweepRule =
    SweepRule { older_than: Duration::ZERO, condemned_for: Duration::ZERO, dry_run: false };

/// What [`Reading::unassigned`] names.
const PAGE: &[u8] = b"a page";

struct Store {
    _folder: tempfile::TempDir,
    objects: LocalDirectory,
    database: Database,
}

impl Store {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let objects = LocalDirectory::open(folder.path()).expect("a store");
        Self { _folder: folder, objects, database: database::fresh().await }
    }

    async fn put(&self, kind: ObjectKind, content: &[u8], ending: Option<&'static str>) -> ObjectKey {
        let key = ObjectKey::of(kind, Sha256::of(content), ending);
        self.objects.put(&key, content).await.expect("put");
        key
    }

    async fn page(&self) -> ObjectKey {
        self.put(ObjectKind::Page, PAGE, Some("png")).await
    }

    /// The record of the one capture that a reading makes or completes.
    async fn put_record(&self, reading: &Reading) -> ObjectKey {
        let record = &reading.captures[0].record;
        self.objects.put(record.key(), record.bytes()).await.expect("put");
        record.key().clone()
    }

    async fn is_there(&self, key: &ObjectKey) -> bool {
        match self.objects.head(key).await {
            Ok(_) => true,
            Err(ObjectError::NotFound { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    async fn sweep(&self, rule: SweepRule) -> Swept {
        sweep(&self.database, &self.objects, "test", rule).await.expect("swept")
    }

    /// A scan of one unassigned page, read and ready to be published.
    async fn reading(&self) -> Reading {
        scan(&self.database, "stack").await;
        let mut reading = Reading::begin(&self.database).await;
        reading.unassigned(Vec::new());
        reading
    }
}

#[tokio::test]
async fn what_nobody_names_is_condemned_and_then_removed() {
    let store = Store::new().await;
    let original = store.put(ObjectKind::Original, b"of no row", None).await;
    let mut reading = store.reading().await;
    let page = store.page().await;
    reading.capture(&store.database, application(1), &[1, 2]).await;
    reading.blank();
    let record = store.put_record(&reading).await;
    let image = store.put(ObjectKind::Page, &[1], Some("png")).await;
    assert_eq!(reading.publish(&store.database).await.expect("published"), Published::Committed);
    let orphans = [
        store.put(ObjectKind::Page, b"of a killed attempt", Some("jpg")).await,
        store.put(ObjectKind::Crop, b"of a killed attempt", Some("png")).await,
        store.put(ObjectKind::Record, b"of a losing attempt", Some("json")).await,
    ];

    let dry = store.sweep(SweepRule { dry_run: true, ..NOW }).await;
    assert_eq!(dry, Swept { seen: 6, unnamed: 3, condemned: 3, ..Swept::default() });
    let first = store.sweep(NOW).await;
    assert_eq!(first, Swept { seen: 6, unnamed: 3, condemned: 3, ..Swept::default() });
    for key in &orphans {
        assert!(store.is_there(key).await, "{key} is only condemned");
    }
    let second = store.sweep(NOW).await;
    assert_eq!(second, Swept { seen: 3, removed: 3, ..Swept::default() });
    for key in &orphans {
        assert!(!store.is_there(key).await, "{key}");
    }
    for key in [&original, &page, &record, &image] {
        assert!(store.is_there(key).await, "{key}");
    }
    assert_eq!(store.sweep(NOW).await, Swept { seen: 3, ..Swept::default() });
}

#[tokio::test]
async fn earlier_versions_of_a_record_stay() {
    let store = Store::new().await;
    scan(&store.database, "first page").await;
    let mut reading = Reading::begin(&store.database).await;
    reading.capture(&store.database, application(1), &[1]).await;
    let first = store.put_record(&reading).await;
    assert_eq!(reading.publish(&store.database).await.expect("published"), Published::Committed);
    scan(&store.database, "second page").await;
    let mut reading = Reading::begin(&store.database).await;
    reading.complete(&store.database, application(1), 2).await;
    let second = store.put_record(&reading).await;
    assert_eq!(reading.publish(&store.database).await.expect("published"), Published::Committed);

    assert_ne!(first, second);
    assert_eq!(store.sweep(NOW).await, Swept { seen: 2, ..Swept::default() });
}

#[tokio::test]
async fn what_is_young_is_left_alone() {
    let store = Store::new().await;
    store.page().await;
    let swept = store.sweep(SweepRule { older_than: Duration::from_secs(3600), ..NOW }).await;
    assert_eq!(swept, Swept { seen: 1, unnamed: 1, ..Swept::default() });
}

#[tokio::test]
async fn a_day_lies_between_the_two_steps() {
    let store = Store::new().await;
    store.page().await;
    let rule = SweepRule { condemned_for: Duration::from_secs(24 * 3600), ..NOW };
    assert_eq!(store.sweep(rule).await.condemned, 1);
    assert_eq!(store.sweep(rule).await, Swept { seen: 1, unnamed: 1, ..Swept::default() });
}

#[tokio::test]
async fn a_publication_lifts_the_condemnation_of_what_it_names() {
    let store = Store::new().await;
    let page = store.page().await;
    assert_eq!(store.sweep(NOW).await.condemned, 1);
    // The worker finds the object present, and names it.
    let reading = store.reading().await;
    store.page().await;
    assert_eq!(reading.publish(&store.database).await.expect("published"), Published::Committed);
    let begun = condemned::begin_removal(&store.database, std::slice::from_ref(&page)).await;
    assert_eq!(begun.expect("an answer"), [], "a sweep that was about to take it away does not");
    assert_eq!(store.sweep(NOW).await, Swept { seen: 1, ..Swept::default() });
    assert!(store.is_there(&page).await);
}

#[tokio::test]
async fn an_object_that_was_condemned_while_its_row_was_on_the_way_is_spared() {
    let store = Store::new().await;
    let reading = store.reading().await;
    let page = store.page().await;
    assert_eq!(reading.publish(&store.database).await.expect("published"), Published::Committed);
    let modified_at = store.objects.head(&page).await.expect("there").modified_at;
    condemned::condemn(&store.database, &[Condemned { key: page.clone(), modified_at }])
        .await
        .expect("condemned");
    assert_eq!(store.sweep(NOW).await, Swept { seen: 1, spared: 1, ..Swept::default() });
    assert!(store.is_there(&page).await);
}

#[tokio::test]
async fn what_was_stored_anew_is_spared() {
    let store = Store::new().await;
    let page = store.page().await;
    let modified_at =
        store.objects.head(&page).await.expect("there").modified_at - chrono::TimeDelta::hours(1);
    condemned::condemn(&store.database, &[Condemned { key: page.clone(), modified_at }])
        .await
        .expect("condemned");
    let swept = store.sweep(SweepRule { older_than: Duration::from_secs(3600), ..NOW }).await;
    assert_eq!(swept, Swept { seen: 1, unnamed: 1, spared: 1, ..Swept::default() });
    assert!(store.is_there(&page).await);
}

#[tokio::test]
async fn a_publication_that_names_what_is_gone_is_done_again() {
    let store = Store::new().await;
    let page = store.page().await;
    let reading = store.reading().await;
    assert_eq!(store.sweep(NOW).await.condemned, 1);
    // The worker has found the object present; then it is taken away.
    let begun = condemned::begin_removal(&store.database, std::slice::from_ref(&page)).await.expect("marked");
    assert_eq!(begun, std::slice::from_ref(&page));
    let refused = reading.publish(&store.database).await;
    assert!(matches!(refused, Err(StoreError::ObjectsRemoved)), "{refused:?}");
    assert_eq!(store.sweep(NOW).await.removed, 1);
    let refused = reading.publish(&store.database).await;
    assert!(matches!(refused, Err(StoreError::ObjectsRemoved)), "{refused:?}");

    // The job is given back; the next attempt stores it anew.
    store.page().await;
    assert_eq!(reading.publish(&store.database).await.expect("published"), Published::Committed);
    store.sweep(NOW).await;
    store.sweep(NOW).await;
    assert!(store.is_there(&page).await);
}
