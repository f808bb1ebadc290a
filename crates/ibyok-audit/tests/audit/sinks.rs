//! Sinks besides the home: down, slow, hanging, half-hearted, and back again.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use ibyok_audit::{Batch, Error, FileSink, Log, Sink, SinkDescription, SinkDurability, SinkMode, SinkStatus};

use crate::support::{append, check, event, key, lines};

/// The behaviour of a collector at the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    Down,
    /// Takes half of a batch, and then fails.
    Half,
    /// Answers nothing until the mood changes.
    Hanging,
    /// Refuses for good.
    Rejecting,
    Panicking,
}

struct State {
    mood: Mood,
    lines: Vec<String>,
    calls: usize,
}

/// A collector whose mood a test sets. Clones are the same collector.
#[derive(Clone)]
struct Collector(Arc<(Mutex<State>, Condvar)>);

impl Collector {
    fn new(mood: Mood) -> Self {
        let state = State {
            mood,
            lines: Vec::new(),
            calls: 0,
        };
        Collector(Arc::new((Mutex::new(state), Condvar::new())))
    }

    fn becomes(&self, mood: Mood) {
        self.0.0.lock().unwrap().mood = mood;
        self.0.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    fn calls(&self) -> usize {
        self.0.0.lock().unwrap().calls
    }
}

impl Sink for Collector {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new("collector", SinkDurability::Synced)
    }

    fn durable(&self) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let mut state = self.0.0.lock().unwrap();
        state.calls += 1;
        state = self.0.1.wait_while(state, |state| state.mood == Mood::Hanging).unwrap();
        let mut new: Vec<String> = batch
            .lines()
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        let half = new.len().div_ceil(2);
        match state.mood {
            Mood::Down | Mood::Hanging => return Err(Error::other("it is down")),
            Mood::Rejecting => return Err(Error::rejected("it wants none of this")),
            Mood::Panicking => {
                drop(state);
                return Vec::new().pop().unwrap();
            }
            Mood::Half => new.truncate(half),
            Mood::Well => {}
        }
        // It has what it took of this batch before.
        new.retain(|line| !state.lines.contains(line));
        state.lines.extend(new);
        match state.mood {
            Mood::Half => Err(Error::other("it took half")),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

async fn with_best_effort(place: &Path, collector: &Collector) -> Log {
    let builder = Log::builder().home(FileSink::open(place).await.unwrap());
    let builder = builder.best_effort(collector.clone()).signing_key(key());
    builder.open().await.unwrap()
}

async fn with_required(place: &Path, collector: &Collector) -> Log {
    let builder = Log::builder().home(FileSink::open(place).await.unwrap());
    let builder = builder.required(collector.clone()).signing_key(key());
    builder.open().await.unwrap()
}

fn status(log: &Log) -> SinkStatus {
    log.status().further.into_iter().next().unwrap()
}

async fn until(log: &Log, holds: impl Fn(&SinkStatus) -> bool) {
    while !holds(&status(log)) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// The `log.gap` lines of a log: their reasons, and the sum of their counts.
fn gaps(place: &Path) -> (Vec<String>, u64) {
    let lines = lines(place);
    let gaps = lines.iter().filter(|line| line.contains("\"log.gap\""));
    let gaps: Vec<serde_json::Value> = gaps.map(|line| serde_json::from_str(line).unwrap()).collect();
    let reasons = gaps.iter().map(|gap| gap["reason"].as_str().unwrap().to_owned());
    (
        reasons.collect(),
        gaps.iter().map(|gap| gap["count"].as_u64().unwrap()).sum(),
    )
}

#[tokio::test]
async fn a_best_effort_sink_that_comes_back_gets_every_line_in_order() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let collector = Collector::new(Mood::Down);
    let log = with_best_effort(&place, &collector).await;
    for n in 0..50 {
        append(&log, event(n)).await;
    }
    until(&log, |status| status.failure.is_some()).await;
    let found = status(&log);
    assert_eq!(
        (found.mode, found.waiting, found.dropped),
        (SinkMode::BestEffort, 51, 0)
    );
    assert!(
        log.status().is_healthy(),
        "a best-effort sink does not make the log fail"
    );
    collector.becomes(Mood::Half);
    until(&log, |_| !collector.lines().is_empty()).await;
    collector.becomes(Mood::Well);
    until(&log, |status| status.waiting == 0 && status.failure.is_none()).await;
    log.close().await.unwrap();
    assert_eq!(
        collector.lines(),
        lines(&place),
        "the last line of the session arrives, too"
    );
    assert!(check(&place).ok);
}

#[tokio::test]
async fn lines_that_a_best_effort_sink_lacks_at_the_end_are_counted() {
    for mood in [Mood::Down, Mood::Hanging] {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("audit");
        let collector = Collector::new(mood);
        let log = with_best_effort(&place, &collector).await;
        for n in 0..9 {
            append(&log, event(n)).await;
        }
        log.close().await.unwrap();
        let (reasons, count) = gaps(&place);
        assert_eq!(
            (reasons, count),
            (vec!["dropped: `collector` did not take them".to_owned()], 10)
        );
        collector.becomes(Mood::Well);
    }
}

#[tokio::test]
async fn the_queue_of_a_hanging_sink_is_bounded_and_what_it_drops_is_counted() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let collector = Collector::new(Mood::Hanging);
    let log = with_best_effort(&place, &collector).await;
    // 16,000 lines of some 3 KB are more than four times the room.
    let text = "\u{1f600}".repeat(200);
    for _ in 0..8 {
        for n in 0..2000 {
            log.append_unwaited(event(n).reason(text.as_str()));
        }
        log.flush().await.unwrap();
    }
    let found = status(&log);
    let bytes: usize = lines_of_all_segments(&place).iter().map(String::len).sum();
    let average = bytes as u64 / (found.waiting + found.dropped);
    assert!(found.waiting * average <= 9 << 20, "{found:?}");
    assert!(found.dropped > found.waiting, "{found:?}");
    append(&log, event(1)).await;
    collector.becomes(Mood::Well);
    until(&log, |status| status.waiting == 0).await;
    log.close().await.unwrap();
    let (all, taken) = (lines_of_all_segments(&place), collector.lines());
    let gaps: u64 = all
        .iter()
        .filter(|line| line.contains("`collector` did not take them"))
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["count"]
                .as_u64()
                .unwrap()
        })
        .sum();
    assert_eq!(
        taken.len() as u64 + gaps,
        all.len() as u64,
        "every line is taken or counted"
    );
}

fn lines_of_all_segments(place: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for path in crate::support::segments(place) {
        let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
        lines.extend(text.trim_end_matches('\0').lines().map(str::to_owned));
    }
    lines
}

#[tokio::test]
async fn a_batch_that_a_sink_rejects_does_not_hold_up_the_next_one() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let collector = Collector::new(Mood::Rejecting);
    let log = with_best_effort(&place, &collector).await;
    until(&log, |status| status.dropped > 0).await;
    let (dropped, calls) = (status(&log).dropped, collector.calls());
    assert_eq!((dropped, calls), (1, 1), "it is not asked again");
    collector.becomes(Mood::Well);
    append(&log, event(1)).await;
    log.close().await.unwrap();
    let (reasons, count) = gaps(&place);
    assert_eq!((reasons.len(), count), (1, 1));
    assert_eq!(collector.lines(), lines(&place)[1..]);
}

#[tokio::test]
async fn a_sink_that_panics_holds_nobody_up_and_its_lines_are_counted() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let collector = Collector::new(Mood::Panicking);
    let log = with_best_effort(&place, &collector).await;
    until(&log, |status| status.failure.is_some()).await;
    append(&log, event(1)).await;
    log.close().await.unwrap();
    let lines = lines(&place);
    let last_gap = lines.iter().rposition(|line| line.contains("\"log.gap\"")).unwrap();
    assert_eq!(gaps(&place).1, last_gap as u64, "every line before it is counted");
}

#[tokio::test]
async fn nothing_counts_that_a_required_sink_lacks_and_the_same_batch_comes_first_again() {
    for mood in [Mood::Down, Mood::Half, Mood::Rejecting] {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("audit");
        let collector = Collector::new(Mood::Well);
        let log = with_required(&place, &collector).await;
        append(&log, event(1)).await;
        collector.becomes(mood);
        let refused = log.append(event(2)).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable { .. }), "{mood:?}: {refused}");
        let at_failure = log.last_seq();
        for n in 0..5 {
            assert!(log.append(event(n)).await.is_err(), "{mood:?}");
        }
        assert_eq!(log.last_seq(), at_failure, "{mood:?}: the log waits for the sink");
        assert!(!log.status().is_healthy());
        let found = status(&log);
        assert_eq!((found.mode, found.waiting), (SinkMode::Required, 1), "{mood:?}");
        collector.becomes(Mood::Well);
        let seq = append(&log, event(3)).await;
        assert_eq!(seq, at_failure + 2, "one line counts the refused events");
        assert!(log.status().is_healthy() && status(&log).failure.is_none());
        log.close().await.unwrap();
        assert_eq!(
            collector.lines(),
            lines(&place),
            "{mood:?}: the sink has every line, in order"
        );
        let (reasons, count) = gaps(&place);
        assert_eq!((reasons.len(), count), (1, 5), "{mood:?}: {reasons:?}");
        assert!(reasons[0].starts_with("refused: "), "{reasons:?}");
        assert!(check(&place).ok);
    }
}

#[tokio::test]
async fn a_required_sink_that_hangs_is_a_refusal_within_the_deadline() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let collector = Collector::new(Mood::Well);
    let builder = Log::builder().home(FileSink::open(&place).await.unwrap());
    let builder = builder.required(collector.clone()).signing_key(key());
    let log = builder
        .deadline(std::time::Duration::from_millis(300))
        .open()
        .await
        .unwrap();
    collector.becomes(Mood::Hanging);
    assert!(matches!(log.append(event(1)).await, Err(Error::Unavailable { .. })));
    collector.becomes(Mood::Well);
    while log.append(event(2)).await.is_err() {}
    log.close().await.unwrap();
    assert_eq!(collector.lines(), lines(&place));
}

#[tokio::test]
async fn a_required_sink_that_comes_back_is_noticed_without_an_event() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let collector = Collector::new(Mood::Well);
    let log = with_required(&place, &collector).await;
    collector.becomes(Mood::Down);
    assert!(log.append(event(1)).await.is_err());
    assert!(log.reopen().await.is_err() && !log.status().is_healthy());
    collector.becomes(Mood::Well);
    log.reopen().await.unwrap();
    assert!(log.status().is_healthy());
    log.close().await.unwrap();
    assert_eq!(collector.lines(), lines(&place));
}

#[tokio::test]
async fn a_log_whose_required_sink_is_down_at_the_end_still_ends_in_good_order() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let collector = Collector::new(Mood::Well);
    let log = with_required(&place, &collector).await;
    collector.becomes(Mood::Down);
    assert!(log.append(event(1)).await.is_err());
    assert!(log.close().await.is_err(), "the sink lacks lines");
    assert!(lines(&place).last().unwrap().contains("log.close"));
    assert!(check(&place).ok);
    collector.becomes(Mood::Well);
    let log = with_required(&place, &collector).await;
    append(&log, event(2)).await;
    log.close().await.unwrap();
    assert!(check(&place).ok);
}

#[test]
fn parts_of_a_batch_are_whole_lines_with_their_numbers() {
    let text = b"one\ntwo\nthree\nfour\n";
    let batch = Batch::new(text, 7, 4);
    for (lines, bytes, expected) in [
        (2, 100, vec![("one\ntwo\n", 7, 2), ("three\nfour\n", 9, 2)]),
        (9, 8, vec![("one\ntwo\n", 7, 2), ("three\n", 9, 1), ("four\n", 10, 1)]),
        (
            0,
            0,
            vec![("one\n", 7, 1), ("two\n", 8, 1), ("three\n", 9, 1), ("four\n", 10, 1)],
        ),
        (9, 99, vec![("one\ntwo\nthree\nfour\n", 7, 4)]),
    ] {
        let parts: Vec<_> = batch
            .parts(lines, bytes)
            .map(|part| {
                (
                    std::str::from_utf8(part.bytes()).unwrap(),
                    part.first_seq(),
                    part.count(),
                )
            })
            .collect();
        assert_eq!(parts, expected);
    }
    assert_eq!(Batch::new(b"", 1, 0).parts(5, 5).count(), 0);
}

#[test]
fn a_batch_names_its_log() {
    let line = br#"{"v":1,"seq":1,"time":"t","log":"AbC","prev":"0","reason":"\"log\":\"other\""}"#;
    assert_eq!(Batch::new(line, 1, 1).log(), Some("AbC"));
    for other in [&b""[..], b"\n", b"{}\n", b"\"log\":\"\xff\"\n"] {
        assert_eq!(Batch::new(other, 1, 1).log(), None);
    }
}
