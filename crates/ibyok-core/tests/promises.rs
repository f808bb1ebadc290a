//! The promises between nodes, tenants and processes.
#![expect(clippy::unwrap_used, reason = "a read that fails is a failed test")]

mod scene;

use std::time::{Duration, Instant};

use ibyok_core::{Code, KeyRef, RequestContext, TokenRequest, audit::Filter, environments::Class, pages::PageRequest};
use ibyok_storage::{ChangeNumber, Expect, RecordId, Store};
use scene::{Scene, reading, secret};

/// Every record that the store holds, as an attacker sees it who reads the store past the vault.
async fn records(store: &dyn Store) -> Vec<(RecordId, Vec<u8>)> {
    let mut seen = std::collections::BTreeMap::new();
    let mut since = ChangeNumber::default();
    loop {
        let changes = store.changes(since).await.unwrap();
        for change in changes.changes {
            if let Some(stored) = store.get(&change.id).await.unwrap() {
                seen.insert(change.id, stored.bytes);
            }
        }
        since = changes.upto;
        if !changes.more {
            return seen.into_iter().collect();
        }
    }
}

#[tokio::test]
async fn a_revocation_holds_on_every_node_within_a_second() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    let token = scene.token_named("worker", reading("prod")).await;
    let other = scene.another_node().await;
    let context = RequestContext::default();
    for _ in 0..3 {
        assert!(other.retrieve(&token, &key, &context).await.is_ok());
    }
    scene
        .operator()
        .tokens()
        .revoke("worker", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let revoked = Instant::now();
    let here = scene.vault.retrieve(&token, &key, &context).await;
    assert_eq!(
        here.unwrap_err().code(),
        Code::Unauthenticated,
        "at once where it was made"
    );
    while other.retrieve(&token, &key, &context).await.is_ok() {
        assert!(
            revoked.elapsed() < Duration::from_secs(1),
            "still released a second after"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_new_version_and_a_disable_reach_every_node_within_a_second() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("one")).await.unwrap();
    let other = scene.another_node().await.operator("test");
    assert_eq!(other.retrieve(&key).await.unwrap().text().unwrap(), "one");
    scene.operator().keys().set(&key, secret("two")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(other.retrieve(&key).await.unwrap().text().unwrap(), "two");
    scene.operator().keys().disable(&key).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(other.retrieve(&key).await.unwrap_err().code(), Code::KeyDisabled);
}

#[tokio::test]
async fn two_tenants_cannot_see_name_or_guess_each_others_records() {
    let scene = Scene::new().await;
    let acme = scene.operator().in_namespace("acme".parse().unwrap()).unwrap();
    acme.environments()
        .add("prod".parse().unwrap(), Class::Prod)
        .await
        .unwrap();
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/openai"), secret("ours"))
        .await
        .unwrap();
    let theirs = acme
        .keys()
        .set(&scene.key("prod/openai"), secret("theirs"))
        .await
        .unwrap();
    let issued = acme
        .tokens()
        .issue(TokenRequest::new("acme-worker", reading("prod")))
        .await
        .unwrap();
    let mut admin = reading("prod");
    admin.scopes = "admin"
        .parse::<ibyok_core::Scope>()
        .map(|s| ibyok_core::Scopes::from([s]))
        .unwrap();
    let ours = scene.vault.as_token(&scene.token_named("ours", admin).await);

    let by_name: KeyRef = "ibyok://acme/prod/openai".parse().unwrap();
    let by_id: KeyRef = format!("ibyok://acme/prod/{}", theirs.id).parse().unwrap();
    let guessed: KeyRef = format!("prod/{}", theirs.id).parse().unwrap();
    for key in [&by_name, &by_id, &guessed] {
        assert_eq!(ours.retrieve(key).await.unwrap_err().code(), Code::Denied, "{key}");
        assert_eq!(ours.keys().show(key).await.unwrap_err().code(), Code::Denied, "{key}");
        assert_eq!(
            ours.keys().set(key, secret("x")).await.unwrap_err().code(),
            Code::Denied,
            "{key}"
        );
        assert_eq!(
            ours.keys().edit(key, &Default::default()).await.unwrap_err().code(),
            Code::Denied,
            "{key}"
        );
        assert_eq!(
            ours.keys().disable(key).await.unwrap_err().code(),
            Code::Denied,
            "{key}"
        );
        assert_eq!(ours.keys().enable(key).await.unwrap_err().code(), Code::Denied, "{key}");
        assert_eq!(ours.keys().remove(key).await.unwrap_err().code(), Code::Denied, "{key}");
    }
    let id = issued.info.id.to_string();
    assert_eq!(ours.tokens().show(&id).await.unwrap_err().code(), Code::Denied);
    assert_eq!(
        ours.tokens()
            .revoke(&id, ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap_err()
            .code(),
        Code::Denied
    );
    assert_eq!(
        ours.tokens()
            .revoke("acme-worker", ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap_err()
            .code(),
        Code::Denied
    );
    assert_eq!(ours.keys().find(theirs.id).await.unwrap_err().code(), Code::Denied);
    let tokens = ours.tokens().list(&PageRequest::default()).await.unwrap();
    assert!(tokens.items.iter().all(|token| token.namespace.as_str() == "default"));
    let keys = ours.keys().list(None, &PageRequest::default()).await.unwrap();
    assert_eq!(keys.items.len(), 1);
    assert_ne!(
        keys.items[0].id, theirs.id,
        "the same name has another id in another tenant"
    );

    let still = scene
        .vault
        .as_token(&issued.token)
        .retrieve(&scene.key("prod/openai"))
        .await
        .unwrap();
    assert_eq!(still.text().unwrap(), "theirs");
}

#[tokio::test]
async fn what_the_store_sees_holds_no_name_and_no_value() {
    let scene = Scene::new().await;
    let key = scene.key("prod/SentinelName");
    scene
        .operator()
        .keys()
        .set(&key, secret("sk-SENTINEL-value"))
        .await
        .unwrap();
    let token = scene.token_named("SentinelToken", reading("prod")).await;
    let all = records(&scene.store).await;
    assert!(all.len() > 8);
    for (id, bytes) in &all {
        for sentinel in ["SentinelName", "sk-SENTINEL", "SentinelToken", token.expose()] {
            let found = bytes
                .windows(sentinel.len())
                .any(|window| window == sentinel.as_bytes());
            assert!(!found, "{sentinel} in {id}");
        }
    }
}

#[tokio::test]
async fn no_two_records_can_be_swapped() {
    let scene = Scene::new().await;
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/a"), secret("value of a"))
        .await
        .unwrap();
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/b"), secret("value of b"))
        .await
        .unwrap();
    let keys = key_records(&scene).await;
    assert_eq!(keys.len(), 2);
    overwrite(&scene, &keys[0].0, &keys[1].1).await;
    let node = scene.another_node().await.operator("test");
    let mut codes = Vec::new();
    for key in ["prod/a", "prod/b"] {
        let outcome = node.retrieve(&scene.key(key)).await;
        codes.push(
            outcome
                .map(|released| released.text().unwrap().to_owned())
                .map_err(|error| error.code()),
        );
    }
    assert!(codes.contains(&Err(Code::Integrity)), "{codes:?}");
    assert!(
        codes
            .iter()
            .any(|code| code.as_ref().is_ok_and(|value| value.starts_with("value of"))),
        "{codes:?}"
    );
}

#[tokio::test]
async fn a_damaged_record_is_refused_wherever_it_is_damaged_and_named_in_the_status() {
    let scene = Scene::new().await;
    let key = scene.key("prod/a");
    scene.operator().keys().set(&key, secret("value of a")).await.unwrap();
    let (id, good) = key_records(&scene).await.remove(0);
    let (node, mut last) = (scene.another_node().await, None);
    for at in (0..good.len()).step_by(good.len() / 12) {
        let mut bent = good.clone();
        bent[at] ^= 0x10;
        overwrite(&scene, &id, &bent).await;
        // Past the lease: the node has to read it again.
        tokio::time::sleep(Duration::from_millis(720)).await;
        let code = node
            .operator("test")
            .retrieve(&key)
            .await
            .map(|_| ())
            .unwrap_err()
            .code();
        assert!(matches!(code, Code::Integrity | Code::Invalid), "byte {at}: {code}");
        last = Some(code);
    }
    assert!(last.is_some());
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/b"), secret("value of b"))
        .await
        .unwrap();
    let listed = scene
        .operator()
        .keys()
        .list(None, &PageRequest::default())
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 1, "the other one is listed all the same");
    let status = node.status().await.unwrap();
    assert!(
        status.warnings.iter().any(|warning| warning.contains(&id.to_string())),
        "{:?}",
        status.warnings
    );
}

async fn key_records(scene: &Scene) -> Vec<(RecordId, Vec<u8>)> {
    let all = records(&scene.store).await;
    all.into_iter()
        .filter(|(id, _)| id.collection().kind().as_u8() == 3)
        .collect()
}

async fn overwrite(scene: &Scene, id: &RecordId, bytes: &[u8]) {
    let there = scene.store.get(id).await.unwrap().unwrap();
    scene
        .store
        .put(id, bytes, Expect::Revision(there.revision))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_taken_away_does_not_come_back_with_an_older_record() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    let token = scene.token_named("worker", reading("prod")).await;
    let before = records(&scene.store).await;
    scene
        .operator()
        .tokens()
        .revoke("worker", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    scene.operator().keys().disable(&key).await.unwrap();
    for (id, bytes) in before {
        let there = scene.store.get(&id).await.unwrap().unwrap();
        if there.bytes != bytes {
            scene
                .store
                .put(&id, &bytes, Expect::Revision(there.revision))
                .await
                .unwrap();
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let here = scene.vault.retrieve(&token, &key, &RequestContext::default()).await;
    assert_eq!(here.unwrap_err().code(), Code::Integrity);
    assert_eq!(
        scene.operator().retrieve(&key).await.unwrap_err().code(),
        Code::Integrity
    );
    // A write on top of the older record would make it the newest: refused as well.
    assert_eq!(
        scene.operator().keys().set(&key, secret("x")).await.unwrap_err().code(),
        Code::Integrity
    );
}

#[tokio::test]
async fn a_vault_is_made_once_and_opened_only_where_it_is() {
    let scene = Scene::new().await;
    let parts = async |audit: &str| {
        let kek = ibyok_core::LocalKek::from_file(&scene.scratch.path().join("kek")).unwrap();
        let sink = ibyok_core::FileSink::open(scene.scratch.path().join(audit))
            .await
            .unwrap();
        ibyok_core::Vault::builder().kek(kek).audit(sink)
    };
    let twice = parts("a").await.store(scene.store.clone()).create().await;
    assert_eq!(twice.unwrap_err().code(), Code::Exists);
    let nothing = parts("b").await.store(ibyok_core::MemoryStore::new()).open().await;
    assert_eq!(nothing.unwrap_err().code(), Code::NotFound);
    let sink = ibyok_core::FileSink::open(scene.scratch.path().join("c"))
        .await
        .unwrap();
    let wrong = ibyok_core::Vault::builder()
        .store(scene.store.clone())
        .kek(ibyok_core::LocalKek::generate().unwrap())
        .audit(sink)
        .open()
        .await;
    assert_eq!(wrong.unwrap_err().code(), Code::Kek);
    let of_another = Scene::new().await;
    let theirs = ibyok_core::FileSink::open(of_another.scratch.path().join("audit"))
        .await
        .unwrap();
    drop(theirs);
    let kek = ibyok_core::LocalKek::from_file(&scene.scratch.path().join("kek")).unwrap();
    of_another.vault.close().await.unwrap();
    let sink = ibyok_core::FileSink::open(of_another.scratch.path().join("audit"))
        .await
        .unwrap();
    let foreign = ibyok_core::Vault::builder()
        .store(scene.store.clone())
        .kek(kek)
        .audit(sink)
        .open()
        .await;
    assert_eq!(foreign.unwrap_err().code(), Code::Invalid, "the log of another vault");
}

#[tokio::test]
async fn nothing_is_released_when_the_log_cannot_be_written() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    scene.vault.close().await.unwrap();
    let refused = scene.operator().retrieve(&key).await;
    assert_eq!(refused.unwrap_err().code(), Code::Closed);
    assert!(!scene.vault.ready().await.is_ready());
}

#[tokio::test]
async fn reading_the_log_is_on_the_log_and_is_an_operators() {
    let scene = Scene::new().await;
    let token = scene.vault.as_token(&scene.token(reading("prod")).await);
    assert_eq!(
        token.audit().lines(&Filter::default()).await.err().unwrap().code(),
        Code::Denied
    );
    assert_eq!(token.audit().verify(&[]).await.err().unwrap().code(), Code::Denied);
    assert_eq!(token.environments().list().await.err().unwrap().code(), Code::Denied);
    let lines = scene.operator().audit().lines(&Filter::default()).await.unwrap();
    let reads = lines
        .filter(|line| line.as_ref().unwrap().entry().action == "audit.read")
        .count();
    assert_eq!(reads, 3);
}

#[tokio::test]
async fn importing_tells_what_is_new_the_same_and_different() {
    use ibyok_core::keys::{IfExists, Imported};
    let scene = Scene::new().await;
    let key = scene.key("dev/OPENAI_API_KEY");
    let import = async |value: &str, update| {
        scene
            .operator()
            .keys()
            .import(&key, secret(value), update)
            .await
            .unwrap()
    };
    assert!(matches!(import("one", IfExists::Keep).await, Imported::Created(_)));
    assert!(matches!(import("one", IfExists::Replace).await, Imported::Unchanged));
    assert!(matches!(import("two", IfExists::Keep).await, Imported::Differs));
    assert_eq!(scene.operator().retrieve(&key).await.unwrap().text().unwrap(), "one");
    assert!(matches!(import("two", IfExists::Replace).await, Imported::Updated(_)));
    assert_eq!(scene.operator().retrieve(&key).await.unwrap().text().unwrap(), "two");
}

#[tokio::test]
async fn a_key_cache_of_zero_asks_the_kek_at_every_retrieval() {
    let scratch = tempfile::tempdir().unwrap();
    let kek = scene::CountingKek::new();
    let sink = ibyok_core::FileSink::open(scratch.path().join("audit")).await.unwrap();
    let vault = ibyok_core::Vault::builder()
        .store(ibyok_core::MemoryStore::new())
        .kek(kek.clone())
        .audit(sink)
        .key_cache_ttl(Duration::ZERO)
        .create()
        .await
        .unwrap();
    let key: KeyRef = "prod/openai".parse().unwrap();
    vault.operator("test").keys().set(&key, secret("sk")).await.unwrap();
    let before = kek.unwraps();
    for _ in 0..5 {
        vault.operator("test").retrieve(&key).await.unwrap();
    }
    assert_eq!(kek.unwraps() - before, 5);
}

#[tokio::test]
async fn many_requests_on_a_cold_cache_make_one_call_to_the_kek() {
    let scratch = tempfile::tempdir().unwrap();
    let kek = scene::CountingKek::new();
    let sink = ibyok_core::FileSink::open(scratch.path().join("audit")).await.unwrap();
    let store = ibyok_core::MemoryStore::new();
    let vault = ibyok_core::Vault::builder()
        .store(store)
        .kek(kek.clone())
        .audit(sink)
        .create()
        .await
        .unwrap();
    let before = kek.unwraps();
    let key: KeyRef = "prod/openai".parse().unwrap();
    let asking = (0..50).map(|_| {
        let (session, key) = (vault.operator("test"), key.clone());
        tokio::spawn(async move { session.retrieve(&key).await.is_err() })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert!(asked.await.unwrap());
    }
    assert_eq!(kek.unwraps() - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_released_after_a_revocation_returned_where_it_was_made() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    for round in 0..50 {
        let name = format!("worker {round}");
        let token = std::sync::Arc::new(scene.token_named(&name, reading("prod")).await);
        let returned = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (vault, token, key, returned) = (scene.vault.clone(), token.clone(), key.clone(), returned.clone());
                tokio::spawn(async move {
                    loop {
                        let over = returned.load(std::sync::atomic::Ordering::SeqCst);
                        match vault.retrieve(&token, &key, &RequestContext::default()).await {
                            Ok(_) if over => return false,
                            Ok(_) => {}
                            Err(error) => return error.code() == Code::Unauthenticated,
                        }
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        scene
            .operator()
            .tokens()
            .revoke(&name, ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap();
        returned.store(true, std::sync::atomic::Ordering::SeqCst);
        for reader in readers {
            assert!(reader.await.unwrap(), "round {round}");
        }
    }
}

#[tokio::test]
async fn everybody_who_waits_for_a_kek_that_fails_hears_of_the_one_call() {
    let scratch = tempfile::tempdir().unwrap();
    let kek = scene::CountingKek::new();
    let sink = ibyok_core::FileSink::open(scratch.path().join("audit")).await.unwrap();
    let store = ibyok_core::MemoryStore::new();
    let vault = ibyok_core::Vault::builder()
        .store(store)
        .kek(kek.clone())
        .audit(sink)
        .create()
        .await
        .unwrap();
    kek.fail_slowly(true);
    let before = kek.unwraps();
    let key: KeyRef = "prod/openai".parse().unwrap();
    let asking = (0..50).map(|_| {
        let (session, key) = (vault.operator("test"), key.clone());
        tokio::spawn(async move { session.retrieve(&key).await.map(|_| ()).unwrap_err().code() })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), Code::Unavailable);
    }
    assert_eq!(kek.unwraps() - before, 1);
    kek.fail_slowly(false);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(
        vault.operator("test").retrieve(&key).await.unwrap_err().code(),
        Code::NotFound,
        "it serves again"
    );
}

#[tokio::test]
async fn what_a_process_beside_this_one_took_away_does_not_come_back_either() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    let token = scene.token_named("worker", reading("prod")).await;
    let context = RequestContext::default();
    assert!(scene.vault.retrieve(&token, &key, &context).await.is_ok());
    let before = records(&scene.store).await;
    let beside = scene.process_beside().await;
    beside
        .operator("cli")
        .tokens()
        .revoke("worker", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    beside.close().await.unwrap();
    for (id, bytes) in before {
        if scene.store.get(&id).await.unwrap().unwrap().bytes != bytes {
            overwrite(&scene, &id, &bytes).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(720)).await;
    let refused = scene.vault.retrieve(&token, &key, &context).await;
    assert_eq!(refused.unwrap_err().code(), Code::Integrity);
}

#[tokio::test]
async fn an_older_log_put_back_shows_however_often_the_vault_is_opened_meanwhile() {
    let scene = Scene::new().await;
    let audit = scene.scratch.path().join("audit-of-another-node");
    scene.another_node().await.close().await.unwrap();
    let copy = scene.scratch.path().join("copy");
    copy_tree(&audit, &copy);
    let node = scene.another_node().await;
    for n in 0..5 {
        node.operator("test")
            .keys()
            .set(&scene.key(&format!("dev/k{n}")), secret("x"))
            .await
            .unwrap();
    }
    node.close().await.unwrap();
    drop(node);
    std::fs::remove_dir_all(&audit).unwrap();
    copy_tree(&copy, &audit);
    for _ in 0..3 {
        let node = scene.another_node().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!node.operator("test").audit().verify(&[]).await.unwrap().ok);
        node.close().await.unwrap();
    }
    let node = scene.another_node().await;
    for n in 0..40 {
        node.operator("test")
            .keys()
            .set(&scene.key(&format!("dev/k{n}")), secret("x"))
            .await
            .unwrap();
    }
    assert!(
        !node.operator("test").audit().verify(&[]).await.unwrap().ok,
        "also when it has grown past it"
    );
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &to)
        } else {
            assert!(std::fs::copy(entry.path(), to).is_ok())
        }
    }
}

#[tokio::test]
async fn a_machine_is_not_blamed_for_the_logs_of_another() {
    let scene = Scene::new().await;
    let other = scene.another_node().await;
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/a"), secret("a"))
        .await
        .unwrap();
    other
        .operator("test")
        .keys()
        .set(&scene.key("prod/b"), secret("b"))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for session in [scene.operator(), other.operator("test")] {
        let report = session.audit().verify(&[]).await.unwrap();
        assert!(report.ok, "{report:?}");
    }
    other.close().await.unwrap();
    drop(other);
    let theirs = scene.scratch.path().join("audit-of-another-node");
    std::fs::remove_dir_all(&theirs).unwrap();
    let again = scene.another_node().await;
    assert!(
        !again.operator("test").audit().verify(&[]).await.unwrap().ok,
        "its own that is gone is missed"
    );
    assert!(scene.operator().audit().verify(&[]).await.unwrap().ok);
}

#[tokio::test]
async fn readiness_by_an_earlier_answer_asks_no_store_and_tells_the_log_as_it_is() {
    let scene = Scene::new().await;
    let before = scene.vault.ready().await;
    assert!(before.is_ready());
    scene.vault.close().await.unwrap();
    let now = scene.vault.ready_given(&before);
    assert!(now.audit.is_some() && !now.is_ready());
    assert_eq!(
        (now.store, now.kek, now.lease),
        (before.store, before.kek, before.lease)
    );
}

#[tokio::test]
async fn a_verification_counts_what_it_reads_against_what_there_is() {
    let scene = Scene::new().await;
    for value in ["one", "two", "three"] {
        scene
            .operator()
            .keys()
            .set(&scene.key("dev/k"), secret(value))
            .await
            .unwrap();
    }
    let progress = std::sync::Arc::new(ibyok_core::audit::VerifyProgress::default());
    assert_eq!((progress.read(), progress.total()), (0, 0));
    let operator = scene.operator();
    let watched = operator.audit().verify_watched(&[], std::sync::Arc::clone(&progress));
    assert!(watched.await.unwrap().ok);
    assert!(progress.total() > 1000, "{progress:?}");
    assert!(progress.read() >= progress.total(), "{progress:?}");
}
