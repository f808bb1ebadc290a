//! A log that lacks lines: a reader counts what it lacks, and takes the unwritten tail for what it is.

use std::path::Path;

use ibyok_audit::{FileSink, Filter, LeftOut, LeftOutReason, Reader, VerifyingKey};

use crate::support::{append, event, key, open, open_with, segment, segments, written};

/// The two ways to ask a reader: for all lines, and for the last of them.
fn filters() -> [Filter; 2] {
    let mut last = Filter::default();
    last.limit = Some(1000);
    [Filter::default(), last]
}

fn read(place: &Path, keys: &[VerifyingKey], filter: &Filter) -> (u64, Vec<LeftOut>) {
    let mut lines = Reader::vouched(place, keys.to_vec()).unwrap().lines(filter).unwrap();
    let read = lines.by_ref().map(Result::unwrap).count() as u64;
    (read, lines.left_out())
}

fn keys(place: &Path) -> Vec<VerifyingKey> {
    let id = std::fs::read_to_string(place.join("slot-0/id")).unwrap();
    vec![key().public(id.trim_end())]
}

#[tokio::test]
async fn a_byte_that_became_nul_is_counted_wherever_it_stands() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 12).await;
    let (keys, whole) = (keys(&place), std::fs::read(segment(&place)).unwrap());
    for zeros in [0, 5, 200_000] {
        let mut filled = whole.clone();
        filled.resize(whole.len() + zeros, 0);
        std::fs::write(segment(&place), &filled).unwrap();
        for filter in filters() {
            assert_eq!(read(&place, &keys, &filter), (12, Vec::new()), "{zeros} zeros behind");
        }
        let ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let ends: Vec<usize> = ends.map(|(at, _)| at).collect();
        let steps = (0..whole.len())
            .step_by(97)
            .chain(ends.iter().copied())
            .chain(ends.iter().map(|end| end - 1));
        for at in steps {
            let mut spoilt = filled.clone();
            spoilt[at] = 0;
            std::fs::write(segment(&place), &spoilt).unwrap();
            for filter in filters() {
                let (read, left_out) = read(&place, &keys, &filter);
                let said: u64 = left_out.iter().map(|left_out| left_out.lines).sum();
                assert!(
                    read + said >= 11 && said > 0,
                    "byte {at}, {zeros} zeros: {read} read, {left_out:?}"
                );
                assert_eq!(left_out[0].why, LeftOutReason::NotVouched);
            }
        }
    }
}

#[tokio::test]
async fn lines_that_became_zeros_up_to_the_end_are_counted_by_their_checkpoint() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 12).await;
    let (keys, whole) = (keys(&place), std::fs::read(segment(&place)).unwrap());
    let third = whole
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(2)
        .unwrap()
        .0;
    let mut cut = whole.clone();
    cut[third + 1..].fill(0);
    let shorter = whole[..=third].to_vec();
    for bytes in [cut, shorter] {
        std::fs::write(segment(&place), bytes).unwrap();
        for filter in filters() {
            let (read, left_out) = read(&place, &keys, &filter);
            // Below the last checkpoint that still holds, lines are believed.
            assert!(read <= 3 && left_out.len() == 1, "{read}: {left_out:?}");
            assert!(read + left_out[0].lines >= 12, "{read}: {left_out:?}");
        }
    }
}

#[tokio::test]
async fn a_log_that_is_written_has_no_line_that_is_left_out() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open(&place).await;
    let keys = keys(&place);
    let mut follow = Reader::vouched(&place, keys.clone())
        .unwrap()
        .follow(&Filter::default())
        .unwrap();
    let mut followed = 0;
    for n in 2..300 {
        append(&log, event(n)).await;
        followed += follow.poll().unwrap().len();
        assert_eq!(follow.left_out(), Vec::new());
        for filter in filters() {
            assert_eq!(read(&place, &keys, &filter).1, Vec::new(), "after line {n}");
        }
    }
    assert!(followed > 0);
    log.close().await.unwrap();
}

#[tokio::test]
async fn whoever_follows_a_log_hears_of_lines_that_are_left_out_meanwhile() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 12).await;
    let keys = keys(&place);
    let away = scratch.path().join("away");
    std::fs::rename(place.join("slot-0"), &away).unwrap();
    let mut follow = Reader::vouched(&place, keys)
        .unwrap()
        .follow(&Filter::default())
        .unwrap();
    assert!(follow.poll().unwrap().is_empty() && follow.left_out().is_empty());
    let spoilt = away.join("audit-00000001.log");
    let mut bytes = std::fs::read(&spoilt).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] = 0;
    std::fs::write(&spoilt, bytes).unwrap();
    std::fs::rename(&away, place.join("slot-0")).unwrap();
    let read = follow.poll().unwrap().len() as u64;
    let left_out = follow.left_out();
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert!(read + left_out[0].lines >= 12, "{read}: {left_out:?}");
    assert!(follow.poll().unwrap().is_empty());
    assert!(follow.left_out().is_empty(), "each is said once");
}

#[tokio::test]
async fn a_log_without_its_checkpoints_is_counted_and_not_passed_over_in_silence() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 12).await;
    let keys = keys(&place);
    for name in ["checkpoints", "state"] {
        std::fs::remove_file(place.join("slot-0").join(name)).unwrap();
        for filter in filters() {
            let (read, left_out) = read(&place, &keys, &filter);
            let said: u64 = left_out.iter().map(|left_out| left_out.lines).sum();
            assert_eq!((read, said), (1, 11), "{left_out:?}");
        }
    }
}

#[tokio::test]
async fn lines_that_somebody_adds_to_a_log_are_counted_also_while_it_is_followed() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 12).await;
    let keys = keys(&place);
    let mut follow = Reader::vouched(&place, keys.clone())
        .unwrap()
        .follow(&Filter::default())
        .unwrap();
    let whole = std::fs::read(segment(&place)).unwrap();
    let line = whole.split_inclusive(|byte| *byte == b'\n').nth(3).unwrap();
    std::fs::write(segment(&place), [&whole[..], line, line].concat()).unwrap();
    let (lines, left_out) = read(&place, &keys, &Filter::default());
    assert_eq!((lines, left_out[0].lines), (12, 2), "{left_out:?}");
    assert!(follow.poll().unwrap().is_empty());
    assert_eq!(follow.left_out()[0].lines, 2);
    assert!(follow.poll().unwrap().is_empty() && follow.left_out().is_empty());
}

#[tokio::test]
async fn the_lines_of_a_segment_that_is_gone_are_counted() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let sink = FileSink::builder(&place).segment_bytes(4096).open().await.unwrap();
    let log = open_with(sink).await;
    for n in 2..60 {
        append(&log, event(n)).await;
    }
    log.close().await.unwrap();
    let keys = keys(&place);
    let files = segments(&place);
    assert!(files.len() > 4, "{files:?}");
    let (whole, nothing) = read(&place, &keys, &Filter::default());
    assert_eq!(nothing, Vec::new());
    std::fs::remove_file(&files[2]).unwrap();
    let (rest, left_out) = read(&place, &keys, &Filter::default());
    let said: u64 = left_out.iter().map(|left_out| left_out.lines).sum();
    assert!(rest < whole && rest + said == whole, "{rest} of {whole}: {left_out:?}");
}
