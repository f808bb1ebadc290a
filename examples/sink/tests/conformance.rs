//! The redb home keeps every promise of a home, and holds the log of a vault.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use example_sink::RedbHome;
use ibyok_audit::conformance::HomeHarness;
use ibyok_audit::{Error, Home};
use ibyok_core::{FileStore, KeyRef, LocalKek, Secret, Vault};
use tempfile::TempDir;

/// A database for each place. redb opens a file once, so later handles are clones.
struct Redb {
    scratch: TempDir,
    open: Mutex<BTreeMap<String, RedbHome>>,
}

impl Redb {
    fn new() -> Self {
        Self {
            scratch: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
            open: Mutex::default(),
        }
    }
}

impl HomeHarness for Redb {
    fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error> {
        let mut open = self.open.lock().unwrap();
        let home = match open.get(place) {
            Some(home) => home.clone(),
            None => RedbHome::open(&self.scratch.path().join(place))?,
        };
        open.insert(place.to_owned(), home.clone());
        Ok(Arc::new(home))
    }
}

ibyok_audit::home_conformance!(Redb::new());

/// A home that is closed and opened again, as after a restart: the suite's handles share one database.
#[test]
fn a_database_that_is_opened_again_has_every_byte() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = scratch.path().join("audit.redb");
    let log = "A".repeat(22);
    let home = RedbHome::open(&path).unwrap();
    let hold = home.take(&log).unwrap();
    home.append(&log, "audit-00000001.log", 0, b"one\n").unwrap();
    home.replace(&log, "state", b"{}").unwrap();
    assert!(RedbHome::open(&path).is_err(), "two processes cannot have it open");
    drop((hold, home));
    let home = RedbHome::open(&path).unwrap();
    assert_eq!(home.read(&log, "audit-00000001.log", 0, 100).unwrap(), b"one\n");
    assert_eq!(home.logs().unwrap(), std::slice::from_ref(&log));
    assert!(home.take(&log).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_goes_on_with_the_log_of_its_database() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let key: KeyRef = "prod/openai".parse().unwrap();
    for session in 0..3 {
        let home = RedbHome::open(&scratch.path().join("audit.redb")).unwrap();
        let store = FileStore::open(scratch.path().join("vault.db")).await.unwrap();
        let builder = Vault::builder()
            .store(store)
            .kek(LocalKek::copy_of(&[7; 32]))
            .audit(home);
        let vault = match session {
            0 => builder.create().await.unwrap(),
            _ => builder.open().await.unwrap(),
        };
        let operator = vault.operator("ann");
        if session == 0 {
            operator.keys().set(&key, Secret::copy_of(b"sk-1")).await.unwrap();
        }
        assert_eq!(operator.retrieve(&key).await.unwrap().bytes().unwrap(), b"sk-1");
        assert!(operator.audit().verify(&[]).await.unwrap().ok);
        vault.close().await.unwrap();
    }
}
