//! Tenants are made, used through a handle of their own, and removed without a trace that could be served.
#![expect(clippy::unwrap_used, reason = "a setup that fails is a failed test")]

mod scene;

use std::time::Duration;

use ibyok_core::{
    AccessToken, Code, Environments, Grant, Namespace, RequestContext, Scope, Scopes, Session, TokenRequest,
    audit::Filter,
    environments::Class,
    namespaces::{NamespaceRemoval, Namespaces},
};
use ibyok_storage::{Expect, RecordId, Store, Stored};
use scene::{Scene, secret};

fn namespace(name: &str) -> Namespace {
    name.parse().unwrap()
}

fn namespaces(scene: &Scene) -> Namespaces {
    scene.vault.namespaces("host")
}

/// A namespace with `prod/openai`, its operator's session, and a token that may do everything in it.
async fn made(scene: &Scene, name: &str) -> (Session, AccessToken) {
    namespaces(scene).create(&namespace(name)).await.unwrap();
    let operator = scene.operator().in_namespace(namespace(name)).unwrap();
    let value = secret(&format!("sk-{name}"));
    operator.keys().set(&scene.key("prod/openai"), value).await.unwrap();
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let issued = operator
        .tokens()
        .issue(TokenRequest::new("admin", grant))
        .await
        .unwrap();
    (operator, issued.token)
}

/// A second holder of a token.
fn again(token: &AccessToken) -> AccessToken {
    token.expose().into()
}

/// Every record of the store, of every collection.
async fn records(scene: &Scene) -> Vec<(RecordId, Stored)> {
    let changes = scene.store.changes(Default::default()).await.unwrap().changes;
    let mut ids: Vec<RecordId> = changes.iter().map(|change| change.id).collect();
    ids.sort();
    ids.dedup();
    let mut records = Vec::new();
    for id in ids {
        if let Some(stored) = scene.store.get(&id).await.unwrap() {
            records.push((id, stored));
        }
    }
    records
}

async fn names(scene: &Scene) -> Vec<String> {
    let listed = namespaces(scene).list().await.unwrap();
    listed.iter().map(|one| one.name.to_string()).collect()
}

#[tokio::test]
async fn a_namespace_is_made_with_the_environments_that_are_asked_for_and_listed() {
    let scene = Scene::new().await;
    namespaces(&scene).create(&namespace("acme")).await.unwrap();
    let live = [
        ("live".parse().unwrap(), Class::Prod),
        ("test".parse().unwrap(), Class::Dev),
    ];
    let made = namespaces(&scene)
        .create_with(&namespace("globex"), &live)
        .await
        .unwrap();
    assert_eq!(made.environments.len(), 2);
    let listed = namespaces(&scene).list().await.unwrap();
    let shown: Vec<_> = listed
        .iter()
        .map(|one| (one.name.as_str(), one.environments.len(), one.home))
        .collect();
    assert_eq!(shown, [("acme", 3, false), ("default", 3, true), ("globex", 2, false)]);
    let globex = scene.operator().in_namespace(namespace("globex")).unwrap();
    let classes: Vec<_> = globex
        .environments()
        .list()
        .await
        .unwrap()
        .iter()
        .map(|one| one.class)
        .collect();
    assert_eq!(classes, [Class::Prod, Class::Dev]);
    for existing in ["acme", "default"] {
        let refused = namespaces(&scene).create(&namespace(existing)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Exists, "{existing}");
    }
    let refused = namespaces(&scene)
        .create_with(&namespace("empty"), &[])
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Invalid);
    assert_eq!(names(&scene).await.len(), 3);
}

#[tokio::test]
async fn a_namespace_with_keys_or_tokens_is_removed_only_by_its_name() {
    let scene = Scene::new().await;
    let (operator, token) = made(&scene, "acme").await;
    made(&scene, "globex").await;
    let all = namespaces(&scene);
    let mut removals = vec![(NamespaceRemoval::default(), Code::InUse)];
    for wrong in ["globex", "", "ACME", "default"] {
        removals.push((NamespaceRemoval::with_contents_of(wrong), Code::Invalid));
    }
    for (removal, code) in removals {
        assert_eq!(
            all.remove(&namespace("acme"), &removal).await.unwrap_err().code(),
            code,
            "{removal:?}"
        );
    }
    let key = scene.key("prod/openai");
    assert_eq!(
        scene
            .vault
            .as_token(&token)
            .retrieve(&key)
            .await
            .unwrap()
            .text()
            .unwrap(),
        "sk-acme"
    );
    operator.keys().remove(&key).await.unwrap();
    let refused = all.remove(&namespace("acme"), &Default::default()).await.unwrap_err();
    assert!(refused.to_string().contains("1 valid token"), "{refused}");
    operator
        .tokens()
        .revoke("admin", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let removed = all.remove(&namespace("acme"), &Default::default()).await.unwrap();
    assert_eq!((removed.keys, removed.tokens), (0, 0));
    assert_eq!(
        all.remove(&namespace("acme"), &Default::default())
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    assert_eq!(names(&scene).await, ["default", "globex"]);
}

#[tokio::test]
async fn nothing_of_a_removed_namespace_is_served_here_or_on_another_node() {
    let scene = Scene::new().await;
    let (operator, token) = made(&scene, "acme").await;
    let (other, _) = made(&scene, "globex").await;
    let node = scene.another_node().await;
    let key = scene.key("prod/openai");
    let there = node.as_token(&again(&token));
    there.retrieve(&key).await.unwrap();
    let tag = ibyok_core::tokens::token_id(&token).unwrap().tag();
    let removal = NamespaceRemoval::with_contents_of("acme");
    let removed = namespaces(&scene).remove(&namespace("acme"), &removal).await.unwrap();
    assert_eq!((removed.keys, removed.tokens), (1, 1));
    let here = scene.vault.as_token(&token);
    assert_eq!(here.retrieve(&key).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(operator.retrieve(&key).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(
        operator.audit().lines(&Filter::default()).await.err().unwrap().code(),
        Code::NotFound
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(there.retrieve(&key).await.unwrap_err().code(), Code::Unauthenticated);
    let left = records(&scene).await;
    assert!(left.iter().all(|(id, _)| id.collection().realm() != &tag), "{left:?}");
    assert_eq!(other.retrieve(&key).await.unwrap().text().unwrap(), "sk-globex");
}

#[tokio::test]
async fn a_removal_counts_the_damaged_records_that_go_with_the_namespace() {
    let scene = Scene::new().await;
    let (_, token) = made(&scene, "acme").await;
    let tag = ibyok_core::tokens::token_id(&token).unwrap().tag();
    // Kind 4: tokens.
    let tokens = records(&scene).await.into_iter();
    let mut of_it = tokens.filter(|(id, _)| id.collection().realm() == &tag && id.collection().kind().as_u8() == 4);
    let (id, stored) = of_it.next().unwrap();
    scene
        .store
        .put(&id, b"damaged", Expect::Revision(stored.revision))
        .await
        .unwrap();
    let refused = namespaces(&scene).remove(&namespace("acme"), &Default::default()).await;
    assert!(refused.unwrap_err().to_string().contains("1 damaged record"));
    let removal = NamespaceRemoval::with_contents_of("acme");
    let removed = namespaces(&scene).remove(&namespace("acme"), &removal).await.unwrap();
    assert_eq!((removed.keys, removed.tokens, removed.damaged), (1, 0, 1));
}

#[tokio::test]
async fn a_name_that_is_free_again_begins_anew() {
    let scene = Scene::new().await;
    let (_, old) = made(&scene, "acme").await;
    let key = scene.key("prod/openai");
    scene.vault.as_token(&again(&old)).retrieve(&key).await.unwrap();
    let removal = NamespaceRemoval::with_contents_of("acme");
    namespaces(&scene).remove(&namespace("acme"), &removal).await.unwrap();
    namespaces(&scene).create(&namespace("acme")).await.unwrap();
    let operator = scene.operator().in_namespace(namespace("acme")).unwrap();
    assert_eq!(
        operator
            .keys()
            .list(None, &Default::default())
            .await
            .unwrap()
            .items
            .len(),
        0
    );
    assert_eq!(
        operator.tokens().list(&Default::default()).await.unwrap().items.len(),
        0
    );
    assert_eq!(operator.retrieve(&key).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(
        scene.vault.as_token(&old).retrieve(&key).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    operator.keys().set(&key, secret("sk-new")).await.unwrap();
    assert_eq!(operator.retrieve(&key).await.unwrap().text().unwrap(), "sk-new");
    // The log of the new tenant does not tell what the old one did.
    let lines = operator.audit().lines(&Filter::default()).await.unwrap();
    let actions: Vec<String> = lines.map(|line| line.unwrap().entry().action.clone()).collect();
    assert_eq!(
        actions.iter().filter(|action| *action == "namespace.create").count(),
        // Intended, made realm by realm (four of them), and done.
        6,
        "{actions:?}"
    );
    assert!(
        !actions
            .iter()
            .any(|action| action == "namespace.remove" || action == "token.issue"),
        "{actions:?}"
    );
    let review = operator.audit().examine(scene::reviewer()).await.unwrap();
    assert!(review.found.tokens.is_empty(), "{review:?}");
}

#[tokio::test]
async fn records_of_a_removed_namespace_that_are_put_back_are_not_served() {
    let scene = Scene::new().await;
    let (_, token) = made(&scene, "acme").await;
    let before = records(&scene).await;
    let removal = NamespaceRemoval::with_contents_of("acme");
    namespaces(&scene).remove(&namespace("acme"), &removal).await.unwrap();
    for (id, stored) in &before {
        if scene.store.get(id).await.unwrap().is_none() {
            scene.store.put(id, &stored.bytes, Expect::Absent).await.unwrap();
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let key = scene.key("prod/openai");
    for session in [
        scene.vault.as_token(&token),
        scene.operator().in_namespace(namespace("acme")).unwrap(),
    ] {
        let refused = session.retrieve(&key).await.unwrap_err();
        assert_eq!(refused.code(), Code::Integrity, "{refused}");
    }
}

#[tokio::test]
async fn a_removal_that_was_interrupted_is_completed_by_the_same_call() {
    let scene = Scene::new().await;
    namespaces(&scene).create(&namespace("acme")).await.unwrap();
    let (_, token) = made(&scene, "globex").await;
    let before = records(&scene).await;
    // As after a crash between the environment keys and the tags: one of the three realms of `acme` has no record.
    let record = before.iter().find(|(id, stored)| {
        id.collection().kind().as_u8() == 1 && String::from_utf8_lossy(&stored.bytes).contains("acme")
    });
    let (id, stored) = record.unwrap();
    scene.store.delete(id, stored.revision).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    namespaces(&scene)
        .remove(&namespace("acme"), &Default::default())
        .await
        .unwrap();
    assert_eq!(names(&scene).await, ["default", "globex"]);
    namespaces(&scene).create(&namespace("acme")).await.unwrap();
    assert_eq!(names(&scene).await, ["acme", "default", "globex"]);
    scene
        .vault
        .as_token(&token)
        .retrieve(&scene.key("prod/openai"))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_home_of_a_vault_and_of_another_node_stays() {
    let scene = Scene::new().await;
    namespaces(&scene).create(&namespace("acme")).await.unwrap();
    let kek = ibyok_core::LocalKek::from_file(&scene.scratch.path().join("kek")).unwrap();
    let sink = ibyok_core::FileSink::open(scene.scratch.path().join("log-of-acme"))
        .await
        .unwrap();
    let builder = ibyok_core::Vault::builder()
        .store(scene.store.clone())
        .kek(kek)
        .audit(sink);
    let node = builder.home(namespace("acme")).open().await.unwrap();
    for (vault, stays) in [(&scene.vault, "default"), (&scene.vault, "acme"), (&node, "acme")] {
        let removal = NamespaceRemoval::with_contents_of(stays);
        let refused = vault
            .namespaces("host")
            .remove(&namespace(stays), &removal)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InUse, "{stays}");
    }
}

#[tokio::test]
async fn the_life_of_a_namespace_is_on_its_log() {
    let scene = Scene::new().await;
    made(&scene, "acme").await;
    let removal = NamespaceRemoval::with_contents_of("acme");
    namespaces(&scene).remove(&namespace("acme"), &removal).await.unwrap();
    let lines = scene.vault.whole_log("host").lines(&Filter::default()).await.unwrap();
    let of_acme = lines
        .map(|line| line.unwrap().entry().clone())
        .filter(|entry| entry.namespace.as_deref() == Some("acme"));
    let told: Vec<String> = of_acme
        .filter(|entry| entry.phase.is_some())
        .map(|entry| {
            format!(
                "{} {:?} {}",
                entry.action,
                entry.phase.unwrap(),
                entry.principal.id.unwrap()
            )
        })
        .collect();
    for wanted in [
        "namespace.create Intended host",
        "namespace.create Done host",
        "namespace.remove Intended host",
        "token.revoke Done host",
        "key.remove Done host",
        "namespace.remove Done host",
    ] {
        assert!(told.iter().any(|line| line == wanted), "{wanted} in {told:#?}");
    }
}

#[tokio::test]
async fn a_tenants_handle_takes_the_tokens_of_that_tenant_alone() {
    let scene = Scene::new().await;
    let (_, ours) = made(&scene, "acme").await;
    let (_, theirs) = made(&scene, "globex").await;
    let acme = scene.vault.tenant("acme").unwrap();
    let context = RequestContext::default();
    let key = acme.key("production", "openai").unwrap();
    assert_eq!(
        acme.retrieve(&ours, &key, &context).await.unwrap().text().unwrap(),
        "sk-acme"
    );
    assert_eq!(
        acme.as_token(&again(&ours))
            .keys()
            .show(&key)
            .await
            .unwrap()
            .name
            .as_str(),
        "openai"
    );
    for key in [
        &key,
        &scene.key("prod/openai"),
        &scene.key("ibyok://globex/prod/openai"),
    ] {
        let refused = acme.retrieve(&theirs, key, &context).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{key}");
        let session = acme.as_token(&again(&theirs));
        assert_eq!(
            session.keys().set(key, secret("x")).await.unwrap_err().code(),
            Code::Unauthenticated,
            "{key}"
        );
        assert_eq!(
            session.whoami().await.unwrap_err().code(),
            Code::Unauthenticated,
            "{key}"
        );
    }
    let other = scene.key("ibyok://globex/prod/openai");
    assert_eq!(
        acme.retrieve(&ours, &other, &context).await.unwrap_err().code(),
        Code::Denied
    );
    for (environment, name) in [
        ("globex/prod", "openai"),
        ("prod", "../globex/prod/openai"),
        ("", ""),
        ("ibyok:", "/x"),
    ] {
        assert_eq!(acme.key(environment, name).unwrap_err().code(), Code::Invalid);
    }
    let environments = acme.environments().await.unwrap();
    assert_eq!(
        environments.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
        ["dev", "prod", "staging"]
    );
    let nobody = scene.vault.tenant("nobody").unwrap();
    assert_eq!(nobody.environments().await.unwrap_err().code(), Code::NotFound);
    assert_eq!(
        nobody.retrieve(&ours, &key, &context).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    for bad in ["", "Acme", "acme/prod", "../acme", "whole", "acme\n"] {
        assert_eq!(scene.vault.tenant(bad).unwrap_err().code(), Code::Invalid, "{bad:?}");
    }
}
