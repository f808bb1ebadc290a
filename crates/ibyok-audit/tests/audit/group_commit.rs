use std::collections::BTreeSet;
use std::time::Duration;

use ibyok_audit::{FileSink, Log, Reader, SinkDurability};

use crate::support::{append, check, event, key, open, open_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_get_a_receipt_for_each_event_and_the_chain_has_no_hole() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open(&place).await;
    let tasks: Vec<_> = (0..64u64)
        .map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut seqs = Vec::new();
                for n in 0..50 {
                    let event = event(task * 50 + n);
                    let ticket = event.ticket();
                    let receipt = log.append(event).await.unwrap();
                    assert!(receipt.is_for(ticket));
                    assert_eq!(receipt.log(), log.id());
                    seqs.push(receipt.seq());
                }
                assert!(seqs.is_sorted(), "one task's events stand in its order");
                seqs
            })
        })
        .collect();
    let mut seqs = BTreeSet::new();
    for task in tasks {
        seqs.extend(task.await.unwrap());
    }
    assert_eq!(seqs, (2..=3201).collect());
    log.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.events, report.logs[0].chained_only), (3202, 0));
    assert!(report.logs[0].checkpoints >= 3);
}

#[tokio::test]
async fn a_receipt_is_for_its_own_event_only() {
    let scratch = tempfile::tempdir().unwrap();
    let log = open(&scratch.path().join("audit")).await;
    let (one, other) = (event(1), event(2));
    let ticket = other.ticket();
    assert!(!log.append(one).await.unwrap().is_for(ticket));
}

#[tokio::test]
async fn an_event_is_put_in_by_the_call_and_not_by_the_first_poll() {
    for durability in [SinkDurability::Written, SinkDurability::Synced] {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path().join("audit");
        let sink = FileSink::builder(&place).durability(durability).open().await.unwrap();
        let log = open_with(sink).await;
        let before = log.last_seq();
        // Nobody polls the future, and nobody else appends.
        drop(log.append(event(1)));
        log.flush().await.unwrap();
        assert_eq!(log.last_seq(), before + 1, "{durability:?}");
        log.close().await.unwrap();
        assert!(check(&place).ok);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_that_is_dropped_leaves_the_chain_whole() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open(&place).await;
    for n in 0..300u64 {
        let wait = Duration::from_micros(n % 7 * 20);
        drop(tokio::time::timeout(wait, log.append(event(n))).await);
    }
    append(&log, event(1000)).await;
    log.close().await.unwrap();
    assert!(check(&place).ok);
}

#[tokio::test]
async fn what_is_not_waited_for_is_there_after_a_flush() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open(&place).await;
    for n in 0..10 {
        log.append_unwaited(event(n));
    }
    log.flush().await.unwrap();
    let lines = Reader::open(&place)
        .unwrap()
        .lines(&ibyok_audit::Filter::default())
        .unwrap();
    assert_eq!(lines.count(), 11);
}

#[tokio::test]
async fn a_log_that_is_only_written_checkpoints_what_it_has_synced() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let sink = FileSink::builder(&place)
        .durability(SinkDurability::Written)
        .open()
        .await
        .unwrap();
    let log = open_with(sink).await;
    assert_eq!(log.status().durability, SinkDurability::Written);
    for n in 0..100 {
        log.append_unwaited(event(n));
    }
    log.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok);
    assert_eq!(report.logs[0].chained_only, 0);
}

#[tokio::test]
async fn checkpoints_come_within_a_second_without_another_line() {
    let scratch = tempfile::tempdir().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let log = Log::builder()
        .home(FileSink::open(scratch.path().join("audit")).await.unwrap())
        .signing_key(key())
        .on_checkpoint(move |checkpoint| tell.send(checkpoint.size()).unwrap())
        .open()
        .await
        .unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), 1);
    let seq = log.append(event(1)).await.unwrap().seq();
    assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), seq);
    assert_eq!(log.last_checkpoint().unwrap().size(), seq);
}

#[tokio::test]
async fn a_closed_log_takes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let log = open(&scratch.path().join("audit")).await;
    log.close().await.unwrap();
    assert!(matches!(log.append(event(1)).await, Err(ibyok_audit::Error::Closed)));
    assert!(matches!(log.close().await, Err(ibyok_audit::Error::Closed)));
}

#[tokio::test]
async fn a_log_whose_last_handle_is_dropped_is_closed_in_order() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open(&place).await;
    for n in 0..10 {
        log.append_unwaited(event(n));
    }
    drop((log.clone(), log));
    let begun = std::time::Instant::now();
    while check(&place).events < 12 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut last = ibyok_audit::Filter::default();
    last.limit = Some(1);
    let line = Reader::open(&place)
        .unwrap()
        .lines(&last)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(line.entry().action, "log.close");
}
