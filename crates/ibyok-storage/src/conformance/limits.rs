//! The buckets of limits, for a store that offers them. One that does not keeps these promises by making none.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{fresh, two_handles};
use crate::limiter::{Draw, Taken};
use crate::store::Store;

/// An hour: such a slow bucket regains no use while a test runs.
const HOUR: u32 = 3600;

/// However many ask at once, over however many handles, a bucket gives as many uses as it holds; and then it says when the next
/// one is there.
pub async fn a_limit_holds_over_all_handles(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let handles = two_handles(harness).await?;
    if handles.iter().all(|store| store.limiter().is_none()) {
        return Ok(());
    }
    let draw = draw(1, 5, HOUR)?;
    let mut asking = JoinSet::new();
    for store in handles.iter().cycle().take(40) {
        let store = Arc::clone(store);
        asking.spawn(async move { take(&store, vec![draw]).await });
    }
    let asked = asking.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let given = asked.iter().filter(|taken| **taken == Taken::All).count();
    ensure!(given == 5, "a bucket of 5 gave {given}");
    for taken in asked {
        if let Taken::None { which, wait } = taken {
            ensure!(which == 0, "of one bucket the one of number {which} was empty");
            let soon = Duration::from_secs(600)..=Duration::from_secs(720);
            ensure!(soon.contains(&wait), "the next of 5 an hour is there in {wait:?}");
        }
    }
    let other = self::draw(2, 5, HOUR)?;
    for store in &handles {
        ensure!(
            take(store, vec![other]).await? == Taken::All,
            "one bucket was empty because another was"
        );
    }
    Ok(())
}

/// If one bucket has no use left, nothing is taken from the others.
pub async fn a_use_is_taken_from_all_buckets_or_none(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    if store.limiter().is_none() {
        return Ok(());
    }
    let (small, large) = (draw(1, 1, HOUR)?, draw(2, 4, HOUR)?);
    ensure!(
        take(&store, vec![large, small]).await? == Taken::All,
        "two full buckets gave nothing"
    );
    for _ in 0..5 {
        let taken = take(&store, vec![large, small]).await?;
        ensure!(
            matches!(taken, Taken::None { which: 1, .. }),
            "the second bucket is empty, and it said {taken:?}"
        );
    }
    for left in (0..3).rev() {
        let taken = take(&store, vec![large]).await?;
        ensure!(taken == Taken::All, "{left} too few were left of what was not taken");
    }
    ensure!(
        take(&store, vec![large]).await? != Taken::All,
        "more was left than there was"
    );
    Ok(())
}

/// Uses return with time, evenly, and never more than the bucket holds.
pub async fn a_bucket_refills_with_time(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    if store.limiter().is_none() {
        return Ok(());
    }
    // One every 250 ms.
    let draw = draw(1, 4, 1)?;
    let empty = async || {
        let mut given = 0;
        loop {
            match take(&store, vec![draw]).await? {
                Taken::All => given += 1,
                Taken::None { wait, .. } => return Ok::<_, Broken>((given, wait)),
            }
            ensure!(given < 100, "the bucket has no end");
        }
    };
    let (given, wait) = empty().await?;
    ensure!(given >= 4, "a bucket of 4 gave {given}");
    ensure!(
        wait > Duration::ZERO && wait <= Duration::from_millis(250),
        "the next of 4 a second is there in {wait:?}"
    );
    tokio::time::sleep(wait).await;
    ensure!(
        take(&store, vec![draw]).await? == Taken::All,
        "after {wait:?}, as it said, there was none"
    );
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let (given, _) = empty().await?;
    ensure!(given >= 4, "a bucket of 4 that had time to refill gave {given}");
    Ok(())
}

fn draw(bucket: u8, count: u32, seconds: u32) -> Result<Draw, Broken> {
    let whole = |number| NonZeroU32::new(number).ok_or_else(|| Broken::new("a number of the suite is zero"));
    Ok(Draw {
        bucket: [bucket; 16],
        count: whole(count)?,
        seconds: whole(seconds)?,
    })
}

async fn take(store: &Arc<dyn Store>, draws: Vec<Draw>) -> Result<Taken, Broken> {
    let limiter = store.limiter();
    let limiter = limiter.ok_or_else(|| Broken::new("one handle offers a limiter, and another does not"))?;
    Ok(limiter.take(&draws).await?)
}
