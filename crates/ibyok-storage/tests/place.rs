//! The file backend takes some files and refuses others, and notices files that change under it.
#![expect(clippy::unwrap_used, reason = "a test's set-up may fail")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ibyok_storage::{ChangeNumber, Changes, Collection, Error, Expect, FileStore, Kind, RecordId, Revision, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("store");
    (directory, path)
}

fn id(number: u8) -> RecordId {
    RecordId::new(Collection::new(Kind::new(3), *b"aB3dE5gH").unwrap(), [number; 16])
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// A store with one record, closed.
async fn made(path: &Path) {
    let store = FileStore::open(path).await.unwrap();
    store.put(&id(1), b"first", Expect::Absent).await.unwrap();
}

async fn sql(path: &Path, statement: String) {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    set_mode(path, 0o600);
}

async fn refusal(path: &Path) -> String {
    let error = FileStore::open(path).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(!error.hint().is_empty());
    error.to_string()
}

#[tokio::test]
async fn a_missing_file_reads_as_an_empty_store_and_is_not_made() {
    let (directory, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    assert!(store.get(&id(1)).await.unwrap().is_none());
    assert!(store.list(id(1).collection(), None, 5).await.unwrap().is_empty());
    assert_eq!(
        store.changes(ChangeNumber::default()).await.unwrap(),
        Changes::default()
    );
    assert!(store.changes(ChangeNumber::new(1)).await.unwrap().gap);
    assert!(matches!(
        store.delete(&id(1), Revision::new(1)).await,
        Err(Error::Conflict)
    ));
    assert!(matches!(
        store.put(&id(1), b"x", Expect::Revision(Revision::new(1))).await,
        Err(Error::Conflict)
    ));
    store.check().await.unwrap();
    store.checkpoint_truncate().await.unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_first_put_makes_files_that_only_their_owner_may_read() {
    let (_directory, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    store.put(&id(1), b"x", Expect::Absent).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn a_handle_that_was_opened_before_the_file_was_made_sees_it() {
    let (_directory, path) = place();
    let early = FileStore::open(&path).await.unwrap();
    made(&path).await;
    assert_eq!(early.get(&id(1)).await.unwrap().unwrap().bytes, b"first");
}

#[tokio::test]
async fn an_empty_file_is_an_empty_store() {
    let (_directory, path) = place();
    fs::write(&path, b"").unwrap();
    set_mode(&path, 0o600);
    let store = FileStore::open(&path).await.unwrap();
    assert!(store.get(&id(1)).await.unwrap().is_none());
    store.put(&id(1), b"first", Expect::Absent).await.unwrap();
    assert_eq!(store.get(&id(1)).await.unwrap().unwrap().bytes, b"first");
}

#[tokio::test]
async fn a_missing_directory_is_an_error_at_the_first_put() {
    let (directory, _) = place();
    let store = FileStore::open(directory.path().join("no/such/store")).await.unwrap();
    assert!(store.get(&id(1)).await.unwrap().is_none());
    let error = store.put(&id(1), b"x", Expect::Absent).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("no directory"), "{error}");
}

#[tokio::test]
async fn a_file_that_others_may_read_is_refused() {
    let (_directory, path) = place();
    made(&path).await;
    for wrong in [0o644, 0o640, 0o604, 0o620, 0o602] {
        set_mode(&path, wrong);
        assert!(refusal(&path).await.contains(&format!("mode {wrong:04o}")));
    }
    set_mode(&path, 0o600);
    FileStore::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_others_may_write_to_is_refused() {
    let (directory, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    for wrong in [0o770, 0o707, 0o1777] {
        set_mode(directory.path(), wrong);
        let error = store.put(&id(1), b"x", Expect::Absent).await.unwrap_err();
        assert!(error.to_string().contains("other users can write"), "{error}");
        assert!(!path.exists());
    }
    set_mode(directory.path(), 0o755);
    store.put(&id(1), b"x", Expect::Absent).await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_file_is_refused() {
    let (directory, _) = place();
    assert!(refusal(directory.path()).await.contains("not a file"));
}

#[tokio::test]
async fn what_is_not_a_store_is_said_to_be_damaged() {
    let (_directory, path) = place();
    fs::write(&path, "OPENAI_API_KEY=sk-SENTINEL\n".repeat(100)).unwrap();
    set_mode(&path, 0o600);
    let error = FileStore::open(&path).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("SENTINEL"));
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    let (_directory, path) = place();
    sql(&path, "CREATE TABLE bookmarks (url TEXT)".to_owned()).await;
    let before = fs::read(&path).unwrap();
    let error = FileStore::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_newer_format_is_refused_naming_both() {
    let (_directory, path) = place();
    made(&path).await;
    sql(&path, "PRAGMA user_version = 99".to_owned()).await;
    let error = FileStore::open(&path).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Newer {
                found: 99,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the store has format 99, and this program supports formats up to 1"
    );
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_no_record() {
    let (_directory, path) = place();
    made(&path).await;
    FileStore::open(&path)
        .await
        .unwrap()
        .checkpoint_truncate()
        .await
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(4096) {
        *byte = 0xa5;
    }
    fs::write(&path, bytes).unwrap();
    let answer = async { FileStore::open(&path).await?.get(&id(1)).await }.await;
    assert!(matches!(answer, Err(Error::Corrupt { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_row_that_no_store_writes_is_an_error_and_no_panic() {
    let (_directory, path) = place();
    made(&path).await;
    for spoil in ["UPDATE changes SET kind = 300, number = 1", "DELETE FROM counters"] {
        sql(&path, spoil.to_owned()).await;
        let store = FileStore::open(&path).await.unwrap();
        let answers = [
            store.get(&id(1)).await.map(drop).is_err(),
            store.list(id(1).collection(), None, 5).await.is_err(),
            store.changes(ChangeNumber::default()).await.is_err(),
        ];
        assert!(answers.contains(&true), "{spoil}");
    }
}

#[tokio::test]
async fn a_row_with_a_number_or_an_id_that_no_store_gives_closes_no_collection() {
    let (_directory, path) = place();
    made(&path).await;
    sql(&path, "UPDATE records SET revision = -5".to_owned()).await;
    let store = FileStore::open(&path).await.unwrap();
    let there = store.get(&id(1)).await.unwrap().unwrap();
    let listed = store.list(id(1).collection(), None, 5).await.unwrap();
    assert!(listed.contains(&id(1)));
    // It is written over and deleted like any other.
    let revision = store
        .put(&id(1), b"mended", Expect::Revision(there.revision))
        .await
        .unwrap();
    assert_eq!(store.get(&id(1)).await.unwrap().unwrap().revision, revision);
    drop(store);
    sql(&path, "UPDATE records SET id = x'01'".to_owned()).await;
    let store = FileStore::open(&path).await.unwrap();
    assert_eq!(store.list(id(1).collection(), None, 5).await.unwrap(), []);
    assert!(store.get(&id(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_file_that_vanishes_is_noticed() {
    let (_directory, path) = place();
    made(&path).await;
    let store = FileStore::open(&path).await.unwrap();
    fs::remove_file(&path).unwrap();
    notices(&store).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_replaced_is_noticed() {
    let (directory, path) = place();
    let other = directory.path().join("other");
    made(&path).await;
    made(&other).await;
    let store = FileStore::open(&path).await.unwrap();
    fs::rename(&other, &path).unwrap();
    notices(&store).await;
}

#[tokio::test]
async fn a_log_that_is_deleted_is_noticed() {
    let (_directory, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    store.put(&id(1), b"first", Expect::Absent).await.unwrap();
    fs::remove_file(beside(&path, "-wal")).unwrap();
    notices(&store).await;
}

/// Neither a write nor a look at the feed pretends that all is well.
async fn notices(store: &FileStore) {
    let gone = |error: Error| assert!(error.to_string().contains("gone or was replaced"), "{error}");
    gone(store.put(&id(2), b"x", Expect::Absent).await.unwrap_err());
    gone(store.changes(ChangeNumber::default()).await.unwrap_err());
    gone(store.wait(ChangeNumber::default()).await.unwrap_err());
    gone(store.check().await.unwrap_err());
}

#[tokio::test]
async fn what_was_replaced_or_deleted_is_on_no_page_any_more() {
    let (_directory, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let first = store
        .put(&id(1), &b"SENTINEL-1 ".repeat(2000), Expect::Absent)
        .await
        .unwrap();
    store.put(&id(1), b"x", Expect::Revision(first)).await.unwrap();
    let second = store.put(&id(2), b"SENTINEL-2", Expect::Absent).await.unwrap();
    store.delete(&id(2), second).await.unwrap();
    store.checkpoint_truncate().await.unwrap();
    assert_eq!(fs::metadata(beside(&path, "-wal")).unwrap().len(), 0);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"SENTINEL"));
}

#[tokio::test]
async fn a_link_leads_to_the_file_itself() {
    let (directory, path) = place();
    made(&path).await;
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let store = FileStore::open(&link).await.unwrap();
    assert_eq!(store.path(), fs::canonicalize(&path).unwrap());
    store.put(&id(2), b"x", Expect::Absent).await.unwrap();
    assert!(!beside(&link, "-wal").exists());
}

#[tokio::test]
async fn a_refused_write_leaves_the_handle_at_work() {
    let (_directory, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    for number in 0..50 {
        store.put(&id(number), b"x", Expect::Absent).await.unwrap();
        assert!(matches!(
            store.put(&id(number), b"y", Expect::Absent).await,
            Err(Error::Exists)
        ));
    }
}

#[tokio::test]
async fn debug_shows_the_path_and_nothing_else() {
    let (_directory, path) = place();
    made(&path).await;
    let store = FileStore::open(&path).await.unwrap();
    assert_eq!(
        format!("{store:?}"),
        format!("FileStore {{ path: {:?}, .. }}", store.path())
    );
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_stops_writers_for_seconds_and_readers_not_at_all() {
    let (_directory, path) = place();
    made(&path).await;
    let store = FileStore::open(&path).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();

    let begun = Instant::now();
    let (id_of_put, id_of_get) = (id(2), id(1));
    let (put, get) = tokio::join!(store.put(&id_of_put, b"x", Expect::Absent), async {
        let stored = store.get(&id_of_get).await;
        (stored, begun.elapsed())
    });
    assert!(get.0.unwrap().is_some());
    assert!(get.1 < Duration::from_secs(2), "{:?}", get.1);
    let error = put.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("another process"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());

    other.execute("ROLLBACK").await.unwrap();
    store.put(&id(2), b"x", Expect::Absent).await.unwrap();
}
