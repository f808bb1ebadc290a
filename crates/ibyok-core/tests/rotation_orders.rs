//! Any order of the steps of a rotation, by any number of actors: a current version, nothing destroyed that is needed, and nothing
//! left of what was destroyed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a read that fails is a failed test"
)]

mod scene;

use std::collections::BTreeMap;

use ibyok_core::{
    Code, Error, FileSink, FileStore, KeyRef, LocalKek, Session, Vault,
    audit::SinkDurability,
    keys::{KeyInfo, Role, VersionMark, WhichVersion},
    rotation::DrainRequest,
};
use ibyok_storage::{ChangeNumber, Store};
use proptest::prelude::*;
use scene::{Scene, reading, secret};

#[derive(Clone, Debug)]
enum Step {
    Set,
    Stage,
    Promote,
    Rollback,
    Retire(Option<u32>),
    Destroy(u32, bool),
    Disable(u32),
    Enable(u32),
    Read(usize, Option<u32>),
    ReadPending(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let version = || 1..6u32;
    prop_oneof![
        2 => Just(Step::Set),
        3 => Just(Step::Stage),
        3 => Just(Step::Promote),
        2 => Just(Step::Rollback),
        3 => proptest::option::of(version()).prop_map(Step::Retire),
        3 => (version(), proptest::bool::weighted(0.2)).prop_map(|(version, force)| Step::Destroy(version, force)),
        1 => version().prop_map(Step::Disable),
        1 => version().prop_map(Step::Enable),
        6 => (0..3usize, proptest::option::of(version())).prop_map(|(who, version)| Step::Read(who, version)),
        1 => (0..3usize).prop_map(Step::ReadPending),
    ]
}

/// The readers of each version, with the time of their reads as a number that grows.
#[derive(Default)]
struct Reads {
    clock: u64,
    of: BTreeMap<usize, BTreeMap<u32, u64>>,
}

impl Reads {
    fn note(&mut self, who: usize, version: u32) {
        self.clock += 1;
        self.of.entry(who).or_default().insert(version, self.clock);
    }

    /// True if some reader needs a version: by the promise, and not by the code that decides it.
    fn needed(&self, version: u32, current: u32, pending: Option<u32>) -> bool {
        self.of.values().any(|reads| {
            let uses_old = reads.keys().any(|read| *read != current && Some(*read) != pending);
            let new = reads.get(&current);
            uses_old && new.is_none_or(|new| reads.get(&version).is_some_and(|old| old > new))
        })
    }
}

fn only_current(info: &KeyInfo) -> u32 {
    let current: Vec<_> = info.versions.iter().filter(|v| v.role == Role::Current).collect();
    assert_eq!(current.len(), 1, "{info:?}");
    assert!(!current[0].marks.contains(&VersionMark::Destroyed), "{info:?}");
    assert_eq!(info.version, Some(current[0].version));
    assert!(
        info.versions.iter().filter(|v| v.role == Role::Pending).count() <= 1,
        "{info:?}"
    );
    current[0].version
}

async fn take(operator: &Session, key: &KeyRef, step: &Step) -> Result<(), Error> {
    let at = |version: u32| key.clone().at_version(version);
    match step {
        Step::Set => operator.keys().set(key, secret("set")).await.map(drop),
        Step::Stage => operator.rotation().stage(key, secret("staged")).await.map(drop),
        Step::Promote => operator.rotation().promote(key).await.map(drop),
        Step::Rollback => operator.rotation().roll_back(key).await.map(drop),
        Step::Retire(version) => {
            let key = key.clone().at_version(*version);
            operator
                .rotation()
                .retire(&key, &DrainRequest::default())
                .await
                .map(drop)
        }
        Step::Destroy(version, force) => {
            let request = DrainRequest::default();
            let request = if *force { request.force("a test") } else { request };
            operator.rotation().destroy(&at(*version), &request).await.map(drop)
        }
        Step::Disable(version) => operator.keys().disable(&at(*version)).await.map(drop),
        Step::Enable(version) => operator.keys().enable(&at(*version)).await.map(drop),
        Step::Read(..) | Step::ReadPending(_) => Ok(()),
    }
}

async fn any_order(steps: Vec<Step>) {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("prod/openai"));
    operator.keys().set(&key, secret("first")).await.unwrap();
    let mut workers = Vec::new();
    for name in ["a", "b", "c"] {
        workers.push(scene.vault.as_token(&scene.token_named(name, reading("prod")).await));
    }
    let mut reads = Reads::default();
    for step in steps {
        let before = operator.keys().show(&key).await.unwrap();
        let (current, pending) = (only_current(&before), before.pending);
        let read = match step {
            Step::Read(who, version) => Some((who, WhichVersion::from(version))),
            Step::ReadPending(who) => Some((who, WhichVersion::Pending)),
            _ => None,
        };
        if let Some((who, which)) = read {
            if let Ok(released) = workers[who].retrieve(&key.clone().at_version(which)).await {
                let version = released.info().version;
                let state = before
                    .versions
                    .iter()
                    .find(|v| v.version == version)
                    .unwrap()
                    .state
                    .as_str();
                assert!(
                    matches!(state, "current" | "retiring" | "pending"),
                    "{state} was released"
                );
                reads.note(who, version);
            }
            continue;
        }
        let done = take(&operator, &key, &step).await;
        let after = operator.keys().show(&key).await.unwrap();
        only_current(&after);
        if done.is_err() {
            let states = |info: &KeyInfo| info.versions.iter().map(|v| v.state.as_str()).collect::<Vec<_>>();
            assert_eq!(
                states(&before),
                states(&after),
                "{step:?} was refused and did something"
            );
        }
        if matches!(step, Step::Retire(_) | Step::Destroy(_, false)) && done.is_ok() {
            for (was, is) in before.versions.iter().zip(&after.versions) {
                let went = was.state != is.state && Some(was.version) != pending;
                let needed = reads.needed(was.version, current, pending);
                assert!(
                    !went || !needed,
                    "{step:?} took version {} from who needs it",
                    was.version
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_steps_loses_the_current_version_or_takes_what_is_needed(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(any_order(steps));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_at_once_on_two_nodes_leave_one_current_version() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("first")).await.unwrap();
    let nodes = [scene.operator(), scene.another_node().await.operator("other")];
    let steps = [
        Step::Stage,
        Step::Promote,
        Step::Rollback,
        Step::Set,
        Step::Retire(None),
        Step::Destroy(1, true),
    ];
    let mut tasks = Vec::new();
    for round in 0..6 {
        for (number, step) in steps.iter().enumerate() {
            let (node, key, step) = (nodes[(round + number) % 2].clone(), key.clone(), step.clone());
            tasks.push(tokio::spawn(async move {
                take(&node, &key, &step).await.map_err(|error| error.code())
            }));
        }
    }
    let mut done = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => done += 1,
            Err(code) => assert!(
                matches!(
                    code,
                    Code::NotFound | Code::Conflict | Code::InUse | Code::VersionDestroyed
                ),
                "{code}"
            ),
        }
    }
    assert!(done >= 12, "{done}");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    for node in &nodes {
        only_current(&node.keys().show(&key).await.unwrap());
        assert!(node.retrieve(&key).await.is_ok());
    }
}

#[tokio::test]
async fn nothing_of_a_destroyed_value_is_left_in_the_files() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("vault.db");
    let store = FileStore::open(&path).await.unwrap();
    let sink = FileSink::builder(scratch.path().join("audit"))
        .durability(SinkDurability::Written)
        .open()
        .await
        .unwrap();
    let kek = LocalKek::generate().unwrap();
    let vault = Vault::builder()
        .store(store)
        .kek(kek)
        .audit(sink)
        .create()
        .await
        .unwrap();
    let (operator, key): (Session, KeyRef) = (vault.operator("test"), "prod/openai".parse().unwrap());
    // Somebody else has the file open all the while.
    let beside = FileStore::open(&path).await.unwrap();
    let mut copies: Vec<Vec<u8>> = Vec::new();
    for size in [40, 60_000] {
        operator.keys().set(&key, secret(&"x".repeat(size))).await.unwrap();
        copies.extend(key_records(&beside).await);
    }
    operator.keys().set(&key, secret("current")).await.unwrap();
    copies.extend(key_records(&beside).await);
    let held = |bytes: &[u8]| {
        let sample = &bytes[bytes.len() / 2..bytes.len() / 2 + 64];
        ["vault.db", "vault.db-wal", "vault.db-shm"].iter().any(|file| {
            let file = std::fs::read(scratch.path().join(file)).unwrap();
            file.windows(sample.len()).any(|window| window == sample)
        })
    };
    assert!(copies.iter().any(|copy| held(copy)), "the test sees what is there");
    for version in [1, 2] {
        let one = key.clone().at_version(version);
        let destroyed = operator
            .rotation()
            .destroy(&one, &DrainRequest::default())
            .await
            .unwrap();
        assert_eq!(destroyed.remains, None);
    }
    for (number, copy) in copies.iter().enumerate() {
        assert!(!held(copy), "copy {number} of the record is still there");
    }
    assert_eq!(operator.retrieve(&key).await.unwrap().text().unwrap(), "current");
}

/// The sealed records of keys, as they are in the store.
async fn key_records(store: &dyn Store) -> Vec<Vec<u8>> {
    let mut found = BTreeMap::new();
    for change in store.changes(ChangeNumber::default()).await.unwrap().changes {
        if change.id.collection().kind().as_u8() == 3
            && let Some(stored) = store.get(&change.id).await.unwrap()
        {
            found.insert(change.id, stored.bytes);
        }
    }
    found.into_values().collect()
}
