//! The file backend and the memory backend give the same answers to any series of steps.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use ibyok_storage::{
    ChangeNumber, Collection, Expect, FileOptions, FileStore, Kind, MemoryStore, RecordId, Revision, Store,
};
use proptest::prelude::*;

/// The number of changes that both feeds keep: few, so that there are gaps.
const KEEP: u32 = 6;

#[derive(Debug, Clone)]
enum Step {
    Create(RecordId, Vec<u8>),
    Replace(RecordId, Vec<u8>),
    ReplaceStale(RecordId),
    Delete(RecordId),
    DeleteStale(RecordId),
    List(RecordId, bool, usize),
    Changes(u64),
}

fn ids() -> impl Strategy<Value = RecordId> {
    (
        prop::sample::select(vec![3_u8, 4, 200]),
        prop::sample::select(vec![*b"aB3dE5gH", *b"zZ9aB3dE"]),
        0_u8..4,
    )
        .prop_map(|(kind, realm, id)| RecordId::new(Collection::new(Kind::new(kind), realm).unwrap(), [id; 16]))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        4 => (ids(), bytes()).prop_map(|(id, bytes)| Step::Create(id, bytes)),
        4 => (ids(), bytes()).prop_map(|(id, bytes)| Step::Replace(id, bytes)),
        1 => ids().prop_map(Step::ReplaceStale),
        2 => ids().prop_map(Step::Delete),
        1 => ids().prop_map(Step::DeleteStale),
        2 => (ids(), any::<bool>(), 0_usize..5).prop_map(|(id, after, limit)| Step::List(id, after, limit)),
        2 => (0_u64..30).prop_map(Step::Changes),
    ];
    prop::collection::vec(step, 1..40)
}

/// Returns the answer of a store in words that hold for every backend: revisions may differ.
async fn answer(store: &dyn Store, step: &Step) -> String {
    match step {
        Step::Create(id, bytes) => format!("{:?}", store.put(id, bytes, Expect::Absent).await.map(drop)),
        Step::Replace(id, bytes) => {
            let expect = Expect::Revision(revision(store, id).await);
            format!("{:?}", store.put(id, bytes, expect).await.map(drop))
        }
        Step::ReplaceStale(id) => {
            let stale = Expect::Revision(Revision::new(revision(store, id).await.as_u64() + 1000));
            format!("{:?}", store.put(id, b"stale", stale).await.map(drop))
        }
        Step::Delete(id) => format!("{:?}", store.delete(id, revision(store, id).await).await),
        Step::DeleteStale(id) => {
            let stale = Revision::new(revision(store, id).await.as_u64() + 1000);
            format!("{:?}", store.delete(id, stale).await)
        }
        Step::List(id, after, limit) => {
            format!("{:?}", store.list(id.collection(), after.then_some(id), *limit).await)
        }
        Step::Changes(since) => format!("{:?}", store.changes(ChangeNumber::new(*since)).await),
    }
}

/// The revision of a record, or one that none has.
async fn revision(store: &dyn Store, id: &RecordId) -> Revision {
    store
        .get(id)
        .await
        .unwrap()
        .map_or(Revision::new(1 << 40), |stored| stored.revision)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn file_and_memory_answer_alike(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let options = FileOptions::new().keep_changes(KEEP);
            let file = FileStore::open_with(directory.path().join("store"), options).await.unwrap();
            let memory = MemoryStore::keeping(usize::try_from(KEEP).unwrap());
            for step in &steps {
                let (from_file, from_memory) = (answer(&file, step).await, answer(&memory, step).await);
                prop_assert_eq!(from_file, from_memory, "{:?}", step);
                for id in steps.iter().filter_map(|step| match step { Step::Create(id, _) => Some(id), _ => None }) {
                    let [one, other] = [file.get(id).await.unwrap(), memory.get(id).await.unwrap()];
                    prop_assert_eq!(one.map(|stored| stored.bytes), other.map(|stored| stored.bytes));
                }
            }
            Ok(())
        })?;
    }
}
