//! Files that are moved aside, what can still be read of them, and the lock under which that happens.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_storage::{AuthenticatedMap, Error as StorageError, MapChange, MapDurability, MapKey, map_files};

use super::{key, unavailable};
use crate::error::{Error, Part, Result};

/// How long to wait for another process that opens or rebuilds the file.
const PATIENCE: Duration = Duration::from_secs(20);

/// Held while the file is opened, made, or moved aside: one process at a time.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) async fn take(place: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(place.join("floors.lock")).map_err(failed)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(failed(io::Error::other(
                        "another process has been opening it for too long",
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

/// Where a damaged file is kept as evidence, one at a time.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}

/// Moves the files aside. Processes that have them open go on with them until they notice.
pub(super) async fn move_aside(path: &Path) -> Result<()> {
    remove_all(&beside(path))?;
    for (from, to) in map_files(path).iter().zip(map_files(&beside(path))) {
        match std::fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    sync_directory(path)
}

/// Removes what SQLite left beside a main file that is gone or empty: a new one must not take it for its own.
pub(super) fn remove_leftovers(path: &Path) -> Result<()> {
    let [_, wal, shm] = map_files(path);
    remove(&wal)?;
    remove(&shm)
}

fn remove_all(path: &Path) -> Result<()> {
    map_files(path).iter().try_for_each(|file| remove(file))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

/// Takes over what can still be read of the file that was moved aside and fits its MAC. That only ever raises floors.
pub(super) async fn salvage(path: &Path, key: Arc<dyn MapKey>, into: &AuthenticatedMap) {
    let old = match AuthenticatedMap::open(beside(path), key).await {
        Ok(Some(old)) => old,
        Ok(None) => return,
        Err(error) => return tracing::warn!(%error, "nothing can be read of the damaged file of floors"),
    };
    if let Err(error) = copy(&old, into).await {
        tracing::warn!(%error, "not everything can be read of the damaged file of floors");
    }
    old.close().await;
}

/// Copies floors, notes and facts from one file to another, raising floors only. Marks stay: the log says what is missing.
pub(super) async fn copy(from: &AuthenticatedMap, into: &AuthenticatedMap) -> Result<()> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = from.numbers(after.as_deref(), true).await.map_err(unavailable)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        let raised = page.into_iter().map(|(key, number)| MapChange::Raise { key, number });
        apply(into, raised.collect()).await?;
    }
    for prefix in [key::NOTES, key::FACTS] {
        let texts = from.texts(prefix).await.map_err(unavailable)?;
        let put = texts
            .into_iter()
            .map(|(key, text)| MapChange::Put { key, text: Some(text) });
        apply(into, put.collect()).await?;
    }
    Ok(())
}

async fn apply(into: &AuthenticatedMap, changes: Vec<MapChange>) -> Result<(), Error> {
    let applied: Result<_, StorageError> = into.apply(changes, MapDurability::Kernel).await;
    applied.map(drop).map_err(unavailable)
}

fn failed(error: io::Error) -> Error {
    Error::unavailable(Part::AuditLog, format!("the file of floors: {error}"))
}
