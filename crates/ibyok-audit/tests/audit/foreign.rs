//! An attacker who can write to the directory and has no key gets not one line believed.

use std::collections::BTreeSet;
use std::path::Path;

use ibyok_audit::{
    FileSink, Filter, Known, Log, Reader, SigningKey, VerifyFault, VerifyReport, VerifyingKey, prove, verify_against,
};
use sha2::Digest as _;

use crate::support::{append, event, key, lines, open, put_lines, segments, written};

/// A log of 20 lines that was closed, and the key that vouches for it.
async fn scene() -> (tempfile::TempDir, Vec<VerifyingKey>, std::path::PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 20).await;
    let id = std::fs::read_to_string(place.join("slot-0/id")).unwrap();
    (scratch, vec![key().public(id.trim_end())], place)
}

fn judged(place: &Path, keys: &[VerifyingKey]) -> VerifyReport {
    verify_against(place, &Known::by_keys(keys)).unwrap()
}

fn whats(report: &VerifyReport) -> Vec<VerifyFault> {
    report.findings.iter().map(|finding| finding.what).collect()
}

fn read(place: &Path, keys: &[VerifyingKey]) -> Vec<u64> {
    read_with(place, keys, &Filter::default())
}

fn read_with(place: &Path, keys: &[VerifyingKey], filter: &Filter) -> Vec<u64> {
    let reader = Reader::vouched(place, keys.to_vec()).unwrap();
    let lines = reader.lines(filter).unwrap().map(|line| line.unwrap().entry().seq);
    let mut lines: Vec<u64> = lines.collect();
    // The last lines come by time, and these have made-up times.
    lines.sort_unstable();
    lines
}

/// Every line of the list chained to the one before it, as a forger would.
fn chain(lines: &mut [String]) {
    let mut prev = "0".repeat(64);
    for line in lines {
        let at = line.find("\"prev\":\"").unwrap() + 8;
        line.replace_range(at..at + 64, &prev);
        prev = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(line.as_bytes()));
    }
}

/// The last line of a list as it would go on.
fn next(lines: &[String]) -> String {
    let seq = lines.len() + 1;
    let retrieval = lines.iter().find(|line| line.contains("key.retrieve")).unwrap();
    let rest = retrieval.split_once(",\"time\"").unwrap().1;
    format!("{{\"v\":1,\"seq\":{seq},\"time\"{rest}").replace("\"key-", "\"forged-")
}

#[tokio::test]
async fn a_log_without_a_vouched_key_is_foreign_and_none_of_its_lines_is_read() {
    let (scratch, keys, place) = scene().await;
    let other = scratch.path().join("other");
    let log = Log::builder()
        .home(FileSink::open(&other).await.unwrap())
        .signing_key(SigningKey::generate().unwrap())
        .open()
        .await
        .unwrap();
    append(&log, event(1)).await;
    log.close().await.unwrap();
    std::fs::rename(other.join("slot-0"), place.join("slot-1")).unwrap();
    let report = judged(&place, &keys);
    assert_eq!(
        (report.ok, whats(&report)),
        (false, vec![VerifyFault::Foreign]),
        "{report:?}"
    );
    assert_eq!(report.events, 20);
    assert_eq!(report.findings[0].log.as_deref(), Some(log.id()));
    assert_eq!(read(&place, &keys), (1..=20).collect::<Vec<_>>());
    assert!(prove(&place, None, 3, &keys, &[]).is_ok_and(|proof| proof.log() != log.id()));
    let mut by_name = Filter::default();
    by_name.log = Some(log.id().to_owned());
    assert!(read_with(&place, &keys, &by_name).is_empty());
    assert_eq!(Reader::open(&place).unwrap().lines(&by_name).unwrap().count(), 3);
}

#[tokio::test]
async fn a_log_that_should_be_there_is_missing() {
    let (_scratch, keys, place) = scene().await;
    std::fs::remove_dir_all(place.join("slot-0")).unwrap();
    assert_eq!(whats(&judged(&place, &keys)), [VerifyFault::Missing]);
    written(&place, 5).await;
    let report = judged(&place, &keys);
    assert_eq!(whats(&report), [VerifyFault::Foreign, VerifyFault::Missing]);
    let mut known = Known::by_keys(&keys);
    known.logs = BTreeSet::new();
    assert_eq!(whats(&verify_against(&place, &known).unwrap()), [VerifyFault::Foreign]);
}

#[tokio::test]
async fn a_chain_made_anew_without_checkpoints_is_not_believed() {
    let (_scratch, keys, place) = scene().await;
    let mut forged = lines(&place);
    forged[9] = forged[9].replace("key-10", "key-99");
    chain(&mut forged);
    put_lines(&place, &forged);
    std::fs::write(place.join("slot-0/checkpoints"), "").unwrap();
    std::fs::remove_file(place.join("slot-0/state")).unwrap();
    let report = judged(&place, &keys);
    assert_eq!(whats(&report), [VerifyFault::Unsigned], "{report:?}");
    assert_eq!(
        read(&place, &keys),
        [1],
        "a session's first line is on a log before its checkpoint"
    );
    assert!(FileSink::open(&place).await.is_err(), "nobody signs what was forged");
}

#[tokio::test]
async fn a_chain_made_anew_under_the_old_checkpoints_is_not_believed() {
    let (_scratch, keys, place) = scene().await;
    let mut forged = lines(&place);
    forged[9] = forged[9].replace("key-10", "key-99");
    chain(&mut forged);
    put_lines(&place, &forged);
    assert_eq!(whats(&judged(&place, &keys)), [VerifyFault::Replaced]);
    assert_eq!(read(&place, &keys), [1]);
    std::fs::remove_file(place.join("slot-0/state")).unwrap();
    assert!(FileSink::open(&place).await.is_err(), "nobody signs what was forged");
}

#[tokio::test]
async fn lines_that_were_added_to_a_log_at_rest_are_not_believed_and_nobody_signs_them() {
    let (_scratch, keys, place) = scene().await;
    let mut forged = lines(&place);
    for _ in 0..3 {
        forged.push(next(&forged));
        chain(&mut forged);
    }
    put_lines(&place, &forged);
    let report = judged(&place, &keys);
    assert_eq!(whats(&report), [VerifyFault::Unsigned], "{report:?}");
    assert_eq!(report.first_bad.as_ref().map(|bad| bad.seq), Some(21));
    assert_eq!(read(&place, &keys), (1..=20).collect::<Vec<_>>());
    // The next session goes on after the last line that is the log's.
    let log = open(&place).await;
    append(&log, event(30)).await;
    log.close().await.unwrap();
    assert!(!judged(&place, &keys).ok);
    let reader = Reader::vouched(&place, keys.clone()).unwrap();
    let all: Vec<_> = reader.lines(&Filter::default()).unwrap().map(Result::unwrap).collect();
    assert!(all.iter().all(|line| !line.text().contains("forged")));
    assert_eq!(all.last().map(|line| line.entry().seq), Some(24));
    assert!(
        all.iter().any(|line| line.text().contains("\"broken")),
        "and the log says so"
    );
}

#[tokio::test]
async fn a_session_that_was_forged_is_not_believed() {
    let (_scratch, keys, place) = scene().await;
    let mut forged = lines(&place);
    let first = forged[0].replace("\"seq\":1,", "\"seq\":21,");
    forged.push(first);
    forged.push(next(&forged));
    chain(&mut forged);
    put_lines(&place, &forged);
    assert_eq!(whats(&judged(&place, &keys)), [VerifyFault::Unsigned]);
    assert!(read(&place, &keys).iter().all(|seq| *seq <= 21));
    let log = open(&place).await;
    append(&log, event(30)).await;
    log.close().await.unwrap();
    let reader = Reader::vouched(&place, keys).unwrap();
    let lines = reader.lines(&Filter::default()).unwrap();
    assert!(lines.map(Result::unwrap).all(|line| !line.text().contains("forged")));
}

#[tokio::test]
async fn of_two_slots_of_one_log_the_copy_is_foreign() {
    for forged in [false, true] {
        let (_scratch, keys, place) = scene().await;
        let copy = place.join("slot-3");
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(place.join("slot-0")).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        if forged {
            // The forged one stands first, and has every signature of the other.
            std::fs::rename(place.join("slot-0"), place.join("slot-4")).unwrap();
            std::fs::rename(&copy, place.join("slot-0")).unwrap();
            let mut all = lines(&place);
            all[9] = all[9].replace("key-10", "key-99");
            chain(&mut all);
            put_lines(&place, &all);
        }
        let report = judged(&place, &keys);
        assert_eq!(whats(&report), [VerifyFault::Foreign], "{report:?}");
        assert_eq!(
            (report.events, report.findings[0].slot),
            (20, Some(if forged { 0 } else { 3 }))
        );
        assert_eq!(read(&place, &keys), (1..=20).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_slot_that_is_a_link_is_foreign() {
    let (scratch, keys, place) = scene().await;
    let elsewhere = scratch.path().join("elsewhere");
    std::fs::rename(place.join("slot-0"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, place.join("slot-0")).unwrap();
    assert_eq!(
        whats(&judged(&place, &keys)),
        [VerifyFault::Foreign, VerifyFault::Missing]
    );
    assert!(read(&place, &keys).is_empty());
}

#[tokio::test]
async fn another_logs_segment_in_a_log_is_passed_over() {
    let (scratch, keys, place) = scene().await;
    let other = scratch.path().join("other");
    written(&other, 9).await;
    let spliced = place.join("slot-0/audit-00000002.log");
    std::fs::copy(other.join("slot-0/audit-00000001.log"), spliced).unwrap();
    let report = judged(&place, &keys);
    assert_eq!(whats(&report), [VerifyFault::Changed], "{report:?}");
    assert_eq!(read(&place, &keys), (1..=20).collect::<Vec<_>>());
}

async fn long(place: &Path, count: u64) -> Vec<VerifyingKey> {
    let sink = FileSink::builder(place).segment_bytes(4096).open().await.unwrap();
    let log = crate::support::open_with(sink).await;
    for n in 0..count {
        append(&log, event(n)).await;
    }
    let id = log.id().to_owned();
    log.close().await.unwrap();
    vec![key().public(&id)]
}

#[tokio::test]
async fn a_long_log_is_read_from_anywhere_and_each_segment_is_judged_by_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let keys = long(&place, 60).await;
    let all: Vec<u64> = (1..=62).collect();
    assert!(segments(&place).len() > 4);
    assert_eq!(read(&place, &keys), all);
    for from in [1, 17, 40, 62] {
        let mut filter = Filter::default();
        filter.from_seq = Some(from);
        assert_eq!(read_with(&place, &keys, &filter), (from..=62).collect::<Vec<_>>());
        filter.limit = Some(3);
        assert_eq!(
            read_with(&place, &keys, &filter),
            (60.max(from)..=62).collect::<Vec<_>>()
        );
    }
    // A line of the second segment is changed, and all that follow it are chained anew.
    let path = &segments(&place)[1];
    let mut changed: Vec<String> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let first: u64 = changed[0].split(['{', ',', ':']).nth(4).unwrap().parse().unwrap();
    let prev = changed[0].split("\"prev\":\"").nth(1).unwrap();
    let prev = prev.split('"').next().unwrap().to_owned();
    changed[1] = changed[1].replace("\"key-", "\"forged-");
    let count = changed.len() as u64;
    chain(&mut changed);
    let at = changed[0].find("\"prev\":\"").unwrap() + 8;
    changed[0].replace_range(at..at + 64, &prev);
    std::fs::write(path, changed.join("\n") + "\n").unwrap();
    let believed = read(&place, &keys);
    assert!(!believed.contains(&(first + 1)), "{believed:?}");
    for seq in (1..first).chain(first + count..=62) {
        assert!(believed.contains(&seq), "{seq} of {believed:?}");
    }
    // Without the beginnings of its segments a log is judged from its first line on.
    for entry in std::fs::read_dir(place.join("slot-0")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|end| end == "start") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert!(read(&place, &keys).iter().all(|seq| *seq <= first));
}

#[tokio::test]
async fn a_log_that_is_written_is_followed_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let sink = FileSink::builder(&place).segment_bytes(4096).open().await.unwrap();
    let log = crate::support::open_with(sink).await;
    let mut follow = Reader::vouched(&place, vec![key().public(log.id())])
        .unwrap()
        .follow(&Filter::default())
        .unwrap();
    let mut seen = Vec::new();
    for n in 0..30 {
        let seq = append(&log, event(n)).await;
        seen.extend(follow.poll().unwrap().iter().map(|line| line.entry().seq));
        if n < 3 {
            assert_eq!(seen.last(), Some(&seq), "also before it is signed");
        }
    }
    let beside = open(&place).await;
    append(&beside, event(1)).await;
    assert!(follow.poll().unwrap().iter().all(|line| line.slot() == 0));
    follow.vouch([key().public(beside.id())]);
    assert_eq!(follow.poll().unwrap().iter().filter(|line| line.slot() == 1).count(), 2);
    log.close().await.unwrap();
    let again = open(&place).await;
    append(&again, event(40)).await;
    seen.extend(
        follow
            .poll()
            .unwrap()
            .iter()
            .filter(|line| line.slot() == 0)
            .map(|line| line.entry().seq),
    );
    // A look gives its lines by time, and these have made-up times.
    seen.sort_unstable();
    assert_eq!(seen, (2..=34).collect::<Vec<_>>());
}

/// The writer keeps the beginnings of its segments on a thread of its own, so that a reader may meet any of them or none.
#[tokio::test]
async fn no_line_is_passed_over_while_beginnings_of_segments_come_and_go() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let keys = long(&place, 60).await;
    let beginnings: Vec<std::path::PathBuf> = std::fs::read_dir(place.join("slot-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "start"))
        .collect();
    assert!(beginnings.len() > 4);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 1_usize;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for (number, path) in beginnings.iter().enumerate() {
                    let away = path.with_extension("away");
                    let (from, to) = if (round >> (number % 8)) & 1 == 1 {
                        (path, &away)
                    } else {
                        (&away, path)
                    };
                    // It may be there already.
                    drop(std::fs::rename(from, to));
                }
                round += 1;
            }
        });
        let passed_over = (0..150).find(|_| read(&place, &keys) != (1..=62).collect::<Vec<_>>());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(passed_over, None);
    });
}

#[tokio::test]
async fn lines_before_one_that_cannot_be_read_are_followed_as_well() {
    let (_scratch, _, place) = scene().await;
    let mut follow = Reader::open(&place).unwrap().follow(&Filter::default()).unwrap();
    let mut all = lines(&place);
    all.push(next(&all));
    all.push("no line of ours".to_owned());
    all.push(next(&all[..21]));
    put_lines(&place, &all);
    let mut seen = Vec::new();
    for _ in 0..3 {
        if let Ok(lines) = follow.poll() {
            seen.extend(lines.iter().map(|line| line.entry().seq));
        }
    }
    assert_eq!(seen, [21, 22]);
}

/// Makes a log whose writer was killed: its last lines have no signature, and an attacker chains more to them.
async fn forged_behind_a_kill() -> (tempfile::TempDir, Vec<VerifyingKey>, std::path::PathBuf, u64) {
    let scratch = tempfile::tempdir().unwrap();
    let (alive, place) = (scratch.path().join("alive"), scratch.path().join("audit"));
    let log = open(&alive).await;
    append(&log, event(1)).await;
    std::fs::create_dir_all(place.join("slot-0")).unwrap();
    for entry in std::fs::read_dir(alive.join("slot-0")).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), place.join("slot-0").join(entry.file_name())).unwrap();
    }
    let mut all = lines(&place);
    let own = all.len() as u64;
    for _ in 0..3 {
        all.push(next(&all));
        chain(&mut all);
    }
    put_lines(&place, &all);
    (scratch, vec![key().public(log.id())], place, own)
}

#[tokio::test]
async fn lines_that_were_chained_to_a_log_after_a_kill_are_signed_by_nobody() {
    let (_scratch, keys, place, own) = forged_behind_a_kill().await;
    let log = open(&place).await;
    append(&log, event(30)).await;
    log.close().await.unwrap();
    let all = Reader::vouched(&place, keys.clone()).unwrap();
    let all: Vec<_> = all.lines(&Filter::default()).unwrap().map(Result::unwrap).collect();
    assert!(all.iter().all(|line| !line.text().contains("forged")));
    assert_eq!(
        all.last().map(|line| line.entry().seq),
        Some(own + 4),
        "opened, broken, appended, closed"
    );
    assert!(
        all.iter().any(|line| line.text().contains("\"broken")),
        "and the log says so"
    );
    assert!(!judged(&place, &keys).ok);
}

#[tokio::test]
async fn every_line_carries_a_mac_and_no_line_of_the_same_log_carries_that_of_another() {
    let (_scratch, _, place) = scene().await;
    let macs: BTreeSet<String> = lines(&place)
        .iter()
        .map(|line| {
            ibyok_audit::Line::parse(line.as_str())
                .unwrap()
                .entry()
                .mac
                .clone()
                .unwrap()
        })
        .collect();
    assert_eq!(macs.len(), 20);
    assert!(macs.iter().all(|mac| mac.len() == 32));
}

/// A log that was set back to an earlier state and to the lines of then, with forged lines behind them and a note of
/// more lines than are there: a note that is never reached vouches for nothing.
#[tokio::test]
async fn lines_below_a_checkpoint_that_is_never_reached_are_signed_by_nobody() {
    for forgeries in [1_usize, 3, 30] {
        let (_scratch, keys, place) = scene().await;
        let slot = place.join("slot-0");
        let before = lines(&place);
        let state = std::fs::read(slot.join("state")).unwrap();
        let notes = std::fs::read_to_string(slot.join("checkpoints")).unwrap();
        let log = open(&place).await;
        for n in 0..20 {
            append(&log, event(n)).await;
        }
        log.close().await.unwrap();
        let later = std::fs::read_to_string(slot.join("checkpoints")).unwrap();
        let last = later.trim_end().rsplit("\n\nibyok-audit").next().unwrap();
        std::fs::write(slot.join("checkpoints"), format!("{notes}ibyok-audit{last}\n\n")).unwrap();
        std::fs::write(slot.join("state"), state).unwrap();
        let mut forged = before.clone();
        for _ in 0..forgeries {
            forged.push(next(&forged));
        }
        chain_behind(&mut forged, before.len());
        put_lines(&place, &forged);
        for _ in 0..2 {
            let log = open(&place).await;
            append(&log, event(99)).await;
            log.close().await.unwrap();
        }
        let reader = Reader::vouched(&place, keys.clone()).unwrap();
        let all: Vec<_> = reader.lines(&Filter::default()).unwrap().flatten().collect();
        assert!(all.iter().all(|line| !line.text().contains("forged")), "{forgeries}");
        assert!(!judged(&place, &keys).ok, "{forgeries}");
    }
}

/// Chains the lines from this place on to those before.
fn chain_behind(lines: &mut [String], from: usize) {
    for at in from..lines.len() {
        let prev = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(lines[at - 1].as_bytes()));
        let start = lines[at].find("\"prev\":\"").unwrap() + 8;
        lines[at].replace_range(start..start + 64, &prev);
    }
}

/// One more session of a log, with a few lines.
async fn goes_on(place: &Path, number: u64) {
    let log = open(place).await;
    for _ in 0..3 {
        append(&log, event(number)).await;
    }
    log.close().await.unwrap();
}

/// A log that was set back and went on until it had a signature over as many lines as the evidence speaks of.
#[tokio::test]
async fn two_signatures_over_as_many_lines_are_a_finding_of_a_log_that_was_set_back() {
    let (scratch, keys, place) = scene().await;
    let copy = scratch.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(place.join("slot-0")).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let notes = || std::fs::read_to_string(place.join("slot-0/checkpoints")).unwrap();
    goes_on(&place, 1).await;
    let fork = notes();
    for entry in std::fs::read_dir(&copy).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), place.join("slot-0").join(entry.file_name())).unwrap();
    }
    goes_on(&place, 2).await;
    for both in [format!("{fork}{}", notes()), format!("{}{fork}", notes())] {
        std::fs::write(place.join("slot-0/checkpoints"), both).unwrap();
        let report = judged(&place, &keys);
        assert!(!report.ok);
        assert!(
            matches!(report.first_bad, Some(ref bad) if [VerifyFault::Replaced, VerifyFault::Changed].contains(&bad.what)),
            "{report:?}"
        );
    }
}
