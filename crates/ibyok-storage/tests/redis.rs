//! The Redis backend keeps every promise.

mod servers;

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ibyok_storage::conformance::StoreHarness;
use ibyok_storage::{Durability, RedisOptions, RedisStore, Result, Store};

use self::servers::redis::Redis;

/// One server for all promises, each under a prefix of its own.
static SERVER: LazyLock<Redis> = LazyLock::new(|| Redis::start(&[]));

struct Prefixes;

impl Prefixes {
    async fn open(place: &str, options: RedisOptions) -> Result<Arc<dyn Store>> {
        let url = format!("{}?prefix={place}", SERVER.url());
        Ok(Arc::new(RedisStore::open_with(&url, options).await?))
    }
}

#[async_trait]
impl StoreHarness for Prefixes {
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
        Self::open(place, RedisOptions::new()).await
    }

    async fn open_with_short_feed(&self, place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
        let store = Self::open(place, RedisOptions::new().keep_changes(5)).await?;
        Ok(Some((store, 5)))
    }

    fn durability(&self) -> Durability {
        Durability::PowerLoss
    }
}

ibyok_storage::store_conformance!(Prefixes);
