//! The file backend keeps every promise.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::sync::Arc;

use async_trait::async_trait;
use ibyok_storage::conformance::StoreHarness;
use ibyok_storage::{Collection, Durability, Expect, FileOptions, FileStore, Kind, RecordId, Result, Store};
use tempfile::TempDir;

/// In the target directory and not in `/tmp`, which may be in memory.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }
}

#[async_trait]
impl StoreHarness for Files {
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(FileStore::open(self.0.path().join(place)).await?))
    }

    async fn open_with_short_feed(&self, place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
        let store = FileStore::open_with(self.0.path().join(place), FileOptions::new().keep_changes(5)).await?;
        Ok(Some((Arc::new(store), 5)))
    }

    fn durability(&self) -> Durability {
        Durability::PowerLoss
    }
}

ibyok_storage::store_conformance!(Files::new());

#[tokio::test]
async fn a_file_is_in_use_while_any_handle_has_it_open() {
    let place = Files::new();
    let path = place.0.path().join("vault.db");
    assert!(!FileStore::is_in_use(&path).await.unwrap(), "there is no file");
    assert!(!path.exists());
    let store = FileStore::open(&path).await.unwrap();
    let id = RecordId::new(Collection::root(Kind::new(1)), [2; 16]);
    store.put(&id, b"one", Expect::Absent).await.unwrap();
    assert!(FileStore::is_in_use(&path).await.unwrap());
    store.abandon().await;
    assert!(!FileStore::is_in_use(&path).await.unwrap());
    let again = FileStore::open(&path).await.unwrap();
    assert_eq!(again.get(&id).await.unwrap().unwrap().bytes, b"one");
    assert!(FileStore::is_in_use(&path).await.unwrap(), "a reader is a user");
}
