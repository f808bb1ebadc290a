//! New generations of environment keys and new token keys, under nodes that serve meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot be set up here is a failed test"
)]

mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ibyok_core::backups::{Backup, BackupRequest, restore_records};
use ibyok_core::incidents::{IncidentRequest, IncidentsShown};
use ibyok_core::keks::{Generations, KeysOf};
use ibyok_core::modes::Mode;
use ibyok_core::store::{Collection, Expect, Kind, RecordId, Store as _, StoreExt as _, Stored};
use ibyok_core::{Code, MemoryStore, Vault};
use scene::{Scene, reading, secret};

/// The kinds of records that the keys of a realm seal (docs/format.md), and the kind of environment key records.
const SEALED: [u8; 12] = [3, 4, 5, 6, 7, 8, 9, 10, 128, 129, 130, 131];
const REALM: u8 = 1;
const REMOVED: u8 = 11;

fn quiet(_: u64, _: u64) {}

/// Every record of a store that a realm's keys seal, by kind.
async fn sealed(store: &MemoryStore) -> Vec<(RecordId, Stored)> {
    let changes = store.changes(Default::default()).await.unwrap().changes;
    let realms: BTreeSet<[u8; 8]> = changes.iter().map(|change| *change.id.collection().realm()).collect();
    let mut collections = vec![Collection::root(Kind::new(REMOVED))];
    for realm in realms {
        let of = |kind: &u8| Collection::new(Kind::new(*kind), realm).ok();
        collections.extend(SEALED.iter().filter_map(of));
    }
    let mut all = Vec::new();
    for collection in collections {
        for id in store.list_all(&collection).await.unwrap() {
            all.push((id, store.get(&id).await.unwrap().unwrap()));
        }
    }
    all
}

/// The number of sealed records of each kind and generation, by their headers.
async fn by_generation(store: &MemoryStore) -> BTreeMap<(u8, u32), usize> {
    let mut counts = BTreeMap::new();
    for (id, stored) in sealed(store).await {
        let kind = id.collection().kind().as_u8();
        let at = if kind == REMOVED { 38 } else { 30 };
        let number = u32::from_be_bytes(stored.bytes[at..at + 4].try_into().unwrap());
        *counts.entry((kind, number)).or_default() += 1;
    }
    counts
}

async fn reseal(vault: &Vault, of: &KeysOf) -> Vec<Generations> {
    vault.keks("ann").reseal(of, &mut quiet).await.unwrap()
}

async fn text(vault: &Vault, key: &str) -> String {
    let released = vault.operator("ann").retrieve(&key.parse().unwrap()).await.unwrap();
    released.text().unwrap().to_owned()
}

/// A vault with records of every kind.
async fn full() -> Scene {
    let scene = Scene::new().await;
    let operator = scene.operator();
    for environment in ["dev", "prod"] {
        for name in ["one", "two"] {
            let key = scene.key(&format!("{environment}/{name}"));
            operator.keys().set(&key, secret("first")).await.unwrap();
            operator.rotation().stage(&key, secret("second")).await.unwrap();
            operator.rotation().promote(&key).await.unwrap();
        }
    }
    let gone = "gone".parse().unwrap();
    scene.vault.namespaces("ann").create(&gone).await.unwrap();
    scene
        .vault
        .namespaces("ann")
        .remove(&gone, &Default::default())
        .await
        .unwrap();
    operator.modes().set(&"dev".parse().unwrap(), Mode::Live).await.unwrap();
    let request = IncidentRequest::new("it leaked");
    operator.incidents().open(&scene.key("dev/two"), request).await.unwrap();
    let token = scene.token(reading("prod")).await;
    scene
        .vault
        .as_token(&token)
        .retrieve(&scene.key("prod/one"))
        .await
        .unwrap();
    // The node's counts and its sign of life come to the store about once a second.
    while !by_generation(&scene.store).await.contains_key(&(130, 1)) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene
}

#[tokio::test]
async fn every_kind_of_record_is_sealed_under_the_new_generation_and_the_old_one_can_go() {
    let scene = full().await;
    let token = scene.token(reading("prod")).await;
    let kinds = |counts: &BTreeMap<(u8, u32), usize>| counts.keys().map(|(kind, _)| *kind).collect::<BTreeSet<_>>();
    let before = by_generation(&scene.store).await;
    assert!(before.keys().all(|(_, number)| *number == 1), "{before:?}");
    for kind in [3, 4, 5, 6, 8, 10, 11, 128, 129, 130, 131] {
        assert!(
            kinds(&before).contains(&kind),
            "the scene has no record of kind {kind}: {before:?}"
        );
    }
    let mut last = (0, 0);
    let resealed = scene
        .vault
        .keks("ann")
        .reseal(&KeysOf::Everything, &mut |done, all| last = (done, all))
        .await
        .unwrap();
    assert!(last.0 > 10 && last.0 == last.1, "{last:?}");
    assert!(
        resealed
            .iter()
            .all(|one| (one.current, one.retiring.as_slice()) == (2, &[1][..]))
    );
    assert!(resealed.iter().all(|one| one.damaged.is_empty()), "{resealed:?}");
    let after = by_generation(&scene.store).await;
    assert!(after.keys().all(|(_, number)| *number == 2), "{after:?}");
    assert_eq!(kinds(&before), kinds(&after));
    let scanned = scene
        .vault
        .keks("ann")
        .generations(&KeysOf::Everything, &mut quiet)
        .await;
    assert!(scanned.unwrap().iter().all(|one| one.under.is_empty()));

    let dropped = scene
        .vault
        .keks("ann")
        .drop_generation(1, &KeysOf::Everything, &mut quiet)
        .await;
    assert!(
        dropped
            .unwrap()
            .iter()
            .all(|one| one.current == 2 && one.retiring.is_empty())
    );
    // This node, which has run all the time, and one that opens the vault afterwards.
    let other = scene.another_node().await;
    for vault in [&scene.vault, &other] {
        for key in ["dev/one", "dev/two", "prod/one", "prod/one?version=1"] {
            let expected = if key.ends_with("=1") { "first" } else { "second" };
            assert_eq!(text(vault, key).await, expected, "{key}");
        }
        let released = vault.as_token(&token).retrieve(&scene.key("prod/one")).await.unwrap();
        assert_eq!(released.text().unwrap(), "second");
        assert_eq!(
            vault
                .operator("ann")
                .incidents()
                .list(IncidentsShown::All)
                .await
                .unwrap()
                .len(),
            2,
            "one for each key with the value that leaked"
        );
    }
    let status = scene.vault.status().await.unwrap();
    assert!(status.warnings.is_empty(), "{:?}", status.warnings);
}

#[tokio::test]
async fn the_same_call_completes_one_that_ended_early_and_makes_no_further_generation() {
    let scene = full().await;
    let of = "prod".parse().unwrap();
    let before = sealed(&scene.store).await;
    reseal(&scene.vault, &of).await;
    // A walk that ended early leaves records as they were.
    let (id, old) = before
        .iter()
        .find(|(id, _)| id.collection().kind().as_u8() == 3 && is_of_prod(id, &before))
        .unwrap();
    let there = scene.store.get(id).await.unwrap().unwrap();
    assert_ne!(there.bytes, old.bytes);
    scene
        .store
        .put(id, &old.bytes, Expect::Revision(there.revision))
        .await
        .unwrap();
    let keks = scene.vault.keks("ann");
    let scanned = keks.generations(&of, &mut quiet).await.unwrap();
    assert_eq!(scanned[0].under, BTreeMap::from([(1, 1)]));
    let refused = keks.drop_generation(1, &of, &mut quiet).await.unwrap_err();
    assert_eq!(refused.code(), Code::Precondition);
    assert!(refused.to_string().contains("1 record of `prod` need"), "{refused}");
    let again = reseal(&scene.vault, &of).await;
    assert_eq!((again[0].current, again[0].resealed, again.len()), (2, 1, 1));
    keks.drop_generation(1, &of, &mut quiet).await.unwrap();
    assert_eq!(reseal(&scene.vault, &of).await[0].current, 3);
}

/// Prod has a key record that dev does not: the realm with the token of kind 4.
fn is_of_prod(id: &RecordId, all: &[(RecordId, Stored)]) -> bool {
    let realm = id.collection().realm();
    all.iter()
        .any(|(other, _)| other.collection().kind().as_u8() == 4 && other.collection().realm() == realm)
}

#[tokio::test]
async fn a_deleted_generation_does_not_come_back_with_an_older_record() {
    let scene = full().await;
    let of: KeysOf = "prod".parse().unwrap();
    let realms = Collection::root(Kind::new(REALM));
    let mut older = Vec::new();
    for id in scene.store.list_all(&realms).await.unwrap() {
        older.push((id, scene.store.get(&id).await.unwrap().unwrap().bytes));
    }
    reseal(&scene.vault, &of).await;
    scene
        .vault
        .keks("ann")
        .drop_generation(1, &of, &mut quiet)
        .await
        .unwrap();
    for (id, bytes) in older {
        let there = scene.store.get(&id).await.unwrap().unwrap();
        scene
            .store
            .put(&id, &bytes, Expect::Revision(there.revision))
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let key = scene.key("prod/new");
    let refused = scene.operator().keys().set(&key, secret("x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Integrity);
    assert!(
        scene
            .operator()
            .keys()
            .set(&scene.key("dev/new"), secret("x"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn generations_that_cannot_go_are_refused_by_name() {
    let scene = Scene::new().await;
    let keks = scene.vault.keks("ann");
    for (number, of, code, words) in [
        (1, "prod", Code::Invalid, "generation 1 of `prod` seals"),
        (7, "prod", Code::NotFound, "generation 7"),
        (0, "whole", Code::NotFound, "generation 0"),
        (1, "nowhere", Code::NotFound, "environment `nowhere`"),
    ] {
        let of = of.parse().unwrap();
        let refused = keks.drop_generation(number, &of, &mut quiet).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
    assert!("Prod!".parse::<KeysOf>().is_err() && "".parse::<KeysOf>().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_that_write_meanwhile_lose_nothing_and_meet_no_error() {
    let scene = Arc::new(Scene::new().await);
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/shared"), secret("0"))
        .await
        .unwrap();
    let (over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut nodes = Vec::new();
    for node in 0..4 {
        let builder = scene.node(&format!("audit-{node}")).await;
        let (over, written) = (Arc::clone(&over), Arc::clone(&written));
        nodes.push(tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let operator = builder.operator("ann");
            for number in 0.. {
                if over.load(Ordering::Acquire) {
                    break;
                }
                let name = format!("prod/of-{node}-{number}");
                let key = name.parse().unwrap();
                operator.keys().set(&key, secret(&name)).await.unwrap();
                operator
                    .keys()
                    .set(&key, secret(&format!("{name} again")))
                    .await
                    .unwrap();
                let shared = "prod/shared".parse().unwrap();
                operator.rotation().status(&shared).await.unwrap();
                assert_eq!(
                    operator.retrieve(&key).await.unwrap().text().unwrap(),
                    format!("{name} again")
                );
                acknowledged.push(name);
                written.fetch_add(1, Ordering::AcqRel);
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            builder.close().await.unwrap();
            acknowledged
        }));
    }
    while written.load(Ordering::Acquire) < 40 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for current in 2..4 {
        let resealed = reseal(&scene.vault, &KeysOf::Everything).await;
        assert!(
            resealed
                .iter()
                .all(|one| one.current == current && one.damaged.is_empty()),
            "{resealed:?}"
        );
        let keks = scene.vault.keks("ann");
        keks.drop_generation(current - 1, &KeysOf::Everything, &mut quiet)
            .await
            .unwrap();
    }
    over.store(true, Ordering::Release);
    let mut count = 0;
    for node in nodes {
        for name in node.await.unwrap() {
            assert_eq!(text(&scene.vault, &name).await, format!("{name} again"));
            count += 1;
        }
    }
    println!("{count} keys were written meanwhile, and every one reads");
    assert!(count > 100, "{count}");
    let left = by_generation(&scene.store).await;
    assert!(left.keys().all(|(_, number)| *number == 3), "{left:?}");
}

#[tokio::test]
async fn a_new_token_key_ends_every_token_of_its_environment_on_running_nodes_within_a_second() {
    let scene = full().await;
    let node = scene.another_node().await;
    let (prod, dev) = (
        scene.token_named("prod", reading("prod")).await,
        scene.token_named("dev", reading("dev")).await,
    );
    let (of_prod, of_dev) = (scene.key("prod/one"), scene.key("dev/one"));
    node.as_token(&prod).retrieve(&of_prod).await.unwrap();
    let keks = scene.vault.keks("ann");
    let of: KeysOf = "prod".parse().unwrap();
    let ending = keks.ending_tokens(&of).await.unwrap();
    assert_eq!(
        (ending.len(), ending[0].valid, ending[0].place().as_str()),
        (1, 2, "default/prod")
    );
    assert_eq!(keks.rekey_tokens(&of).await.unwrap(), ending);
    let begun = Instant::now();
    while node.as_token(&prod).retrieve(&of_prod).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("the node refused the token after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(2));
    let refused = scene.vault.as_token(&prod).retrieve(&of_prod).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    node.as_token(&dev).retrieve(&of_dev).await.unwrap();
    // The same token with a new secret.
    let again = scene.operator().tokens().rotate("prod", None).await.unwrap().token;
    scene.vault.as_token(&again).retrieve(&of_prod).await.unwrap();
    assert!(scene.log_text().await.contains("\"token.rekey\""));
}

#[tokio::test]
async fn a_backup_from_before_comes_back_with_its_generation_and_without_its_tokens() {
    let scene = full().await;
    let token = scene.token(reading("prod")).await;
    let file = scene.scratch.path().join("one.backup");
    let taken = scene
        .operator()
        .backups()
        .write(&file, BackupRequest::default())
        .await
        .unwrap();
    reseal(&scene.vault, &KeysOf::Everything).await;
    let keks = scene.vault.keks("ann");
    keks.drop_generation(1, &KeysOf::Everything, &mut quiet).await.unwrap();
    keks.rekey_tokens(&"prod".parse().unwrap()).await.unwrap();
    scene.vault.close().await.unwrap();
    let backup = Backup::open(&file).unwrap();
    restore_records(&backup, &scene.store, &|_| {}).await.unwrap();
    let vault = scene.restored().await;
    let operator = vault.operator("ann");
    // Every record that was written since is the same, so nothing is lost.
    let settled = operator.backups().settle(Some(taken.created), false).await.unwrap();
    let needed: Vec<_> = settled.since.generations.iter().map(|one| one.generation).collect();
    assert_eq!(needed, [1; 4], "{settled:?}");
    let again: Vec<_> = settled.since.again.iter().map(|one| one.change.as_str()).collect();
    assert_eq!(again, ["rekey-tokens"], "{settled:?}");
    vault.close().await.unwrap();
    let vault = scene.process_beside().await;
    assert_eq!(text(&vault, "prod/one").await, "second");
    let refused = vault
        .as_token(&token)
        .retrieve(&scene.key("prod/one"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    reseal(&vault, &KeysOf::Everything).await;
    let keks = vault.keks("ann");
    keks.drop_generation(1, &KeysOf::Everything, &mut quiet).await.unwrap();
    assert_eq!(text(&vault, "prod/one").await, "second");
}
