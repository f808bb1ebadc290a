use ibyok_audit::{Action, Event, FileSink, Filter, Outcome, Principal, PrincipalKind, Reader, export};
use jiff::Timestamp;

use crate::support::{append, event, open, open_with, written};

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + second, 0).unwrap()
}

async fn sample(place: &std::path::Path) {
    let (one, two) = (open(place).await, open(place).await);
    let ci = Principal::new(PrincipalKind::Token).id("tok1").name("ci").chain("c");
    let get = |second, outcome| Event::new(Action::KeyRetrieve, outcome, at(second)).namespace("default");
    let ip = "192.0.2.7".parse().unwrap();
    for event in [
        get(1, Outcome::Allowed)
            .environment("prod")
            .key("openai")
            .key_id("key_1")
            .principal(ci.clone()),
        get(3, Outcome::Denied)
            .environment("dev")
            .key("stripe")
            .client(Some(ip), Some("curl"))
            .request_id("r3"),
        Event::new(Action::TokenRevoke, Outcome::Allowed, at(5)).target("token", "tok1"),
    ] {
        append(&one, event).await;
    }
    append(&two, get(2, Outcome::Allowed).environment("prod").key("other")).await;
    append(&two, get(4, Outcome::Failed).environment("prod").key("openai")).await;
    one.flush().await.unwrap();
    one.close().await.unwrap();
    two.close().await.unwrap();
}

/// The seconds of the lines that a filter lets through, without the log's own.
fn seconds(place: &std::path::Path, filter: &Filter) -> Vec<i64> {
    let lines = Reader::open(place).unwrap().lines(filter).unwrap().map(Result::unwrap);
    let own = |line: &ibyok_audit::Line| line.entry().action.starts_with("log.");
    lines
        .filter(|line| !own(line))
        .map(|line| line.entry().time.as_second() - 1_800_000_000)
        .collect()
}

#[tokio::test]
async fn logs_are_merged_by_time_and_filtered_by_each_field() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    sample(&place).await;
    let with = |set: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        seconds(&place, &filter)
    };
    assert_eq!(with(&|_| {}), [1, 2, 3, 4, 5]);
    assert_eq!(with(&|filter| filter.key = Some("openai".into())), [1, 4]);
    assert_eq!(with(&|filter| filter.key = Some("key_1".into())), [1]);
    assert_eq!(with(&|filter| filter.token = Some("ci".into())), [1]);
    assert_eq!(with(&|filter| filter.token = Some("tok1".into())), [1, 5]);
    assert_eq!(with(&|filter| filter.environment = Some("dev".into())), [3]);
    assert_eq!(with(&|filter| filter.namespace = Some("acme".into())), [0i64; 0]);
    assert_eq!(with(&|filter| filter.outcome = Some(Outcome::Failed)), [4]);
    assert_eq!(with(&|filter| filter.action = Some(Action::TokenRevoke)), [5]);
    assert_eq!(with(&|filter| filter.client = "192.0.2.7".parse().ok()), [3]);
    assert_eq!(with(&|filter| filter.request_id = Some("r3".into())), [3]);
    assert_eq!(
        with(&|filter| (filter.since, filter.until) = (Some(at(2)), Some(at(4)))),
        [2, 3]
    );
    assert_eq!(
        with(&|filter| (filter.until, filter.limit) = (Some(at(100)), Some(2))),
        [4, 5]
    );
    let mut last = Filter::default();
    last.limit = Some(3);
    assert_eq!(Reader::open(&place).unwrap().lines(&last).unwrap().count(), 3);
}

#[tokio::test]
async fn following_sees_new_lines_new_segments_and_new_slots() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open_with(FileSink::builder(&place).segment_bytes(4096).open().await.unwrap()).await;
    append(&log, event(1)).await;
    let mut follow = Reader::open(&place).unwrap().follow(&Filter::default()).unwrap();
    assert_eq!(follow.poll().unwrap().len(), 0);
    let mut seen = Vec::new();
    for n in 2..40 {
        append(&log, event(n)).await;
        seen.extend(
            follow
                .poll()
                .unwrap()
                .iter()
                .map(|line| line.entry().key.clone().unwrap()),
        );
    }
    assert_eq!(seen, (2..40).map(|n| format!("key-{n}")).collect::<Vec<_>>());
    let second = open(&place).await;
    assert_eq!(follow.poll().unwrap().len(), 1, "log.open of the second slot");
    second.close().await.unwrap();
}

#[tokio::test]
async fn reading_begins_at_a_number_without_what_stands_before_it() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open_with(FileSink::builder(&place).segment_bytes(4096).open().await.unwrap()).await;
    for n in 2..60 {
        append(&log, event(n)).await;
    }
    let other = open(&place).await;
    append(&other, event(3)).await;
    let (id, segments) = (log.status().id, crate::support::segments(&place));
    assert!(segments.len() > 3, "{segments:?}");
    // What is skipped is not looked at: damage there is not met.
    std::fs::write(&segments[1], b"nonsense\n").unwrap();
    let seqs = |first, limit| {
        let mut filter = Filter::default();
        (filter.log, filter.from_seq, filter.limit) = (Some(id.clone()), Some(first), limit);
        let lines = Reader::open(&place).unwrap().lines(&filter).unwrap();
        lines.map(|line| line.unwrap().entry().seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(41, None), (41..60).collect::<Vec<_>>());
    assert_eq!(seqs(41, Some(3)), [57, 58, 59]);
    assert_eq!(seqs(41, Some(1000)), (41..60).collect::<Vec<_>>());
    assert_eq!(seqs(59, None), [59]);
    assert_eq!(seqs(60, None), [0u64; 0]);
    assert_eq!(seqs(u64::MAX, None), [0u64; 0]);
    let mut of_each = Filter::default();
    of_each.from_seq = Some(59);
    assert_eq!(Reader::open(&place).unwrap().lines(&of_each).unwrap().count(), 1);
}

#[tokio::test]
async fn old_segments_are_passed_over_and_no_line_of_the_others_is() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open_with(FileSink::builder(&place).segment_bytes(4096).open().await.unwrap()).await;
    for n in 2..60 {
        // Two hours each; the last steps back.
        let second = if n == 59 { 0 } else { n * 7200 };
        let when = at(second);
        append(&log, Event::new(Action::KeyRetrieve, Outcome::Allowed, when)).await;
    }
    let mut filter = Filter::default();
    filter.read_from = Some(at(50 * 7200));
    let seqs = |filter: &Filter| -> Vec<u64> {
        let lines = Reader::open(&place).unwrap().lines(filter).unwrap();
        lines.map(|line| line.unwrap().entry().seq).collect()
    };
    let read = seqs(&filter);
    assert!(read[0] > 10 && read[0] <= 38, "{read:?}");
    assert_eq!(read, (read[0]..60).collect::<Vec<_>>());
    (filter.read_from, filter.since) = (None, Some(at(50 * 7200)));
    assert_eq!(seqs(&filter), (50..59).collect::<Vec<_>>());
}

#[tokio::test]
async fn export_gives_the_lines_as_they_stand() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 10).await;
    let mut out = Vec::new();
    assert_eq!(export(&place, &Filter::default(), &mut out).unwrap(), 10);
    assert_eq!(out, std::fs::read(crate::support::segment(&place)).unwrap());
}

#[tokio::test]
async fn hostile_text_is_one_line_that_reads_back() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open(&place).await;
    let hostile = "\r\n{\"v\":1}\u{0}\u{1b}[2J\"\\\u{2028}\u{202e}\u{feff}\u{7f}\u{9b}é😀";
    append(&log, event(1).key(hostile).client(None, Some(&hostile.repeat(70_000)))).await;
    log.close().await.unwrap();
    let bytes = std::fs::read(crate::support::segment(&place)).unwrap();
    assert!(bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')));
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 3);
    let mut filter = Filter::default();
    filter.key = Some(hostile.to_owned());
    let found: Vec<_> = Reader::open(&place)
        .unwrap()
        .lines(&filter)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        found[0].entry().client.user_agent.as_ref().unwrap().chars().count(),
        256
    );
    assert!(crate::support::check(&place).ok);
}

#[tokio::test]
async fn a_line_that_is_not_ours_is_said_and_the_next_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 5).await;
    let mut lines = crate::support::lines(&place);
    lines[2] = "nonsense".to_owned();
    crate::support::put_lines(&place, &lines);
    let read: Vec<_> = Reader::open(&place)
        .unwrap()
        .lines(&Filter::default())
        .unwrap()
        .collect();
    assert_eq!(
        read.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, true, false, true, true]
    );
}
