use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::*;

/// A keyed hash that is good enough to see which bytes are covered.
#[derive(Debug)]
struct Key(u64, &'static str);

impl MapKey for Key {
    fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = [0; 32];
        for (round, part) in mac.chunks_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            (self.0, round, bytes).hash(&mut hasher);
            part.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        mac
    }

    fn owner(&self) -> String {
        self.1.to_owned()
    }
}

fn key() -> Arc<dyn MapKey> {
    Arc::new(Key(1, "vault"))
}

fn raise(n: u64, number: u64) -> MapChange {
    MapChange::Raise {
        key: n.to_be_bytes().to_vec(),
        number,
    }
}

fn put(name: &str, text: Option<&str>) -> MapChange {
    MapChange::Put {
        key: name.as_bytes().to_vec(),
        text: text.map(str::to_owned),
    }
}

async fn reopened(path: &Path) -> JournalMap {
    JournalMap::open(path, key()).await.unwrap().unwrap()
}

#[tokio::test]
async fn items_are_there_after_a_restart_with_the_same_state() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("floors");
    assert!(JournalMap::open(&path, key()).await.unwrap().is_none());
    let map = JournalMap::create(&path, key()).await.unwrap();
    let changes = vec![
        raise(1, 5),
        raise(1, 3),
        raise(2, 1),
        put("a/x", Some("1")),
        put("a/y", Some("2")),
        put("b", Some("3")),
    ];
    map.apply(changes, MapDurability::Disk).await.unwrap();
    map.apply(vec![put("b", None), MapChange::Generation(40)], MapDurability::Kernel)
        .await
        .unwrap();
    let before = map.summary().await.unwrap();
    assert_eq!((before.generation, before.numbers, before.texts), (40, 2, 2));
    assert_eq!(
        map.apply(vec![raise(1, 5), put("b", None)], MapDurability::Disk)
            .await
            .unwrap(),
        before,
        "nothing changed"
    );
    drop(map);
    let map = reopened(&path).await;
    assert_eq!(map.summary().await.unwrap(), before);
    assert_eq!(map.number(&1_u64.to_be_bytes()).await.unwrap(), Some(5));
    assert_eq!(
        map.texts(b"a/").await.unwrap(),
        [(b"a/x".to_vec(), "1".to_owned()), (b"a/y".to_vec(), "2".to_owned())]
    );
    assert_eq!(map.text(b"b").await.unwrap(), None);
    assert_eq!(
        map.numbers(Some(&1_u64.to_be_bytes())).await.unwrap(),
        [(2_u64.to_be_bytes().to_vec(), 1)]
    );
    assert_eq!(map.verify().await.unwrap(), MapVerdict::Whole(before));
}

#[tokio::test]
async fn no_changed_byte_is_believed_and_a_cut_file_is_an_older_state() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("floors");
    let map = JournalMap::create(&path, key()).await.unwrap();
    let mut states = vec![map.summary().await.unwrap()];
    for n in 0..4 {
        let changes = vec![raise(n, n + 1), put("t", Some(&n.to_string()))];
        map.apply(changes, MapDurability::Kernel).await.unwrap();
        states.push(map.summary().await.unwrap());
    }
    drop(map);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        match JournalMap::open(&path, key()).await {
            Err(Error::Corrupt { .. } | Error::Refused { .. }) => {}
            // A length that reaches behind the end looks like a record that a crash cut: the state is an older one, and says so.
            Ok(Some(map)) => assert!(
                map.summary().await.unwrap().generation < states[4].generation,
                "byte {at}"
            ),
            other => panic!("byte {at}: {other:?}"),
        }
    }
    for length in 1..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        if let Ok(Some(map)) = JournalMap::open(&path, key()).await {
            assert!(states[..4].contains(&map.summary().await.unwrap()), "{length} bytes");
        }
    }
}

#[tokio::test]
async fn a_crash_in_a_record_does_not_stand_in_the_way_of_the_next() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("floors");
    let map = JournalMap::create(&path, key()).await.unwrap();
    map.apply(vec![raise(1, 1)], MapDurability::Disk).await.unwrap();
    map.apply(vec![raise(2, 2)], MapDurability::Kernel).await.unwrap();
    drop(map);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let map = reopened(&path).await;
    assert_eq!(map.number(&2_u64.to_be_bytes()).await.unwrap(), None);
    assert!(map.apply(vec![raise(3, 3)], MapDurability::Disk).await.unwrap().changed);
    assert!(!map.apply(vec![raise(3, 3)], MapDurability::Disk).await.unwrap().changed);
    let state = map.summary().await.unwrap();
    drop(map);
    assert_eq!(reopened(&path).await.summary().await.unwrap(), state);
}

#[tokio::test]
async fn the_file_of_another_key_or_owner_is_not_opened() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("floors");
    drop(JournalMap::create(&path, key()).await.unwrap());
    let open = async |key| JournalMap::open(&path, Arc::new(key)).await;
    assert!(matches!(open(Key(1, "other")).await, Err(Error::Refused { .. })));
    assert!(matches!(open(Key(2, "vault")).await, Err(Error::Corrupt { .. })));
}

#[tokio::test]
async fn handles_of_one_process_share_their_state_and_notice_another_file() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("floors");
    let one = JournalMap::create(&path, key()).await.unwrap();
    let two = reopened(&path).await;
    assert!(one.is_same(&two));
    one.apply(vec![raise(1, 9)], MapDurability::Kernel).await.unwrap();
    assert_eq!(two.number(&1_u64.to_be_bytes()).await.unwrap(), Some(9));
    std::fs::rename(&path, scratch.path().join("moved")).unwrap();
    assert!(!one.is_in_place() && one.number(&[0; 8]).await.is_err());
    assert!(JournalMap::open(&path, key()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_size_follows_the_items_and_not_their_history() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("floors");
    let map = JournalMap::create(&path, key()).await.unwrap();
    let text = "x".repeat(50_000);
    for n in 0..100 {
        map.apply(
            vec![put("t", Some(&format!("{text}{n}"))), raise(1, n)],
            MapDurability::Kernel,
        )
        .await
        .unwrap();
    }
    assert!(std::fs::metadata(&path).unwrap().len() < 2 << 20);
    assert!(map.is_in_place());
    let state = map.summary().await.unwrap();
    assert_eq!(map.verify().await.unwrap(), MapVerdict::Whole(state));
    drop(map);
    let map = reopened(&path).await;
    assert_eq!(map.summary().await.unwrap(), state);
    assert_eq!(map.number(&1_u64.to_be_bytes()).await.unwrap(), Some(99));
}

#[tokio::test]
async fn what_is_too_large_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let map = JournalMap::create(scratch.path().join("floors"), key()).await.unwrap();
    let before = map.summary().await.unwrap();
    let long = MapChange::Raise {
        key: vec![0; 256],
        number: 1,
    };
    for change in [long, put("t", Some(&"x".repeat(60_001)))] {
        let refused = map.apply(vec![raise(1, 1), change], MapDurability::Disk).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })));
    }
    assert_eq!(map.summary().await.unwrap(), before);
}
