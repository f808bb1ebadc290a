use std::path::Path;

use ibyok_audit::{BadLine, VerifyFault, verify};

use crate::support::{append, check, event, key, lines, open, put_lines, segment, written};

/// A closed log of 20 lines, changed in a way, and what verification says of it first.
async fn after(change: impl FnOnce(&Path, &mut Vec<String>)) -> Option<BadLine> {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 20).await;
    let mut all = lines(&place);
    assert_eq!(all.len(), 20);
    change(&place, &mut all);
    put_lines(&place, &all);
    let report = check(&place);
    assert_eq!(report.ok, report.first_bad.is_none());
    report.first_bad
}

fn is(bad: Option<BadLine>, what: VerifyFault, seq: u64, line: u64) {
    let bad = bad.unwrap();
    assert_eq!(
        (bad.what, bad.seq, bad.line, bad.until),
        (what, seq, line, None),
        "{bad:?}"
    );
    assert_eq!(bad.segment, "audit-00000001.log");
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_good() {
    assert_eq!(after(|_, _| {}).await, None);
}

#[tokio::test]
async fn a_changed_line_is_named() {
    for n in 1..19 {
        let bad = after(|_, lines| lines[n] = lines[n].replace("allowed", "refused")).await;
        is(bad, VerifyFault::Changed, n as u64 + 1, n as u64 + 1);
    }
}

#[tokio::test]
async fn a_change_in_every_line_names_the_first() {
    let bad = after(|_, lines| {
        lines
            .iter_mut()
            .for_each(|line| *line = line.replace("allowed", "failed!"))
    })
    .await;
    is(bad, VerifyFault::Changed, 1, 1);
}

#[tokio::test]
async fn a_changed_link_field_is_named_where_it_is() {
    for field in ["\"prev\":\"", "\"seq\":", "\"log\":\""] {
        let bad = after(|_, lines| {
            let at = lines[9].find(field).unwrap() + field.len();
            let other = if lines[9].as_bytes()[at] == b'5' { "6" } else { "5" };
            lines[9].replace_range(at..=at, other);
        })
        .await;
        is(bad, VerifyFault::Changed, 10, 10);
    }
}

#[tokio::test]
async fn a_line_that_is_no_json_any_more_is_named() {
    is(
        after(|_, lines| assert!(lines[9].pop().is_some())).await,
        VerifyFault::Changed,
        10,
        10,
    );
}

#[tokio::test]
async fn a_changed_last_line_is_between_the_last_good_checkpoint_and_the_end() {
    let bad = after(|_, lines| lines[19] = lines[19].replace("allowed", "refused"))
        .await
        .unwrap();
    assert_eq!((bad.what, bad.seq, bad.until), (VerifyFault::Replaced, 2, Some(20)));
}

#[tokio::test]
async fn a_removed_line_is_named() {
    for n in [0, 1, 9, 18] {
        let bad = after(|_, lines| drop(lines.remove(n))).await;
        is(bad, VerifyFault::Removed, n as u64 + 1, n as u64 + 1);
    }
}

#[tokio::test]
async fn a_cut_tail_is_seen_by_the_checkpoint() {
    for left in [0, 1, 10, 19] {
        is(
            after(|_, lines| lines.truncate(left)).await,
            VerifyFault::Truncated,
            left as u64 + 1,
            left as u64 + 1,
        );
    }
}

#[tokio::test]
async fn an_inserted_line_is_named() {
    let forged = |lines: &[String]| lines[9].replace("key-10", "key-99");
    // Before and after the line whose place it claims, and a copy beside its original.
    is(
        after(|_, lines| lines.insert(9, forged(lines))).await,
        VerifyFault::Inserted,
        10,
        10,
    );
    is(
        after(|_, lines| lines.insert(10, forged(lines))).await,
        VerifyFault::Inserted,
        10,
        11,
    );
    is(
        after(|_, lines| lines.insert(10, lines[9].clone())).await,
        VerifyFault::Inserted,
        10,
        11,
    );
    is(
        after(|_, lines| lines.insert(15, lines[3].clone())).await,
        VerifyFault::Inserted,
        4,
        16,
    );
    is(
        after(|_, lines| lines.insert(3, lines[15].clone())).await,
        VerifyFault::Inserted,
        16,
        4,
    );
    is(
        after(|_, lines| lines.insert(5, "{}".to_owned())).await,
        VerifyFault::Inserted,
        6,
        6,
    );
}

#[tokio::test]
async fn a_moved_line_is_named() {
    is(after(|_, lines| lines.swap(9, 10)).await, VerifyFault::Moved, 11, 10);
    is(
        after(|_, lines| {
            let line = lines.remove(15);
            lines.insert(4, line);
        })
        .await,
        VerifyFault::Moved,
        16,
        5,
    );
    is(
        after(|_, lines| {
            let line = lines.remove(4);
            lines.insert(15, line);
        })
        .await,
        VerifyFault::Moved,
        5,
        5,
    );
}

#[tokio::test]
async fn a_line_of_another_log_is_named() {
    let other = tempfile::tempdir().unwrap();
    written(&other.path().join("audit"), 20).await;
    let others = lines(&other.path().join("audit"));
    is(
        after(|_, lines| lines.insert(9, others[9].clone())).await,
        VerifyFault::Inserted,
        10,
        10,
    );
    is(
        after(|_, lines| lines.splice(9..9, others[9..12].to_vec()).for_each(drop)).await,
        VerifyFault::Inserted,
        10,
        10,
    );
    is(
        after(|_, lines| lines[9] = others[9].clone()).await,
        VerifyFault::Changed,
        10,
        10,
    );
    is(
        after(|_, lines| *lines = others.clone()).await,
        VerifyFault::Changed,
        1,
        1,
    );
}

#[tokio::test]
async fn a_chain_made_anew_is_not_the_one_that_was_signed() {
    let bad = after(|_, lines| {
        lines[9] = lines[9].replace("key-10", "key-99");
        for n in 10..20 {
            use sha2::Digest as _;
            let prev = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&lines[n - 1]));
            let at = lines[n].find("\"prev\":\"").unwrap() + 8;
            lines[n].replace_range(at..at + 64, &prev);
        }
    })
    .await
    .unwrap();
    assert_eq!((bad.what, bad.seq, bad.until), (VerifyFault::Replaced, 2, Some(20)));
}

#[tokio::test]
async fn a_changed_checkpoint_is_named() {
    let bad = after(|place, _| {
        let path = place.join("slot-0/checkpoints");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\n20\n", "\n21\n")).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(
        (bad.what, bad.segment.as_str(), bad.seq),
        (VerifyFault::BadSignature, "checkpoints", 21)
    );
}

#[tokio::test]
async fn an_older_copy_of_everything_is_seen_by_a_checkpoint_from_elsewhere() {
    let scratch = tempfile::tempdir().unwrap();
    let (place, copy) = (scratch.path().join("audit"), scratch.path().join("copy"));
    written(&place, 20).await;
    copy_directory(&place, &copy);
    let log = open(&place).await;
    append(&log, event(100)).await;
    log.close().await.unwrap();
    let known = [(log.id().to_owned(), log.last_checkpoint().unwrap().text().to_owned())];
    let keys = [key().public(log.id())];
    assert!(verify(&place, &keys, &known).unwrap().ok);
    assert!(verify(&copy, &keys, &[]).unwrap().ok);
    let bad = verify(&copy, &keys, &known).unwrap().first_bad.unwrap();
    assert_eq!((bad.what, bad.seq), (VerifyFault::Truncated, 21));
    std::fs::remove_dir_all(copy.join("slot-0")).unwrap();
    let report = verify(&copy, &keys, &known).unwrap();
    assert_eq!((report.ok, report.logs[0].slot), (false, None));
}

#[tokio::test]
async fn another_key_beside_the_log_is_noticed_by_who_knows_the_right_one() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open(&place).await;
    log.close().await.unwrap();
    let right = key().public(log.id());
    let wrong = ibyok_audit::SigningKey::generate().unwrap().public(log.id());
    std::fs::write(place.join("slot-0/log.pub"), format!("{wrong}\n")).unwrap();
    assert_eq!(check(&place).first_bad.unwrap().what, VerifyFault::BadSignature);
    let bad = verify(&place, &[right], &[]).unwrap().first_bad.unwrap();
    assert_eq!((bad.what, bad.segment.as_str()), (VerifyFault::Replaced, "log.pub"));
}

#[tokio::test]
async fn a_missing_segment_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let sink = ibyok_audit::FileSink::builder(&place)
        .segment_bytes(4096)
        .open()
        .await
        .unwrap();
    let log = crate::support::open_with(sink).await;
    for n in 0..50 {
        append(&log, event(n)).await;
    }
    log.close().await.unwrap();
    assert!(check(&place).ok);
    let first = lines(&place).len() as u64;
    let second = place.join("slot-0/audit-00000002.log");
    let kept = std::fs::read(&second).unwrap();
    std::fs::remove_file(&second).unwrap();
    let bad = check(&place).first_bad.unwrap();
    assert_eq!(
        (bad.what, bad.seq, bad.segment.as_str()),
        (VerifyFault::Removed, first + 1, "audit-00000003.log")
    );
    std::fs::write(&second, kept).unwrap();
    assert!(check(&place).ok);
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn any_byte_that_is_changed_names_its_line() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 12).await;
    let good = std::fs::read(segment(&place)).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        std::fs::write(segment(&place), bytes).unwrap();
        let line = good[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let bad = check(&place).first_bad;
        let bad = bad.unwrap_or_else(|| panic!("byte {at} of line {line} to {byte:#x} is not seen"));
        let named = bad.seq == line || bad.until.is_some_and(|until| (bad.seq..=until).contains(&line));
        assert!(named, "byte {at} of line {line} to {byte:#x}: {bad:?}");
    };
    let runner = proptest::test_runner::Config::with_cases(400);
    proptest::proptest!(runner, |(at in 0..good.len(), byte: u8)| {
        if good[at] != byte {
            changed(at, byte);
        }
    });
    for (at, byte) in good.iter().enumerate().take(700) {
        changed(at, byte ^ 1);
    }
}
