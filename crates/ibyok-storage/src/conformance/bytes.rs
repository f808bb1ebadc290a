//! A store keeps bytes, exactly, under the id that they were put under.

use super::harness::{Broken, StoreHarness, ensure};
use super::run::{collection, fresh, id, id_in, realm};
use crate::error::Error;
use crate::record::{Collection, Expect, Kind, RecordId};
use crate::store::{MAX_RECORD, Store};

/// Reading what was never put gives nothing, and is no error.
pub async fn an_absent_record_is_none(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    ensure!(store.get(&id(1)?).await?.is_none(), "an empty store gave a record");
    store.put(&id(1)?, b"x", Expect::Absent).await?;
    ensure!(
        store.get(&id(2)?).await?.is_none(),
        "a record was found that was never put"
    );
    Ok(())
}

/// A read after a write sees it, with the revision that the write gave; also after it was replaced, and after it was deleted.
pub async fn what_was_put_is_read_back(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let mut expect = Expect::Absent;
    for text in ["first", "second, which is longer", "3rd"] {
        let revision = store.put(&id(1)?, text.as_bytes(), expect).await?;
        let Some(stored) = store.get(&id(1)?).await? else {
            return Err(Broken::new("the record is not there"));
        };
        ensure!(stored.bytes == text.as_bytes(), "put `{text}` and got other bytes");
        ensure!(
            stored.revision == revision,
            "put gave {revision:?} and get {:?}",
            stored.revision
        );
        expect = Expect::Revision(revision);
    }
    if let Expect::Revision(revision) = expect {
        store.delete(&id(1)?, revision).await?;
    }
    ensure!(store.get(&id(1)?).await?.is_none(), "a deleted record is still there");
    Ok(())
}

/// No byte and no length is special: nothing is trimmed, padded, decoded or cut.
pub async fn bytes_are_kept_exactly(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let every: Vec<u8> = (0..=255).collect();
    let mut cases = vec![
        Vec::new(),
        every,
        vec![0; 3],
        b" \r\n\t ".to_vec(),
        b"\xff\xfe\xc0\x80".to_vec(),
        b"'; --\\".to_vec(),
    ];
    for length in [1, 255, 256, 4095, 4096, 4097, 65_535, 65_536, 1_000_000] {
        cases.push(pattern(length));
    }
    for (number, bytes) in (0..).zip(&cases) {
        keeps(&*store, &id(number)?, bytes).await?;
    }
    // All of them at once, so that one did not overwrite another.
    for (number, bytes) in (0..).zip(&cases) {
        let stored = store.get(&id(number)?).await?;
        ensure!(
            stored.is_some_and(|stored| stored.bytes == *bytes),
            "{} bytes were changed by later puts",
            bytes.len()
        );
    }
    Ok(())
}

/// A record of [`MAX_RECORD`] bytes is kept.
pub async fn the_largest_record_is_kept(harness: &dyn StoreHarness) -> Result<(), Broken> {
    keeps(&*fresh(harness).await?, &id(1)?, &pattern(MAX_RECORD)).await
}

/// One byte more than [`MAX_RECORD`] is [`Error::TooLarge`], and leaves no trace.
pub async fn a_record_over_the_limit_is_refused(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let answer = store.put(&id(1)?, &pattern(MAX_RECORD + 1), Expect::Absent).await;
    ensure!(
        matches!(answer, Err(Error::TooLarge { .. })),
        "{answer:?} instead of `TooLarge`"
    );
    ensure!(store.get(&id(1)?).await?.is_none(), "the refused record is there");
    ensure!(
        store.list(&collection()?, None, 10).await?.is_empty(),
        "the refused record is listed"
    );
    Ok(())
}

/// Records whose ids differ in the kind, the realm, its letters' case or one bit of the id are different records.
pub async fn records_are_kept_apart(harness: &dyn StoreHarness) -> Result<(), Broken> {
    let store = fresh(harness).await?;
    let first = collection()?;
    let mut ids = vec![
        id_in(first, 1),
        id_in(realm(4, *b"aB3dE5gH")?, 1),
        id_in(realm(131, *b"aB3dE5gH")?, 1),
        id_in(realm(3, *b"AB3dE5gH")?, 1),
        id_in(realm(3, *b"aB3dE5g0")?, 1),
        id_in(Collection::root(Kind::new(3)), 1),
        RecordId::new(first, [0; 16]),
        RecordId::new(first, [0xff; 16]),
    ];
    ids.extend(
        (0..128)
            .step_by(7)
            .map(|bit| RecordId::new(first, (1 ^ (1_u128 << (bit + 1))).to_be_bytes())),
    );
    for id in &ids {
        store
            .put(id, id.to_string().as_bytes(), Expect::Absent)
            .await
            .map_err(|error| Broken::new(format!("`{id}` could not be made beside the others: {error}")))?;
    }
    for id in &ids {
        let stored = store.get(id).await?;
        ensure!(
            stored.is_some_and(|stored| stored.bytes == id.to_string().as_bytes()),
            "`{id}` holds another's bytes"
        );
    }
    Ok(())
}

async fn keeps(store: &dyn Store, id: &RecordId, bytes: &[u8]) -> Result<(), Broken> {
    store.put(id, bytes, Expect::Absent).await?;
    let Some(stored) = store.get(id).await? else {
        return Err(Broken::new("the record is not there"));
    };
    ensure!(
        stored.bytes == bytes,
        "put {} bytes and got {}{}",
        bytes.len(),
        stored.bytes.len(),
        if stored.bytes.len() == bytes.len() {
            " that differ"
        } else {
            ""
        }
    );
    Ok(())
}

/// Bytes that do not repeat at any power of two.
fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}
