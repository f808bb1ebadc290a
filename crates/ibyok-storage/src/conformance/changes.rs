//! The feed tells of every change, to every handle.

use std::time::Duration;

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{fresh, id, id_in, realm, two_handles};
use crate::changes::{ChangeNumber, Changes};
use crate::record::{Collection, Expect, Kind, RecordId};
use crate::store::Store;

/// The longest time for a hint. The contract lets a hint never come; a backend on which it never comes is not worth
/// having.
const HINT: Duration = Duration::from_secs(4);

/// A record that is made, replaced or deleted is in the feed each time, in that order, in any realm.
pub async fn each_change_is_in_the_feed(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let begin = store.changes(ChangeNumber::default()).await?.upto;
    let root = id_in(Collection::root(Kind::new(1)), 9);
    let loud = id_in(realm(127, *b"zZ9aB3dE")?, 9);
    let first = store.put(&id(1)?, b"x", Expect::Absent).await?;
    store.put(&root, b"x", Expect::Absent).await?;
    let second = store.put(&id(1)?, b"x", Expect::Revision(first)).await?;
    store.put(&loud, b"x", Expect::Absent).await?;
    store.delete(&id(1)?, second).await?;
    let changes = since(&*store, begin).await?;
    let ids: Vec<RecordId> = changes.changes.iter().map(|change| change.id).collect();
    let expected = [id(1)?, root, id(1)?, loud, id(1)?];
    ensure!(ids == expected, "the feed tells {ids:?} instead of {expected:?}");
    let nothing = since(&*store, changes.upto).await?;
    ensure!(
        nothing.changes.is_empty() && nothing.upto == changes.upto,
        "the feed goes on without a change: {nothing:?}"
    );
    let third = changes.changes.get(2).map(|change| change.number).unwrap_or_default();
    let rest: Vec<RecordId> = since(&*store, third)
        .await?
        .changes
        .iter()
        .map(|change| change.id)
        .collect();
    ensure!(
        rest == expected[3..],
        "asked after the third change, the feed tells {rest:?}"
    );
    Ok(())
}

/// Records of quiet kinds are stored like others and stay out of the feed.
pub async fn quiet_kinds_are_not_in_the_feed(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let begin = store.changes(ChangeNumber::default()).await?.upto;
    for kind in [128, 200, 255] {
        let quiet = id_in(realm(kind, *b"aB3dE5gH")?, 1);
        let first = store.put(&quiet, b"x", Expect::Absent).await?;
        let second = store.put(&quiet, b"y", Expect::Revision(first)).await?;
        store.delete(&quiet, second).await?;
    }
    let changes = since(&*store, begin).await?;
    ensure!(
        changes.upto == begin && changes.changes.is_empty(),
        "quiet kinds are in the feed: {changes:?}"
    );
    store.put(&id(1)?, b"x", Expect::Absent).await?;
    let changes = since(&*store, begin).await?;
    ensure!(
        changes.changes.len() == 1,
        "one loud change after quiet ones makes {changes:?}"
    );
    Ok(())
}

/// A handle reports the changes of another handle, also if it was open before them.
pub async fn changes_are_seen_from_another_handle(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let [one, other] = two_handles(harness).await?;
    let mut upto = other.changes(ChangeNumber::default()).await?.upto;
    for number in 0..5 {
        let (writer, reader) = if number % 2 == 0 {
            (&one, &other)
        } else {
            (&other, &one)
        };
        writer.put(&id(number)?, b"x", Expect::Absent).await?;
        let changes = since(&**reader, upto).await?;
        let ids: Vec<RecordId> = changes.changes.iter().map(|change| change.id).collect();
        ensure!(
            ids == [id(number)?],
            "the other handle's feed tells {ids:?} after one put"
        );
        upto = changes.upto;
    }
    Ok(())
}

/// A reader that learns of a change and then reads the record sees the change, on any handle.
pub async fn a_change_that_is_told_can_be_read(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let [one, other] = two_handles(harness).await?;
    let mut upto = other.changes(ChangeNumber::default()).await?.upto;
    let id = id(1)?;
    let mut expect = Expect::Absent;
    for number in 0_u16..20 {
        let bytes = number.to_be_bytes();
        let (put, seen) = tokio::join!(one.put(&id, &bytes, expect), async {
            loop {
                let changes = since(&*other, upto).await?;
                if !changes.changes.is_empty() {
                    return Ok::<_, Broken>((changes.upto, other.get(&id).await?));
                }
                tokio::task::yield_now().await;
            }
        });
        expect = Expect::Revision(put?);
        let (told, stored) = seen?;
        upto = told;
        ensure!(
            stored.is_some_and(|stored| stored.bytes == bytes),
            "a change was told before it could be read"
        );
    }
    Ok(())
}

/// [`Store::wait`] ends when the feed moves, through this handle or another.
pub async fn waiting_ends_after_a_change(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let [one, other] = two_handles(harness).await?;
    for (number, writer) in (0..).zip([&one, &other, &one]) {
        let upto = one.changes(ChangeNumber::default()).await?.upto;
        let waiting = tokio::time::timeout(HINT, one.wait(upto));
        let (waited, put) = tokio::join!(waiting, async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            writer
                .put(&id(number)?, b"x", Expect::Absent)
                .await
                .map_err(Broken::from)
        });
        put?;
        waited.map_err(|_| Broken::new(format!("no hint of a change within {} seconds", HINT.as_secs())))??;
    }
    Ok(())
}

/// [`Store::wait`] from a place that the feed is past ends at once: a change between asking and waiting is not slept through.
pub async fn waiting_for_what_has_changed_ends_at_once(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let begin = store.changes(ChangeNumber::default()).await?.upto;
    store.put(&id(1)?, b"x", Expect::Absent).await?;
    let waited = tokio::time::timeout(HINT, store.wait(begin)).await;
    waited.map_err(|_| Broken::new("waited for a change that was there already"))??;
    Ok(())
}

/// Changes after a place, where no gap may be.
pub(super) async fn since(store: &dyn Store, since: ChangeNumber) -> Result<Changes, Broken> {
    let changes = store.changes(since).await?;
    ensure!(!changes.gap, "a gap in a short feed: {changes:?}");
    Ok(changes)
}
