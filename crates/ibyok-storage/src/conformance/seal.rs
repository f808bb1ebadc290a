//! A sealed store takes no writes.

use std::sync::Arc;

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{id, two_handles};
use crate::changes::ChangeNumber;
use crate::error::Error;
use crate::record::{Expect, RecordId, RecordPut};
use crate::store::Store;

/// While there is a seal, every handle refuses puts, deletes and the feed, and reads go on. Without it everything is as before.
pub async fn a_sealed_store_takes_no_writes(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let [store, other] = two_handles(harness).await?;
    let first = store.put(&id(1)?, b"first", Expect::Absent).await?;
    let seal = store.put(&RecordId::SEAL, b"moved elsewhere", Expect::Absent).await?;
    for handle in [&store, &other] {
        let batch = [RecordPut::new(id(3)?, b"x", Expect::Absent)];
        let refusals = [
            handle.put(&id(2)?, b"x", Expect::Absent).await.map(drop),
            handle.put(&id(1)?, b"x", Expect::Revision(first)).await.map(drop),
            handle.put_many(&batch).await.map(drop),
            handle.delete(&id(1)?, first).await,
            handle.changes(ChangeNumber::default()).await.map(drop),
        ];
        for refused in refusals {
            ensure!(
                matches!(refused, Err(Error::Sealed { .. })),
                "{refused:?} instead of `Sealed`"
            );
        }
        let told = handle.changes(ChangeNumber::default()).await;
        ensure!(
            matches!(&told, Err(Error::Sealed { why, .. }) if why == "moved elsewhere"),
            "{told:?} does not give the reason"
        );
        let there = handle.get(&id(1)?).await?;
        ensure!(
            there.is_some_and(|there| there.bytes == b"first"),
            "a record cannot be read"
        );
        ensure!(handle.get(&id(3)?).await?.is_none(), "a refused write made a record");
    }
    other.delete(&RecordId::SEAL, seal).await?;
    store.put(&id(1)?, b"second", Expect::Revision(first)).await?;
    other.put(&id(2)?, b"x", Expect::Absent).await?;
    Ok(())
}

/// Of writes that meet the seal, each is done before it or refused: none is done after the put of the seal returned.
pub async fn no_write_is_done_after_the_seal(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let [store, other] = two_handles(harness).await?;
    store.put(&id(0)?, b"x", Expect::Absent).await?;
    let writer = tokio::spawn(write_until_sealed(Arc::clone(&other)));
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    store.put(&RecordId::SEAL, b"moved", Expect::Absent).await?;
    let mut there = 0;
    while store.get(&id(there + 1)?).await?.is_some() {
        there += 1;
    }
    let written = writer.await.map_err(|error| Broken::new(error.to_string()))??;
    ensure!(
        written == there,
        "{written} writes were acknowledged, and {there} were there after the seal"
    );
    Ok(())
}

/// Returns the number of writes that were done before one was refused.
async fn write_until_sealed(store: Arc<dyn Store>) -> Result<u16, Broken> {
    let mut written = 0;
    loop {
        match store.put(&id(written + 1)?, b"x", Expect::Absent).await {
            Ok(_) => written += 1,
            Err(Error::Sealed { .. }) => return Ok(written),
            Err(error) => return Err(Broken::new(format!("{error} instead of `Sealed`"))),
        }
        ensure!(written < 20_000, "nothing refuses the writes");
    }
}
