//! Opening the file of floors: finding it missing, damaged or set back, and making it again from the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_audit::{FloorsStatement, VerifyingKey};
use ibyok_storage::{
    AuthenticatedMap, Error as StorageError, MapChange, MapDurability, MapKey, MapSummary, MapVerdict, Store,
};
use jiff::Timestamp;

use super::aside::{self, Lock};
use super::entry::{FILE, statement, unavailable};
use super::facts;
use super::key::{self, FloorKey};
use super::replay::{From, Glance, glance, replay, scan};
use super::sources::{check_logs, fault_of_logs, is_fresh};
use crate::base::error::{Error, Result};
use crate::floor::stated::Stated;
use crate::realm::log_keys::vouched_logs;
use ibyok_audit::words::counted;

/// The number of lines by which a mark may lag before opening moves it.
const LAG: u64 = 10_000;

/// The settings for opening the floors.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) place: PathBuf,
    /// True if the place is removed with this process, so that a missing file is how every start begins.
    pub(crate) is_temporary: bool,
    /// The log that this process writes, and the number of its last line.
    pub(crate) log: String,
    pub(crate) last_seq: u64,
    /// The keys of the logs in the place that the store vouches for.
    pub(crate) logs: Vec<VerifyingKey>,
    /// The store that vouches for logs which begin later.
    pub(crate) store: Arc<dyn Store>,
    pub(crate) key: Arc<FloorKey>,
    pub(crate) stated: Arc<Stated>,
    /// True to rebuild the file also from a log that is not as it was written, or in place of a file that is somebody
    /// else's.
    pub(crate) by_force: bool,
    pub(crate) now: Timestamp,
}

impl Setup {
    /// Returns the keys of the logs that were known at open, and of those that began since. A log that was known
    /// stays known, also if the store loses it.
    pub(crate) async fn logs_now(&self) -> Result<Vec<VerifyingKey>> {
        let mut logs = self.logs.clone();
        for key in vouched_logs(self.store.as_ref(), &self.place, &self.key.home).await? {
            if !logs.iter().any(|known| known.log() == key.log()) {
                logs.push(key);
            }
        }
        Ok(logs)
    }
}

/// The result of opening the floors.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// True if neither floors nor logs were there.
    pub(crate) fresh: bool,
    /// True if the node keeps no floors, and the file was made from the logs.
    pub(crate) made: bool,
    /// The fault of the file, if there was one.
    pub(crate) wrong: Option<String>,
}

/// An older handle whose content goes into the new file, and whether to distrust the file that it has open.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) map: AuthenticatedMap,
    pub(super) distrusted: bool,
    /// The finding to record if the file is made again.
    pub(super) damaged: Option<String>,
}

/// Opens the file, or makes it. Its state is on the disk when this returns.
pub(super) async fn bring_up(setup: &Setup, old: Option<&Old>) -> Result<(AuthenticatedMap, Found, MapSummary)> {
    let _lock = Lock::take(&setup.place).await?;
    let error = match brought_up(setup, old).await {
        Err(error) if old.is_none_or(|old| !old.distrusted) => error,
        done => return done,
    };
    // Only the part that is read is verified: opening may have met a part that is not as it was written.
    match damaged(setup).await {
        Some(old) => brought_up(setup, Some(&old)).await,
        None => Err(error),
    }
}

/// The file as one to distrust, if it opens and its items do not fit.
async fn damaged(setup: &Setup) -> Option<Old> {
    let key: Arc<dyn MapKey> = setup.key.clone();
    let map = AuthenticatedMap::open(setup.place.join(FILE), key).await.ok()??;
    let wrong = matches!(
        map.verify().await,
        Ok(MapVerdict::Damaged) | Err(StorageError::Corrupt { .. })
    );
    wrong.then(|| Old {
        map,
        distrusted: true,
        damaged: Some(ITEMS.to_owned()),
    })
}

async fn brought_up(setup: &Setup, old: Option<&Old>) -> Result<(AuthenticatedMap, Found, MapSummary)> {
    let mut found = Found::default();
    let map = find(setup, old, &mut found).await?;
    if let Some(old) = old.filter(|old| !old.map.is_in_place())
        && let Err(error) = aside::take_over(&old.map, &map).await
    {
        // Of a damaged file there may be nothing left to read: the log and this process know the rest, and the finding is made.
        if old.damaged.is_none() {
            return Err(error);
        }
        tracing::warn!(%error, "cannot read more of the open file of floors");
    }
    // The marks are read after the older handle was taken over and before any line is read, so that no line is skipped.
    let from = marks(setup, &map).await?;
    let before = map.summary().await.map_err(unavailable)?;
    let caught_up = match found.wrong {
        None if !found.made => catch_up(&map, &from, glance(&setup.place, &from).await?).await?,
        _ => false,
    };
    let ends = if caught_up {
        Vec::new()
    } else {
        rebuild(setup, &map, &from, old, &mut found).await?
    };
    // A mark moves with a raised floor, or when it lags far. Moving it at each start would write the file for nothing.
    let raised = found.wrong.is_some() || found.made || map.summary().await.map_err(unavailable)? != before;
    let behind = |((_, end), from): &((String, u64), &From)| *end > from.after && (raised || end - from.after > LAG);
    let moved = ends
        .into_iter()
        .zip(&from)
        .filter(behind)
        .map(|((log, end), _)| MapChange::Put {
            key: key::mark(&log),
            text: Some(end.to_string()),
        });
    let moved: Vec<MapChange> = moved.collect();
    if !moved.is_empty() {
        map.apply(moved, MapDurability::Kernel).await.map_err(unavailable)?;
    }
    let after = map.summary().await.map_err(unavailable)?;
    // What was there and is not written to needs no sync, where no other process has it open.
    let settled = map.was_settled() && !found.fresh && !found.made && found.wrong.is_none() && after == before;
    let summary = if settled {
        after
    } else {
        map.sync().await.map_err(unavailable)?
    };
    Ok((map, found, summary))
}

/// Decides whether the file has everything that a first look found. Where it has not, or where a mark lags far, the log must be
/// replayed: only lines that the log's key signed may move a mark, since a mark hides every line before it.
async fn catch_up(map: &AuthenticatedMap, from: &[From], glance: Glance) -> Result<bool> {
    // After the look at the log: another process may have gone on meanwhile.
    let summary = map.summary().await.map_err(unavailable)?;
    let lags = |(from, (_, end)): (&From, &(String, u64))| end.saturating_sub(from.after) > LAG;
    let lags = from.iter().zip(&glance.ends).any(lags);
    if lags || glance.needs_replay || set_back(glance.stated.as_ref(), &summary).is_some() {
        return Ok(false);
    }
    for (record, rev) in &glance.changes {
        let floor = map.number(&key::of_record(record)).await.map_err(unavailable)?;
        if floor.is_none_or(|floor| floor < *rev) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Replays the signed lines behind the marks, and keeps the finding. Returns the ends of the logs.
async fn rebuild(
    setup: &Setup,
    map: &AuthenticatedMap,
    from: &[From],
    old: Option<&Old>,
    found: &mut Found,
) -> Result<Vec<(String, u64)>> {
    let scan = scan(&setup.place, from).await?;
    let before = map.summary().await.map_err(unavailable)?;
    if found.wrong.is_none() && !found.made {
        found.wrong = set_back(scan.stated.as_ref(), &before);
        if found.wrong.is_some() {
            check_logs(setup).await?;
        }
    }
    let stated = scan.stated.as_ref().map_or(0, |stated| stated.generation);
    // The statement is judged before the replay: afterwards the file looks newer than it was found.
    let replayed = replay((&setup.place, setup.key.vault), from.to_vec(), scan, map).await?;
    let mut changes = Vec::new();
    if let Some(wrong) = &mut found.wrong {
        let floors = map.summary().await.map_err(unavailable)?.numbers;
        wrong.push_str(&format!(
            "; rebuilt from the log: {}, {} read",
            counted(floors, "floor"),
            counted(replayed.changes, "change")
        ));
        let there = facts::read(map).await?.findings.len();
        changes.extend(facts::finding(setup.now, there, wrong));
    }
    if found.wrong.is_some() || found.made {
        // Above each generation that anybody stated. Otherwise the rebuilt file would look set back at the next start.
        let generation = before.generation.max(stated).max(old_generation(old).await);
        changes.push(MapChange::Generation(generation + 1));
        map.apply(changes, MapDurability::Kernel).await.map_err(unavailable)?;
    }
    if replayed.unreadable > 0 {
        tracing::warn!(lines = replayed.unreadable, "cannot read lines of the log");
    }
    Ok(replayed.ends)
}

/// Finds the file whole, or makes an empty one in its place.
async fn find(setup: &Setup, old: Option<&Old>, found: &mut Found) -> Result<AuthenticatedMap> {
    let path = setup.place.join(FILE);
    let key: Arc<dyn MapKey> = setup.key.clone();
    let distrusted = old.is_some_and(|old| old.distrusted);
    let opened = match AuthenticatedMap::open(&path, Arc::clone(&key)).await {
        // A distrusted file may still open. Its content is salvaged, but it must not be used.
        _ if distrusted => Err(old.and_then(|old| old.damaged.clone())),
        Ok(Some(map)) => match check_items(&map).await? {
            None => Ok(map),
            Some(why) => Err(Some(why)),
        },
        // Only without any line of a log can a missing file be the beginning. Otherwise somebody removed it.
        Ok(None) if old.is_none() && is_fresh(setup)? => {
            found.fresh = true;
            return create(&path, key).await;
        }
        Ok(None) if old.is_none() && setup.is_temporary => {
            found.made = true;
            // Nobody could rebuild the floors once and for all, so a log that was changed is reported and stops no start.
            let fault = fault_of_logs(setup).await?;
            found.wrong =
                fault.map(|fault| format!("this node keeps no floors and makes them from the logs, and {fault}"));
            return create(&path, key).await;
        }
        Ok(None) => Err(Some("the file of floors was missing".to_owned())),
        Err(StorageError::Corrupt { source, .. }) => Err(Some(format!("the file of floors was damaged ({source})"))),
        Err(error @ (StorageError::Refused { .. } | StorageError::Newer { .. })) if setup.by_force => {
            Err(Some(format!("the file of floors was replaced ({error})")))
        }
        Err(error) => return Err(refused(error)),
    };
    let wrong = match opened {
        Ok(map) => return Ok(map),
        Err(wrong) => wrong,
    };
    // Before any replacement: a file that cannot be rebuilt stays as it is.
    if wrong.is_some() {
        let seen = old.map_or(0, |old| old.map.seen());
        // A disk that fails for a moment must not cost the file: rebuilding it loses the floors that are in no log.
        aside::check_disk(&path, Arc::clone(&key), seen).await?;
        check_logs(setup).await?;
    }
    found.wrong = wrong;
    aside::replace(&path, key).await
}

async fn create(path: &Path, key: Arc<dyn MapKey>) -> Result<AuthenticatedMap> {
    aside::remove_leftovers(path)?;
    AuthenticatedMap::create(path, key).await.map_err(unavailable)
}

/// Returns the fault in the marks, notes and facts of a file. Floors are verified when they are read.
async fn check_items(map: &AuthenticatedMap) -> Result<Option<String>> {
    match map.texts(&[]).await {
        Ok(_) => Ok(None),
        Err(StorageError::Corrupt { source, .. }) => Ok(Some(format!("the file of floors was damaged ({source})"))),
        Err(error) => Err(unavailable(error)),
    }
}

/// Said where single items of the file do not fit.
pub(super) const ITEMS: &str = "floors were changed, removed or set back in their file";

/// Returns the finding that the file is older than the lines of the log say, if it is.
fn set_back(stated: Option<&FloorsStatement>, summary: &MapSummary) -> Option<String> {
    let stated = stated?;
    let ours = statement(summary);
    if stated.generation > ours.generation {
        return Some(format!(
            "the file of floors was set back: it has generation {}, and the log has generation {}",
            ours.generation, stated.generation
        ));
    }
    // The same number with other content means two histories: somebody continued from a copy.
    let forked = stated.generation == ours.generation && stated.digest != ours.digest;
    forked.then(|| "the file of floors was replaced by another of the same generation".to_owned())
}

fn refused(error: StorageError) -> Error {
    match error {
        StorageError::Refused { what, .. } => Error::Floors {
            what: format!("{what}: each process needs its own directory of logs"),
        },
        StorageError::Newer { .. } => Error::Floors {
            what: format!("the file of floors was made by a newer version of IBYOK, or was planted: {error}"),
        },
        other => unavailable(other),
    }
}

/// The logs to replay, each after its mark.
async fn marks(setup: &Setup, map: &AuthenticatedMap) -> Result<Vec<From>> {
    let mut from = Vec::new();
    for key in &setup.logs {
        let Some(log) = key.log() else { continue };
        from.push(From {
            log: log.to_owned(),
            after: mark_of(map, log).await?,
            key: key.clone(),
        });
    }
    Ok(from)
}

pub(super) async fn mark_of(map: &AuthenticatedMap, log: &str) -> Result<u64> {
    let mark = map.text(&key::mark(log)).await.map_err(unavailable)?;
    Ok(mark.and_then(|mark| mark.parse().ok()).unwrap_or(0))
}

/// The generation that an older handle last had.
async fn old_generation(old: Option<&Old>) -> u64 {
    let Some(old) = old else { return 0 };
    let seen = old.map.seen();
    old.map
        .summary()
        .await
        .map_or(seen, |summary| summary.generation.max(seen))
}
