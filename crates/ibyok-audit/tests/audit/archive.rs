//! Old segments move into an archive, and a log that lost them in another way is still found.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ibyok_audit::{
    Archived, Error, FileSink, Filter, Known, Log, Plan, Reader, SigningKey, VerifyFault, VerifyReport, VerifyingKey,
    is_archive, prove_with, verify_against, verify_proof,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretBox;

use crate::support::{append, event, key, open_with, segments};

/// A log of some small segments, its directory, and room for archives.
struct Trial {
    scratch: tempfile::TempDir,
    place: PathBuf,
    keys: Vec<VerifyingKey>,
}

impl Trial {
    async fn new(lines: u64) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("audit");
        let log = log(&place).await;
        let keys = vec![key().public(log.id())];
        fill(&log, 2, lines).await;
        log.close().await.unwrap();
        Self { scratch, place, keys }
    }

    fn archive(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn plan(&self, before: u64) -> Plan {
        Plan::of(&self.place, &self.keys[0], time(before), &|_| u64::MAX)
            .unwrap()
            .unwrap()
    }

    /// Moves the segments from before an event into an archive.
    fn moved(&self, before: u64, to: &str) -> Archived {
        self.plan(before).carry_out(&self.archive(to), &key()).unwrap().unwrap()
    }

    fn verify(&self, archives: &[&str]) -> VerifyReport {
        let mut known = Known::by_keys(&self.keys);
        known.archives = archives.iter().map(|name| self.archive(name)).collect();
        verify_against(&self.place, &known).unwrap()
    }

    fn alone(&self, archive: &str) -> VerifyReport {
        verify_against(&self.archive(archive), &Known::of_archive(&self.keys)).unwrap()
    }

    fn numbers(&self, archives: &[&str], filter: &Filter) -> Vec<u64> {
        let archives = archives.iter().map(|name| self.archive(name)).collect();
        let reader = Reader::vouched(&self.place, self.keys.clone()).unwrap();
        let lines = reader.with_archives(archives).unwrap().lines(filter).unwrap();
        lines.map(|line| line.unwrap().entry().seq).collect()
    }

    fn slot(&self) -> PathBuf {
        self.place.join("slot-0")
    }
}

async fn log(place: &Path) -> Log {
    open_with(FileSink::builder(place).segment_bytes(4096).open().await.unwrap()).await
}

async fn fill(log: &Log, from: u64, until: u64) {
    for n in from..until {
        append(log, event(n)).await;
    }
}

/// The time of an event.
fn time(n: u64) -> Timestamp {
    Timestamp::new(1_800_000_000 + i64::try_from(n).unwrap(), 0).unwrap()
}

fn first_bad(report: &VerifyReport) -> Option<VerifyFault> {
    report.first_bad.as_ref().map(|bad| bad.what)
}

#[tokio::test]
async fn archive_log_and_both_together_verify() {
    let trial = Trial::new(60).await;
    let said = trial.moved(30, "old");
    let archived = said.lines();
    assert!(archived > 5 && archived < 30, "{archived}");
    assert!(is_archive(&trial.archive("old")).unwrap() && !is_archive(&trial.place).unwrap());

    let (live, alone, both) = (trial.verify(&[]), trial.alone("old"), trial.verify(&["old"]));
    for report in [&live, &alone, &both] {
        assert!(report.ok, "{report:?}");
        assert_eq!(report.logs[0].chained_only, 0);
    }
    assert_eq!((live.events, live.logs[0].archived), (60 - archived, archived));
    assert_eq!((alone.events, alone.logs[0].archived), (archived, 0));
    assert_eq!((both.events, both.logs[0].archived), (60, 0));
    let note = &live.notes[0];
    assert!(
        note.contains(&format!("lines 1 to {archived}")) && note.contains("old"),
        "{note}"
    );
    assert!(both.notes.is_empty(), "{:?}", both.notes);
}

#[tokio::test]
async fn a_writer_goes_on_while_its_old_segments_move_and_after_a_restart() {
    let trial = Trial::new(40).await;
    let running = log(&trial.place).await;
    fill(&running, 100, 120).await;
    trial.moved(30, "old");
    fill(&running, 120, 140).await;
    running.close().await.unwrap();
    // Without its state, too, the log goes on behind the archived lines.
    std::fs::remove_file(trial.slot().join("state")).unwrap();
    let again = log(&trial.place).await;
    fill(&again, 140, 150).await;
    again.close().await.unwrap();
    let report = trial.verify(&["old"]);
    assert!(report.ok, "{report:?}");
    assert_eq!(report.events, 40 + 42 + 12);
    assert!(trial.verify(&[]).ok);
}

#[tokio::test]
async fn later_segments_go_into_the_same_archive_or_another() {
    let trial = Trial::new(100).await;
    let one = trial.moved(25, "a").lines();
    let two = trial.moved(50, "a").lines();
    let three = trial.moved(80, "b").lines();
    assert!(one < two && two < three, "{one} {two} {three}");
    assert_eq!(trial.alone("a").events, two);
    let b = trial.alone("b");
    assert!(b.ok, "{b:?}");
    assert_eq!((b.events, b.logs[0].archived), (three - two, two));
    for (archives, read) in [(&["a", "b"][..], 100), (&["b", "a"], 100), (&["b"], 100 - two)] {
        let report = trial.verify(archives);
        assert!(report.ok, "{archives:?} {report:?}");
        assert_eq!(report.events, read);
    }
    // Lines between the two are nowhere.
    assert_eq!(first_bad(&trial.verify(&["a"])), Some(VerifyFault::Removed));
    let error = trial.plan(95).carry_out(&trial.archive("a"), &key()).unwrap_err();
    assert!(error.to_string().contains("give another directory"), "{error}");
}

#[tokio::test]
async fn segments_that_are_gone_without_a_statement_are_a_finding() {
    let trial = Trial::new(60).await;
    trial.moved(30, "old");
    let statement = trial.slot().join("archived");
    let text = std::fs::read_to_string(&statement).unwrap();
    std::fs::remove_file(&statement).unwrap();
    assert_eq!(first_bad(&trial.verify(&[])), Some(VerifyFault::Removed));
    // The lines are not lost: the archive still has them.
    assert!(trial.verify(&["old"]).ok);

    let said: u64 = trial.alone("old").events;
    std::fs::write(&statement, text.replace(&format!("\"lines\":{said},"), "\"lines\":1,")).unwrap();
    let changed = trial.verify(&[]);
    assert!(!changed.ok && changed.findings.iter().any(|one| one.what == VerifyFault::Removed));

    std::fs::write(&statement, &text).unwrap();
    assert!(trial.verify(&[]).ok);
    // One segment more than the statement covers.
    std::fs::remove_file(&segments(&trial.place)[0]).unwrap();
    assert_eq!(first_bad(&trial.verify(&[])), Some(VerifyFault::Removed));
}

#[tokio::test]
async fn a_statement_of_another_key_or_log_covers_nothing() {
    let trial = Trial::new(60).await;
    let other = Trial::new(60).await;
    trial.moved(30, "old");
    other.moved(30, "old");
    std::fs::copy(other.slot().join("archived"), trial.slot().join("archived")).unwrap();
    assert_eq!(first_bad(&trial.verify(&[])), Some(VerifyFault::Removed));
    let stranger = SigningKey::from_seed(SecretBox::new(Box::new([9; 32])));
    let error = Trial::new(60)
        .await
        .plan(50)
        .carry_out(&trial.archive("new"), &stranger)
        .unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error}");
}

#[tokio::test]
async fn each_change_of_an_archive_is_found_alone_and_with_its_log() {
    let trial = Trial::new(60).await;
    trial.moved(30, "old");
    let slot = trial.archive("old").join("slot-0");
    let files = segments(&trial.archive("old"));
    let cases: &[(&str, &dyn Fn())] = &[
        ("changed", &|| {
            let text = std::fs::read_to_string(&files[0]).unwrap();
            std::fs::write(&files[0], text.replacen("key-3", "key-4", 1)).unwrap();
        }),
        ("removed", &|| std::fs::remove_file(&files[0]).unwrap()),
        ("cut", &|| {
            let text = std::fs::read_to_string(files.last().unwrap()).unwrap();
            let cut = text.trim_end().rfind('\n').unwrap() + 1;
            std::fs::write(files.last().unwrap(), text.get(..cut).unwrap()).unwrap();
        }),
        ("last removed", &|| std::fs::remove_file(files.last().unwrap()).unwrap()),
    ];
    for (what, change) in cases {
        let whole: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        change();
        assert!(!trial.alone("old").ok, "{what}");
        assert!(!trial.verify(&["old"]).ok, "{what}");
        assert!(trial.verify(&[]).ok, "{what}");
        for (file, bytes) in files.iter().zip(whole) {
            std::fs::write(file, bytes).unwrap();
        }
    }
    assert!(trial.alone("old").ok);
    std::fs::remove_file(slot.join("manifest")).unwrap();
    assert_eq!(first_bad(&trial.alone("old")), Some(VerifyFault::BadSignature));
}

#[tokio::test]
async fn an_archive_in_place_of_its_log_is_found() {
    let trial = Trial::new(60).await;
    trial.moved(30, "old");
    std::fs::remove_dir_all(&trial.place).unwrap();
    std::fs::rename(trial.archive("old"), &trial.place).unwrap();
    let mut known = Known::by_keys(&trial.keys);
    // The vault knows how far the log had come.
    let newest = ibyok_audit::Checkpoint::before_first_line(&key(), trial.keys[0].log().unwrap());
    known.checkpoints = vec![(trial.keys[0].log().unwrap().to_owned(), newest.text().to_owned())];
    let report = verify_against(&trial.place, &known).unwrap();
    assert_eq!(
        report.logs[0].archived, 0,
        "a manifest means nothing in the place of a log"
    );
}

#[tokio::test]
async fn readers_give_each_line_once_from_archives_and_log() {
    let trial = Trial::new(100).await;
    let archived = trial.moved(30, "a").lines();
    trial.moved(60, "b");
    let all: Vec<u64> = (1..=100).collect();
    let sorted = |mut numbers: Vec<u64>| {
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(sorted(trial.numbers(&["b", "a"], &Filter::default())), all);
    let mut filter = Filter::default();
    filter.from_seq = Some(archived - 2);
    assert_eq!(
        sorted(trial.numbers(&["a", "b"], &filter)),
        (archived - 2..=100).collect::<Vec<_>>()
    );
    let mut last = Filter::default();
    last.limit = Some(95);
    assert_eq!(trial.numbers(&["a", "b"], &last).len(), 95);
    let mut key = Filter::default();
    key.key = Some("key-3".to_owned());
    assert_eq!(trial.numbers(&["a", "b"], &key), [3]);
    assert!(trial.numbers(&[], &key).is_empty());
}

#[tokio::test]
async fn each_line_is_proved_from_log_and_archive_and_each_live_line_without() {
    let trial = Trial::new(90).await;
    let archived = trial.moved(50, "old").lines();
    for seq in 1..=90 {
        let proof = |archives: &[PathBuf]| prove_with(&trial.place, archives, None, seq, &trial.keys, &[]);
        let whole = proof(&[trial.archive("old")]).unwrap();
        assert_eq!(verify_proof(&whole.text(), &trial.keys).unwrap().line.entry().seq, seq);
        if seq > archived {
            assert_eq!(proof(&[]).unwrap().text(), whole.text(), "{seq}");
        } else {
            let named = prove_with(&trial.place, &[], trial.keys[0].log(), seq, &trial.keys, &[]);
            assert!(matches!(named, Err(Error::Elsewhere { .. })), "{seq}");
        }
    }
}

#[tokio::test]
async fn only_closed_and_counted_segments_without_a_newer_line_move() {
    let trial = Trial::new(60).await;
    let all = segments(&trial.place).len();
    let plan = |before, counted| {
        Plan::of(&trial.place, &trial.keys[0], before, &|_| counted)
            .unwrap()
            .unwrap()
    };
    assert_eq!(plan(Timestamp::MAX, u64::MAX).segments().len(), all - 1);
    assert_eq!(plan(Timestamp::MAX, 20).lines().map(|(_, last)| last <= 20), Some(true));
    assert!(plan(Timestamp::UNIX_EPOCH, u64::MAX).lines().is_none());
    // A clock that was set back for the last line of a segment hides no newer one before it.
    let first = plan(Timestamp::MAX, u64::MAX).segments()[0].clone();
    assert_eq!(plan(first.until, u64::MAX).lines(), None);
    let held = plan(Timestamp::MAX, u64::MAX);
    let second = Plan::of(&trial.place, &trial.keys[0], Timestamp::MAX, &|_| u64::MAX);
    assert!(
        matches!(second, Err(Error::CannotArchive { .. })),
        "two processes at once"
    );
    drop(held);
}

#[tokio::test]
async fn a_changed_log_is_not_archived_and_an_archive_is_no_directory_of_logs() {
    let trial = Trial::new(60).await;
    for bad in [
        trial.place.clone(),
        trial.place.join("old"),
        trial.scratch.path().to_owned(),
    ] {
        let error = trial.plan(30).carry_out(&bad, &key()).unwrap_err();
        assert!(matches!(error, Error::CannotArchive { .. }), "{error}");
    }
    let file = &segments(&trial.place)[1];
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replacen("prod", "prox", 1)).unwrap();
    let error = Plan::of(&trial.place, &trial.keys[0], time(50), &|_| u64::MAX).unwrap_err();
    assert!(matches!(error, Error::CannotArchive { .. }), "{error}");
    assert!(!trial.archive("old").exists());
}

#[tokio::test]
async fn an_interrupted_move_loses_no_line_and_the_next_run_ends_it() {
    // Before the statement beside the log, and after it with some segments removed.
    let trial = Trial::new(60).await;
    let before: Vec<(PathBuf, Vec<u8>)> = segments(&trial.place)
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    let moved = trial.moved(30, "old").segments().len();
    let statement = std::fs::read(trial.slot().join("archived")).unwrap();
    for left in 0..=moved {
        for has_statement in [true, false] {
            for (path, bytes) in &before[left..moved] {
                std::fs::write(path, bytes).unwrap();
            }
            if has_statement {
                std::fs::write(trial.slot().join("archived"), &statement).unwrap();
            } else if left == 0 {
                std::fs::remove_file(trial.slot().join("archived")).unwrap();
            }
            for archives in [&[][..], &["old"]] {
                let report = trial.verify(archives);
                assert!(report.ok, "{left} {has_statement} {report:?}");
            }
            let mut numbers = trial.numbers(&["old"], &Filter::default());
            numbers.sort_unstable();
            assert_eq!(numbers, (1..=60).collect::<Vec<_>>(), "{left}");
            trial.moved(30, "old");
            assert_eq!(segments(&trial.place).len(), before.len() - moved);
            assert!(trial.verify(&["old"]).ok && trial.verify(&[]).ok);
        }
    }
}

#[tokio::test]
async fn a_segment_ends_by_its_age_also_if_the_clock_was_set_back() {
    let hour = Duration::from_secs(3600);
    for (offset, ends) in [(-7200, true), (7200, true), (-60, false), (0, false)] {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("audit");
        let sink = || FileSink::builder(&place).rotate_after(hour).open();
        let begun = Timestamp::now() + SignedDuration::from_secs(offset);
        let builder = Log::builder().home(sink().await.unwrap()).signing_key(key());
        let log = builder.clock(move || begun).open().await.unwrap();
        append(&log, event(1)).await;
        log.close().await.unwrap();
        let before = segments(&place).len();
        let log = open_with(sink().await.unwrap()).await;
        fill(&log, 30, 40).await;
        log.close().await.unwrap();
        assert_eq!(segments(&place).len() - before, usize::from(ends), "{offset}");
    }
}

#[tokio::test]
async fn a_writer_that_is_killed_right_after_a_segment_began_is_continued_without_a_gap() {
    for archives in [false, true] {
        let trial = Trial::new(30).await;
        let running = log(&trial.place).await;
        let before = segments(&trial.place).len();
        let mut lines = 31;
        while segments(&trial.place).len() == before {
            lines = append(&running, event(lines)).await;
        }
        // The state is that of the beginning of the segment, until the next checkpoint.
        let state = trial.slot().join("state");
        let begun = || {
            let state: serde_json::Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
            state["offset"] == 0
        };
        for _ in 0..100 {
            if begun() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(begun(), "the state was replaced too early");
        // As a kill leaves the files.
        let copy = Trial {
            scratch: tempfile::tempdir().unwrap(),
            place: PathBuf::new(),
            keys: trial.keys.clone(),
        };
        let copy = Trial {
            place: copy.scratch.path().join("audit"),
            ..copy
        };
        std::fs::create_dir_all(copy.slot()).unwrap();
        for file in std::fs::read_dir(trial.slot()).unwrap() {
            let from = file.unwrap().path();
            std::fs::copy(&from, copy.slot().join(from.file_name().unwrap())).unwrap();
        }
        running.close().await.unwrap();
        if archives {
            let plan = Plan::of(&copy.place, &copy.keys[0], Timestamp::MAX, &|_| u64::MAX)
                .unwrap()
                .unwrap();
            plan.carry_out(&copy.archive("old"), &key()).unwrap().unwrap();
            assert_eq!(segments(&copy.place).len(), 1);
        }
        let again = log(&copy.place).await;
        again.close().await.unwrap();
        let report = copy.verify(if archives { &["old"] } else { &[] });
        assert!(report.ok, "{report:?}");
        assert_eq!(report.events, lines + 2);
    }
}
