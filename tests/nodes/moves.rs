//! Backups, restores and moves of a vault under load: nothing that was acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ibyok_core::Code;
use ibyok_core::backups::{Backup, BackupRequest, StoreCopy, restore_records};
use ibyok_storage::{ChangeNumber, FileOptions, FileStore, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::shared::Shared;
use crate::site::{Node, Site, said};

crate::on!(file postgres redis,
    a_backup_under_writers_has_everything_that_was_acknowledged_before_it
    a_vault_moves_to_a_file_under_writers_and_back
);

/// The number of nodes that write.
const WRITERS: usize = 4;

/// Writes keys of its own until it is told to stop or refused, and returns the number that were acknowledged.
fn writer(node: Node, number: usize, stop: Arc<AtomicBool>) -> JoinHandle<(u32, Option<ibyok_core::Error>)> {
    tokio::spawn(async move {
        let mut written = 0;
        while !stop.load(Ordering::Acquire) {
            match node.set(&format!("prod/w{number}-{written}"), "a value").await {
                Ok(_) => written += 1,
                Err(error) => return (written, Some(error)),
            }
        }
        (written, None)
    })
}

async fn nodes(site: &Site, url: &str) -> Vec<Node> {
    let mut nodes = vec![site.create(url).await];
    while nodes.len() < WRITERS {
        nodes.push(site.open(url).await.expect("a node"));
    }
    nodes
}

async fn a_backup_under_writers_has_everything_that_was_acknowledged_before_it(shared: Shared) {
    let (site, scratch) = (Site::new(), TempDir::new().expect("a directory"));
    let nodes = nodes(&site, &shared.url()).await;
    nodes[0].set("prod/first", "the first").await.expect("a key");
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (1..WRITERS)
        .map(|number| writer(nodes[number].clone(), number, Arc::clone(&stop)))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    nodes[0].set("prod/before", "acknowledged").await.expect("a key");
    let file = scratch.path().join("one.backup");
    let taken = nodes[0]
        .operator()
        .backups()
        .write(&file, BackupRequest::default())
        .await;
    let taken = taken.unwrap_or_else(|error| panic!("{}", said(&error)));
    stop.store(true, Ordering::Release);
    let mut written = 0;
    for writer in writers {
        let (count, refused) = writer.await.expect("a writer");
        assert!(refused.is_none(), "{refused:?}");
        written += count;
    }
    assert!(written > 0 && taken.unreadable.is_empty(), "{taken:?}");
    let backup = Backup::open(&file).expect("a backup");
    backup.verify_digest(&|_| {}).expect("a whole backup");
    let target = format!("file:{}", scratch.path().join("restored").display());
    let store = ibyok_storage::open(&target).await.expect("a store");
    let restored = restore_records(&backup, store.as_ref(), &|_| {})
        .await
        .expect("the records");
    assert!(restored > 8, "{restored}");
    drop(store);
    let node = site.open(&target).await.expect("a node");
    let token = node.token("reader", "prod").await;
    for (reference, value) in [("prod/first", "the first"), ("prod/before", "acknowledged")] {
        assert_eq!(node.get(&token, reference).await.expect("a value"), value);
    }
    println!(
        "{}: {} records, {written} keys written by {} nodes meanwhile, exact: {}",
        shared.name(),
        taken.records,
        WRITERS - 1,
        taken.is_exact
    );
}

async fn a_vault_moves_to_a_file_under_writers_and_back(shared: Shared) {
    let (site, scratch) = (Site::new(), TempDir::new().expect("a directory"));
    let old = nodes(&site, &shared.url()).await;
    let token = old[0].token("reader", "prod").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| writer(old[number].clone(), number, Arc::clone(&stop)))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let target = format!("file:{}", scratch.path().join("moved").display());
    let from = ibyok_storage::open(&shared.url()).await.expect("a store");
    let file = scratch.path().join("moved");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a time")
        .as_micros();
    let first = ChangeNumber::new(u64::try_from(now).expect("a number"));
    let to = FileStore::open_with(&file, FileOptions::new().first_change(first))
        .await
        .expect("a store");
    let to: Arc<dyn Store> = Arc::new(to);
    moved(&from, &to).await;
    let mut acknowledged = Vec::new();
    for (number, writer) in writers.into_iter().enumerate() {
        let (written, refused) = writer.await.expect("a writer");
        let refused = refused.expect("a refusal");
        assert_eq!(refused.code(), Code::Unavailable, "{}", said(&refused));
        assert!(said(&refused).contains("moved to the new store"), "{}", said(&refused));
        acknowledged.extend((0..written).map(|key| format!("prod/w{number}-{key}")));
    }
    for node in &old {
        let refused = node.get(&token, "prod/w0-0").await;
        assert_eq!(refused.err().map(|error| error.code()), Some(Code::Unavailable));
    }
    let new = site.open(&target).await.expect("a node");
    for reference in &acknowledged {
        assert_eq!(new.get(&token, reference).await.expect(reference), "a value");
    }
    println!(
        "{}: {} keys acknowledged by {WRITERS} nodes during the move, lost 0",
        shared.name(),
        acknowledged.len()
    );
    new.vault.close().await.expect("closed");
    // Back into an empty place of the same kind.
    let Some(empty) = another_place(&shared) else { return };
    let back = ibyok_storage::open(&empty).await.expect("a store");
    moved(&to, &back).await;
    let again = site.open(&empty).await.expect("a node");
    assert_eq!(again.get(&token, &acknowledged[0]).await.expect("a value"), "a value");
    again.set("prod/w0-0", "another").await.expect("a version");
}

async fn moved(from: &Arc<dyn Store>, to: &Arc<dyn Store>) {
    let copy = StoreCopy {
        from: from.as_ref(),
        to: to.as_ref(),
        to_name: "the new store",
    };
    let copied = copy
        .run(&|_| {})
        .await
        .unwrap_or_else(|error| panic!("{}", said(&error)));
    assert!(copied.records > 8, "{copied:?}");
}

/// Another schema or prefix on the same server.
fn another_place(shared: &Shared) -> Option<String> {
    let url = shared.url();
    let joined = if url.contains('?') { '&' } else { '?' };
    match shared {
        Shared::File(_) => None,
        Shared::Postgres(_) => Some(format!("{url}{joined}schema=moved")),
        Shared::Redis(_) => Some(format!("{url}{joined}prefix=moved")),
    }
}
