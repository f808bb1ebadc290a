//! The promises of the types to a program that embeds the vault: errors name each cause once, and parts fit together.
#![cfg(feature = "file")]

use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;

use ibyok_core::{
    Code, Error, FileSink, FileStore, LocalKek, MemoryStore, Result, Secret, Store, Vault,
    audit::{Error as LogError, MemoryHome},
    secrecy::SecretString,
};

/// The errors of every part become the vault's own.
async fn open(directory: &Path) -> Result<Vault> {
    let kek = LocalKek::from_file(&directory.join("kek"))?;
    let store = FileStore::open(directory.join("vault.db")).await?;
    let log = FileSink::open(directory.join("audit")).await?;
    Vault::builder().store(store).kek(kek).audit(log).open().await
}

/// The messages along the chain of causes.
fn messages(error: &(dyn StdError + 'static)) -> Vec<String> {
    let (mut told, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        told.push(error.to_string());
        next = error.source();
    }
    told
}

fn tells_each_cause_once(error: &(dyn StdError + 'static)) {
    let told = messages(error);
    for (at, message) in told.iter().enumerate() {
        assert!(!message.is_empty());
        for later in told.iter().skip(at + 1) {
            assert!(
                !message.contains(later.as_str()) && !later.contains(message.as_str()),
                "{told:?}"
            );
        }
    }
}

#[tokio::test]
async fn errors_of_the_parts_become_the_vaults_and_tell_each_cause_once() {
    let scratch = tempfile::tempdir().unwrap();
    let missing = open(scratch.path()).await.unwrap_err();
    assert!(matches!(missing, Error::Kek { .. }), "{missing:?}");
    tells_each_cause_once(&missing);
    assert!(
        missing.to_string().contains("No such file"),
        "the message alone says why: {missing}"
    );

    drop(LocalKek::create_file(&scratch.path().join("kek")).unwrap());
    std::fs::write(
        scratch.path().join("vault.db"),
        "not a database, and long enough to be looked at",
    )
    .unwrap();
    let damaged = open(scratch.path()).await.unwrap_err();
    tells_each_cause_once(&damaged);

    std::fs::remove_file(scratch.path().join("vault.db")).unwrap();
    std::fs::write(scratch.path().join("audit"), "").unwrap();
    let no_directory = open(scratch.path()).await.unwrap_err();
    assert_eq!(no_directory.code(), Code::Unavailable);
    tells_each_cause_once(&no_directory);
    let Error::Unavailable { source, .. } = &no_directory else {
        panic!("{no_directory:?}");
    };
    assert!(
        source.downcast_ref::<LogError>().is_some(),
        "the part's error can be told from others"
    );
}

#[tokio::test]
async fn errors_of_leaf_crates_tell_each_cause_once() {
    let scratch = tempfile::tempdir().unwrap();
    tells_each_cause_once(&FileSink::open("/proc/nowhere/audit").await.unwrap_err());
    tells_each_cause_once(&LocalKek::from_file(&scratch.path().join("none")).unwrap_err());
    tells_each_cause_once(&LogError::other(std::io::Error::other("the network is down")));
    let nested = Error::from(LogError::other(std::io::Error::other("the network is down")));
    assert_eq!(nested.to_string().matches("the network is down").count(), 1, "{nested}");
    tells_each_cause_once(&nested);
}

#[tokio::test]
async fn a_shared_or_boxed_store_is_a_store() {
    let shared = Arc::new(MemoryStore::new());
    let boxed: Box<dyn Store> = Box::new(Arc::clone(&shared));
    let home = MemoryHome::new();
    let builder = Vault::builder()
        .store(boxed)
        .kek(LocalKek::copy_of(&[7; 32]))
        .audit(home.clone());
    builder.create().await.unwrap().close().await.unwrap();
    let by_pointer: Arc<dyn Store> = shared;
    let builder = Vault::builder()
        .store(by_pointer)
        .kek(LocalKek::copy_of(&[7; 32]))
        .audit(home);
    let vault = builder.open().await.unwrap();
    let operator = vault.operator("ann");
    operator
        .keys()
        .set(&"prod/a".parse().unwrap(), Secret::from("sk-1".to_owned()))
        .await
        .unwrap();
    operator
        .keys()
        .set(&"prod/b".parse().unwrap(), Secret::from(SecretString::from("sk-2")))
        .await
        .unwrap();
    let released = operator.retrieve(&"prod/b".parse().unwrap()).await.unwrap();
    assert_eq!(released.bytes().unwrap(), b"sk-2");
}
