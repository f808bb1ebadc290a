//! The authenticated map: what its processes see, what harm shows, and how large its file grows.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may panic on unexpected results"
)]

use std::path::Path;
use std::sync::Arc;

use ibyok_storage::{AuthenticatedMap, Error, MapChange, MapDurability, MapKey, MapVerdict, map_files};
use proptest::prelude::*;
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

/// Runs SQL, as an attacker who can write to the file.
async fn edit(path: &Path, sql: &'static str) {
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A key of an item.
fn name(n: u64) -> Vec<u8> {
    n.to_be_bytes().repeat(3)
}

/// Checks that everything that the file says of `count` numbers `n + 1` is right, or is an error.
async fn says_nothing_wrong(path: &Path, count: u64) -> Result<bool, Error> {
    let Some(map) = AuthenticatedMap::open(path, key()).await? else {
        return Ok(false);
    };
    let mut refused = map.verify().await? == MapVerdict::Damaged;
    for n in 0..count {
        match map.number(&name(n)).await {
            Ok(number) => assert_eq!(number, Some(n + 1), "a wrong answer"),
            Err(Error::Corrupt { .. }) => refused = true,
            Err(error) => return Err(error),
        }
    }
    map.close().await;
    Ok(!refused)
}

#[tokio::test]
async fn a_part_that_was_changed_removed_added_or_swapped_is_never_believed() {
    let count = 300;
    let scratch = tempfile::tempdir().unwrap();
    let whole = scratch.path().join("whole");
    raised(&whole, count).await.close().await;
    assert!(says_nothing_wrong(&whole, count).await.unwrap());
    for sql in [
        "UPDATE nodes SET body = (SELECT body FROM nodes WHERE id = 2) WHERE id = 1",
        "UPDATE nodes SET body = CAST(body || x'00' AS BLOB) WHERE id = 4",
        "DELETE FROM nodes WHERE id = 1",
        "DELETE FROM nodes WHERE id = 4",
        "DELETE FROM nodes",
        "UPDATE nodes SET (body, mac) = (SELECT body, mac FROM nodes WHERE id = 3) WHERE id = 4",
        "UPDATE nodes SET id = -id; UPDATE nodes SET id = 4 WHERE id = -5; UPDATE nodes SET id = 5 WHERE id = -4;
         UPDATE nodes SET id = -id WHERE id < 0",
        "INSERT INTO nodes SELECT 999, body, mac FROM nodes WHERE id = 4",
        "UPDATE whole SET numbers_root = texts_root",
        "UPDATE whole SET numbers = numbers - 1",
        "UPDATE whole SET generation = generation + 1",
        "UPDATE whole SET owner = 'them'",
        "DELETE FROM whole",
        "DROP TABLE nodes",
    ] {
        let path = scratch.path().join("edited");
        std::fs::copy(&whole, &path).unwrap();
        edit(&path, sql).await;
        match says_nothing_wrong(&path, count).await {
            Ok(believed) => assert!(!believed, "{sql}"),
            Err(Error::Corrupt { .. } | Error::Refused { .. }) => {}
            Err(error) => panic!("{sql}: {error}"),
        }
    }
}

/// Puts rows of an older file back into a newer one: those that `of` selects.
async fn put_back(path: &Path, older: &Path, of: &str) -> u64 {
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query("ATTACH ?1 AS older")
        .bind(older.to_str().unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    let changed = sqlx::raw_sql(sqlx::AssertSqlSafe(of.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    changed.rows_affected()
}

#[tokio::test]
async fn an_older_part_in_a_newer_file_is_never_believed() {
    let count = 300;
    let scratch = tempfile::tempdir().unwrap();
    let (whole, older) = (scratch.path().join("whole"), scratch.path().join("older"));
    let map = AuthenticatedMap::create(&whole, key()).await.unwrap();
    let all = |less| (0..count).map(|n| raise(n, n + 1 - less)).collect::<Vec<_>>();
    map.apply(all(1), MapDurability::Disk).await.unwrap();
    map.close().await;
    std::fs::copy(&whole, &older).unwrap();
    let map = AuthenticatedMap::open(&whole, key()).await.unwrap().unwrap();
    map.apply(all(0), MapDurability::Disk).await.unwrap();
    map.close().await;
    assert!(says_nothing_wrong(&whole, count).await.unwrap());
    // Every value and every MAC is good, and old: each node alone, the root with the row of the whole, all but that row.
    let nodes: Vec<u64> = (1..20).collect();
    let one = |n| format!("INSERT OR REPLACE INTO nodes SELECT * FROM older.nodes WHERE id = {n}");
    let mut edits: Vec<String> = nodes.iter().copied().map(one).collect();
    edits.push(format!(
        "{}; INSERT OR REPLACE INTO whole SELECT * FROM older.whole",
        one(1)
    ));
    edits.push("INSERT OR REPLACE INTO nodes SELECT * FROM older.nodes".to_owned());
    edits.push("INSERT OR REPLACE INTO whole SELECT * FROM older.whole".to_owned());
    let mut put = 0;
    for sql in edits {
        let path = scratch.path().join("edited");
        std::fs::copy(&whole, &path).unwrap();
        let rows = put_back(&path, &older, &sql).await;
        put += rows;
        match says_nothing_wrong(&path, count).await {
            // The tree of the texts is what it was.
            Ok(believed) => assert_eq!(believed, rows == 0 || sql == one(2), "{sql}"),
            Err(Error::Corrupt { .. }) => {}
            Err(error) => panic!("{sql}: {error}"),
        }
    }
    assert!(put > 10, "{put}");
}

#[tokio::test]
async fn a_handle_believes_no_older_file_than_it_has_seen() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, older) = (scratch.path().join("map"), scratch.path().join("older"));
    raised(&path, 300).await.close().await;
    std::fs::copy(&path, &older).unwrap();
    let map = AuthenticatedMap::open(&path, key()).await.unwrap().unwrap();
    map.apply(vec![raise(1, 50)], MapDurability::Disk).await.unwrap();
    assert_eq!(number(&map, 1).await, Some(50));
    let all = "INSERT OR REPLACE INTO nodes SELECT * FROM older.nodes; INSERT OR REPLACE INTO whole SELECT * FROM older.whole";
    assert!(put_back(&path, &older, all).await > 0);
    for _ in 0..2 {
        let refused = map.number(&name(1)).await.unwrap_err();
        assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
        assert!(map.apply(vec![raise(2, 60)], MapDurability::Disk).await.is_err());
        assert!(map.summary().await.is_err());
        assert_eq!(map.verify().await.unwrap(), MapVerdict::Damaged);
    }
    // Another of the same generation is no better.
    let other = AuthenticatedMap::open(&path, key()).await.unwrap().unwrap();
    other.apply(vec![raise(2, 60)], MapDurability::Disk).await.unwrap();
    let generations = [&map, &other].map(|map| map.seen());
    assert_eq!(generations[0], generations[1]);
    assert!(map.number(&name(1)).await.is_err());
}

#[tokio::test]
async fn what_is_readable_of_a_damaged_file_fits_its_macs() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("map");
    let map = raised(&path, 300).await;
    let put = MapChange::Put {
        key: b"x".to_vec(),
        text: Some("a text".to_owned()),
    };
    map.apply(vec![put], MapDurability::Disk).await.unwrap();
    map.close().await;
    edit(
        &path,
        "UPDATE nodes SET body = CAST(body || x'00' AS BLOB) WHERE id = 4",
    )
    .await;
    let map = AuthenticatedMap::open(&path, key()).await.unwrap().unwrap();
    let (mut numbers, mut texts, mut after) = (0, 0, None);
    while let Some(part) = map.readable(after).await.unwrap() {
        after = Some(part.last);
        texts += part.texts.len();
        numbers += part.numbers.len();
        for (key, number) in part.numbers {
            assert_eq!(key, name(number - 1));
        }
    }
    assert!((200..300).contains(&numbers) && texts == 1, "{numbers} {texts}");
}

/// A change that a history is made of.
fn change() -> impl Strategy<Value = MapChange> {
    let key = || (0..400_u64).prop_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().repeat(3));
    prop_oneof![
        6 => (key(), 1..9_u64).prop_map(|(key, number)| MapChange::Raise { key, number }),
        2 => (key(), "[a-z]{1,9}").prop_map(|(key, text)| MapChange::Put { key, text: Some(text) }),
        3 => key().prop_map(|key| MapChange::Put { key, text: None }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// The map holds the same items as a map in memory, in order, after any additions and removals.
    #[test]
    fn the_map_is_one(batches in proptest::collection::vec(proptest::collection::vec(change(), 1..300), 1..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let scratch = tempfile::tempdir().unwrap();
            let map = AuthenticatedMap::create(scratch.path().join("map"), key()).await.unwrap();
            let other = AuthenticatedMap::open(scratch.path().join("map"), key()).await.unwrap().unwrap();
            let mut model = std::collections::BTreeMap::new();
            let mut text_model = std::collections::BTreeMap::new();
            for batch in batches {
                for change in &batch {
                    match change {
                        MapChange::Raise { key, number } => {
                            let there = model.entry(key.clone()).or_insert(0);
                            *there = *number.max(there);
                        }
                        MapChange::Put { key, text: Some(text) } => drop(text_model.insert(key.clone(), text.clone())),
                        MapChange::Put { key, text: None } => drop(text_model.remove(key)),
                        _ => {}
                    }
                }
                let before = map.summary().await.unwrap();
                let mut summary = map.apply(batch, MapDurability::Kernel).await.unwrap();
                prop_assert_eq!(summary.changed, summary.generation != before.generation);
                summary.changed = false;
                prop_assert_eq!(summary.numbers, model.len() as u64);
                for map in [&map, &other] {
                    prop_assert_eq!(map.verify().await.unwrap(), MapVerdict::Whole(summary));
                    let page = map.numbers(None).await.unwrap();
                    prop_assert!(page.iter().map(|(key, number)| (key, number)).eq(&model), "{:?}", page);
                    let page = map.texts(&[]).await.unwrap();
                    prop_assert!(page.iter().map(|(key, text)| (key, text)).eq(&text_model), "{:?}", page);
                    for n in 0..20_u64 {
                        let key = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().repeat(3);
                        prop_assert_eq!(map.number(&key).await.unwrap(), model.get(&key).copied());
                    }
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn texts_are_found_by_the_beginning_of_their_keys() {
    let scratch = tempfile::tempdir().unwrap();
    let map = AuthenticatedMap::create(scratch.path().join("map"), key())
        .await
        .unwrap();
    let put = |key: String, text: Option<&str>| MapChange::Put {
        key: key.into_bytes(),
        text: text.map(str::to_owned),
    };
    let long = "x".repeat(700);
    let all: Vec<MapChange> = ["a", "b", "c"]
        .iter()
        .flat_map(|class| (0..40).map(move |n| format!("{class}{n:02}")))
        .map(|key| put(key, Some(&long)))
        .collect();
    map.apply(all, MapDurability::Kernel).await.unwrap();
    map.apply(vec![put("b07".to_owned(), None)], MapDurability::Kernel)
        .await
        .unwrap();
    for (prefix, count) in [
        ("", 119),
        ("a", 40),
        ("b", 39),
        ("b0", 9),
        ("c39", 1),
        ("d", 0),
        ("0", 0),
    ] {
        let found = map.texts(prefix.as_bytes()).await.unwrap();
        assert_eq!(found.len(), count, "{prefix}");
        assert!(found.is_sorted_by(|one, next| one.0 < next.0));
    }
    assert_eq!(map.text(b"b07").await.unwrap(), None);
    assert_eq!(map.text(b"c39").await.unwrap(), Some(long));
    let too_long = put("t".to_owned(), Some(&"x".repeat(60_001)));
    assert!(matches!(
        map.apply(vec![too_long], MapDurability::Kernel).await,
        Err(Error::Invalid { .. })
    ));
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
