//! The feed is in the order of the commits, in pieces if it is long, and says so when it has forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::changes::since;
use super::harness::{Broken, StoreHarness, ensure};
use super::run::{fresh, id, new_place, two_handles};
use crate::changes::{Change, ChangeNumber, Changes};
use crate::record::{Expect, RecordId};
use crate::store::Store;

/// Under writers on two handles, a reader that asks again and again gets every change exactly once and in order. A
/// change that was made after another one had returned comes after it.
pub async fn changes_come_in_commit_order(harness: &dyn StoreHarness) -> Result<(), Broken> {
    const WRITERS: u16 = 8;
    const EACH: u16 = 10;

    let stores = two_handles(harness).await?;
    let begin = stores[0].changes(ChangeNumber::default()).await?.upto;
    let stop = Arc::new(AtomicBool::new(false));
    let follower = tokio::spawn(follow(Arc::clone(&stores[1]), begin, Arc::clone(&stop)));
    let mut writers = JoinSet::new();
    for (writer, store) in (0..WRITERS).zip(stores.iter().cycle()) {
        let store = Arc::clone(store);
        writers.spawn(async move {
            for number in 0..EACH {
                store.put(&id(writer * 1000 + number)?, b"x", Expect::Absent).await?;
            }
            Ok::<(), Broken>(())
        });
    }
    let written = writers.join_all().await.into_iter().collect::<Result<(), _>>();
    stop.store(true, Ordering::Release);
    let followed = follower.await.map_err(|error| Broken::new(error.to_string()))??;
    written?;
    ensure!(
        followed.is_sorted_by(|a, b| a.number < b.number),
        "change numbers do not grow"
    );
    for writer in 0..WRITERS {
        let told: Vec<RecordId> = followed
            .iter()
            .map(|change| change.id)
            .filter(|id| number_of(id) / 1000 == writer)
            .collect();
        let put: Vec<RecordId> = (0..EACH)
            .map(|number| id(writer * 1000 + number))
            .collect::<Result<_, _>>()?;
        ensure!(told == put, "one writer's puts {put:?} were told as {told:?}");
    }
    Ok(())
}

/// Asks for changes until all is quiet.
async fn follow(store: Arc<dyn Store>, begin: ChangeNumber, stop: Arc<AtomicBool>) -> Result<Vec<Change>, Broken> {
    let mut told = Vec::new();
    let mut upto = begin;
    loop {
        let last = stop.load(Ordering::Acquire);
        let changes = since(&*store, upto).await?;
        ensure!(
            changes.upto >= upto,
            "the feed went back from {upto:?} to {:?}",
            changes.upto
        );
        upto = changes.upto;
        told.extend(changes.changes);
        if last && !changes.more {
            return Ok(told);
        }
        tokio::task::yield_now().await;
    }
}

fn number_of(id: &RecordId) -> u16 {
    u16::try_from(u128::from_be_bytes(*id.id())).unwrap_or(u16::MAX)
}

/// More than [`Changes::LIMIT`] changes come in several answers, each of which but the last says that there is more.
pub async fn a_long_feed_is_told_in_pieces(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let begin = store.changes(ChangeNumber::default()).await?.upto;
    let count = Changes::LIMIT + 3;
    let mut expect = Expect::Absent;
    for _ in 0..count {
        expect = Expect::Revision(store.put(&id(1)?, b"x", expect).await?);
    }
    let first = since(&*store, begin).await?;
    ensure!(
        first.changes.len() <= Changes::LIMIT,
        "one answer tells of {} changes",
        first.changes.len()
    );
    ensure!(
        first.more,
        "one answer tells of {} of {count} changes and says it is all",
        first.changes.len()
    );
    let last = first.changes.last().map(|change| change.number);
    ensure!(
        last == Some(first.upto),
        "the answer is said to reach to {:?}, and its last change is {last:?}",
        first.upto
    );
    let mut told = first.changes.len();
    let mut upto = first.upto;
    loop {
        let piece = since(&*store, upto).await?;
        ensure!(piece.upto > upto || !piece.more, "the pieces come to no end");
        told += piece.changes.len();
        upto = piece.upto;
        if !piece.more {
            break;
        }
    }
    ensure!(told == count, "the pieces tell of {told} of {count} changes");
    Ok(())
}

/// If the feed is asked from a place that it has forgotten, it reports a gap and its present position, and goes on
/// from there.
pub async fn a_gap_is_visible(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let place = new_place();
    let (store, forgets) = match harness.open_with_short_feed(&place).await? {
        Some((store, keeps)) => (store, Some(keeps)),
        None => (harness.open(&place).await?, None),
    };
    let begin = store.changes(ChangeNumber::default()).await?.upto;
    let mut expect = Expect::Absent;
    for _ in 0..=forgets.unwrap_or(100) {
        expect = Expect::Revision(store.put(&id(1)?, b"x", expect).await?);
    }
    let told = store.changes(begin).await?;
    if forgets.is_none() {
        ensure!(
            !told.gap && told.changes.len() == 101,
            "the feed forgot, though it is declared never to"
        );
        return Ok(());
    }
    ensure!(
        told.gap,
        "{} changes are told of, the first ones are forgotten, and no gap is",
        told.changes.len()
    );
    ensure!(
        told.changes.is_empty() && !told.more,
        "beside a gap nothing is told: {told:?}"
    );
    store.put(&id(2)?, b"x", Expect::Absent).await?;
    let after = since(&*store, told.upto).await?;
    let ids: Vec<RecordId> = after.changes.iter().map(|change| change.id).collect();
    ensure!(ids == [id(2)?], "after a gap the feed goes on with {ids:?}");
    Ok(())
}

/// Asked from a number that it has not reached, as after an older copy of the store was put back, the feed says that there is a gap.
pub async fn a_feed_that_never_came_so_far_is_a_gap(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    for number in 0..2 {
        let upto = store.changes(ChangeNumber::default()).await?.upto;
        for ahead in [1, 1_000_000, u64::MAX - upto.as_u64()] {
            let told = store.changes(ChangeNumber::new(upto.as_u64() + ahead)).await?;
            ensure!(
                told.gap && told.upto == upto,
                "asked from {ahead} changes ahead, the feed tells {told:?}"
            );
        }
        store.put(&id(number)?, b"x", Expect::Absent).await?;
    }
    Ok(())
}
