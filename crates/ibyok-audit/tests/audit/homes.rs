//! Logs in homes: what a receipt proves, what a crash leaves, and what a tampered copy comes to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use ibyok_audit::conformance::HomeHarness;
use ibyok_audit::{AuditHome, Error, FileSink, Filter, Hold, Home, HomeFile, Log, MemoryHome, Reader, SinkDescription};

use crate::support::{append, check, event, key, lines};

#[derive(Default)]
struct Memory(Mutex<std::collections::BTreeMap<String, MemoryHome>>);

impl HomeHarness for Memory {
    fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error> {
        Ok(Arc::new(
            self.0.lock().unwrap().entry(place.to_owned()).or_default().clone(),
        ))
    }
}

mod memory {
    ibyok_audit::home_conformance!(super::Memory::default());
}

/// A home in memory that fails on demand.
#[derive(Debug, Clone, Default)]
struct Flaky {
    inner: MemoryHome,
    switches: Arc<Switches>,
}

#[derive(Debug, Default)]
struct Switches {
    refuses: AtomicBool,
    loses_answers: AtomicBool,
    appends: AtomicU32,
}

impl Home for Flaky {
    fn describe(&self) -> SinkDescription {
        self.inner.describe()
    }
    fn logs(&self) -> Result<Vec<String>, Error> {
        self.inner.logs()
    }
    fn take(&self, log: &str) -> Result<Option<Hold>, Error> {
        self.inner.take(log)
    }
    fn files(&self, log: &str) -> Result<Vec<HomeFile>, Error> {
        self.inner.files(log)
    }
    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        self.inner.read(log, file, offset, limit)
    }
    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        if self.switches.refuses.load(Ordering::SeqCst) {
            return Err(Error::other("the network is down"));
        }
        self.inner.append(log, file, offset, bytes)?;
        self.switches.appends.fetch_add(1, Ordering::SeqCst);
        if self.switches.loses_answers.load(Ordering::SeqCst) {
            return Err(Error::other("the connection was reset"));
        }
        Ok(())
    }
    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Error> {
        if self.switches.refuses.load(Ordering::SeqCst) {
            return Err(Error::other("the network is down"));
        }
        self.inner.replace(log, file, bytes)
    }
}

async fn open(home: &(impl Home + Clone + 'static), directory: &Path) -> Log {
    let sink = FileSink::builder(directory)
        .segment_bytes(4096)
        .home(home.clone())
        .open()
        .await
        .unwrap();
    Log::builder().home(sink).signing_key(key()).open().await.unwrap()
}

/// A copy of everything that the home holds, made by a process that has nothing else.
async fn fresh_copy(home: &MemoryHome) -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("copy");
    drop(FileSink::builder(&place).home(home.clone()).open().await.unwrap());
    (scratch, place)
}

fn slot(place: &Path) -> PathBuf {
    place.join("slot-0")
}

fn numbers(place: &Path) -> Vec<u64> {
    let lines = Reader::open(place).unwrap().lines(&Filter::default()).unwrap();
    lines.map(|line| line.unwrap().entry().seq).collect()
}

#[tokio::test]
async fn a_log_goes_on_from_its_home_on_another_machine() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    for machine in ["a", "b", "c"] {
        let log = open(&home, &scratch.path().join(machine)).await;
        for n in 0..20 {
            append(&log, event(n)).await;
        }
        log.close().await.unwrap();
    }
    let (_copy, place) = fresh_copy(&home).await;
    let report = check(&place);
    assert!(report.ok, "{report:?}");
    assert_eq!(numbers(&place), (1..=66).collect::<Vec<_>>());
    assert_eq!(home.lines().len(), 66);
}

#[tokio::test]
async fn every_acknowledged_line_is_in_the_home_when_its_receipt_comes() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let log = open(&home, &scratch.path().join("a")).await;
    for n in 0..50 {
        let seq = append(&log, event(n)).await;
        assert_eq!(home.lines().len() as u64, seq);
    }
    log.close().await.unwrap();
}

#[tokio::test]
async fn the_copy_is_the_home_byte_for_byte() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let place = scratch.path().join("a");
    let log = open(&home, &place).await;
    for n in 0..60 {
        append(&log, event(n)).await;
    }
    let id = log.id().to_owned();
    log.close().await.unwrap();
    let files = home.files(&id).unwrap();
    assert!(
        files.len() > 8,
        "segments, their beginnings, the key, the state, the checkpoints: {files:?}"
    );
    for file in files {
        let copy = std::fs::read(slot(&place).join(&file.name)).unwrap();
        assert_eq!(copy, home.read(&id, &file.name, 0, 1 << 24).unwrap(), "{}", file.name);
    }
}

#[tokio::test]
async fn no_receipt_comes_while_the_home_refuses_and_the_log_goes_on_afterwards() {
    let (home, scratch) = (Flaky::default(), tempfile::tempdir().unwrap());
    let place = scratch.path().join("a");
    let log = open(&home, &place).await;
    append(&log, event(1)).await;
    home.switches.refuses.store(true, Ordering::SeqCst);
    let refused = log.append(event(2)).await.unwrap_err();
    assert!(refused.to_string().contains("the network is down"), "{refused}");
    assert!(log.reopen().await.is_err());
    home.switches.refuses.store(false, Ordering::SeqCst);
    assert!(
        log.append(event(2)).await.is_err(),
        "nothing is believed until a reopen"
    );
    log.reopen().await.unwrap();
    append(&log, event(3)).await;
    log.close().await.unwrap();
    assert!(check(&place).ok);
    let (_copy, place) = fresh_copy(&home.inner).await;
    let report = check(&place);
    assert!(report.ok, "{report:?}");
}

#[tokio::test]
async fn a_line_whose_acknowledgement_was_lost_is_on_the_log_once() {
    let (home, scratch) = (Flaky::default(), tempfile::tempdir().unwrap());
    let place = scratch.path().join("a");
    let log = open(&home, &place).await;
    append(&log, event(1)).await;
    home.switches.loses_answers.store(true, Ordering::SeqCst);
    assert!(log.append(event(2)).await.is_err());
    home.switches.loses_answers.store(false, Ordering::SeqCst);
    log.reopen().await.unwrap();
    append(&log, event(3)).await;
    log.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok, "{report:?}");
    let text = home.inner.lines().join("\n");
    assert_eq!(text.matches("key-2").count(), 1);
    assert_eq!(
        numbers(&place),
        (1..=home.inner.lines().len() as u64).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_copy_that_is_removed_under_the_log_is_fetched_again_by_a_reopen() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let place = scratch.path().join("a");
    let log = open(&home, &place).await;
    for n in 0..30 {
        append(&log, event(n)).await;
    }
    std::fs::rename(&place, scratch.path().join("gone")).unwrap();
    assert!(log.append(event(30)).await.is_err());
    log.reopen().await.unwrap();
    append(&log, event(31)).await;
    log.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok, "{report:?}");
    assert!(numbers(&place).len() >= 34, "the lines from before are there");
}

#[tokio::test]
async fn a_copy_that_was_changed_is_replaced_by_the_home_and_kept_aside() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let place = scratch.path().join("a");
    let log = open(&home, &place).await;
    for n in 0..5 {
        append(&log, event(n)).await;
    }
    log.close().await.unwrap();
    let segment = slot(&place).join("audit-00000001.log");
    let forged = std::fs::read_to_string(&segment).unwrap().replace("key-3", "key-9");
    std::fs::write(&segment, &forged).unwrap();
    open(&home, &place).await.close().await.unwrap();
    assert!(check(&place).ok);
    assert!(!std::fs::read_to_string(&segment).unwrap().contains("key-9"));
    let kept = slot(&place).join("displaced-1-audit-00000001.log");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), forged);
}

#[tokio::test]
async fn lines_that_the_home_lost_come_back_from_the_copy() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let place = scratch.path().join("a");
    let log = open(&home, &place).await;
    let id = log.id().to_owned();
    for n in 0..5 {
        append(&log, event(n)).await;
    }
    log.close().await.unwrap();
    let before = home.lines();
    let first = home.read(&id, "audit-00000001.log", 0, 1 << 20).unwrap();
    let cut = first.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    home.replace(&id, "audit-00000001.log", &first[..cut]).unwrap();
    open(&home, &place).await.close().await.unwrap();
    assert_eq!(&home.lines()[..before.len()], &before[..]);
    assert!(check(&place).ok);
}

#[tokio::test]
async fn a_home_that_loses_signed_lines_and_has_no_copy_is_found_out() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let log = open(&home, &scratch.path().join("a")).await;
    let id = log.id().to_owned();
    for n in 0..3 {
        append(&log, event(n)).await;
    }
    log.close().await.unwrap();
    let first = home.read(&id, "audit-00000001.log", 0, 1 << 20).unwrap();
    let cut = first.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    home.replace(&id, "audit-00000001.log", &first[..cut]).unwrap();
    let place = scratch.path().join("b");
    let log = open(&home, &place).await;
    append(&log, event(9)).await;
    log.close().await.unwrap();
    assert!(
        home.lines()
            .iter()
            .any(|line| line.contains("log.gap") && line.contains("missing"))
    );
    let report = check(&place);
    assert!(!report.ok, "{report:?}");
}

#[tokio::test]
async fn two_processes_write_two_logs_of_one_home() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let one = open(&home, &scratch.path().join("a")).await;
    let two = open(&home, &scratch.path().join("b")).await;
    assert_ne!(one.id(), two.id());
    append(&one, event(1)).await;
    append(&two, event(2)).await;
    let ids = [one.id().to_owned(), two.id().to_owned()];
    one.close().await.unwrap();
    two.close().await.unwrap();
    // A third process goes on with one that is free, and reads both.
    let three = open(&home, &scratch.path().join("c")).await;
    assert!(ids.contains(&three.id().to_owned()));
    three.close().await.unwrap();
    let keys = numbers(&scratch.path().join("c"));
    assert!(keys.iter().filter(|seq| **seq == 1).count() == 2, "{keys:?}");
}

#[tokio::test]
async fn a_writer_that_lost_its_hold_is_stopped_by_the_next_one() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let old = open(&home, &scratch.path().join("a")).await;
    append(&old, event(1)).await;
    // The home forgets the hold, as an expired lease does.
    let stolen = MemoryHome::new();
    for file in home.files(old.id()).unwrap() {
        let bytes = home.read(old.id(), &file.name, 0, 1 << 20).unwrap();
        stolen.replace(old.id(), &file.name, &bytes).unwrap();
    }
    let next = open(&stolen, &scratch.path().join("b")).await;
    append(&next, event(2)).await;
    for file in stolen.files(old.id()).unwrap() {
        let bytes = stolen.read(old.id(), &file.name, 0, 1 << 20).unwrap();
        home.replace(old.id(), &file.name, &bytes).unwrap();
    }
    let refused = old.append(event(3)).await.unwrap_err();
    assert!(refused.to_string().contains("another program wrote to it"), "{refused}");
    assert!(!home.lines().iter().any(|line| line.contains("key-3")));
    next.close().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_had_no_home_moves_into_one_with_its_log() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("a");
    crate::support::written(&place, 12).await;
    let before = lines(&place);
    let home = MemoryHome::new();
    open(&home, &place).await.close().await.unwrap();
    assert!(home.lines().starts_with(&before));
    let (_copy, copy) = fresh_copy(&home).await;
    assert!(check(&copy).ok);
}

#[tokio::test]
async fn a_home_without_a_directory_leaves_none_behind() {
    let home = MemoryHome::new();
    let sink = AuditHome::from(home.clone()).open().await.unwrap();
    let log = Log::builder().home(sink).signing_key(key()).open().await.unwrap();
    let place = log.status().place;
    append(&log, event(1)).await;
    assert!(place.is_dir());
    assert_eq!(log.status().durability, home.describe().durability);
    log.close().await.unwrap();
    assert!(!place.exists());
    assert_eq!(home.lines().len(), 3);
}

#[tokio::test]
async fn names_that_a_home_invents_become_no_paths() {
    let (home, scratch) = (MemoryHome::new(), tempfile::tempdir().unwrap());
    let log = open(&home, &scratch.path().join("a")).await;
    let id = log.id().to_owned();
    log.close().await.unwrap();
    for name in [
        "../../escaped",
        "id",
        "lock",
        "audit-1.log",
        "audit-+0000001.log",
        "/tmp/x",
        "state.new",
        "",
    ] {
        home.replace(&id, name, b"x").unwrap();
    }
    home.replace("../elsewhere", "state", b"x").unwrap();
    let place = scratch.path().join("deep/er/b");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    open(&home, &place).await.close().await.unwrap();
    assert!(check(&place).ok);
    let found: Vec<_> = std::fs::read_dir(scratch.path().join("deep"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(found, ["er"]);
    assert_eq!(std::fs::read_to_string(slot(&place).join("id")).unwrap().trim(), id);
    assert!(!slot(&place).join("audit-1.log").exists());
}
