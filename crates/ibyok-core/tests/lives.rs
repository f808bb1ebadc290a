//! The lives of a tenant's name on two nodes: a removal on one is no loss on the other, and no older life comes back on either.
#![expect(clippy::unwrap_used, reason = "a setup that fails is a failed test")]

mod scene;

use std::time::Duration;

use ibyok_core::namespaces::NamespaceRemoval;
use ibyok_core::{Code, KeyRef, Namespace, Vault};
use ibyok_storage::{Collection, Expect, Kind, RecordId, Store};
use scene::{Scene, secret};

/// The kinds of records that a realm's name is about: its key, its tag and its tombstone.
const KEY: u8 = 1;
const TAG: u8 = 2;
const TOMBSTONE: u8 = 11;

fn acme() -> Namespace {
    "acme".parse().unwrap()
}

async fn list(scene: &Scene, kind: u8) -> Vec<RecordId> {
    scene
        .store
        .list(&Collection::root(Kind::new(kind)), None, 500)
        .await
        .unwrap()
}

/// The records of a kind with their bytes.
async fn copied(scene: &Scene, kind: u8) -> Vec<(RecordId, Vec<u8>)> {
    let mut copied = Vec::new();
    for id in list(scene, kind).await {
        copied.push((id, scene.store.get(&id).await.unwrap().unwrap().bytes));
    }
    copied
}

async fn put_back(scene: &Scene, records: &[(RecordId, Vec<u8>)]) {
    for (id, bytes) in records {
        let there = scene.store.get(id).await.unwrap();
        let expect = there.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
        scene.store.put(id, bytes, expect).await.unwrap();
    }
    the_other_node_has_heard().await;
}

/// A change takes effect on every node within a second.
async fn the_other_node_has_heard() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

async fn make(vault: &Vault, value: &str) {
    vault.namespaces("host").create(&acme()).await.unwrap();
    let operator = vault.operator("host").in_namespace(acme()).unwrap();
    operator.keys().set(&openai(), secret(value)).await.unwrap();
    the_other_node_has_heard().await;
}

async fn remove(vault: &Vault) {
    let removal = NamespaceRemoval::with_contents_of("acme");
    vault.namespaces("host").remove(&acme(), &removal).await.unwrap();
    the_other_node_has_heard().await;
}

fn openai() -> KeyRef {
    "prod/openai".parse().unwrap()
}

async fn reads(vault: &Vault) -> Result<String, Code> {
    let operator = vault.operator("host").in_namespace(acme()).unwrap();
    let released = operator.retrieve(&openai()).await.map_err(|error| error.code())?;
    Ok(released.text().unwrap().to_owned())
}

async fn damaged(vault: &Vault) -> u64 {
    vault.status().await.unwrap().records.damaged
}

#[tokio::test]
async fn a_removal_on_one_node_is_no_loss_on_another_and_the_name_is_free_on_both() {
    let scene = Scene::new().await;
    let other = scene.another_node().await;
    for (made_by, removed_by, value) in [
        (&scene.vault, &other, "one"),
        (&other, &scene.vault, "two"),
        (&other, &other, "three"),
    ] {
        make(made_by, value).await;
        for node in [&scene.vault, &other] {
            assert_eq!(reads(node).await.unwrap(), value);
        }
        remove(removed_by).await;
        for node in [&scene.vault, &other] {
            assert_eq!(reads(node).await, Err(Code::NotFound));
            assert_eq!(damaged(node).await, 0);
        }
    }
    // One tombstone for each realm, however often its name was used.
    assert_eq!(list(&scene, TOMBSTONE).await.len(), 4);
}

#[tokio::test]
async fn an_older_life_comes_back_on_no_node_that_saw_a_later_one() {
    let scene = Scene::new().await;
    let other = scene.another_node().await;
    make(&scene.vault, "one").await;
    let before = [copied(&scene, KEY).await, copied(&scene, TAG).await].concat();
    let before = of_tenant(&before);
    assert_eq!(reads(&other).await.unwrap(), "one");
    remove(&scene.vault).await;
    for node in [&scene.vault, &other] {
        assert_eq!(reads(node).await, Err(Code::NotFound));
    }
    put_back(&scene, &before).await;
    for node in [&scene.vault, &other] {
        assert_eq!(reads(node).await, Err(Code::Integrity));
    }
    remove(&other).await;
    make(&other, "two").await;
    assert_eq!(reads(&scene.vault).await.unwrap(), "two");
    put_back(&scene, &before).await;
    for node in [&scene.vault, &other] {
        assert_eq!(reads(node).await, Err(Code::Integrity));
        assert!(damaged(node).await > 0);
    }
}

#[tokio::test]
async fn an_older_or_foreign_tombstone_accounts_for_no_loss() {
    let scene = Scene::new().await;
    make(&scene.vault, "one").await;
    remove(&scene.vault).await;
    let tombstones = copied(&scene, TOMBSTONE).await;
    make(&scene.vault, "two").await;
    for id in list(&scene, KEY).await {
        let stored = scene.store.get(&id).await.unwrap().unwrap();
        if stored.bytes.windows(4).any(|part| part == b"acme") {
            scene.store.delete(&id, stored.revision).await.unwrap();
        }
    }
    // The tombstone of the life before, that of another realm, and one that nobody sealed.
    let [(first, one), (_, two), ..] = tombstones.as_slice() else {
        unreachable!("a namespace has four realms");
    };
    for bytes in [one.clone(), two.clone(), vec![7; 90], Vec::new()] {
        put_back(&scene, &[(*first, bytes)]).await;
        assert_eq!(reads(&scene.vault).await, Err(Code::Integrity));
        assert_eq!(damaged(&scene.vault).await, 4);
        let refused = scene.vault.namespaces("host").create(&acme()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Integrity);
    }
    remove(&scene.vault).await;
    assert_eq!(damaged(&scene.vault).await, 0);
    make(&scene.vault, "three").await;
    assert_eq!(reads(&scene.vault).await.unwrap(), "three");
}

#[tokio::test]
async fn two_lives_of_one_revision_are_told_apart() {
    let scene = Scene::new().await;
    let other = scene.another_node().await;
    make(&other, "one").await;
    let first = copied(&scene, KEY).await;
    let first = of_tenant(&first);
    remove(&other).await;
    for id in list(&scene, TOMBSTONE).await {
        let revision = scene.store.get(&id).await.unwrap().unwrap().revision;
        scene.store.delete(&id, revision).await.unwrap();
    }
    // This node has never heard of the first life, and gives its revision again.
    make(&scene.vault, "two").await;
    assert_eq!(reads(&scene.vault).await.unwrap(), "two");
    put_back(&scene, &first).await;
    assert_eq!(reads(&scene.vault).await, Err(Code::Integrity));
    assert!(damaged(&scene.vault).await > 0);
}

#[tokio::test]
async fn a_node_that_was_away_during_a_removal_learns_of_it_from_the_tombstone() {
    let scene = Scene::new().await;
    make(&scene.vault, "one").await;
    let other = scene.another_node().await;
    assert_eq!(reads(&other).await.unwrap(), "one");
    other.close().await.unwrap();
    let before = [copied(&scene, KEY).await, copied(&scene, TAG).await].concat();
    let before = of_tenant(&before);
    remove(&scene.vault).await;
    put_back(&scene, &before).await;
    drop(other);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let other = scene.another_node().await;
    assert_eq!(reads(&other).await, Err(Code::Integrity));
}

/// The records that name the tenant in the clear.
fn of_tenant(records: &[(RecordId, Vec<u8>)]) -> Vec<(RecordId, Vec<u8>)> {
    let named = records
        .iter()
        .filter(|(_, bytes)| bytes.windows(4).any(|part| part == b"acme"));
    named.cloned().collect()
}
