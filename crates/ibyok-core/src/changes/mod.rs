//! The life of a change: on the log as intended before it is in the store, and as done or not done after.
//!
//! Each change of a record is one compare-and-swap, and raises the record's floor, so that an older copy of the record is refused
//! from then on. A change that takes something away is noted before it is intended, so that a crash does not leave it half done.

pub(crate) mod environment;
pub(crate) mod key;
pub(crate) mod keys_of_realm;
pub(crate) mod recovery;
pub(crate) mod reseal;
pub(crate) mod rewrap;

use std::sync::Arc;

use ibyok_audit::{Event, Phase, Receipt};
use ibyok_storage::{Error as StorageError, Expect, RecordId, Revision};
use tokio::sync::Mutex;

use crate::base::damage::Damage;
use crate::base::error::{Error, Part, Result};
use crate::floor::NoteId;
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::principal::{Holder, Principal};
use crate::model::take_away::TakeAway;
use crate::realm::Realm;
use crate::recorder::Recorder;
use crate::records::Records;
use crate::records::record::{Record, UNSEEN_CHANGES, seal_record};

/// The number of tries of a change when somebody else keeps changing the record.
const TRIES: usize = 32;

/// The locks under which changes of records take turns on this node. Records share the locks, which are few.
#[derive(Debug)]
pub(crate) struct Turns([Mutex<()>; 1024]);

impl Default for Turns {
    fn default() -> Self {
        Turns(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Turns {
    fn of(&self, id: &RecordId) -> &Mutex<()> {
        let [first, ..] = &self.0;
        let [one, other, ..] = id.id();
        let number = usize::from(u16::from_be_bytes([*one, *other]));
        self.0.get(number % self.0.len()).unwrap_or(first)
    }
}

/// The effect of a change on a record.
pub(crate) enum Edit<R, T> {
    /// The record is as asked already.
    Unchanged(T),
    /// Already taken away: the change is not made again, but the removed thing must not come back.
    IsAway(T),
    /// The record's new body.
    Gives(R, T),
    /// The record's new body, with something taken away that must not come back.
    TakesAway(R, T, TakeAway),
}

/// A record that is about to be put.
struct Put {
    id: RecordId,
    bytes: Vec<u8>,
    revision: Option<Revision>,
    rev: u64,
    takes_away: Option<TakeAway>,
    /// The holder that asked, if it was a token: it must still be valid when its change is put.
    holder: Option<Arc<Holder>>,
}

/// The lines of a change.
struct Lines {
    intended: Event<'static>,
    done: Event<'static>,
    not_done: Event<'static>,
}

/// The end of a put, if it is known.
enum End {
    Done,
    NotDone,
    Unknown,
}

/// Changes records, on the log before and after.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) records: Arc<Records>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) turns: Turns,
}

impl Changes {
    /// Changes one record. `edit` gets the record in its present state and may be called again if another writer was
    /// faster.
    pub(crate) async fn change<R: Record, T>(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        who: &Principal,
        realm: &Realm,
        id: [u8; 16],
        mut edit: impl FnMut(&mut Attempt<'_>, Option<R>) -> Result<Edit<R, T>> + Send,
    ) -> Result<T>
    where
        T: Send,
    {
        let id = realm.record(R::KIND, id)?;
        // One at a time on this node: only other nodes are raced.
        let _turn = self.turns.of(&id).lock().await;
        for _ in 0..TRIES {
            let held = self.records.read::<R>(realm, &id).await?;
            let (revision, rev) = held.as_ref().map_or((None, 0), |h| (Some(h.revision), h.record.rev()));
            (attempt.facts.record, attempt.facts.rev) = (None, None);
            let (mut record, out, takes_away) = match edit(attempt, held.map(|held| held.record))? {
                Edit::Unchanged(out) => {
                    self.recorder.record_unchanged(attempt).await?;
                    return Ok(out);
                }
                Edit::IsAway(out) => {
                    self.records.floors.raise(&id, rev).await?;
                    self.recorder.record_unchanged(attempt).await?;
                    return Ok(out);
                }
                Edit::Gives(record, out) => (record, out, None),
                Edit::TakesAway(record, out, what) => (record, out, Some(what)),
            };
            // Above every revision that this node has seen: of a record that an operator accepted although it is older, too.
            let rev = rev
                .max(self.records.floors.of(&id).await?.unwrap_or(0))
                .saturating_add(1);
            record.set_rev(rev);
            (attempt.facts.record, attempt.facts.rev) = (Some(id.to_string()), Some(rev));
            // A generation that began to retire since the caller came seals nothing any more.
            let newer = self.records.newer(realm).await?;
            let bytes = seal_record(newer.as_deref().unwrap_or(realm), &id, &record)?;
            let holder = who.holder().cloned();
            match self
                .commit(
                    attempt,
                    Put {
                        id,
                        bytes,
                        revision,
                        rev,
                        takes_away,
                        holder,
                    },
                )
                .await
            {
                Ok(()) => return Ok(out),
                Err(Error::Conflict { .. }) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict {
            what: "too many concurrent changes to this record".to_owned(),
        })
    }

    /// Puts a record in the place of one that is damaged, and returns the damage. `make` gets a number that is at least as high
    /// as the number of changes that this node has seen of the record.
    pub(crate) async fn give_up<R: Record>(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        who: &Principal,
        realm: &Realm,
        id: [u8; 16],
        what: TakeAway,
        make: impl FnOnce(u32) -> R + Send,
    ) -> Result<Damage> {
        let id = realm.record(R::KIND, id)?;
        let _turn = self.turns.of(&id).lock().await;
        let damage = match self.records.read::<R>(realm, &id).await {
            Err(Error::Integrity { damage, .. }) => damage,
            Err(error) => return Err(error),
            Ok(_) => {
                let what = "the record is intact now".to_owned();
                return Err(Error::Conflict { what });
            }
        };
        let there = self.records.store.get(&id).await?;
        let seen = self.records.floors.of(&id).await?.unwrap_or(0);
        let mut record = make(u32::try_from(seen).unwrap_or(u32::MAX - 1));
        // Another node may have seen more changes than this one: to none of them may the tombstone look like an older record.
        let rev = seen.saturating_add(UNSEEN_CHANGES);
        record.set_rev(rev);
        (attempt.facts.record, attempt.facts.rev) = (Some(id.to_string()), Some(rev));
        let newer = self.records.newer(realm).await?;
        let put = Put {
            id,
            bytes: seal_record(newer.as_deref().unwrap_or(realm), &id, &record)?,
            revision: there.map(|stored| stored.revision),
            rev,
            takes_away: Some(what),
            holder: who.holder().cloned(),
        };
        self.commit(attempt, put).await.map(|()| damage)
    }

    /// Noted, intended, put, done: the only way in which the core writes a record at a caller's request.
    async fn commit(self: &Arc<Self>, attempt: &Attempt<'_>, put: Put) -> Result<()> {
        let this = Arc::clone(self);
        let lines = Lines {
            intended: attempt.phase(Phase::Intended).into_owned(),
            done: attempt.phase(Phase::Done).into_owned(),
            not_done: attempt.phase(Phase::NotDone).into_owned(),
        };
        // On a separate task: a caller that goes away must not leave a change without its end.
        let task = tokio::spawn(async move {
            // Before the intention is on the log: a change that the log shows as intended is applied again after a
            // crash.
            let note = match put.takes_away {
                Some(what) => Some(this.records.floors.note(&put.id, put.rev, what).await?),
                None => None,
            };
            let before = this.records.stated.store_change();
            let (end, result) = this.intend_and_put(&put, lines.intended).await;
            this.records.cache.invalidate([&put.id]);
            this.scrub_after(&put, &end).await;
            this.end(&put, note, &end).await;
            match end {
                // After the floor: a change that the log shows as done is in the floors, up to the mark of the log.
                End::Done => {
                    // The change took a new number, above the one that was known before it.
                    this.records.stated.store_came_to(before.saturating_add(1));
                    this.log_done(lines.done.states(this.records.stated.now()), put.takes_away.is_some())
                        .await;
                }
                End::NotDone => this.recorder.log.append_unwaited(lines.not_done),
                End::Unknown => {}
            }
            result
        });
        task.await
            .map_err(|_| Error::unavailable(Part::Store, "the change was interrupted"))?
    }

    /// Appends the end of a change. A change that takes something away waits for it: lost floors are rebuilt from these lines alone, so an
    /// acknowledged revocation must not depend on a line that a kill can take.
    async fn log_done(&self, done: Event<'_>, takes_away: bool) {
        if !takes_away {
            self.recorder.log.append_unwaited(done);
        } else if let Err(error) = self.recorder.log.append(done).await {
            tracing::warn!(%error, "cannot write the end of a change to the audit log; the change and its floor are stored");
        }
    }

    /// Before the note is ended: after a crash in between it is done at the next start.
    async fn scrub_after(&self, put: &Put, end: &End) {
        if matches!(end, End::Done)
            && put.takes_away.is_some_and(TakeAway::destroys)
            && let Err(error) = self.records.store.scrub().await
        {
            tracing::warn!(%error, "the store's files may still hold a destroyed value");
        }
    }

    async fn intend_and_put(self: &Arc<Self>, put: &Put, intended: Event<'_>) -> (End, Result<()>) {
        let intended = match self.recorder.log.append(intended).await {
            Ok(receipt) => receipt,
            // Nothing is on the log for certain, and nothing was put.
            Err(error) => return (End::NotDone, Err(error.into())),
        };
        // Waiting for the log may have taken seconds: the caller must still have the right to the change.
        if let Some(holder) = &put.holder
            && let Err(error) = self.gate.still(holder).await
        {
            return (End::NotDone, Err(error));
        }
        self.put_and_know(put, intended).await
    }

    /// Raises the floor of a change that is done, and ends its note. If that fails, the change still holds: this
    /// process keeps the floor in memory and writes it with the next second, and a note is ended at the next start.
    async fn end(&self, put: &Put, note: Option<NoteId>, end: &End) {
        let ended = match (end, &note) {
            (End::Done, Some(note)) => self.records.floors.done(note, &put.id, put.rev).await,
            (End::Done, None) => self.records.floors.raise(&put.id, put.rev).await,
            (End::NotDone, Some(note)) => self.records.floors.not_done(note).await,
            (End::NotDone, None) | (End::Unknown, _) => Ok(()),
        };
        if let Err(error) = ended {
            tracing::warn!(record = %put.id, %error, "the file of floors does not have the floor of a change yet");
        }
    }

    /// Puts, and where the answer was lost looks whether it happened: a change is neither applied twice nor lost in silence.
    ///
    /// Takes the receipt of the intention: nothing is put that is not on the log first.
    async fn put_and_know(&self, put: &Put, _intended: Receipt) -> (End, Result<()>) {
        let (id, bytes) = (&put.id, put.bytes.as_slice());
        let expect = put.revision.map_or(Expect::Absent, Expect::Revision);
        let error = match self.records.store.put(id, bytes, expect).await {
            Ok(_) => return (End::Done, Ok(())),
            Err(error) => error,
        };
        if matches!(error, StorageError::Exists | StorageError::Conflict) {
            // A retry inside the backend may have met its own write.
            if self.stands(id, bytes).await == Some(true) {
                return (End::Done, Ok(()));
            }
            let what = "another writer changed the record at the same time".to_owned();
            return (End::NotDone, Err(Error::Conflict { what }));
        }
        match self.stands(id, bytes).await {
            Some(true) => (End::Done, Ok(())),
            // It may still arrive: its end is unknown.
            Some(false) | None => (End::Unknown, Err(error.into())),
        }
    }

    pub(super) async fn stands(&self, id: &RecordId, bytes: &[u8]) -> Option<bool> {
        self.records
            .store
            .get(id)
            .await
            .ok()
            .map(|stored| stored.is_some_and(|stored| stored.bytes == bytes))
    }
}
