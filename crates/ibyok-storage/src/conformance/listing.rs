//! A listing is ordered and complete, page by page, and never shows another collection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{collection, fresh, id, id_in, realm, two_handles};
use crate::error::Error;
use crate::record::{Collection, Expect, Kind, RecordId, Revision};
use crate::store::{LIST_LIMIT, Store, StoreExt};

/// Ids come in the order of their bytes, however they were put in, and deleted ids do not come.
pub async fn a_listing_is_ordered_and_complete(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    ensure!(
        store.list(&collection()?, None, 10).await?.is_empty(),
        "an empty store lists something"
    );
    let mut ids = vec![
        RecordId::new(collection()?, [0; 16]),
        RecordId::new(collection()?, [0xff; 16]),
    ];
    for number in [700, 3, 255, 256, 1, 65_535, 128, 127, 2] {
        ids.push(id(number)?);
        ids.push(RecordId::new(
            collection()?,
            u128::from(number).reverse_bits().to_be_bytes(),
        ));
    }
    for id in &ids {
        let revision = store.put(id, b"x", Expect::Absent).await?;
        if id.id().starts_with(&[0x80]) {
            store.delete(id, revision).await?;
        }
    }
    ids.retain(|id| !id.id().starts_with(&[0x80]));
    ids.sort_unstable();
    let listed = store.list(&collection()?, None, LIST_LIMIT).await?;
    ensure!(listed == ids, "listed {listed:?} instead of {ids:?}");
    Ok(())
}

/// `after` goes on behind an id, also if that id was never put or is deleted, and pages of any size make the whole.
pub async fn a_listing_goes_on_after_an_id(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let ids: Vec<RecordId> = (0..20).map(|number| id(number * 2)).collect::<Result<_, _>>()?;
    for id in &ids {
        store.put(id, b"x", Expect::Absent).await?;
    }
    for limit in [1, 2, 3, 7, 19, 20, 21] {
        let listed = pages(&*store, limit, Duration::ZERO).await?;
        ensure!(listed == ids, "pages of {limit} give {listed:?} instead of {ids:?}");
    }
    ensure!(
        store.list(&collection()?, None, 0).await?.is_empty(),
        "a limit of 0 lists something"
    );
    let between = store.list(&collection()?, Some(&id(7)?), 2).await?;
    ensure!(
        between == [id(8)?, id(10)?],
        "after an id that was never put came {between:?}"
    );
    let beyond = store
        .list(&collection()?, Some(&RecordId::new(collection()?, [0xff; 16])), 5)
        .await?;
    ensure!(beyond.is_empty(), "after the last possible id came {beyond:?}");
    Ok(())
}

/// All ids, with a pause after each page in which others may write.
async fn pages(store: &dyn Store, limit: usize, pause: Duration) -> Result<Vec<RecordId>, Broken> {
    let mut all: Vec<RecordId> = Vec::new();
    loop {
        let page = store.list(&collection()?, all.last(), limit).await?;
        ensure!(page.len() <= limit, "asked for {limit} and got {}", page.len());
        let last = page.len() < limit;
        all.extend(page);
        ensure!(all.len() <= 1000, "the pages come to no end");
        if last {
            return Ok(all);
        }
        tokio::time::sleep(pause).await;
    }
}

/// No page is longer than [`LIST_LIMIT`], for any limit.
pub async fn a_listing_is_capped(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let count = u16::try_from(LIST_LIMIT + 3).unwrap_or(u16::MAX);
    for number in 0..count {
        store.put(&id(number)?, b"", Expect::Absent).await?;
    }
    let page = store.list(&collection()?, None, usize::MAX).await?;
    ensure!(
        page.len() == LIST_LIMIT,
        "asked for everything and got {} instead of {LIST_LIMIT}",
        page.len()
    );
    let all = store.list_all(&collection()?).await?;
    ensure!(
        all.len() == usize::from(count),
        "the pages have {} ids instead of {count}",
        all.len()
    );
    Ok(())
}

/// While other handles put and delete, every record that is there all the time is listed exactly once, and in order.
pub async fn a_listing_is_complete_under_writes(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let [store, other] = two_handles(harness).await?;
    let steady: Vec<RecordId> = (0..40).map(|number| id(number * 3)).collect::<Result<_, _>>()?;
    for id in &steady {
        store.put(id, b"x", Expect::Absent).await?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let disturber = tokio::spawn(disturb(other, Arc::clone(&stop)));
    let mut result = Ok(());
    for _ in 0..10 {
        let listed = pages(&*store, 7, Duration::from_millis(1)).await;
        result = listed.and_then(|listed| {
            ensure!(listed.is_sorted_by(|a, b| a < b), "out of order or twice: {listed:?}");
            let found = listed.iter().filter(|id| steady.contains(id)).count();
            ensure!(
                found == steady.len(),
                "{found} of {} records that were there all the time",
                steady.len()
            );
            Ok(())
        });
        if result.is_err() {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    disturber.await.map_err(|error| Broken::new(error.to_string()))??;
    result
}

async fn disturb(store: Arc<dyn Store>, stop: Arc<AtomicBool>) -> Result<(), Broken> {
    for number in (0..40).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = id(number * 3 + 1)?;
        let revision: Revision = store.put(&id, b"x", Expect::Absent).await?;
        if number % 2 == 0 {
            tokio::task::yield_now().await;
        }
        store.delete(&id, revision).await?;
    }
    Ok(())
}

/// A listing shows one kind in one realm, however alike the neighbours are; quiet kinds are listed like all others.
pub async fn collections_never_mix(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let collections = [
        realm(3, *b"aB3dE5gH")?,
        realm(3, *b"aB3dE5gI")?,
        realm(3, *b"AB3dE5gH")?,
        realm(3, *b"aB3dE5gh")?,
        realm(2, *b"aB3dE5gH")?,
        realm(4, *b"aB3dE5gH")?,
        realm(30, *b"aB3dE5gH")?,
        realm(200, *b"aB3dE5gH")?,
        realm(0, *b"00000000")?,
        Collection::root(Kind::new(3)),
        Collection::root(Kind::new(255)),
    ];
    for (number, collection) in (0..).zip(&collections) {
        store.put(&id_in(*collection, number), b"x", Expect::Absent).await?;
        store
            .put(&id_in(*collection, 1000 + number), b"x", Expect::Absent)
            .await?;
    }
    for (number, collection) in (0..).zip(&collections) {
        let own = [id_in(*collection, number), id_in(*collection, 1000 + number)];
        let listed = store.list(collection, None, LIST_LIMIT).await?;
        ensure!(listed == own, "`{collection}` lists {listed:?}");
        let rest = store.list(collection, Some(&own[0]), LIST_LIMIT).await?;
        ensure!(rest == own[1..], "`{collection}` goes on with {rest:?}");
    }
    let empty = store.list(&realm(3, *b"zzzzzzzz")?, None, LIST_LIMIT).await?;
    ensure!(
        empty.is_empty(),
        "a collection in which nothing was put lists {empty:?}"
    );
    Ok(())
}

/// To go on after an id of another collection is a mistake of the caller: [`Error::Invalid`].
pub async fn a_place_of_another_collection_is_refused(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let other = id_in(realm(4, *b"aB3dE5gH")?, 1);
    let answer = store.list(&collection()?, Some(&other), 5).await;
    ensure!(
        matches!(answer, Err(Error::Invalid { .. })),
        "{answer:?} instead of `Invalid`"
    );
    Ok(())
}
