//! Logs whose lines are written by their callers: a caller that goes away, hangs or panics costs the others nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ibyok_audit::{
    Batch, Error, FileSink, Head, LaterSync, LineKey, Log, LogPlace, LogSink, Sink, SinkDescription, SinkDurability,
};
use tokio::runtime::{Builder, Runtime};

use crate::support::{append, check, event, key};

/// A file sink that is written to without syncs, with switches for its faults.
struct Quick {
    inner: FileSink,
    switches: Arc<Switches>,
}

#[derive(Default)]
struct Switches {
    /// The writes that were made on a thread of the log.
    on_thread: AtomicU64,
    sync_hangs: AtomicBool,
    panics: AtomicBool,
}

impl Sink for Quick {
    fn describe(&self) -> SinkDescription {
        self.inner.describe()
    }
    fn durable(&self) -> bool {
        true
    }
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        if std::thread::current().name() == Some("audit-writer") {
            self.switches.on_thread.fetch_add(1, Ordering::SeqCst);
        }
        assert!(
            !self.switches.panics.swap(false, Ordering::SeqCst),
            "a sink with a fault"
        );
        self.inner.write(batch)
    }
    fn is_quick(&self, bytes: u64) -> bool {
        self.inner.is_quick(bytes)
    }
    fn later_sync(&self) -> Option<LaterSync> {
        let (sync, switches) = (self.inner.later_sync()?, Arc::clone(&self.switches));
        Some(Box::new(move || {
            while switches.sync_hangs.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            sync()
        }))
    }
    fn sync(&mut self) -> Result<(), Error> {
        self.inner.sync()
    }
    fn close(&mut self) -> Result<(), Error> {
        self.inner.close()
    }
}

impl LogSink for Quick {
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

async fn quick(place: &Path) -> (Log, Arc<Switches>) {
    let switches = Arc::new(Switches::default());
    let sink = FileSink::builder(place).durability(SinkDurability::Written);
    let sink = Quick {
        inner: sink.open().await.unwrap(),
        switches: Arc::clone(&switches),
    };
    let builder = Log::builder().home(sink).signing_key(key());
    (
        builder.deadline(Duration::from_millis(800)).open().await.unwrap(),
        switches,
    )
}

fn place_in(scratch: &tempfile::TempDir) -> PathBuf {
    scratch.path().join("audit")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits for many appends at once, and returns the numbers of their lines in order.
async fn append_many(log: &Log, count: u64) -> Vec<u64> {
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { append(&log, event(n)).await })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap());
    }
    seqs.sort_unstable();
    seqs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_several_threads_write_every_line_once_and_in_one_chain() {
    let scratch = tempfile::tempdir().unwrap();
    let place = place_in(&scratch);
    let (log, _) = quick(&place).await;
    for round in 0..20 {
        let first = 2 + round * 200;
        assert_eq!(append_many(&log, 200).await, (first..first + 200).collect::<Vec<_>>());
    }
    log.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.events, report.logs[0].chained_only), (4002, 0));
}

#[tokio::test]
async fn a_line_is_written_in_the_task_of_its_caller() {
    let scratch = tempfile::tempdir().unwrap();
    let (log, switches) = quick(&place_in(&scratch)).await;
    for n in 0..200 {
        append(&log, event(n)).await;
    }
    // The thread takes along the lines that it meets when it comes for a checkpoint, once a second.
    let on_thread = switches.on_thread.load(Ordering::SeqCst);
    assert!(on_thread < 100, "{on_thread} of 200");
}

#[tokio::test]
async fn a_caller_that_goes_away_before_it_wrote_leaves_its_lines_to_others() {
    let scratch = tempfile::tempdir().unwrap();
    let place = place_in(&scratch);
    let (log, _) = quick(&place).await;
    for n in 0..20 {
        let mut first = Box::pin(log.append(event(n)));
        // Polled once: its line is in, and it is about to write.
        tokio::select! {
            biased;
            _ = &mut first => panic!("the first caller lets others put their lines in"),
            () = std::future::ready(()) => {}
        }
        let second = tokio::spawn({
            let log = log.clone();
            async move { append(&log, event(n)).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        second.await.unwrap();
    }
    log.close().await.unwrap();
    assert!(check(&place).ok);
}

#[test]
fn a_log_belongs_to_no_runtime() {
    for durability in [SinkDurability::Written, SinkDurability::Synced] {
        let scratch = tempfile::tempdir().unwrap();
        let place = place_in(&scratch);
        let opener = runtime();
        let log = opener.block_on(async {
            let sink = FileSink::builder(&place).durability(durability).open().await.unwrap();
            Log::builder().home(sink).signing_key(key()).open().await.unwrap()
        });
        // Of a runtime that nobody drives any more: its tasks wait for ever, and nobody else does.
        let asleep = runtime();
        for n in 0..10 {
            let log = log.clone();
            asleep.spawn(async move { append(&log, event(n)).await });
        }
        asleep.block_on(tokio::task::yield_now());
        drop(opener);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let log = log.clone();
                std::thread::spawn(move || {
                    runtime().block_on(async {
                        for n in 0..20 {
                            append_many(&log, n).await;
                        }
                    });
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        runtime().block_on(log.close()).unwrap();
        assert!(check(&place).ok, "{durability:?}");
    }
}

#[tokio::test]
async fn a_sync_that_hangs_hands_the_lines_to_the_thread_and_the_callers_are_refused_in_time() {
    let scratch = tempfile::tempdir().unwrap();
    let place = place_in(&scratch);
    let (log, switches) = quick(&place).await;
    switches.sync_hangs.store(true, Ordering::SeqCst);
    // The checkpoint comes within a second, and its sync hangs. Until it is known to hang, lines are written on.
    let begun = std::time::Instant::now();
    let refused = loop {
        match log.append(event(1)).await {
            Ok(receipt) => drop(receipt),
            Err(error) => break error,
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "a sync that hangs goes unnoticed"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused:?}");
    switches.sync_hangs.store(false, Ordering::SeqCst);
    log.flush().await.unwrap();
    append(&log, event(2)).await;
    log.close().await.unwrap();
    assert!(check(&place).ok);
}

#[tokio::test]
async fn a_sink_that_panics_in_the_task_of_a_caller_poisons_the_log_until_it_is_reopened() {
    let scratch = tempfile::tempdir().unwrap();
    let place = place_in(&scratch);
    let (log, switches) = quick(&place).await;
    append(&log, event(1)).await;
    switches.panics.store(true, Ordering::SeqCst);
    let panicked = tokio::spawn({
        let log = log.clone();
        async move { log.append(event(2)).await.map(drop) }
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(matches!(log.append(event(3)).await, Err(Error::Poisoned { .. })));
    log.reopen().await.unwrap();
    append(&log, event(4)).await;
    log.close().await.unwrap();
    assert!(check(&place).ok);
}
