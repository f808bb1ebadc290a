//! The authenticated map: what its processes see, what harm shows, and how large its file grows.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test expects it may say"
)]

use std::path::Path;
use std::sync::Arc;

use ibyok_storage::{AuthenticatedMap, Error, MapChange, MapDurability, MapKey, MapVerdict, map_files};
use sqlx::Connection;

/// A keyed hash that is good enough for a test: FNV-1a over key and bytes, four times.
#[derive(Debug)]
struct Key(u8, &'static str);

impl MapKey for Key {
    fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = [0; 32];
        for (round, chunk) in mac.chunks_exact_mut(8).enumerate() {
            let start = 0xcbf2_9ce4_8422_2325 ^ (u64::from(self.0) << 8) ^ round as u64;
            let hash = bytes.iter().fold(start, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            chunk.copy_from_slice(&hash.to_be_bytes());
        }
        mac
    }

    fn owner(&self) -> String {
        self.1.to_owned()
    }
}

fn key() -> Arc<dyn MapKey> {
    Arc::new(Key(1, "us"))
}

fn raise(n: u64, number: u64) -> MapChange {
    MapChange::Raise {
        key: n.to_be_bytes().repeat(3),
        number,
    }
}

async fn number(map: &AuthenticatedMap, n: u64) -> Option<u64> {
    map.number(&n.to_be_bytes().repeat(3)).await.unwrap()
}

async fn raised(path: &Path, count: u64) -> AuthenticatedMap {
    let map = AuthenticatedMap::create(path, key()).await.unwrap();
    let changes = (0..count).map(|n| raise(n, n + 1)).collect();
    map.apply(changes, MapDurability::Disk).await.unwrap();
    map
}

#[tokio::test]
async fn a_number_only_rises_and_every_handle_sees_it() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("map");
    assert!(AuthenticatedMap::open(&path, key()).await.unwrap().is_none());
    let one = raised(&path, 3).await;
    let two = AuthenticatedMap::open(&path, key()).await.unwrap().unwrap();
    let before = one.summary().await.unwrap();
    two.apply(vec![raise(1, 9), raise(2, 1)], MapDurability::Kernel)
        .await
        .unwrap();
    assert_eq!((number(&one, 1).await, number(&one, 2).await), (Some(9), Some(3)));
    let after = one.summary().await.unwrap();
    assert_eq!((after.generation, after.numbers), (before.generation + 1, 3));
    assert_ne!(after.tag, before.tag);
    // What changes nothing writes nothing.
    assert_eq!(two.apply(vec![raise(1, 4)], MapDurability::Disk).await.unwrap(), after);
    assert_eq!(one.verify().await.unwrap(), MapVerdict::Whole(after));
    let set = |number| MapChange::Set {
        key: 1_u64.to_be_bytes().repeat(3),
        number,
    };
    one.apply(vec![set(Some(2))], MapDurability::Disk).await.unwrap();
    assert_eq!(number(&two, 1).await, Some(2));
    one.apply(vec![set(None)], MapDurability::Disk).await.unwrap();
    assert_eq!((number(&two, 1).await, two.summary().await.unwrap().numbers), (None, 2));
}

#[tokio::test]
async fn the_file_of_another_key_or_owner_is_not_opened() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("map");
    raised(&path, 3).await.close().await;
    let other_key = AuthenticatedMap::open(&path, Arc::new(Key(2, "us"))).await;
    assert!(matches!(other_key, Err(Error::Corrupt { .. })), "{other_key:?}");
    let other_owner = AuthenticatedMap::open(&path, Arc::new(Key(1, "them"))).await;
    assert!(matches!(other_owner, Err(Error::Refused { .. })), "{other_owner:?}");
}

/// Runs SQL as whoever can write to the file.
async fn edit(path: &Path, sql: &'static str) {
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_item_that_was_changed_removed_added_or_swapped_shows() {
    for sql in [
        "UPDATE numbers SET value = 1 WHERE value = 3",
        "DELETE FROM numbers WHERE value = 2",
        "UPDATE numbers SET mac = x'00000000000000000000000000000000' WHERE value = 2",
        "INSERT INTO numbers SELECT x'01', value, mac FROM numbers WHERE value = 2",
        "UPDATE numbers SET mac = (SELECT mac FROM numbers WHERE value = 3) WHERE value = 2",
        "UPDATE whole SET numbers = numbers - 1",
        "UPDATE whole SET generation = generation + 1",
        "DELETE FROM whole",
        "DROP TABLE texts",
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("map");
        raised(&path, 5).await.close().await;
        edit(&path, sql).await;
        let shows = match AuthenticatedMap::open(&path, key()).await {
            Ok(Some(map)) => !matches!(map.verify().await, Ok(MapVerdict::Whole(_))),
            Ok(None) => false,
            Err(Error::Corrupt { .. }) => true,
            Err(error) => panic!("{sql}: {error}"),
        };
        assert!(shows, "{sql}");
    }
}

#[tokio::test]
async fn an_older_item_in_a_newer_file_shows() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, older) = (scratch.path().join("map"), scratch.path().join("older"));
    let map = raised(&path, 5).await;
    map.close().await;
    std::fs::copy(&path, &older).unwrap();
    let map = AuthenticatedMap::open(&path, key()).await.unwrap().unwrap();
    map.apply(vec![raise(1, 50), raise(2, 60)], MapDurability::Disk)
        .await
        .unwrap();
    map.close().await;
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query("ATTACH ?1 AS older")
        .bind(older.to_str().unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    // Its value and its MAC are both good, and both old.
    let put_back = "UPDATE numbers SET (value, mac) = (SELECT o.value, o.mac FROM older.numbers o WHERE o.key = numbers.key) \
                    WHERE value = 50";
    let changed = sqlx::raw_sql(put_back).execute(&mut connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    connection.close().await.unwrap();
    let map = AuthenticatedMap::open(&path, key()).await.unwrap().unwrap();
    assert_eq!(map.verify().await.unwrap(), MapVerdict::Damaged);
}

#[tokio::test]
async fn a_file_that_was_cut_never_opens_as_a_smaller_one() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("map");
    raised(&path, 2000).await.close().await;
    let whole = std::fs::read(&path).unwrap();
    for eighths in 1..8 {
        let cut = scratch.path().join(format!("cut-{eighths}"));
        std::fs::write(&cut, &whole[..whole.len() * eighths / 8]).unwrap();
        let opened = AuthenticatedMap::open(&cut, key()).await;
        assert!(matches!(opened, Err(Error::Corrupt { .. })), "{eighths}: {opened:?}");
    }
}

#[tokio::test]
async fn the_size_follows_the_number_of_records_and_not_their_history() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("map");
    let map = raised(&path, 1000).await;
    let size = || -> u64 {
        let files = map_files(&path);
        files
            .iter()
            .filter_map(|file| std::fs::metadata(file).ok())
            .map(|file| file.len())
            .sum()
    };
    for round in 0..60 {
        let changes = (0..1000).map(|n| raise(n, 10_000 + round)).collect();
        map.apply(changes, MapDurability::Kernel).await.unwrap();
    }
    // 100 bytes a record, and what SQLite keeps in its -wal file until it is moved into the main file.
    assert!(size() < 1000 * 100 + (6 << 20), "{}", size());
    map.close().await;
    assert!(size() < 1000 * 100 + 16_384, "{}", size());
}
