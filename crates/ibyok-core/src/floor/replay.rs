//! Replaying the log: its ends of changes carry record and revision, so the floors can be made from them.

use std::collections::HashMap;
use std::path::Path;

use ibyok_audit::{FloorsStatement, Line, Phase, Reader, VerifyingKey};
use ibyok_crypto::VaultId;
use ibyok_storage::{AuthenticatedMap, MapChange, MapDurability, RecordId};
use tokio::sync::mpsc;

use super::accepted::{Acceptances, Accepted};
use super::entry::{raise, unavailable};
use super::realm_lines::Realms;
use crate::base::error::{Error, Part, Result};
use crate::model::REV_MAX;

/// The number of floors that are raised in one transaction.
const BATCH: usize = 1000;

/// One log to replay, and the line after which to begin.
#[derive(Clone, Debug)]
pub(super) struct From {
    pub(super) log: String,
    pub(super) after: u64,
    /// The key that vouches for the log.
    pub(super) key: VerifyingKey,
}

/// The statements about the floors themselves in the lines to be replayed.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The newest state of the floors on a line.
    pub(super) stated: Option<FloorsStatement>,
    accepted: Acceptances,
}

/// The result of a first reading of the lines after the marks. Their signatures are not checked yet.
#[derive(Debug, Default)]
pub(super) struct Glance {
    pub(super) stated: Option<FloorsStatement>,
    /// True if there are many changes.
    pub(super) needs_replay: bool,
    pub(super) changes: HashMap<RecordId, u64>,
    pub(super) ends: Vec<(String, u64)>,
}

/// The number of changes from which on a first look is given up for a replay of all lines.
const MANY: usize = 10_000;

/// Reads the lines behind the marks, and none before them.
pub(super) async fn glance(place: &Path, from: &[From]) -> Result<Glance> {
    let (place, from) = (place.to_owned(), from.to_vec());
    let glancing = tokio::task::spawn_blocking(move || glance_here(&place, &from));
    glancing.await.map_err(|_| interrupted())?
}

fn glance_here(place: &Path, from: &[From]) -> Result<Glance> {
    let reader = reader(place, from)?;
    let mut glance = Glance::default();
    for log in from {
        let mut take = |line: Line| {
            state(&mut glance.stated, &line);
            // The glance holds its changes in memory, and a replay does not.
            glance.needs_replay |= glance.changes.len() > MANY;
            // The file holds an acceptance together with the floor that it raised.
            let accepted = || Accepted::of(line.entry()).map(|(record, accepted)| (record, accepted.floor));
            let raised = end_of_change(&line).or_else(accepted);
            if let Some((record, rev)) = raised.filter(|_| !glance.needs_replay) {
                let floor = glance.changes.entry(record).or_insert(rev);
                *floor = rev.max(*floor);
            }
        };
        let read = reader.changes_unchecked(&log.log, log.after, &mut take)?;
        glance.ends.push((log.log.clone(), read.last_seq));
    }
    Ok(glance)
}

/// A reader of the logs that their keys vouch for.
fn reader(place: &Path, from: &[From]) -> Result<Reader> {
    let keys = from.iter().map(|from| from.key.clone()).collect();
    Ok(Reader::vouched(place, keys)?)
}

/// The result of replaying the logs.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// The number of the last line of each log.
    pub(super) ends: Vec<(String, u64)>,
    /// The number of ends of changes.
    pub(super) changes: u64,
    /// The number of lines that could not be read.
    pub(super) unreadable: u64,
}

/// Reads the statements of the lines about the floors themselves.
pub(super) async fn scan(place: &Path, from: &[From]) -> Result<Scan> {
    let (place, from) = (place.to_owned(), from.to_vec());
    let scanning = tokio::task::spawn_blocking(move || scan_here(&place, &from));
    scanning.await.map_err(|_| interrupted())?
}

/// Raises floors by the lines of the logs. Marks are left to the caller.
pub(super) async fn replay(
    (place, vault): (&Path, VaultId),
    from: Vec<From>,
    scan: Scan,
    map: &AuthenticatedMap,
) -> Result<Replayed> {
    scan.accepted.write(map).await?;
    // A short channel: the reading thread waits for the file, so memory stays bounded for any length of the log.
    let (send, mut batches) = mpsc::channel::<Vec<MapChange>>(4);
    let place = place.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&place, vault, &from, &send));
    while let Some(batch) = batches.recv().await {
        map.apply(batch, MapDurability::Kernel).await.map_err(unavailable)?;
    }
    reading.await.map_err(|_| interrupted())?
}

fn interrupted() -> Error {
    Error::unavailable(Part::AuditLog, "reading it was interrupted")
}

fn read(place: &Path, vault: VaultId, from: &[From], send: &mpsc::Sender<Vec<MapChange>>) -> Result<Replayed> {
    let reader = reader(place, from)?;
    let mut replayed = Replayed::default();
    let mut realms = Realms::of_vault(vault);
    for log in from {
        let mut batch = Vec::new();
        let read = reader.changes(&log.log, log.after, &mut |line| {
            let Some((record, rev)) = end_of_change(&line) else {
                return;
            };
            replayed.changes += 1;
            batch.push(raise(&record, rev));
            batch.extend(realms.of(&line, &record, rev));
            if batch.len() >= BATCH {
                hand_over(std::mem::take(&mut batch), send);
            }
        })?;
        // After a changed line, the place of a line proves nothing. Its MAC still does, and a floor only rises.
        if log.after == 0 {
            reader.changes_unchecked(&log.log, 0, &mut |line| {
                if let Some((record, rev)) = end_of_change(&line).filter(|_| log.key.wrote(&line)) {
                    batch.push(raise(&record, rev));
                    batch.extend(realms.of(&line, &record, rev));
                    if batch.len() >= BATCH {
                        hand_over(std::mem::take(&mut batch), send);
                    }
                }
            })?;
        }
        hand_over(batch, send);
        replayed.unreadable += read.unreadable;
        replayed.ends.push((log.log.clone(), read.last_seq));
    }
    Ok(replayed)
}

fn hand_over(batch: Vec<MapChange>, send: &mpsc::Sender<Vec<MapChange>>) {
    if !batch.is_empty() && send.blocking_send(batch).is_err() {
        tracing::debug!("nobody takes the replayed floors any more");
    }
}

fn end_of_change(line: &Line) -> Option<(RecordId, u64)> {
    let entry = line.entry();
    // An intended change may never have reached the store, and a floor for it would refuse the record that is there.
    let done = entry.phase == Some(Phase::Done);
    let record = entry.record.as_deref().filter(|_| done)?;
    Some((record.parse().ok()?, entry.rev.filter(|rev| *rev <= REV_MAX)?))
}

fn scan_here(place: &Path, from: &[From]) -> Result<Scan> {
    let reader = reader(place, from)?;
    let mut scan = Scan::default();
    for log in from {
        reader.changes(&log.log, log.after, &mut |line| {
            state(&mut scan.stated, &line);
            scan.accepted.take(line.entry());
        })?;
        if log.after == 0 {
            reader.changes_unchecked(&log.log, 0, &mut |line| {
                if log.key.wrote(&line) {
                    scan.accepted.take(line.entry());
                }
            })?;
        }
    }
    Ok(scan)
}

/// Keeps the newest state on a line.
fn state(newest: &mut Option<FloorsStatement>, line: &Line) {
    let stated = line.entry().states.as_ref().and_then(|states| states.floors.as_ref());
    let newer = |floors: &&FloorsStatement| {
        newest
            .as_ref()
            .is_none_or(|newest| newest.generation < floors.generation)
    };
    if let Some(floors) = stated.filter(newer) {
        *newest = Some(floors.clone());
    }
}
