//! The memory backend keeps every promise.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ibyok_storage::conformance::StoreHarness;
use ibyok_storage::{Durability, MemoryStore, Result, Store};

#[derive(Default)]
struct Memory(Mutex<HashMap<String, MemoryStore>>);

#[async_trait]
impl StoreHarness for Memory {
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(
            self.0.lock().unwrap().entry(place.to_owned()).or_default().clone(),
        ))
    }

    async fn open_with_short_feed(&self, _place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
        Ok(Some((Arc::new(MemoryStore::keeping(5)), 5)))
    }

    fn durability(&self) -> Durability {
        Durability::None
    }
}

ibyok_storage::store_conformance!(Memory::default());
