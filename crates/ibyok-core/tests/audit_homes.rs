//! A vault whose audit log is in a home of the embedder's own, and one with a sink that must acknowledge every line.
#![expect(clippy::unwrap_used, reason = "a scene that cannot be set is a failed test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ibyok_core::{
    Code, Error, FileSink, KeyRef, LocalKek, MemoryStore, Secret, Sink, Vault,
    audit::{
        Batch, Error as LogError, Filter, Home, MemoryHome, SinkDescription, SinkDurability, StdoutSink, VerifyFault,
    },
};

const KEK: [u8; 32] = [7; 32];

fn key() -> KeyRef {
    "prod/openai".parse().unwrap()
}

async fn create(store: &MemoryStore, home: &MemoryHome) -> Result<Vault, Error> {
    let builder = Vault::builder().store(store.clone()).kek(LocalKek::copy_of(&KEK));
    builder.audit(home.clone()).create().await
}

async fn open(store: &MemoryStore, home: &MemoryHome) -> Result<Vault, Error> {
    let builder = Vault::builder().store(store.clone()).kek(LocalKek::copy_of(&KEK));
    builder.audit(home.clone()).open().await
}

fn count(home: &MemoryHome, action: &str) -> usize {
    let word = format!(r#""action":"{action}""#);
    home.lines().iter().filter(|line| line.contains(&word)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_in_memory_goes_on_after_a_restart_with_its_log() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let vault = create(&store, &home).await.unwrap();
    let operator = vault.operator("ann");
    operator.keys().set(&key(), Secret::copy_of(b"sk-1")).await.unwrap();
    operator.retrieve(&key()).await.unwrap();
    assert_eq!(
        count(&home, "key.retrieve"),
        1,
        "the line is in the home before the value is released"
    );
    vault.close().await.unwrap();

    let vault = open(&store, &home).await.unwrap();
    let operator = vault.operator("ann");
    let released = operator.retrieve(&key()).await.unwrap();
    assert_eq!(released.bytes().unwrap(), b"sk-1");
    assert_eq!(count(&home, "key.retrieve"), 2);
    assert_eq!(count(&home, "log.gap"), 0);
    assert!(operator.audit().verify(&[]).await.unwrap().ok);
    vault.close().await.unwrap();
}

#[cfg(feature = "file")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_an_empty_directory_has_the_floors_of_its_home() {
    use ibyok_core::FileStore;
    let (scratch, home) = (tempfile::tempdir().unwrap(), MemoryHome::new());
    let [newer, older] = ["newer.db", "older.db"].map(|name| scratch.path().join(name));
    let builder = async |path| {
        let store = FileStore::open(path).await.unwrap();
        Vault::builder()
            .store(store)
            .kek(LocalKek::copy_of(&KEK))
            .audit(home.clone())
    };
    let vault = builder(&newer).await.create().await.unwrap();
    vault
        .operator("ann")
        .keys()
        .set(&key(), Secret::copy_of(b"sk-1"))
        .await
        .unwrap();
    vault.close().await.unwrap();
    for (from, to) in [("newer.db", "older.db"), ("newer.db-wal", "older.db-wal")] {
        // The write-ahead log is there as long as some part of it is not in the file.
        if scratch.path().join(from).exists() {
            std::fs::copy(scratch.path().join(from), scratch.path().join(to)).unwrap();
        }
    }
    let vault = builder(&newer).await.open().await.unwrap();
    vault
        .operator("ann")
        .keys()
        .set(&key(), Secret::copy_of(b"sk-2"))
        .await
        .unwrap();
    vault.close().await.unwrap();
    // Another machine, with an old copy of the store: only the home knows how far the key had come.
    let vault = builder(&older).await.open().await.unwrap();
    let refused = vault.operator("ann").retrieve(&key()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Integrity, "{refused}");
    vault.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_a_disk_has_floors_at_each_start_and_finds_no_fault_in_that() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let vault = create(&store, &home).await.unwrap();
    let keys = vault.operator("ann");
    keys.keys().set(&key(), Secret::copy_of(b"sk-1")).await.unwrap();
    vault.close().await.unwrap();
    for _ in 0..3 {
        let vault = open(&store, &home).await.unwrap();
        let operator = vault.operator("ann");
        let floors = operator.floors().verify().await.unwrap();
        assert!(floors.ok, "{:?}", floors.findings);
        assert!(floors.records > 0, "the floors come from the log");
        let ready = vault.ready().await;
        assert!(ready.is_ready(), "{ready:?}");
        vault.close().await.unwrap();
    }
    assert_eq!(count(&home, "log.floors_rebuilt"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_one_home_write_logs_of_their_own_and_read_each_others_lines() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let first = create(&store, &home).await.unwrap();
    let second = open(&store, &home).await.unwrap();
    let (ann, bob) = (first.operator("ann"), second.operator("bob"));
    ann.keys().set(&key(), Secret::copy_of(b"sk-1")).await.unwrap();
    bob.retrieve(&key()).await.unwrap();
    ann.retrieve(&key()).await.unwrap();
    for session in [&ann, &bob] {
        let lines = session.audit().lines(&Filter::default()).await.unwrap();
        let entries: Vec<_> = lines.map(|line| line.unwrap().entry().clone()).collect();
        let retrievals = entries.iter().filter(|entry| entry.action == "key.retrieve");
        let mut by: Vec<_> = retrievals.filter_map(|entry| entry.principal.id.clone()).collect();
        by.sort();
        assert_eq!(by, ["ann", "bob"]);
        let report = session.audit().verify(&[]).await.unwrap();
        assert!(report.ok, "{report:?}");
        assert_eq!(report.logs.len(), 2);
    }
    let mut follow = ann.audit().follow(&Filter::default()).await.unwrap();
    bob.retrieve(&key()).await.unwrap();
    let is_there = async {
        loop {
            let lines = follow.poll().await.unwrap();
            if lines
                .iter()
                .any(|line| line.entry().principal.id.as_deref() == Some("bob"))
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), is_there)
        .await
        .unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_changed_in_the_home_is_found_by_a_node_that_runs_and_by_one_that_starts() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let vault = create(&store, &home).await.unwrap();
    let operator = vault.operator("ann");
    operator.keys().set(&key(), Secret::copy_of(b"sk-1")).await.unwrap();
    operator.retrieve(&key()).await.unwrap();
    assert!(operator.audit().verify(&[]).await.unwrap().ok);
    let (log, file) = (home.logs().unwrap().remove(0), "audit-00000001.log");
    let whole = home.read(&log, file, 0, 1 << 20).unwrap();
    let forged = String::from_utf8(whole)
        .unwrap()
        .replacen("key.retrieve", "key.retrieve2", 1)
        .replacen("\"ann\"", "\"an\"", 1);
    home.replace(&log, file, forged.as_bytes()).unwrap();
    let report = operator.audit().verify(&[]).await.unwrap();
    assert!(!report.ok, "its own copy is whole, and the home is not");
    // The node goes on, or says that it cannot; it never writes over the home's bytes.
    drop(operator.retrieve(&key()).await);
    drop(vault.close().await);

    let vault = open(&store, &home).await.unwrap();
    let operator = vault.operator("ann");
    operator.retrieve(&key()).await.unwrap();
    let report = operator.audit().verify(&[]).await.unwrap();
    assert!(!report.ok);
    assert!(
        !operator.floors().verify().await.unwrap().ok,
        "floors from a changed log are a finding"
    );
    vault.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_gone_from_the_home_is_missed() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    create(&store, &home).await.unwrap().close().await.unwrap();
    let vault = open(&store, &MemoryHome::new()).await.unwrap();
    let report = vault.operator("ann").audit().verify(&[]).await.unwrap();
    let missing = report
        .findings
        .iter()
        .any(|finding| finding.what == VerifyFault::Missing);
    assert!(missing, "{report:?}");
    vault.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_with_the_log_of_another_vault_is_refused_and_keeps_its_name() {
    let home = MemoryHome::new();
    create(&MemoryStore::new(), &home).await.unwrap().close().await.unwrap();
    let other = MemoryStore::new();
    let refused = create(&other, &home).await.unwrap_err();
    assert_eq!(refused.code(), Code::Invalid);
    assert!(
        refused
            .to_string()
            .contains("`memory` holds the audit log of another vault"),
        "{refused}"
    );
    create(&other, &MemoryHome::new()).await.unwrap();
}

/// A collector that is down when its switch says so.
#[derive(Clone, Default)]
struct Collector {
    lines: Arc<Mutex<Vec<String>>>,
    down: Arc<AtomicBool>,
}

impl Sink for Collector {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new("collector", SinkDurability::Synced)
    }

    fn durable(&self) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), LogError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(LogError::other("the collector is down"));
        }
        let lines = batch.lines().map(|line| String::from_utf8_lossy(line).into_owned());
        self.lines.lock().unwrap().extend(lines);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_released_while_a_required_sink_is_down() {
    let scratch = tempfile::tempdir().unwrap();
    let collector = Collector::default();
    let vault = Vault::builder()
        .store(MemoryStore::new())
        .kek(LocalKek::copy_of(&KEK))
        .audit(FileSink::open(scratch.path().join("audit")).await.unwrap())
        .also_audit_required(collector.clone())
        .create()
        .await
        .unwrap();
    let operator = vault.operator("ann");
    operator.keys().set(&key(), Secret::copy_of(b"sk-1")).await.unwrap();
    operator.retrieve(&key()).await.unwrap();
    let retrievals = |lines: &Vec<String>| lines.iter().filter(|line| line.contains("key.retrieve")).count();
    assert_eq!(retrievals(&collector.lines.lock().unwrap()), 1);

    collector.down.store(true, Ordering::SeqCst);
    let refused = operator.retrieve(&key()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    collector.down.store(false, Ordering::SeqCst);
    operator.retrieve(&key()).await.unwrap();
    vault.close().await.unwrap();
}

#[tokio::test]
async fn a_required_sink_that_acknowledges_nothing_is_refused_before_anything_is_made() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let builder = || {
        let builder = Vault::builder().store(store.clone()).kek(LocalKek::copy_of(&KEK));
        builder.audit(home.clone()).also_audit_required(StdoutSink::new())
    };
    let refused = builder().create().await.unwrap_err();
    let told = format!("{refused:?} {refused}");
    assert!(told.contains("stdout"), "{told}");
    assert!(home.lines().is_empty());
    create(&store, &home).await.unwrap().close().await.unwrap();
    assert!(builder().open().await.is_err());
}
