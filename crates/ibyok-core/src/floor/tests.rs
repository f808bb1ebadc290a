//! The floors by themselves, without a vault: shared by processes, and after harm to their file.

use std::path::Path;
use std::sync::Arc;

use ibyok_storage::{Collection, Kind, MemoryStore, RecordId, map_files};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::floor::stated::Stated;
use crate::forging::a_realm;
use crate::model::take_away::KeyTakeAway;
use crate::realm::Realm;

fn record(n: u8) -> RecordId {
    RecordId::new(Collection::new(Kind::new(3), *b"abcdefgh").unwrap(), [n; 16])
}

fn setup(place: &Path, log: &str, home: &Arc<Realm>) -> Setup {
    Setup {
        place: place.to_owned(),
        is_temporary: false,
        log: log.to_owned(),
        last_seq: 0,
        logs: Vec::new(),
        store: Arc::new(MemoryStore::new()),
        key: Arc::new(FloorKey {
            vault: home.keys.identity().vault(),
            home: Arc::clone(home),
        }),
        stated: Arc::new(Stated::default()),
        by_force: false,
        now: Timestamp::UNIX_EPOCH,
    }
}

async fn open(place: &Path, log: &str, home: &Arc<Realm>) -> (Floors, Found) {
    Floors::open(setup(place, log, home)).await.unwrap()
}

async fn all(floors: &Floors, records: std::ops::RangeInclusive<u8>) -> Vec<Option<u64>> {
    let mut found = Vec::new();
    for n in records {
        found.push(floors.of(&record(n)).await.unwrap());
    }
    found
}

#[tokio::test]
async fn floors_and_notes_are_there_again_and_for_every_process() {
    let (place, home) = (tempfile::tempdir().unwrap(), a_realm().await);
    let (one, _) = open(place.path(), "log-one", &home).await;
    let (two, found) = open(place.path(), "log-two", &home).await;
    assert_eq!(found.wrong, None);
    let note = one.note(&record(1), 5, KeyTakeAway::Disable.into()).await.unwrap();
    assert_eq!(two.of(&record(1)).await.unwrap(), None);
    one.done(&note, &record(1), 5).await.unwrap();
    assert_eq!(two.of(&record(1)).await.unwrap(), Some(5), "seen without being told");
    two.raise(&record(1), 3).await.unwrap();
    two.raise(&record(2), 7).await.unwrap();
    let open_note = two.note(&record(3), 9, KeyTakeAway::Remove.into()).await.unwrap();
    assert_eq!(all(&one, 1..=3).await, [Some(5), Some(7), None]);
    drop((one, two));
    let (again, found) = open(place.path(), "log-one", &home).await;
    assert_eq!(found.wrong, None);
    assert_eq!(all(&again, 1..=3).await, [Some(5), Some(7), None]);
    let notes = again.notes().await.unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        (notes[0].log(), notes[0].record(), notes[0].rev(), notes[0].what()),
        ("log-two", &record(3), 9, KeyTakeAway::Remove.into())
    );
    again.not_done(&open_note).await.unwrap();
    assert!(again.notes().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_read_is_refused_below_at_once_and_in_the_file_after_a_flush() {
    let (place, home) = (tempfile::tempdir().unwrap(), a_realm().await);
    let (one, _) = open(place.path(), "log-one", &home).await;
    let (two, _) = open(place.path(), "log-two", &home).await;
    one.saw(&record(1), 4).await;
    assert_eq!(one.of(&record(1)).await.unwrap(), Some(4));
    assert_eq!(two.of(&record(1)).await.unwrap(), None);
    one.flush(Some(9)).await.unwrap();
    assert_eq!(two.of(&record(1)).await.unwrap(), Some(4));
    one.sync().await.unwrap();
    let stated = one.stated().floors.unwrap();
    assert_eq!(stated.count, 1);
    assert_eq!(opening::mark_of(&one.map(), "log-one").await.unwrap(), 9);
}

#[tokio::test]
async fn floors_outlive_their_file_in_a_process_that_knew_them() {
    let (place, home) = (tempfile::tempdir().unwrap(), a_realm().await);
    let (floors, _) = open(place.path(), "log", &home).await;
    floors.raise(&record(1), 5).await.unwrap();
    let note = floors.note(&record(9), 2, KeyTakeAway::Disable.into()).await.unwrap();
    for file in map_files(&place.path().join("floors")) {
        std::fs::remove_file(file).ok();
    }
    assert!(floors.is_broken().await);
    floors.raise(&record(2), 6).await.unwrap();
    assert!(!floors.is_broken().await);
    assert_eq!(floors.untold().len(), 1, "the finding is to be told");
    let (again, _) = open(place.path(), "log", &home).await;
    assert_eq!(all(&again, 1..=2).await, [Some(5), Some(6)]);
    assert_eq!(again.notes().await.unwrap()[0].id(), &note);
    let facts = facts::read(&again.map()).await.unwrap();
    assert_eq!(facts.findings.len(), 1, "{facts:?}");
    again.acknowledge(&facts).await.unwrap();
    assert!(facts::read(&floors.map()).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn the_file_of_another_vault_is_refused_and_left_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let (ours, theirs) = (a_realm().await, a_realm().await);
    let (floors, _) = open(place.path(), "log", &ours).await;
    floors.raise(&record(1), 5).await.unwrap();
    floors.close().await;
    let before = std::fs::read(place.path().join("floors")).unwrap();
    let refused = Floors::open(setup(place.path(), "log", &theirs)).await.unwrap_err();
    assert!(
        refused.remedy() == Some(crate::errors::Remedy::RebuildFloors),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(place.path().join("floors")).unwrap(), before);
}

#[tokio::test]
async fn an_export_is_taken_over_whole_or_not_at_all() {
    let (here, there, home) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        a_realm().await,
    );
    let (from, _) = open(here.path(), "log", &home).await;
    for n in 1..=9 {
        from.raise(&record(n), u64::from(n) * 10).await.unwrap();
    }
    let mut text = Vec::new();
    assert_eq!(from.export(&mut text).await.unwrap(), 9);
    let (into, _) = open(there.path(), "log", &home).await;
    into.raise(&record(9), 1000).await.unwrap();
    into.begin_without_history(Timestamp::UNIX_EPOCH).await.unwrap();
    for cut in 0..text.len() {
        assert!(into.read_export(&mut &text[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 1;
        assert!(into.read_export(&mut &changed[..]).is_err(), "changed at {at}");
    }
    let mut longer = text.clone();
    longer.extend_from_slice(b"3.abcdefgh.00 1\n");
    assert!(into.read_export(&mut &longer[..]).is_err());
    let other = a_realm().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (foreign, _) = open(elsewhere.path(), "log", &other).await;
    let refused = foreign.read_export(&mut &text[..]).unwrap_err();
    assert!(refused.to_string().contains("another vault"), "{refused}");
    let newer = String::from_utf8(text.clone()).unwrap().replacen("v1", "v2", 1);
    let refused = into.read_export(&mut newer.as_bytes()).unwrap_err();
    assert!(refused.hint().unwrap().contains("newer version"), "{refused}");
    let floors = into.read_export(&mut &text[..]).unwrap();
    into.import(&floors).await.unwrap();
    assert_eq!(all(&into, 8..=9).await, [Some(80), Some(1000)], "nothing is lowered");
    assert_eq!(facts::read(&into.map()).await.unwrap().no_history, None);
}

/// A step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    Raise(u8, u64),
    Saw(u8, u64),
    Flush,
    Reopen,
    Delete,
    Empty,
    Cut(u8),
    SetBack,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8, 1..20_u64).prop_map(|(n, rev)| Step::Raise(n, rev)),
        2 => (0..6_u8, 1..20_u64).prop_map(|(n, rev)| Step::Saw(n, rev)),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => Just(Step::Delete),
        1 => Just(Step::Empty),
        1 => (1..8_u8).prop_map(Step::Cut),
        1 => Just(Step::SetBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// In a process that lives, no harm to the file lowers a floor.
    #[test]
    fn no_harm_to_the_file_lowers_a_floor_of_a_process_that_lives(steps in proptest::collection::vec(step(), 1..16)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (place, home) = (tempfile::tempdir().unwrap(), a_realm().await);
            let (floors, _) = open(place.path(), "log", &home).await;
            let file = place.path().join("floors");
            let mut model = [0_u64; 6];
            let older = std::fs::read(&file).unwrap();
            for step in steps {
                match step {
                    Step::Raise(n, rev) => {
                        floors.raise(&record(n), rev).await.unwrap();
                        model[usize::from(n)] = model[usize::from(n)].max(rev);
                    }
                    Step::Saw(n, rev) => {
                        floors.saw(&record(n), rev).await;
                        model[usize::from(n)] = model[usize::from(n)].max(rev);
                    }
                    Step::Flush => floors.flush(Some(8)).await.unwrap(),
                    Step::Reopen => {
                        floors.flush(None).await.unwrap();
                        let (other, _) = open(place.path(), "other", &home).await;
                        for (n, rev) in (0..6).zip(model) {
                            prop_assert_eq!(other.of(&record(n)).await.unwrap().unwrap_or(0), rev);
                        }
                        other.close().await;
                    }
                    Step::Delete => remove(&file),
                    Step::Empty => replace(&file, b""),
                    Step::Cut(eighths) => {
                        let whole = std::fs::read(&file).unwrap();
                        replace(&file, &whole[..whole.len() * usize::from(eighths) / 8]);
                    }
                    Step::SetBack => replace(&file, &older),
                }
                for (n, rev) in (0..6).zip(model) {
                    prop_assert_eq!(floors.of(&record(n)).await.unwrap().unwrap_or(0), rev);
                }
            }
            Ok(())
        })?;
    }
}

fn remove(path: &Path) {
    for file in map_files(path) {
        std::fs::remove_file(file).ok();
    }
}

/// Puts another file in the place, as restoring one does.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    remove(path);
    std::fs::rename(new, path).unwrap();
}
