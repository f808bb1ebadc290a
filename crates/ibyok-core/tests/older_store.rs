//! An older copy of the store that is put back shows by the log, until an operator accepts it by name.
#![expect(clippy::unwrap_used, reason = "tests may panic on unexpected results")]

use std::path::Path;

use ibyok_core::{FileSink, FileStore, KeyRef, LocalKek, Secret, Vault, audit::Filter};

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Machine(tempfile::tempdir().unwrap());
        drop(LocalKek::create_file(&machine.0.path().join("kek")).unwrap());
        machine
    }

    fn store(&self) -> std::path::PathBuf {
        self.0.path().join("vault.db")
    }

    async fn open(&self, new: bool) -> Vault {
        let builder = Vault::builder()
            .store(FileStore::open(&self.store()).await.unwrap())
            .kek(LocalKek::from_file(&self.0.path().join("kek")).unwrap())
            .audit(FileSink::open(self.0.path().join("audit")).await.unwrap());
        let opened = if new {
            builder.create().await
        } else {
            builder.open().await
        };
        opened.unwrap()
    }

    async fn set(&self, count: usize) {
        let vault = self.open(false).await;
        for _ in 0..count {
            // A key of its own each: a record that went back with the store is refused.
            static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
            let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let key: KeyRef = format!("prod/key-{number}").parse().unwrap();
            let operator = vault.operator("test");
            operator.keys().set(&key, Secret::copy_of(b"value")).await.unwrap();
        }
        close(vault).await;
    }

    /// Copies the part of the store that is on the disk, to another name or back.
    fn copy(&self, from: &str, to: &str) {
        for end in ["", "-wal", "-shm"] {
            let path = |name: &str| self.0.path().join(format!("{name}{end}"));
            let (from, to): (&Path, &Path) = (&path(from), &path(to));
            if to.exists() {
                std::fs::remove_file(to).unwrap();
            }
            if from.exists() {
                assert!(std::fs::copy(from, to).is_ok());
            }
        }
    }
}

async fn close(vault: Vault) {
    vault.close().await.unwrap();
    drop(vault);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

async fn findings(vault: &Vault) -> usize {
    let report = vault.operator("test").audit().verify(&[]).await.unwrap();
    let of_the_store = report
        .findings
        .iter()
        .filter(|finding| finding.what.as_str() == "store_behind");
    of_the_store.count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_store_is_behind_until_it_is_accepted_by_name() {
    let machine = Machine::new();
    close(machine.open(true).await).await;
    machine.set(1).await;
    machine.copy("vault.db", "older");
    machine.set(4).await;
    machine.copy("older", "vault.db");

    let vault = machine.open(false).await;
    assert!(vault.store_behind().is_some());
    assert!(!vault.ready().await.is_ready());
    assert!(
        vault
            .status()
            .await
            .unwrap()
            .warnings
            .iter()
            .any(|warning| warning.contains("the store is at change"))
    );
    assert_eq!(findings(&vault).await, 1);
    close(vault).await;

    // Later changes pass the number, and hide nothing.
    machine.set(9).await;
    let vault = machine.open(false).await;
    assert_eq!(findings(&vault).await, 1);
    vault.operator("test").floors().accept_older_store().await.unwrap();
    assert_eq!((findings(&vault).await, vault.store_behind()), (0, None));
    assert!(vault.ready().await.is_ready());
    let mut filter = Filter::default();
    filter.action = Some(ibyok_core::audit::Action::VaultRollbackAccepted);
    let lines = vault.whole_log("test").lines(&filter).await.unwrap();
    assert_eq!(lines.count(), 1);
    close(vault).await;

    // What is accepted stays so, and the next loss shows again.
    machine.set(1).await;
    machine.copy("vault.db", "older");
    machine.set(2).await;
    let vault = machine.open(false).await;
    assert_eq!((findings(&vault).await, vault.store_behind()), (0, None));
    close(vault).await;
    machine.copy("older", "vault.db");
    let vault = machine.open(false).await;
    assert!(vault.store_behind().is_some());
    close(vault).await;
}
