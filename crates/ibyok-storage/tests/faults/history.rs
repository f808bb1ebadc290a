//! Many writers on one record, and a look at the history that came of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use ibyok_storage::{ChangeNumber, Error, Expect, Revision, Store};
use tokio::task::JoinSet;

use super::{Backend, id};

/// One put that was acknowledged: what it replaced, what it made, and when it was under way.
struct Put {
    replaced: Revision,
    made: Revision,
    begun: Instant,
    ended: Instant,
}

/// Of 64 writers on two handles, exactly one replaces each revision; each replaces the newest revision of some
/// instant while its call is under way. The feed holds every acknowledged put, and nothing else.
pub async fn of_many_writers_one_replaces_each_revision(backend: &dyn Backend) {
    const WRITERS: usize = 64;
    const EACH: usize = 6;

    let mut stores = Vec::new();
    for _ in 0..2 {
        stores.push(backend.open(backend.port(), "writers").await.unwrap());
    }
    let first = stores[0].put(&id(1), b"0", Expect::Absent).await.unwrap();
    let begin = stores[0].changes(ChangeNumber::default()).await.unwrap().upto;
    let mut writers = JoinSet::new();
    for store in stores.iter().cycle().take(WRITERS) {
        writers.spawn(write(Arc::clone(store), EACH));
    }
    let puts: Vec<Put> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(puts.len(), WRITERS * EACH);

    let mut by_replaced: HashMap<u64, &Put> = HashMap::new();
    for put in &puts {
        let twice = by_replaced.insert(put.replaced.as_u64(), put);
        assert!(twice.is_none(), "two puts replaced revision {:?}", put.replaced);
    }
    // The puts make one chain from the first revision, and none begins before the one that it follows could have ended.
    let (mut at, mut length, mut earliest) = (first, 0, None);
    while let Some(put) = by_replaced.get(&at.as_u64()) {
        assert!(
            earliest.is_none_or(|earliest| put.ended >= earliest),
            "a put saw the future"
        );
        earliest = Some(earliest.map_or(put.begun, |earliest: Instant| earliest.max(put.begun)));
        (at, length) = (put.made, length + 1);
    }
    assert_eq!(length, puts.len(), "the history is not one chain");
    let last = stores[1].get(&id(1)).await.unwrap().unwrap();
    assert_eq!(last.revision, at);
    assert_eq!(
        last.bytes,
        (WRITERS * EACH).to_string().as_bytes(),
        "an update was lost"
    );
    let told = stores[0].changes(begin).await.unwrap();
    assert_eq!(told.changes.len(), puts.len());
}

/// Adds one to the number in the record, until that succeeded so many times.
async fn write(store: Arc<dyn Store>, times: usize) -> Vec<Put> {
    let mut puts = Vec::new();
    while puts.len() < times {
        // A machine that is busy with other tests may miss a deadline.
        let Ok(found) = store.get(&id(1)).await else { continue };
        let found = found.unwrap();
        let number: usize = String::from_utf8(found.bytes).unwrap().parse().unwrap();
        let begun = Instant::now();
        let bytes = (number + 1).to_string();
        match store
            .put(&id(1), bytes.as_bytes(), Expect::Revision(found.revision))
            .await
        {
            Ok(made) => puts.push(Put {
                replaced: found.revision,
                made,
                begun,
                ended: Instant::now(),
            }),
            Err(Error::Conflict) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    puts
}
