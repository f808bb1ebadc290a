//! The file of floors: asked, written, and made again where it fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

#[cfg(test)]
use ibyok_audit::Statement;
use ibyok_storage::{
    AuthenticatedMap, Collection, Error as StorageError, MapChange, MapDurability, MapSummary, RecordId,
};
use tokio::sync::oneshot::error::TryRecvError;

use super::entry::{ended, raise, statement, unavailable};
use super::key;
use super::mended::Mended;
use super::note::{Note, NoteId};
use super::opening::{Found, Setup, bring_up, mark_of};
use super::pending::Seen;
use super::remembered::{Remembered, Way};
use super::together::Together;
use crate::base::error::Result;
use crate::model::take_away::TakeAway;

/// The floors of a place of logs.
#[derive(Debug)]
pub(crate) struct Floors {
    pub(crate) setup: Setup,
    /// The number of notes that this session wrote. With the log's id and length it makes their names unique.
    pub(super) notes: AtomicU64,
    pub(super) map: RwLock<AuthenticatedMap>,
    pub(super) seen: Seen,
    pub(super) remembered: Remembered,
    /// True if the file had lower floors than this process had seen in it, and that was said.
    pub(super) fell: AtomicBool,
    pub(super) mending: tokio::sync::Mutex<Mended>,
    /// The changes that wait for the next write.
    pub(super) together: Together,
    /// Held from a write until its generation is known, so that no look takes the write for one of another process.
    pub(super) writing: tokio::sync::Mutex<()>,
    /// The failure of the last write, if it failed.
    pub(super) failure: Mutex<Option<Failure>>,
    /// Findings that are not on the log yet.
    pub(super) untold: Mutex<Vec<String>>,
}

/// The failure of a write.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    /// True if the state on the disk is unknown.
    pub(super) poisoned: bool,
    /// True if the file is not as it was written.
    pub(super) damaged: bool,
}

/// The file had a lower floor than this process had seen in it.
#[derive(Debug)]
pub(crate) struct Fell;

impl Floors {
    /// Opens the floors of a place of logs, or makes them from the logs.
    ///
    /// # Errors
    /// [`Error::Floors`](crate::Error::Floors) if that cannot be done without an operator.
    pub(crate) async fn open(setup: Setup) -> Result<(Self, Found)> {
        let (map, found, summary) = bring_up(&setup, None).await?;
        let marked = mark_of(&map, &setup.log).await?;
        let floors = Floors {
            notes: Default::default(),
            map: RwLock::new(map),
            seen: Seen::new(marked),
            remembered: Default::default(),
            fell: Default::default(),
            mending: Default::default(),
            together: Default::default(),
            writing: Default::default(),
            failure: Mutex::default(),
            untold: Mutex::default(),
            setup,
        };
        // `bring_up` has synced the file, so lines of the log may state this generation from the first line on.
        floors.seen.begins_at(summary.generation);
        floors.setup.stated.floors(statement(&summary));
        Ok((floors, found))
    }

    /// Returns the floor of a record, if it has one, no matter which process raised it. The file's answer was
    /// verified as a part of the whole, and a file that was set back does not lower the floors that this process has
    /// seen.
    pub(crate) async fn of(&self, id: &RecordId) -> Result<Option<u64>> {
        let name = key::of_record(id);
        // Before the read: a floor that another task raises meanwhile must not look like one that fell.
        let known = self.remembered.of(id);
        let stored = self
            .ask(|map| {
                let name = name.clone();
                async move { map.number(&name).await }
            })
            .await?;
        if let Some(known) = known.filter(|known| Some(*known) > stored) {
            self.fell(id, known).await;
        }
        if let Some(rev) = stored {
            self.remembered.keep(id, rev, Way::Saw);
        }
        // The highest of three counts: the file may lag behind a read of this process, and may have been set back under it.
        Ok(stored.max(self.seen.of(id)).max(self.remembered.of(id)))
    }

    /// The records of a collection that have a floor in the file, with their floors there, from behind `after` up to `until`: this
    /// node has seen each of them.
    pub(crate) async fn seen(
        &self,
        collection: &Collection,
        after: Option<&RecordId>,
        until: Option<&RecordId>,
    ) -> Result<Vec<(RecordId, u64)>> {
        // A record that is only pending was read a moment ago, so it is there.
        let from = after.map_or_else(|| key::before(collection), key::of_record);
        self.range(collection, from, until).await
    }

    /// Returns the floor of a record of which the file has just returned `stored`; an error for one that fell, which
    /// [`Floors::of`] must look at.
    pub(crate) fn with_memory(&self, id: &RecordId, stored: Option<u64>) -> Result<Option<u64>, Fell> {
        match self.remembered.of(id) {
            known if known > stored => Err(Fell),
            _ => Ok(stored.max(self.seen.of(id))),
        }
    }

    /// The floors in the file for the records of a collection.
    pub(crate) async fn of_collection(&self, collection: &Collection) -> Result<Vec<(RecordId, u64)>> {
        self.range(collection, key::before(collection), None).await
    }

    async fn range(
        &self,
        collection: &Collection,
        mut from: Vec<u8>,
        until: Option<&RecordId>,
    ) -> Result<Vec<(RecordId, u64)>> {
        let mut found = Vec::new();
        loop {
            let page = self
                .ask(|map| {
                    let from = from.clone();
                    async move { map.numbers(Some(&from)).await }
                })
                .await?;
            for (name, floor) in &page {
                let id = key::record_of(name).filter(|id| id.collection() == collection);
                let Some(id) = id.filter(|id| until.is_none_or(|until| id <= until)) else {
                    return Ok(found);
                };
                found.push((id, *floor));
            }
            match page.into_iter().next_back() {
                Some((last, _)) => from = last,
                None => return Ok(found),
            }
        }
    }

    /// Returns the notes that have no end yet, of every process.
    pub(crate) async fn notes(&self) -> Result<Vec<Note>> {
        let texts = self.ask(|map| async move { map.texts(key::NOTES).await }).await?;
        Ok(texts
            .iter()
            .filter_map(|(name, text)| Note::parse(NoteId(key::name_of(name)), text))
            .collect())
    }

    /// Notes a change that is about to take something away; durable when it returns.
    pub(crate) async fn note(&self, record: &RecordId, rev: u64, what: TakeAway) -> Result<NoteId> {
        // Two sessions of one log begin at different last lines, so the name stays unique after a restart.
        let number = self.notes.fetch_add(1, Ordering::Relaxed);
        let note = Note {
            id: NoteId(format!("{}.{}.{number}", self.setup.log, self.setup.last_seq)),
            log: self.setup.log.clone(),
            record: *record,
            rev,
            what,
        };
        let put = MapChange::Put {
            key: key::note(&note.id.0),
            text: Some(note.print()),
        };
        // On the disk before the store is changed: after a power cut, the next start finds the note and repeats the change.
        self.apply(vec![put], MapDurability::Disk).await?;
        Ok(note.id)
    }

    /// Raises the floor of the record that a note was about, and ends the note; durable when it returns.
    pub(crate) async fn done(&self, note: &NoteId, record: &RecordId, rev: u64) -> Result<()> {
        self.seen.add(record, rev);
        let changes = vec![raise(record, rev), ended(note)];
        self.apply(changes, MapDurability::Disk).await?;
        self.remembered.keep(record, rev, Way::TookAway);
        self.seen.drop_up_to(record, rev);
        Ok(())
    }

    /// Ends a note: nothing was taken away.
    pub(crate) async fn not_done(&self, note: &NoteId) -> Result<()> {
        self.apply(vec![ended(note)], MapDurability::Disk).await.map(drop)
    }

    /// Raises a record's floor, unless it is as high already. It survives the end of the process at once, and power
    /// loss a second later. If it fails, this process keeps the floor in memory and tries again.
    pub(crate) async fn raise(&self, record: &RecordId, rev: u64) -> Result<()> {
        self.seen.add(record, rev);
        self.apply(vec![raise(record, rev)], MapDurability::Kernel).await?;
        self.remembered.keep(record, rev, Way::Saw);
        self.seen.drop_up_to(record, rev);
        Ok(())
    }

    /// The statement of a line that is written now.
    #[cfg(test)]
    pub(crate) fn stated(&self) -> Statement {
        self.setup.stated.now()
    }

    /// Closes the file.
    pub(crate) async fn close(&self) {
        self.map().close().await;
    }

    pub(crate) fn map(&self) -> AuthenticatedMap {
        self.map.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads from the file. One that is not as it was written, or is gone, is made again first.
    pub(super) async fn ask<T, F>(&self, read: impl Fn(AuthenticatedMap) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        let map = self.map();
        match read(map.clone()).await {
            Ok(read) => Ok(read),
            Err(error) => {
                self.failed(&error);
                self.mend_after(&map).await?;
                read(self.map()).await.map_err(unavailable)
            }
        }
    }

    /// Applies changes to the file, in one transaction with those of other callers that wait for the same turn.
    pub(crate) async fn apply(&self, changes: Vec<MapChange>, durability: MapDurability) -> Result<MapSummary> {
        let mut told = self.together.add(changes.clone(), durability);
        let _turn = self.writing.lock().await;
        match told.try_recv() {
            // Another caller's write had these changes.
            Ok(summary) => return Ok(summary),
            // They wait still.
            Err(TryRecvError::Empty) => {}
            // The caller that wrote them went away, or its write failed: each of its changes is then tried alone.
            Err(TryRecvError::Closed) => return self.apply_now(changes, durability).await,
        }
        let waiting = self.together.take();
        let is_to_disk = waiting.iter().any(|waiting| waiting.durability == MapDurability::Disk);
        let all = waiting.iter().flat_map(|waiting| waiting.changes.iter().cloned());
        let to = if is_to_disk { MapDurability::Disk } else { durability };
        match self.apply_now(all.collect(), to).await {
            Ok(summary) => {
                waiting.into_iter().for_each(|waiting| waiting.told(summary));
                Ok(summary)
            }
            Err(_) if waiting.len() > 1 => {
                drop(waiting);
                self.apply_now(changes, durability).await
            }
            Err(error) => Err(error),
        }
    }

    /// Applies changes to the file. The caller holds the turn to write.
    async fn apply_now(&self, changes: Vec<MapChange>, durability: MapDurability) -> Result<MapSummary> {
        let map = self.map();
        let applied = match map.apply(changes.clone(), durability).await {
            Err(
                error @ (StorageError::Unavailable { .. }
                | StorageError::Corrupt { .. }
                | StorageError::Poisoned { .. }),
            ) => {
                self.failed(&error);
                self.mend_after(&map).await?;
                self.map().apply(changes, durability).await
            }
            other => other,
        };
        let summary = applied.map_err(|error| {
            self.failed(&error);
            unavailable(error)
        })?;
        self.applied(&summary, durability);
        Ok(summary)
    }

    pub(super) fn applied(&self, summary: &MapSummary, durability: MapDurability) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        // A write that succeeds mends no part that cannot be read: the file is made again first.
        if failure
            .as_ref()
            .is_some_and(|failure| !failure.damaged && !failure.poisoned)
        {
            *failure = None;
        }
        drop(failure);
        let own = u64::from(summary.changed);
        // Only a synced generation may stand on a line of the log. After a power cut, an unsynced one would look like a set-back file.
        if durability == MapDurability::Disk {
            self.seen.is_synced(summary.generation, own);
            self.setup.stated.floors(statement(summary));
        } else {
            self.seen.is_written(summary.generation, own);
        }
    }

    pub(super) fn failed(&self, error: &StorageError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let before = |of: fn(&Failure) -> bool| failure.as_ref().is_some_and(of);
        *failure = Some(Failure {
            why: error.to_string(),
            poisoned: matches!(error, StorageError::Poisoned { .. }) || before(|failure| failure.poisoned),
            damaged: matches!(error, StorageError::Corrupt { .. }) || before(|failure| failure.damaged),
        });
    }
}
