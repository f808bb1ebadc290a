//! Rebuilding the file: making a new one, salvaging the old one, and the lock under which it happens.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_storage::{AuthenticatedMap, Error as StorageError, MapChange, MapDurability, MapKey, MapVerdict, map_files};

use super::entry::unavailable;
use super::{accepted, checkpoint, key};
use crate::base::error::{Error, Part, Result};

/// The longest wait for another process that opens or rebuilds the file.
const PATIENCE: Duration = Duration::from_secs(20);

/// Held while the file is opened, made, or moved aside: one process at a time.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) async fn take(place: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(place.join("floors.lock")).map_err(failed)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                // Polled, because a blocking lock cannot be given up when its time is over.
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(failed(io::Error::other("another process takes too long to open it")));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

/// The path at which a damaged file is kept as evidence, one at a time.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}

/// Makes a new file, salvages the readable part of the old one, and then puts the new file in its place. A failure
/// before that leaves the old file where it is. Processes that have the old one open use it until they notice the new one.
pub(crate) async fn replace(path: &Path, key: Arc<dyn MapKey>) -> Result<AuthenticatedMap> {
    let new = path.with_extension("new");
    remove_all(&new)?;
    let map = AuthenticatedMap::create(&new, Arc::clone(&key))
        .await
        .map_err(unavailable)?;
    salvage(path, Arc::clone(&key), &map).await;
    map.sync().await.map_err(unavailable)?;
    map.close().await;
    drop(map);
    let [_, wal, _] = map_files(&new);
    // The rename below moves the main file only, so everything must be in it.
    if std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0) {
        return Err(failed(io::Error::other("the new file is not complete yet")));
    }
    swap(path, &new)?;
    let map = AuthenticatedMap::open(path, key).await.map_err(unavailable)?;
    map.ok_or_else(|| failed(io::Error::other("the new file is gone")))
}

/// Puts the new file in the place of the old one, which is kept as evidence.
fn swap(path: &Path, new: &Path) -> Result<()> {
    let kept = beside(path);
    remove_all(&kept)?;
    // A link and not a rename: the old file stays in its place until the new one replaces it in one step.
    if let Err(error) = std::fs::hard_link(path, &kept) {
        tracing::debug!(%error, "cannot keep the damaged file of floors");
    }
    let ([_, wal, _], [_, kept_wal, _]) = (map_files(path), map_files(&kept));
    // SQLite would replay the old `-wal` into the new file, so it leaves the place before the new file arrives.
    let moved = std::fs::rename(&wal, &kept_wal).is_ok();
    remove_leftovers(path)?;
    if let Err(error) = std::fs::rename(new, path) {
        if moved && let Err(error) = std::fs::rename(&kept_wal, &wal) {
            tracing::warn!(%error, "cannot move the `-wal` file of the floors back");
        }
        return Err(failed(error));
    }
    sync_directory(path)
}

/// Fails if the file is whole and only could not be read just now: then it is the disk that failed, and nothing is
/// wrong with the floors. Checks a copy, since SQLite reports a read that failed as damage. A file of a generation
/// below `seen` is an older one, whole or not.
pub(crate) async fn check_disk(path: &Path, key: Arc<dyn MapKey>, seen: u64) -> Result<()> {
    let copy = path.with_extension("check");
    remove_all(&copy)?;
    for (from, to) in map_files(path).iter().zip(map_files(&copy)).take(2) {
        match std::fs::read(from) {
            Ok(bytes) => write_private(&to, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let whole = match AuthenticatedMap::open(&copy, key).await {
        Ok(Some(map)) => {
            let verdict = map.verify().await;
            map.close().await;
            matches!(verdict, Ok(MapVerdict::Whole(summary)) if summary.generation >= seen)
        }
        Ok(None) | Err(_) => false,
    };
    remove_all(&copy)?;
    match whole {
        true => Err(failed(io::Error::other("it is not damaged, but cannot be read now"))),
        false => Ok(()),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(failed)
}

/// Removes the files that SQLite left for a main file that is gone or empty: a new main file must not take them for
/// its own.
pub(crate) fn remove_leftovers(path: &Path) -> Result<()> {
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

/// Copies the readable part of the old file whose MAC fits. That only ever raises floors.
async fn salvage(path: &Path, key: Arc<dyn MapKey>, into: &AuthenticatedMap) {
    let old = match AuthenticatedMap::open(path, key).await {
        Ok(Some(old)) => old,
        Ok(None) => return,
        Err(error) => return tracing::warn!(%error, "cannot read the damaged file of floors"),
    };
    if let Err(error) = copy_readable(&old, into).await {
        tracing::warn!(%error, "cannot read all of the damaged file of floors");
    }
    // Beyond every generation that the log may mention: the new file must not look as if it were set back.
    if let Ok(summary) = old.summary().await {
        let beyond = MapChange::Generation(summary.generation.saturating_add(2));
        if let Err(error) = into.apply(vec![beyond], MapDurability::Kernel).await {
            tracing::warn!(%error, "the new file of floors begins with a low generation");
        }
    }
    old.close().await;
}

/// Copies the part that the handle of a file that was moved away still reads.
pub(crate) async fn take_over(from: &AuthenticatedMap, into: &AuthenticatedMap) -> Result<()> {
    match copy(from, into).await {
        Err(StorageError::Corrupt { source, .. }) => {
            tracing::warn!(error = %source, "cannot read all of the open file of floors");
            copy_readable(from, into).await.map_err(unavailable)
        }
        copied => copied.map_err(unavailable),
    }
}

/// The texts that are copied.
const COPIED: [&[u8]; 6] = [
    key::NOTES,
    key::FACTS,
    key::ACCEPTED,
    key::REALM_NAMES,
    key::ENDS,
    key::LOST_KEYS,
];

/// Copies floors, notes, facts, acceptances, checkpoints and the names of realms from one file to another, raising floors only. Marks are not copied: a
/// replay of the log makes up for them.
async fn copy(from: &AuthenticatedMap, into: &AuthenticatedMap) -> Result<(), StorageError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = from.numbers(after.as_deref()).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        add(into, page, Vec::new()).await?;
    }
    for prefix in COPIED {
        add(into, Vec::new(), from.texts(prefix).await?).await?;
    }
    Ok(())
}

/// Copies the part of a file whose MAC fits.
async fn copy_readable(from: &AuthenticatedMap, into: &AuthenticatedMap) -> Result<(), StorageError> {
    let mut after = None;
    while let Some(part) = from.readable(after).await? {
        after = Some(part.last);
        let kept = |(name, _): &(Vec<u8>, String)| COPIED.iter().any(|prefix| name.starts_with(prefix));
        let texts = part.texts.into_iter().filter(kept).collect();
        add(into, part.numbers, texts).await?;
    }
    Ok(())
}

async fn add(
    into: &AuthenticatedMap,
    numbers: Vec<(Vec<u8>, u64)>,
    texts: Vec<(Vec<u8>, String)>,
) -> Result<(), StorageError> {
    let numbers = numbers
        .into_iter()
        .map(|(key, number)| MapChange::Raise { key, number });
    let mut changes: Vec<MapChange> = numbers.collect();
    for (key, text) in texts {
        // An older acceptance would make an older record believed again, and an older checkpoint a shorter log.
        let outdated =
            accepted::is_outdated(into, &key, &text).await? || checkpoint::is_outdated(into, &key, &text).await?;
        if !outdated {
            changes.push(MapChange::Put { key, text: Some(text) });
        }
    }
    into.apply(changes, MapDurability::Kernel).await.map(drop)
}

fn failed(error: io::Error) -> Error {
    Error::unavailable(Part::AuditLog, format!("the file of floors: {error}"))
}
