//! Several processes on one file: none loses the other's writes, one that is killed loses nothing that it was told is there, and one
//! whose write fails does nothing more.
//!
//! This program starts itself again, with the part to play in `PART` and the file in `STORE`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "this is a test without the test harness"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ibyok_storage::{ChangeNumber, Collection, Error, Expect, FileStore, Kind, RecordId, Revision, Store};

const ADDERS: u64 = 4;
const TIMES: u64 = 25;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::var_os("STORE").unwrap_or_default();
    match std::env::var("PART").as_deref() {
        Ok("add") => add(Path::new(&path)).await,
        Ok("count") => count(Path::new(&path)).await,
        Ok("overflow") => overflow(Path::new(&path)).await,
        Ok(part) => panic!("there is no part `{part}`"),
        Err(_) => {
            processes_lose_no_update_of_each_other().await;
            a_killed_process_loses_nothing_that_was_acknowledged().await;
            a_failed_write_ends_the_use_of_the_handle().await;
        }
    }
}

fn id(number: u8) -> RecordId {
    RecordId::new(Collection::new(Kind::new(3), *b"aB3dE5gH").unwrap(), [number; 16])
}

fn start(part: &str, path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env("PART", part)
        .env("STORE", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// They also race to make the file.
async fn processes_lose_no_update_of_each_other() {
    let directory = directory();
    let path = directory.path().join("store");
    let mut adders: Vec<Child> = (0..ADDERS).map(|_| start("add", &path)).collect();
    for adder in &mut adders {
        assert!(adder.wait().unwrap().success());
    }
    let store = FileStore::open(&path).await.unwrap();
    assert_eq!(read(&store, 1).await.0, ADDERS * TIMES);
    let changes = store.changes(ChangeNumber::default()).await.unwrap();
    assert_eq!(changes.upto.as_u64(), ADDERS * TIMES);
    assert!(
        changes
            .changes
            .iter()
            .zip(1..)
            .all(|(change, number)| change.number.as_u64() == number)
    );
    println!("test processes_lose_no_update_of_each_other ... ok");
}

async fn add(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    for _ in 0..TIMES {
        loop {
            let (number, expect) = read(&store, 1).await;
            match store.put(&id(1), &(number + 1).to_be_bytes(), expect).await {
                Ok(_) => break,
                Err(Error::Exists | Error::Conflict) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

async fn read(store: &FileStore, number: u8) -> (u64, Expect) {
    match store.get(&id(number)).await.unwrap() {
        Some(stored) => (
            u64::from_be_bytes(stored.bytes.try_into().unwrap()),
            Expect::Revision(stored.revision),
        ),
        None => (0, Expect::Absent),
    }
}

/// `SIGKILL`, again and again on the same file, after another acknowledged write each time.
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let directory = directory();
    let path = directory.path().join("store");
    let mut acknowledged = 0;
    for round in 1..=10 {
        let mut child = start("count", &path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..round {
            acknowledged = lines.next().unwrap().unwrap().parse().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died counts as well.
        if let Some(last) = lines.map_while(Result::ok).filter_map(|line| line.parse().ok()).last() {
            acknowledged = last;
        }
        let store = FileStore::open(&path).await.unwrap();
        let there = read(&store, 1).await.0;
        assert!(
            there == acknowledged || there == acknowledged + 1,
            "acknowledged {acknowledged}, there {there}"
        );
    }
    println!("test a_killed_process_loses_nothing_that_was_acknowledged ... ok");
}

async fn count(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    loop {
        let (number, expect) = read(&store, 1).await;
        store.put(&id(1), &(number + 1).to_be_bytes(), expect).await.unwrap();
        println!("{}", number + 1);
    }
}

/// A limit on the size of files makes the write fail in a way that is not "no room left".
async fn a_failed_write_ends_the_use_of_the_handle() {
    let directory = directory();
    let path = directory.path().join("store");
    let script = "trap '' XFSZ; ulimit -f 512; exec \"$0\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("PART", "overflow")
        .env("STORE", &path);
    assert!(command.status().unwrap().success());
    let store = FileStore::open(&path).await.unwrap();
    assert_eq!(store.get(&id(1)).await.unwrap().unwrap().bytes, b"small");
    assert!(store.get(&id(2)).await.unwrap().is_none());
    store.put(&id(2), &vec![7; 4 << 20], Expect::Absent).await.unwrap();
    println!("test a_failed_write_ends_the_use_of_the_handle ... ok");
}

async fn overflow(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    store.put(&id(1), b"small", Expect::Absent).await.unwrap();
    let poisoned = |answer: Option<Error>| assert!(matches!(answer, Some(Error::Poisoned { .. })), "{answer:?}");
    poisoned(store.put(&id(2), &vec![7; 4 << 20], Expect::Absent).await.err());
    poisoned(store.put(&id(3), b"small", Expect::Absent).await.err());
    poisoned(store.get(&id(1)).await.err());
    poisoned(store.list(id(1).collection(), None, 5).await.err());
    poisoned(store.changes(ChangeNumber::default()).await.err());
    poisoned(store.wait(ChangeNumber::default()).await.err());
    poisoned(store.delete(&id(1), Revision::new(1)).await.err());
    poisoned(store.check().await.err());
    poisoned(store.clone().get(&id(1)).await.err());
    let reopened = FileStore::open(path).await.unwrap();
    assert_eq!(reopened.get(&id(1)).await.unwrap().unwrap().bytes, b"small");
    reopened.put(&id(3), b"small", Expect::Absent).await.unwrap();
}
