use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::harness::{Broken, StoreHarness};
use crate::record::{Collection, Kind, RecordId};
use crate::store::Store;

/// No promise takes this long on a store that works.
const DEADLINE: Duration = Duration::from_secs(120);

/// A promise under way.
type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Broken>> + Send + 'a>>;

/// Tests one promise on a runtime made for it, with two threads, so that operations which are not atomic have a
/// chance to fail.
///
/// # Errors
///
/// [`Broken`] if the promise was not kept, or not within two minutes.
pub fn run(harness: &dyn StoreHarness, promise: for<'a> fn(&'a dyn StoreHarness) -> Running<'a>) -> Result<(), Broken> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Broken::new(format!("there is no runtime for the test: {error}")))?;
    let kept = runtime.block_on(async { tokio::time::timeout(DEADLINE, promise(harness)).await });
    // A backend's threads that hang must not keep the test from ending.
    runtime.shutdown_timeout(Duration::from_secs(5));
    kept.unwrap_or_else(|_| Err(Broken::new(format!("it took more than {} seconds", DEADLINE.as_secs()))))
}

/// A place that no other call gives, in this process or another.
pub(super) fn new_place() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("p{:016x}", RandomState::new().hash_one((std::process::id(), count)))
}

/// A new, empty store.
pub(super) async fn fresh(harness: &dyn StoreHarness) -> Result<Arc<dyn Store>, Broken> {
    Ok(harness.open(&new_place()).await?)
}

/// Two handles on one new, empty store.
pub(super) async fn two_handles(harness: &dyn StoreHarness) -> Result<[Arc<dyn Store>; 2], Broken> {
    let place = new_place();
    Ok([harness.open(&place).await?, harness.open(&place).await?])
}

/// Two new, empty stores' worth of ids would be one too many: all promises use this collection.
pub(super) fn collection() -> Result<Collection, Broken> {
    realm(3, *b"aB3dE5gH")
}

pub(super) fn realm(kind: u8, tag: [u8; 8]) -> Result<Collection, Broken> {
    Ok(Collection::new(Kind::new(kind), tag)?)
}

/// The `number`th id of the collection, in order.
pub(super) fn id(number: u16) -> Result<RecordId, Broken> {
    Ok(id_in(collection()?, number))
}

pub(super) fn id_in(collection: Collection, number: u16) -> RecordId {
    RecordId::new(collection, u128::from(number).to_be_bytes())
}
