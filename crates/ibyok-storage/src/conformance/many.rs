//! Many records are read at once, and many are written whole or not at all.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{fresh, id, id_in, realm, two_handles};
use crate::changes::ChangeNumber;
use crate::error::Error;
use crate::record::{Collection, Expect, Kind, RecordId, RecordPut, Revision, Stored};
use crate::store::{LIST_LIMIT, MAX_RECORD, Store};

/// The number of concurrent writers of batches.
const WRITERS: u16 = 16;

/// A read of many gives each id its own record or nothing, in the order of the ids, for any mixture of collections.
pub async fn many_records_are_read_in_order(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let empty = store.get_many(&[]).await?;
    ensure!(
        empty.is_empty(),
        "no id was asked for, and {} records came",
        empty.len()
    );
    let there = [
        id(5)?,
        id(1)?,
        id_in(realm(3, *b"ab3dE5gH")?, 1),
        id_in(realm(4, *b"aB3dE5gH")?, 1),
        id_in(Collection::root(Kind::new(3)), 1),
        id_in(Collection::root(Kind::new(200)), 1),
    ];
    let asked: Vec<RecordId> = there.iter().flat_map(|id| [*id, other(id), *id]).collect();
    let nothing = read_all(&*store, &asked).await?;
    ensure!(
        nothing.iter().all(Option::is_none),
        "an empty store gave records: {nothing:?}"
    );
    for (number, id) in (0_u8..).zip(&there) {
        // The first record has no bytes, which is not the same as no record.
        store
            .put(id, &vec![number; usize::from(number)], Expect::Absent)
            .await?;
    }
    let found = read_all(&*store, &asked).await?;
    for (id, found) in asked.iter().zip(&found) {
        let alone = store.get(id).await?;
        ensure!(*found == alone, "`{id}` is {found:?} among others and {alone:?} alone");
    }
    Ok(())
}

/// The record of the same collection that is not there.
fn other(id: &RecordId) -> RecordId {
    RecordId::new(*id.collection(), [0xee; 16])
}

/// Reads each record, in as many parts as the store makes of it.
async fn read_all(store: &dyn Store, ids: &[RecordId]) -> Result<Vec<Option<Stored>>, Broken> {
    let mut all = Vec::new();
    while let Some(rest) = ids.get(all.len()..).filter(|rest| !rest.is_empty()) {
        let part = store.get_many(rest).await?;
        ensure!(!part.is_empty(), "{} ids were asked for, and nothing came", rest.len());
        ensure!(
            part.len() <= rest.len(),
            "{} ids were asked for, and {} answers came",
            rest.len(),
            part.len()
        );
        all.extend(part);
    }
    Ok(all)
}

/// A read of many ends before it takes all memory: after [`LIST_LIMIT`] ids, and before more than [`MAX_RECORD`] bytes.
pub async fn a_long_read_comes_in_parts(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let ids: Vec<RecordId> = (0..1200).map(id).collect::<Result<_, _>>()?;
    let part = store.get_many(&ids).await?;
    ensure!(
        part.len() <= LIST_LIMIT,
        "one answer is about {} ids instead of {LIST_LIMIT} at most",
        part.len()
    );
    // Together they are two bytes too large.
    let large = vec![7; MAX_RECORD / 2 + 1];
    let asked = [id(1)?, id(900)?, id(2)?];
    for number in [1, 2] {
        store.put(&id(number)?, &large, Expect::Absent).await?;
    }
    let first = store.get_many(&asked).await?;
    ensure!(
        first.iter().flatten().count() == 1,
        "one answer holds {} records of {} bytes instead of one",
        first.iter().flatten().count(),
        large.len()
    );
    let all = read_all(&*store, &asked).await?;
    let lengths: Vec<Option<usize>> = all
        .iter()
        .map(|found| found.as_ref().map(|stored| stored.bytes.len()))
        .collect();
    let large = Some(large.len());
    ensure!(
        lengths == [large, None, large],
        "the parts hold records of {lengths:?} bytes"
    );
    Ok(())
}

/// A batch makes and replaces records of any collection, each with a revision and a change of its own, in order.
pub async fn many_records_are_written_at_once(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let none = store.put_many(&[]).await?;
    ensure!(none.is_empty(), "nothing was put, and {} revisions came", none.len());
    let replaced = id(3)?;
    let old = store.put(&replaced, b"old", Expect::Absent).await?;
    let begin = store.changes(ChangeNumber::default()).await?.upto;
    let bytes: Vec<Vec<u8>> = (0..8).map(|number| vec![number; usize::from(number) * 300]).collect();
    let places = [
        id(9)?,
        replaced,
        id_in(realm(200, *b"aB3dE5gH")?, 1),
        id_in(Collection::root(Kind::new(3)), 7),
        id(1)?,
        id_in(realm(4, *b"aB3dE5gH")?, 1),
        id_in(realm(3, *b"AB3dE5gH")?, 1),
        id(2)?,
    ];
    let puts = places.iter().zip(&bytes).map(|(place, bytes)| {
        let expect = match *place == replaced {
            true => Expect::Revision(old),
            false => Expect::Absent,
        };
        RecordPut::new(*place, bytes, expect)
    });
    let puts: Vec<RecordPut<'_>> = puts.collect();
    let revisions = put_all(&*store, &puts).await?;
    for (put, revision) in puts.iter().zip(&revisions) {
        let stored = store.get(&put.id).await?;
        ensure!(
            stored.as_ref().is_some_and(|stored| stored.bytes == put.bytes),
            "`{}` does not hold what the batch gave it",
            put.id
        );
        ensure!(
            stored.is_some_and(|stored| stored.revision == *revision),
            "the batch gave `{}` another revision than a read",
            put.id
        );
    }
    let told: Vec<RecordId> = store
        .changes(begin)
        .await?
        .changes
        .iter()
        .map(|change| change.id)
        .collect();
    let loud = places.iter().filter(|id| !id.collection().kind().is_quiet());
    let loud: Vec<RecordId> = loud.copied().collect();
    ensure!(told == loud, "the feed tells of {told:?} instead of {loud:?}");
    Ok(())
}

/// Puts each record, in as many batches as the store makes of it.
async fn put_all(store: &dyn Store, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>, Broken> {
    let mut all: Vec<Revision> = Vec::new();
    while let Some(rest) = puts.get(all.len()..).filter(|rest| !rest.is_empty()) {
        let written = store.put_many(rest).await?;
        ensure!(
            !written.is_empty() && written.len() <= rest.len(),
            "{} records were put, and {} revisions came",
            rest.len(),
            written.len()
        );
        all.extend(written);
    }
    Ok(all)
}

/// The number of records that the store writes in one step, of four.
async fn in_one_step(store: &dyn Store) -> Result<usize, Broken> {
    let ids = [id(101)?, id(102)?, id(103)?, id(104)?];
    let puts = ids.map(|id| RecordPut::new(id, b"x", Expect::Absent));
    Ok(store.put_many(&puts).await?.len())
}

/// A batch of which one record is not as expected, too large or there twice writes nothing: no record and no change.
pub async fn a_batch_is_written_whole_or_not_at_all(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let steps = in_one_step(&*store).await?;
    let old = store.put(&id(1)?, b"old", Expect::Absent).await?;
    store.put(&id(1)?, b"new", Expect::Revision(old)).await?;
    let before = store.get(&id(1)?).await?;
    let upto = store.changes(ChangeNumber::default()).await?.upto;
    let large = vec![0; MAX_RECORD + 1];
    let good = [
        RecordPut::new(id(2)?, b"x", Expect::Absent),
        RecordPut::new(id(3)?, b"x", Expect::Absent),
        RecordPut::new(id(4)?, b"x", Expect::Absent),
    ];
    let bad = [
        RecordPut::new(id(1)?, b"x", Expect::Absent),
        RecordPut::new(id(1)?, b"x", Expect::Revision(old)),
        RecordPut::new(id(9)?, b"x", Expect::Revision(old)),
        RecordPut::new(id(9)?, &large, Expect::Absent),
    ];
    for bad in bad {
        for position in 0..steps.min(good.len() + 1) {
            let (before, after) = good.split_at(position);
            let batch = [before, &[bad], after].concat();
            let answer = store.put_many(&batch).await;
            let right = match &answer {
                Err(Error::TooLarge { .. }) => bad.bytes.len() > MAX_RECORD,
                Err(Error::Exists) => bad.expect == Expect::Absent,
                Err(Error::Conflict) => bad.expect != Expect::Absent,
                _ => false,
            };
            ensure!(right, "{answer:?} for a batch with {bad:?} at position {position}");
        }
    }
    let twice = [good[0], good[1], good[0]];
    let answer = store.put_many(&twice).await;
    ensure!(
        matches!(answer, Err(Error::Invalid { .. })),
        "{answer:?} instead of `Invalid` for a record that is there twice"
    );
    ensure!(store.get(&id(1)?).await? == before, "a refused batch changed a record");
    for number in [2, 3, 4, 9] {
        let made = store.get(&id(number)?).await?;
        ensure!(made.is_none(), "a refused batch made record {number}");
    }
    let after = store.changes(upto).await?;
    ensure!(
        after.upto == upto && after.changes.is_empty(),
        "a refused batch is in the feed"
    );
    Ok(())
}

/// Of 16 batches that make the same four records at once, in different orders over two handles, one succeeds for all four.
pub async fn one_of_many_batches_wins(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let stores = two_handles(harness).await?;
    let ids = [id(1)?, id(2)?, id(3)?, id(4)?];
    if in_one_step(&*stores[0]).await? < ids.len() {
        // A store without transactions over several records promises this for one record: `one_of_many_creators_wins`.
        return Ok(());
    }
    let mut writers = JoinSet::new();
    for (number, store) in (0..WRITERS).zip(stores.iter().cycle()) {
        let store = Arc::clone(store);
        writers.spawn(async move {
            let bytes = number.to_be_bytes();
            let mut puts = ids.map(|id| RecordPut::new(id, &bytes, Expect::Absent));
            puts.rotate_left(usize::from(number) % ids.len());
            if number % 2 == 0 {
                puts.reverse();
            }
            (number, store.put_many(&puts).await)
        });
    }
    let mut winners = Vec::new();
    for (number, answer) in writers.join_all().await {
        match answer {
            Ok(revisions) if revisions.len() == ids.len() => winners.push(number),
            Ok(revisions) => return Err(Broken::new(format!("a batch of 4 wrote {}", revisions.len()))),
            Err(Error::Exists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let &[winner] = winners.as_slice() else {
        return Err(Broken::new(format!(
            "{} of {WRITERS} batches succeeded instead of one",
            winners.len()
        )));
    };
    for found in read_all(&*stores[1], &ids).await? {
        ensure!(
            found.is_some_and(|stored| stored.bytes == winner.to_be_bytes()),
            "a record of the batch that succeeded holds another batch's bytes"
        );
    }
    Ok(())
}
