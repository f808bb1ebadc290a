use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ibyok_audit::{
    Action, Batch, Error, Event, FileSink, Filter, Head, LineKey, Log, LogPlace, LogSink, Outcome, Reader, Sink,
    SinkDescription, SinkDurability, VerifyFault,
};

use crate::support::{append, check, event, key, lines, open, segment, written};

/// A file sink with switches for its faults.
struct Flaky {
    inner: FileSink,
    switches: Arc<Switches>,
}

#[derive(Default)]
struct Switches {
    full: AtomicBool,
    sync_fails: AtomicBool,
    hangs: AtomicBool,
}

impl Sink for Flaky {
    fn describe(&self) -> SinkDescription {
        self.inner.describe()
    }
    fn durable(&self) -> bool {
        true
    }
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        while self.switches.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.switches.full.load(Ordering::SeqCst) {
            // A disk that is full takes the first part.
            let part = &batch.bytes()[..batch.bytes().len() / 2];
            self.inner.write(&Batch::new(part, batch.first_seq(), batch.count()))?;
            return Err(Error::Unavailable {
                reason: "no space left on device".to_owned(),
            });
        }
        self.inner.write(batch)
    }
    fn sync(&mut self) -> Result<(), Error> {
        if self.switches.sync_fails.load(Ordering::SeqCst) {
            return Err(Error::Unavailable {
                reason: "input/output error".to_owned(),
            });
        }
        self.inner.sync()
    }
    fn close(&mut self) -> Result<(), Error> {
        self.inner.close()
    }
}

impl LogSink for Flaky {
    fn place(&self) -> LogPlace {
        self.inner.place()
    }
    fn believe(&mut self, key: &LineKey) -> Result<(), Error> {
        self.inner.believe(key)
    }
    fn reopen(&mut self, head: &Head) -> Result<(), Error> {
        self.inner.reopen(head)
    }
}

async fn flaky(place: &Path) -> (Log, Arc<Switches>) {
    let switches = Arc::new(Switches::default());
    let sink = Flaky {
        inner: FileSink::open(place).await.unwrap(),
        switches: Arc::clone(&switches),
    };
    let builder = Log::builder()
        .home(sink)
        .signing_key(key())
        .deadline(Duration::from_millis(500));
    (builder.open().await.unwrap(), switches)
}

/// The reasons of the `log.gap` lines.
fn gaps(place: &Path) -> Vec<(String, u64)> {
    let mut filter = Filter::default();
    filter.action = Some(ibyok_audit::Action::LogGap);
    // A line that a cut left half is an error of its own.
    let lines = Reader::open(place).unwrap().lines(&filter).unwrap().flatten();
    lines
        .map(|line| (line.entry().reason.clone().unwrap(), line.entry().count))
        .collect()
}

fn kinds(place: &Path) -> Vec<String> {
    gaps(place)
        .iter()
        .map(|(reason, _)| reason.split(':').next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_fails_the_whole_batch_and_everything_after_until_a_reopen() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let (log, switches) = flaky(&place).await;
    append(&log, event(1)).await;
    switches.sync_fails.store(true, Ordering::SeqCst);
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { log.append(event(n)).await })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Err(Error::Poisoned { .. })));
    }
    switches.sync_fails.store(false, Ordering::SeqCst);
    assert!(
        log.append(event(2)).await.is_err(),
        "a later sync that works is not believed"
    );
    assert!(!log.status().is_healthy());
    log.reopen().await.unwrap();
    assert!(log.status().is_healthy());
    append(&log, event(3)).await;
    log.close().await.unwrap();
    assert!(check(&place).ok);
    let (reason, count) = gaps(&place).pop().unwrap();
    assert!(reason.starts_with("refused: ") && count == 65, "{reason} {count}");
}

#[tokio::test]
async fn a_full_disk_refuses_and_a_reopen_goes_on_once_there_is_space() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let (log, switches) = flaky(&place).await;
    append(&log, event(1)).await;
    switches.full.store(true, Ordering::SeqCst);
    assert!(matches!(log.append(event(2)).await, Err(Error::Poisoned { .. })));
    assert!(log.reopen().await.is_err(), "its own line does not fit either");
    assert!(log.append(event(2)).await.is_err());
    switches.full.store(false, Ordering::SeqCst);
    log.reopen().await.unwrap();
    append(&log, event(3)).await;
    log.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok, "{report:?}");
    assert!(kinds(&place).contains(&"torn".to_owned()));
}

#[tokio::test]
async fn a_hanging_sink_is_a_refusal_within_the_deadline() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let (log, switches) = flaky(&place).await;
    switches.hangs.store(true, Ordering::SeqCst);
    let begun = std::time::Instant::now();
    assert!(matches!(log.append(event(1)).await, Err(Error::Unavailable { .. })));
    assert!(begun.elapsed() < Duration::from_secs(3));
    for n in 0..10_000 {
        log.append_unwaited(event(n));
    }
    switches.hangs.store(false, Ordering::SeqCst);
    log.flush().await.unwrap();
    append(&log, event(2)).await;
    log.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok && report.events < 5000, "the queue is bounded: {report:?}");
    assert_eq!(kinds(&place), ["dropped"]);
    assert_eq!(
        gaps(&place)[0].1 + report.events,
        10_000 + 5,
        "every event is written or counted"
    );
}

#[tokio::test]
async fn a_best_effort_sink_that_fails_holds_nobody_up_and_is_counted() {
    struct Deaf;
    impl Sink for Deaf {
        fn describe(&self) -> SinkDescription {
            SinkDescription::new("deaf", SinkDurability::BestEffort)
        }
        fn durable(&self) -> bool {
            false
        }
        fn write(&mut self, _batch: &Batch<'_>) -> Result<(), Error> {
            Err(Error::Unavailable {
                reason: "deaf".to_owned(),
            })
        }
        fn sync(&mut self) -> Result<(), Error> {
            Ok(())
        }
        fn close(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let sink = FileSink::open(&place).await.unwrap();
    let log = Log::builder()
        .home(sink)
        .best_effort(Deaf)
        .signing_key(key())
        .open()
        .await
        .unwrap();
    append(&log, event(1)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    append(&log, event(2)).await;
    log.close().await.unwrap();
    let gaps = gaps(&place);
    assert!(
        gaps.iter()
            .all(|(reason, _)| reason == "dropped: `deaf` did not take them"),
        "{gaps:?}"
    );
    assert!(gaps.iter().map(|(_, count)| count).sum::<u64>() >= 2, "{gaps:?}");
}

/// Copies the files of an open log, as a crash at this moment would leave them.
fn crash(place: &Path, to: &Path) -> PathBuf {
    std::fs::create_dir_all(to.join("slot-0")).unwrap();
    for entry in std::fs::read_dir(place.join("slot-0")).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join("slot-0").join(entry.file_name())).unwrap();
    }
    to.to_owned()
}

/// A log of eight lines after the crash of its writer; the last seven have no checkpoint yet.
async fn crashed(scratch: &Path) -> PathBuf {
    let place = scratch.join("audit");
    let log = open(&place).await;
    while log.last_checkpoint().is_none() || !place.join("slot-0/state").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for n in 2..9 {
        append(&log, event(n)).await;
    }
    crash(&place, &scratch.join("crashed"))
}

fn end_of_lines(place: &Path) -> u64 {
    lines(place).iter().map(|line| line.len() as u64 + 1).sum()
}

#[tokio::test]
async fn a_crash_loses_no_line_and_the_next_session_goes_on() {
    let scratch = tempfile::tempdir().unwrap();
    let place = crashed(scratch.path()).await;
    assert!(check(&place).ok);
    let log = open(&place).await;
    assert_eq!(
        log.append(event(9)).await.unwrap().seq(),
        10,
        "after eight lines and log.open"
    );
    log.close().await.unwrap();
    assert!(check(&place).ok);
    assert_eq!(kinds(&place), [""; 0]);
}

#[tokio::test]
async fn a_torn_last_line_is_moved_aside_and_is_no_tampering() {
    for torn in [
        &b"{\"v\":1,\"seq\":9,\"ti"[..],
        b"\0\0\0\0tail of a page\n",
        b"{\"v\":1\0\0\n{\"v\":1}\n",
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let place = crashed(scratch.path()).await;
        let end = end_of_lines(&place);
        let file = std::fs::OpenOptions::new().write(true).open(segment(&place)).unwrap();
        file.write_all_at(torn, end).unwrap();
        let report = check(&place);
        assert!(report.ok && report.logs[0].torn && report.events == 8, "{report:?}");
        let log = open(&place).await;
        log.close().await.unwrap();
        let report = check(&place);
        assert!(report.ok && !report.logs[0].torn, "{report:?}");
        assert_eq!(kinds(&place), ["torn"]);
        let aside = std::fs::read(place.join(format!("slot-0/torn-1-{end}"))).unwrap();
        assert_eq!(aside, torn);
    }
}

#[tokio::test]
async fn without_its_state_a_log_is_read_from_the_beginning() {
    let scratch = tempfile::tempdir().unwrap();
    let place = crashed(scratch.path()).await;
    for broken in ["", "{}", "nonsense"] {
        std::fs::write(place.join("slot-0/state"), broken).unwrap();
        open(&place).await.close().await.unwrap();
        assert!(check(&place).ok);
    }
}

#[tokio::test]
async fn a_whole_line_that_does_not_follow_is_said_and_verification_names_it() {
    let scratch = tempfile::tempdir().unwrap();
    let place = crashed(scratch.path()).await;
    let text = std::fs::read_to_string(segment(&place)).unwrap();
    std::fs::write(segment(&place), text.replace("key-4", "key-5")).unwrap();
    let log = open(&place).await;
    append(&log, event(9)).await;
    log.close().await.unwrap();
    assert_eq!(kinds(&place), ["broken"]);
    let bad = check(&place).first_bad.unwrap();
    assert_eq!((bad.what, bad.seq, bad.line), (VerifyFault::Changed, 4, 4));
}

#[tokio::test]
async fn a_log_cut_below_its_checkpoint_says_so_in_a_new_segment() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 20).await;
    let file = std::fs::OpenOptions::new().write(true).open(segment(&place)).unwrap();
    file.set_len(file.metadata().unwrap().len() - 7).unwrap();
    assert_eq!(check(&place).first_bad.unwrap().what, VerifyFault::Truncated);
    open(&place).await.close().await.unwrap();
    assert_eq!(kinds(&place), ["missing"]);
    let bad = check(&place).first_bad.unwrap();
    assert_eq!(bad.seq, 20);
    std::fs::remove_file(place.join("slot-0/state")).unwrap();
    assert!(matches!(FileSink::open(&place).await, Err(Error::Damaged { .. })));
}

#[tokio::test]
async fn a_file_that_vanishes_changes_or_shrinks_under_the_writer_is_noticed() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 5] = [
        ("removed", |place| std::fs::remove_file(segment(place)).unwrap()),
        ("renamed", |place| {
            std::fs::rename(segment(place), place.join("slot-0/old")).unwrap()
        }),
        ("replaced", |place| {
            let text = std::fs::read(segment(place)).unwrap();
            std::fs::remove_file(segment(place)).unwrap();
            std::fs::write(segment(place), &text[..1000]).unwrap();
        }),
        ("cut", |place| std::fs::write(segment(place), "").unwrap()),
        ("all gone", |place| std::fs::remove_dir_all(place).unwrap()),
    ];
    for (name, harm) in harms {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("audit");
        let log = open(&place).await;
        for n in 0..10 {
            append(&log, event(n)).await;
        }
        harm(&place);
        assert!(
            matches!(log.append(event(10)).await, Err(Error::Poisoned { .. })),
            "{name}"
        );
        log.reopen().await.unwrap();
        let seq = log.append(event(11)).await.unwrap().seq();
        assert!(seq >= 14, "{name}: the numbers go on");
        let copy = crash(&place, &scratch.path().join("crashed"));
        let sink = FileSink::open(&copy).await.unwrap();
        assert_eq!(sink.state().next_seq(), seq + 1, "{name}: and so after a crash");
        log.close().await.unwrap();
        assert_eq!(kinds(&place), ["missing", "refused"], "{name}");
        let report = check(&place);
        assert!(report.first_bad.is_some(), "{name}: {report:?}");
        assert_eq!(report.logs[0].id, log.id(), "{name}");
        open(&place).await.close().await.unwrap();
    }
}

/// Not a test by itself: the writer that the next test kills.
#[tokio::test]
async fn writer_that_is_killed() {
    let Some(place) = std::env::var_os("IBYOK_AUDIT_TEST_PLACE") else {
        return;
    };
    let log = open(Path::new(&place)).await;
    for n in 0.. {
        // Its own time, as every writer's: lines without a checkpoint lie close together.
        let event = Event::new(Action::KeyRetrieve, Outcome::Allowed, jiff::Timestamp::now()).key(format!("key-{n}"));
        let seq = log.append(event).await.unwrap().seq();
        println!("acknowledged {seq}");
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let mut before = 0;
    for round in 1..=4u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "faults::writer_that_is_killed",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("IBYOK_AUDIT_TEST_PLACE", &place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut last = 0;
        let mut killed = false;
        for line in output.lines().map_while(Result::ok) {
            let Some(seq) = line.split("acknowledged ").nth(1) else {
                continue;
            };
            last = seq.parse().unwrap();
            if last >= before + round * 150 && !killed {
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        let report = check(&place);
        assert!(report.ok && killed, "{report:?}");
        assert!(report.events >= last, "{last} acknowledged, {} there", report.events);
        before = report.events;
    }
    let log = open(&place).await;
    assert_eq!(log.status().slot, 0, "a killed process leaves no lock");
    log.close().await.unwrap();
    assert!(check(&place).ok);
}
