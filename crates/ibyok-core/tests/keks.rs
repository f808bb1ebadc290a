//! KEKs of single environments, and the change of a KEK, as a program that embeds the vault uses them.
#![expect(clippy::unwrap_used, reason = "what cannot be set up here is a failed test")]

use std::sync::{Arc, Mutex};

use ibyok_core::audit::MemoryHome;
use ibyok_core::kek::{Keyring, VaultId};
use ibyok_core::keks::KekSource;
use ibyok_core::store::{Collection, Expect, Kind, StoreExt as _};
use ibyok_core::{Code, EnvironmentName, LocalKek, MemoryStore, Secret, Store, Vault};

/// The kinds of the records of environments' keys and of their tags (docs/format.md).
const KINDS: [u8; 2] = [1, 2];

fn kek(byte: u8) -> LocalKek {
    LocalKek::copy_of(&[byte; 32])
}

fn env(name: &str) -> EnvironmentName {
    name.parse().unwrap()
}

async fn read(vault: &Vault, reference: &str) -> Result<String, Code> {
    let released = vault.operator("ann").retrieve(&reference.parse().unwrap()).await;
    let released = released.map_err(|error| error.code())?;
    Ok(released.text().unwrap().to_owned())
}

async fn set(vault: &Vault, reference: &str) {
    let value = Secret::from(format!("of {reference}"));
    let keys = vault.operator("ann");
    keys.keys().set(&reference.parse().unwrap(), value).await.unwrap();
}

/// A vault whose dev and prod have KEKs 1 and 2, and whose rest has KEK 3.
async fn separate(store: &MemoryStore, id: VaultId) -> Vault {
    let builder = Vault::builder().store(store.clone()).kek(kek(3));
    let builder = builder.kek_for(env("dev"), kek(1)).kek_for(env("prod"), kek(2));
    let vault = builder.audit(MemoryHome::new()).vault_id(id).create().await.unwrap();
    for reference in ["dev/key", "staging/key", "prod/key"] {
        set(&vault, reference).await;
    }
    vault
}

#[tokio::test]
async fn a_node_with_devs_kek_alone_serves_dev_and_names_the_kek_that_it_lacks() {
    let store = MemoryStore::new();
    separate(&store, VaultId::generate().unwrap())
        .await
        .close()
        .await
        .unwrap();
    let builder = Vault::builder().store(store.clone()).kek_for(env("dev"), kek(1));
    let node = builder.audit(MemoryHome::new()).open().await.unwrap();
    assert_eq!(read(&node, "dev/key").await.unwrap(), "of dev/key");
    for name in ["staging", "prod"] {
        let reference = format!("{name}/key").parse().unwrap();
        let error = node.operator("ann").retrieve(&reference).await.unwrap_err();
        assert_eq!(error.code(), Code::Kek);
        let text = error.to_string();
        assert!(
            text.contains(&format!("no KEK for environment `{name}`")) && text.contains("`local:"),
            "{text}"
        );
    }
    // The KEK of the rest does not open an environment with its own.
    let builder = Vault::builder().store(store).kek(kek(3)).kek_for(env("prod"), kek(9));
    let node = builder.audit(MemoryHome::new()).open().await.unwrap();
    assert_eq!(read(&node, "prod/key").await, Err(Code::Kek));
    assert_eq!(read(&node, "staging/key").await.unwrap(), "of staging/key");
}

#[tokio::test]
async fn a_holder_of_devs_kek_cannot_put_its_own_key_in_prods_place() {
    let (store, theirs, id) = (MemoryStore::new(), MemoryStore::new(), VaultId::generate().unwrap());
    separate(&store, id).await.close().await.unwrap();
    // All environments of the forger's vault are wrapped under dev's KEK.
    let forger = Vault::builder()
        .store(theirs.clone())
        .kek(kek(1))
        .audit(MemoryHome::new());
    forger.vault_id(id).create().await.unwrap().close().await.unwrap();
    for kind in KINDS {
        let collection = Collection::root(Kind::new(kind));
        for record in theirs.list_all(&collection).await.unwrap() {
            let forged = theirs.get(&record).await.unwrap().unwrap();
            let there = store.get(&record).await.unwrap();
            let expect = there.map_or(Expect::Absent, |there| Expect::Revision(there.revision));
            store.put(&record, &forged.bytes, expect).await.unwrap();
        }
    }
    // A node that has seen nothing of the vault yet.
    let builder = Vault::builder().store(store).kek(kek(1)).kek_for(env("dev"), kek(1));
    let node = builder
        .kek_for(env("prod"), kek(2))
        .audit(MemoryHome::new())
        .open()
        .await
        .unwrap();
    assert!(
        node.operator("ann")
            .keys()
            .set(&"prod/new".parse().unwrap(), Secret::from("x".to_owned()))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn every_environment_key_changes_its_kek_and_nothing_else_changes() {
    let store = MemoryStore::new();
    let vault = separate(&store, VaultId::generate().unwrap()).await;
    vault.namespaces("ann").create(&"acme".parse().unwrap()).await.unwrap();
    vault.close().await.unwrap();
    let builder = Vault::builder().store(store.clone()).kek(kek(4)).also_kek(kek(3));
    let builder = builder.kek_for(env("dev"), kek(1));
    let builder = builder.kek_for(env("prod"), kek(5)).also_kek_for(env("prod"), kek(2));
    let vault = builder.audit(MemoryHome::new()).open().await.unwrap();
    let keks = vault.keks("ann");
    keks.try_out(None).await.unwrap();
    keks.check_held(None).await.unwrap();
    // Of two namespaces: staging, prod, and the realm that spans them. dev keeps its KEK.
    assert_eq!(keks.outdated(None).await.unwrap().len(), 6);
    assert_eq!(keks.outdated(Some(&env("prod"))).await.unwrap().len(), 2);
    let (mut last, mut calls) = ((0, 0), 0);
    let mut progress = |done, all| {
        last = (done, all);
        calls += 1;
    };
    let rewrapped = keks.rewrap(None, &mut progress).await.unwrap();
    assert_eq!((rewrapped.rewrapped, last, calls), (6, (6, 6), 6));
    assert!(keks.outdated(None).await.unwrap().is_empty() && rewrapped.damaged.is_empty());
    assert_eq!(keks.rewrap(None, &mut |_, _| {}).await.unwrap().rewrapped, 0);
    vault.close().await.unwrap();

    let builder = Vault::builder().store(store).kek(kek(4)).kek_for(env("dev"), kek(1));
    let vault = builder
        .kek_for(env("prod"), kek(5))
        .audit(MemoryHome::new())
        .open()
        .await
        .unwrap();
    for reference in ["dev/key", "staging/key", "prod/key"] {
        assert_eq!(read(&vault, reference).await.unwrap(), format!("of {reference}"));
    }
}

#[tokio::test]
async fn a_running_vault_asks_its_source_for_a_kek_that_it_lacks() {
    #[derive(Clone, Debug)]
    struct Source(Arc<Mutex<Option<Keyring>>>);

    #[async_trait::async_trait]
    impl KekSource for Source {
        async fn keyring(&self) -> Option<Keyring> {
            self.0.lock().unwrap().take()
        }
    }

    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let source = Source(Arc::default());
    let builder = Vault::builder().store(store.clone()).kek(kek(1)).audit(home);
    let node = builder.kek_source(source.clone()).create().await.unwrap();
    set(&node, "prod/key").await;

    let builder = Vault::builder().store(store).kek(kek(2)).also_kek(kek(1));
    let other = builder.audit(MemoryHome::new()).open().await.unwrap();
    other.keks("ann").rewrap(None, &mut |_, _| {}).await.unwrap();
    other.close().await.unwrap();

    *source.0.lock().unwrap() = Some(Keyring::new(Arc::new(kek(2))));
    // However long the node holds the opened key: afterwards it has the new KEK, or still needs none.
    set(&node, "staging/key").await;
    assert_eq!(read(&node, "staging/key").await.unwrap(), "of staging/key");
    assert_eq!(read(&node, "prod/key").await.unwrap(), "of prod/key");
}
