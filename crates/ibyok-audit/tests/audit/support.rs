//! A log in a scratch directory, with a key that tests know.

use std::path::{Path, PathBuf};

use ibyok_audit::{Action, Event, FileSink, Log, Outcome, SigningKey, VerifyReport, verify};
use jiff::Timestamp;
use secrecy::SecretBox;

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(SecretBox::new(Box::new([7; 32])))
}

pub(crate) fn event(n: u64) -> Event<'static> {
    let at = Timestamp::new(1_800_000_000 + i64::try_from(n).unwrap(), 0).unwrap();
    Event::new(Action::KeyRetrieve, Outcome::Allowed, at)
        .environment("prod")
        .key(format!("key-{n}"))
}

pub(crate) async fn open(place: &Path) -> Log {
    open_with(FileSink::open(place).await.unwrap()).await
}

pub(crate) async fn open_with(sink: impl ibyok_audit::LogSink + 'static) -> Log {
    Log::builder().home(sink).signing_key(key()).open().await.unwrap()
}

/// Appends an event and gives its `seq`.
pub(crate) async fn append(log: &Log, event: Event<'_>) -> u64 {
    log.append(event).await.unwrap().seq()
}

/// A closed log of `count` lines: the opening, events, the closing.
pub(crate) async fn written(place: &Path, count: u64) {
    let log = open(place).await;
    for n in 2..count {
        assert_eq!(log.append(event(n)).await.unwrap().seq(), n);
    }
    log.close().await.unwrap();
}

pub(crate) fn segment(place: &Path) -> PathBuf {
    place.join("slot-0/audit-00000001.log")
}

/// The segments of the first slot, in order.
pub(crate) fn segments(place: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.join("slot-0")).unwrap();
    let mut segments: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|end| end == "log"));
    segments.sort();
    segments
}

pub(crate) fn lines(place: &Path) -> Vec<String> {
    let text = std::fs::read(segment(place)).unwrap();
    let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    String::from_utf8(text[..end].to_vec())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

pub(crate) fn put_lines(place: &Path, lines: &[String]) {
    std::fs::write(
        segment(place),
        lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
}

pub(crate) fn check(place: &Path) -> VerifyReport {
    verify(place, &[], &[]).unwrap()
}
