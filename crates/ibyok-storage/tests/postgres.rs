//! The PostgreSQL backend keeps every promise.

mod servers;

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ibyok_storage::conformance::StoreHarness;
use ibyok_storage::{Durability, PostgresOptions, PostgresStore, Result, Store};

use self::servers::postgres::Postgres;

/// One server for all promises, each in a schema of its own.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(&[]));

struct Schemas;

impl Schemas {
    async fn open(place: &str, options: PostgresOptions) -> Result<Arc<dyn Store>> {
        let url = format!("{}&schema={place}", SERVER.url());
        Ok(Arc::new(PostgresStore::open_with(&url, options).await?))
    }
}

#[async_trait]
impl StoreHarness for Schemas {
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
        Self::open(place, PostgresOptions::new()).await
    }

    async fn open_with_short_feed(&self, place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
        let store = Self::open(place, PostgresOptions::new().keep_changes(5)).await?;
        Ok(Some((store, 5)))
    }

    fn durability(&self) -> Durability {
        Durability::PowerLoss
    }
}

ibyok_storage::store_conformance!(Schemas);
