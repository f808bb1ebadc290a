//! The JSON store keeps every promise of a store.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use example_backend::JsonStore;
use ibyok_storage::conformance::StoreHarness;
use ibyok_storage::{Durability, Result, Store};
use tempfile::TempDir;

struct Json(TempDir);

impl Json {
    fn new() -> Self {
        Json(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn directory(&self, place: &str) -> PathBuf {
        let directory = self.0.path().join(place);
        fs::create_dir_all(&directory).unwrap();
        directory
    }
}

#[async_trait::async_trait]
impl StoreHarness for Json {
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(JsonStore {
            directory: self.directory(place),
            keep: 10_000,
        }))
    }

    async fn open_with_short_feed(&self, place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
        Ok(Some((
            Arc::new(JsonStore {
                directory: self.directory(place),
                keep: 5,
            }),
            5,
        )))
    }

    fn durability(&self) -> Durability {
        Durability::PowerLoss
    }
}

ibyok_storage::store_conformance!(Json::new());
