//! Replaying the log: its ends of changes carry record and revision, so the floors can be made from them.

use std::collections::HashMap;
use std::path::Path;

use ibyok_audit::{FloorsStatement, Line, Phase, Reader, VerifyingKey, verify};
use ibyok_storage::{AuthenticatedMap, MapChange, MapDurability, RecordId};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{key, raise, unavailable};
use crate::error::{Error, Part, Result};

/// How many floors are raised in one transaction.
const BATCH: usize = 1000;

/// The action of a line by which an operator accepted an older record.
const ACCEPTED: &str = "vault.rollback_accepted";

/// One log to replay, and after which of its lines.
#[derive(Clone, Debug)]
pub(super) struct From {
    pub(super) log: String,
    pub(super) after: u64,
    /// The key that vouches for the log.
    pub(super) key: VerifyingKey,
}

/// What the lines to be replayed say of the floors themselves.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The newest state of the floors that a line speaks of.
    pub(super) stated: Option<FloorsStatement>,
    accepted: HashMap<RecordId, Accepted>,
}

/// What a first look at the lines behind the marks came to. Nobody has looked at their signatures.
#[derive(Debug, Default)]
pub(super) struct Glance {
    pub(super) stated: Option<FloorsStatement>,
    /// Whether a rollback was accepted, or there are many changes.
    pub(super) needs_replay: bool,
    pub(super) changes: HashMap<RecordId, u64>,
    pub(super) ends: Vec<(String, u64)>,
}

/// From so many changes on, a first look is given up for the whole of it.
const MANY: usize = 10_000;

/// Looks at the lines behind the marks without reading what is before them.
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
            glance.needs_replay |= line.entry().action == ACCEPTED || glance.changes.len() > MANY;
            if let Some((record, rev)) = end_of_change(&line).filter(|_| !glance.needs_replay) {
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

/// What replaying the logs came to.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// The number of the last line of each log.
    pub(super) ends: Vec<(String, u64)>,
    /// How many ends of changes there were.
    pub(super) changes: u64,
    /// How many lines could not be read.
    pub(super) unreadable: u64,
}

/// An older record that an operator accepted.
#[derive(Clone, Copy, Debug)]
struct Accepted {
    at: Timestamp,
    rev: u64,
}

/// Reads what the lines say of the floors themselves.
pub(super) async fn scan(place: &Path, from: &[From]) -> Result<Scan> {
    let (place, from) = (place.to_owned(), from.to_vec());
    let scanning = tokio::task::spawn_blocking(move || scan_here(&place, &from));
    scanning.await.map_err(|_| interrupted())?
}

/// Raises floors by the lines of the logs. Marks are left to the caller.
pub(super) async fn replay(place: &Path, from: Vec<From>, scan: Scan, map: &AuthenticatedMap) -> Result<Replayed> {
    let lowered = scan.accepted.iter().map(|(record, accepted)| MapChange::Set {
        key: key::of_record(record),
        number: (accepted.rev > 0).then_some(accepted.rev),
    });
    map.apply(lowered.collect(), MapDurability::Kernel)
        .await
        .map_err(unavailable)?;
    let (send, mut batches) = mpsc::channel::<Vec<MapChange>>(4);
    let place = place.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&place, &from, &scan, &send));
    while let Some(batch) = batches.recv().await {
        map.apply(batch, MapDurability::Kernel).await.map_err(unavailable)?;
    }
    reading.await.map_err(|_| interrupted())?
}

fn interrupted() -> Error {
    Error::unavailable(Part::AuditLog, "reading it was interrupted")
}

fn read(place: &Path, from: &[From], scan: &Scan, send: &mpsc::Sender<Vec<MapChange>>) -> Result<Replayed> {
    let reader = reader(place, from)?;
    let mut replayed = Replayed::default();
    for log in from {
        let mut batch = Vec::new();
        let read = reader.changes(&log.log, log.after, &mut |line| {
            let Some((record, rev)) = end_of_change(&line) else {
                return;
            };
            replayed.changes += 1;
            let before = |accepted: &Accepted| line.entry().time <= accepted.at;
            if scan.accepted.get(&record).is_some_and(before) {
                return;
            }
            batch.push(raise(&record, rev));
            if batch.len() == BATCH {
                hand_over(std::mem::take(&mut batch), send);
            }
        })?;
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
    let done = entry.phase == Some(Phase::Done);
    let record = entry.record.as_deref().filter(|_| done)?;
    Some((record.parse().ok()?, entry.rev?))
}

fn scan_here(place: &Path, from: &[From]) -> Result<Scan> {
    let reader = reader(place, from)?;
    let mut scan = Scan::default();
    for log in from {
        let mut accepted = Vec::new();
        reader.changes(&log.log, log.after, &mut |line| {
            state(&mut scan.stated, &line);
            if line.entry().action == ACCEPTED {
                accepted.push(line);
            }
        })?;
        scan.accept(&accepted, place, log)?;
    }
    Ok(scan)
}

/// Keeps the newest state that a line speaks of.
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

impl Scan {
    /// Takes in rollbacks that operators accepted, the newest for each record.
    ///
    /// A line that lowers a floor is believed only where a signed checkpoint covers it: whoever can write to the directory could
    /// add a line of their own behind the last checkpoint.
    fn accept(&mut self, lines: &[Line], place: &Path, log: &From) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let covered = covered(place, log)?;
        for line in lines.iter().filter(|line| line.entry().seq <= covered) {
            let entry = line.entry();
            let record = entry.record.as_deref().and_then(|record| record.parse().ok());
            let (Some(record), Some(rev)) = (record, entry.rev) else {
                continue;
            };
            let accepted = Accepted { at: entry.time, rev };
            let newest = self.accepted.entry(record).or_insert(accepted);
            if newest.at <= accepted.at {
                *newest = accepted;
            }
        }
        Ok(())
    }
}

/// Up to which line a log is good and covered by a checkpoint.
fn covered(place: &Path, log: &From) -> Result<u64> {
    let report = verify(place, std::slice::from_ref(&log.key), &[])?;
    let mut logs = report.logs.into_iter().filter(|report| report.id == log.log);
    let whole = logs.find(|report| report.first_bad.is_none() && report.trusted_key);
    Ok(whole.map_or(0, |report| report.events.saturating_sub(report.chained_only)))
}
