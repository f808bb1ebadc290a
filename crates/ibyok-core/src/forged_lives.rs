//! With one environment's keys and write access to the store: revisions that no record can have, and tombstones of other environments.

use ibyok_storage::Store;
use jiff::Timestamp;

use crate::Code;
use crate::forging::{Scene, scene};
use crate::model::REV_MAX;
use crate::model::key::{KeyRecord, Stamp};
use crate::model::kind;
use crate::realm::Realm;
use crate::realm::removal::{Removal, tombstone_of};
use crate::realm::tags::tag_record;

/// Writes dev's key record again at another revision, as a holder of dev's keys can.
async fn write_at(scene: &Scene, rev: u64) {
    let id = scene.dev.record(kind::KEY, scene.dev.keys.record_id("openai")).unwrap();
    let stored = scene.store.get(&id).await.unwrap().unwrap();
    let body = scene
        .dev
        .keys
        .open_record(&scene.dev.place(&id), &stored.bytes)
        .unwrap();
    let mut record: KeyRecord = serde_json::from_slice(secrecy::ExposeSecret::expose_secret(&body)).unwrap();
    record.rev = rev;
    let body = serde_json::to_vec(&record).unwrap();
    let sealed = scene.dev.keys.seal_record(&scene.dev.place(&id), &body).unwrap();
    scene.write(&id, &sealed).await;
}

#[tokio::test]
async fn a_revision_that_no_floor_can_hold_is_damage_and_stops_no_other_environment() {
    for rev in [u64::MAX, 1 << 63, (1 << 63) - 1, REV_MAX + 1] {
        let scene = scene().await;
        write_at(&scene, rev).await;
        assert_eq!(scene.operator_reads("dev/openai").await, Err(Code::Integrity), "{rev}");
        assert!(scene.operator_reads("prod/openai").await.is_ok(), "{rev}");
        let floors = &scene.vault.inner.records.floors;
        floors.flush(None).await.unwrap();
        floors.sync().await.unwrap();
        let operator = scene.vault.operator("test");
        let key = "prod/openai".parse().unwrap();
        operator.keys().disable(&key).await.unwrap();
        assert_eq!(
            scene.operator_reads("prod/openai").await,
            Err(Code::KeyDisabled),
            "{rev}"
        );
    }
}

#[tokio::test]
async fn a_revision_far_beyond_the_one_that_was_seen_is_damage_and_leaves_a_way_out() {
    for rev in [REV_MAX, REV_MAX - 1, 1 << 33] {
        let scene = scene().await;
        write_at(&scene, rev).await;
        assert_eq!(scene.operator_reads("dev/openai").await, Err(Code::Integrity), "{rev}");
        let operator = scene.vault.operator("test");
        let id = crate::keys::KeyId(scene.dev.keys.record_id("openai"));
        operator.keys().remove_damaged(id).await.unwrap();
        assert_eq!(scene.operator_reads("dev/openai").await, Err(Code::NotFound), "{rev}");
    }
    // A record of which this node missed many changes is read and changed as ever.
    let scene = scene().await;
    write_at(&scene, 1 << 20).await;
    assert!(scene.operator_reads("dev/openai").await.is_ok());
    let key = "dev/openai".parse().unwrap();
    scene.vault.operator("test").keys().disable(&key).await.unwrap();
    assert_eq!(scene.operator_reads("dev/openai").await, Err(Code::KeyDisabled));
}

/// Puts a tombstone of prod that some realm sealed, and deletes prod's records.
async fn bury_prod(scene: &Scene, sealer: &Realm, rev: u64) {
    let id = scene.prod.name.record_id(scene.vault.inner.records.vault);
    let tombstone = tombstone_of(&id);
    let removal = Removal {
        rev,
        namespace: scene.prod.name.namespace.clone(),
        environment: scene.prod.name.environment.clone(),
        removed: Stamp {
            at: Timestamp::now(),
            by: "forged".to_owned(),
        },
    };
    let sealed = removal.seal(sealer, &tombstone).unwrap();
    scene.write(&tombstone, &sealed).await;
    for id in [id, tag_record(scene.prod.tag())] {
        if let Some(stored) = scene.store.get(&id).await.unwrap() {
            scene.store.delete(&id, stored.revision).await.unwrap();
        }
    }
    scene.vault.inner.records.renew_lease().await.unwrap();
}

#[tokio::test]
async fn the_keys_of_one_environment_remove_no_other() {
    for rev in [2, REV_MAX, u64::MAX - 1] {
        let scene = scene().await;
        bury_prod(&scene, &scene.dev, rev).await;
        assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::Integrity), "{rev}");
        let operator = scene.vault.operator("test");
        let listed = operator.environments().list().await.unwrap();
        assert!(listed.incomplete, "{rev}: {listed:?}");
        let refused = operator
            .environments()
            .add("prod".parse().unwrap(), crate::environments::Class::Prod)
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::Integrity, "{rev}");
        assert!(scene.operator_reads("dev/openai").await.is_ok(), "{rev}");
    }
}

#[tokio::test]
async fn a_tombstone_of_the_home_with_a_revision_that_it_cannot_have_is_none() {
    for rev in [1, 3, REV_MAX, u64::MAX - 1] {
        let scene = scene().await;
        let home = std::sync::Arc::clone(&scene.vault.inner.records.home);
        bury_prod(&scene, &home, rev).await;
        assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::Integrity), "{rev}");
    }
    let scene = scene().await;
    let home = std::sync::Arc::clone(&scene.vault.inner.records.home);
    bury_prod(&scene, &home, 2).await;
    assert_eq!(scene.operator_reads("prod/openai").await, Err(Code::NotFound));
}
