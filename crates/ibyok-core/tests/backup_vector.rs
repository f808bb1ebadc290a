//! The backup in `vectors/`: every version of this program reads it.
#![expect(clippy::unwrap_used, reason = "a setup that fails is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_audit::MemoryHome;
use ibyok_core::backups::{Backup, restore_records};
use ibyok_core::secrecy::ExposeSecret as _;
use ibyok_core::{Kek, LocalKek, MemoryStore, Vault};

fn vector() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/backup.backup")
}

fn kek_of(backup: &Backup) -> Arc<dyn Kek> {
    let bytes = backup.kek().unwrap().unwrap();
    Arc::new(LocalKek::from_reader(&mut bytes.expose_secret()).unwrap())
}

#[tokio::test]
async fn the_published_backup_verifies_and_its_values_are_read() {
    let backup = Backup::open(&vector()).unwrap();
    let kek = kek_of(&backup);
    let info = backup.verify(&[Arc::clone(&kek)], &|_| {}).await.unwrap();
    assert_eq!((info.records, info.is_exact, info.with_kek()), (14, true, true));
    let store = Arc::new(MemoryStore::new());
    restore_records(&backup, store.as_ref(), &|_| {}).await.unwrap();
    let builder = Vault::builder().shared_store(store).shared_kek(kek);
    let vault = builder.audit(MemoryHome::new()).open().await.unwrap();
    let operator = vault.operator("os:me@here");
    for (reference, value) in [("prod/example", "example-value"), ("dev/other", "another example")] {
        let released = operator.retrieve(&reference.parse().unwrap()).await.unwrap();
        assert_eq!(released.text().unwrap(), value);
    }
}

#[tokio::test]
async fn a_byte_that_was_changed_anywhere_is_noticed() {
    let (place, whole) = (tempfile::tempdir().unwrap(), std::fs::read(vector()).unwrap());
    let kek = kek_of(&Backup::open(&vector()).unwrap());
    let path = place.path().join("changed.backup");
    for at in (0..whole.len()).step_by(41).chain(whole.len() - 32..whole.len()) {
        let mut changed = whole.clone();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1;
        }
        std::fs::write(&path, changed).unwrap();
        let verified = match Backup::open(&path) {
            Ok(backup) => backup.verify(&[Arc::clone(&kek)], &|_| {}).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(verified.is_err(), "byte {at}");
    }
}
