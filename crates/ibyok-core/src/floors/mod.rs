//! Floors: the revision below which a record is not believed.
//!
//! Associated data stops a record from being swapped, not an older one of the same id from coming back with a restored backup or by
//! a hostile store. Each change that takes something away is noted before it is intended, and raises its record's floor once it is
//! done, in one small file beside the audit logs. Every process that writes a log there shares it: each appends under a lock, and
//! reads what the others appended before it believes a record.
//!
//! Nothing in memory changes before the file does. After a write or sync that failed the file is not written to again before it
//! was made anew from what is known.

mod content;
mod file;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ibyok_storage::{Collection, RecordId};

use self::content::{Content, Entry};
pub(crate) use self::content::{Note, NoteId};
use self::file::FloorFile;
use crate::error::Result;
use crate::realm::Realm;
use crate::take_away::TakeAway;

/// The floors beside the logs of a place.
#[derive(Debug)]
pub(crate) struct Floors {
    /// The log that this process writes, which its notes name.
    log: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: FloorFile,
    content: Content,
}

impl Floors {
    /// Reads the floors beside the logs of a place, or begins the file.
    pub(crate) fn open(place: &Path, log: &str, realm: &Arc<Realm>) -> Result<Self> {
        let mut content = Content::new(Arc::clone(realm));
        let mut file = FloorFile::open(place, &mut content)?;
        if content.is_mostly_history() {
            file.rewrite(&mut content)?;
        }
        Ok(Floors {
            log: log.to_owned(),
            state: Mutex::new(State { file, content }),
        })
    }

    /// The floor of a record, if it has one, whoever raised it.
    pub(crate) fn of(&self, id: &RecordId) -> Result<Option<u64>> {
        let mut state = self.state();
        let State { file, content } = &mut *state;
        file.catch_up(content)?;
        Ok(content.floor(id))
    }

    /// The records of a collection that have a floor, from behind `after` to before `until`: this node has seen each of them.
    pub(crate) fn seen(
        &self,
        collection: &Collection,
        after: Option<&RecordId>,
        until: Option<&RecordId>,
    ) -> Result<Vec<RecordId>> {
        let mut state = self.state();
        let State { file, content } = &mut *state;
        file.catch_up(content)?;
        let within = |id: &&RecordId| {
            let behind = after.is_none_or(|after| *id > after);
            id.collection() == collection && behind && until.is_none_or(|until| *id < until)
        };
        Ok(content.records().filter(within).copied().collect())
    }

    /// What was noted and has no end yet, by whichever process.
    pub(crate) fn notes(&self) -> Vec<Note> {
        self.state().content.notes()
    }

    /// Notes what is about to be taken away; durable when it returns.
    pub(crate) fn note(&self, record: &RecordId, rev: u64, what: TakeAway) -> Result<NoteId> {
        self.append(&Entry::Intended(Note::new(&self.log, *record, rev, what)))
    }

    /// Raises the floor of what a note was about; durable when it returns.
    pub(crate) fn done(&self, note: &NoteId, record: &RecordId, rev: u64) -> Result<()> {
        self.append(&Entry::Done(note.clone(), *record, rev)).map(|_| ())
    }

    /// Ends a note: nothing was taken away.
    pub(crate) fn not_done(&self, note: &NoteId) -> Result<()> {
        self.append(&Entry::NotDone(note.clone())).map(|_| ())
    }

    /// Raises a record's floor, unless it is as high already; durable when it returns.
    pub(crate) fn raise(&self, record: &RecordId, rev: u64) -> Result<()> {
        if self.of(record)?.is_some_and(|floor| floor >= rev) {
            return Ok(());
        }
        self.append(&Entry::Floor(*record, rev)).map(|_| ())
    }

    /// Whether the file failed, or is not where it was.
    pub(crate) fn is_broken(&self) -> bool {
        let state = self.state();
        state.file.is_broken()
    }

    /// Makes the file anew from what is known, after it failed or was moved away.
    pub(crate) fn mend(&self) -> Result<()> {
        let mut state = self.state();
        let State { file, content } = &mut *state;
        file.rewrite(content)
    }

    fn append(&self, entry: &Entry) -> Result<NoteId> {
        let mut state = self.state();
        let State { file, content } = &mut *state;
        file.append(content, entry)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ibyok_storage::Kind;

    use super::*;
    use crate::forging::a_realm;

    fn record(n: u8) -> RecordId {
        RecordId::new(Collection::new(Kind::new(3), *b"abcdefgh").unwrap(), [n; 16])
    }

    #[tokio::test]
    async fn floors_and_notes_are_there_again_and_for_every_process() {
        let (place, realm) = (tempfile::tempdir().unwrap(), a_realm().await);
        let one = Floors::open(place.path(), "log-one", &realm).unwrap();
        let two = Floors::open(place.path(), "log-two", &realm).unwrap();
        let note = one.note(&record(1), 5, TakeAway::DisableKey).unwrap();
        assert_eq!(two.of(&record(1)).unwrap(), None);
        one.done(&note, &record(1), 5).unwrap();
        assert_eq!(two.of(&record(1)).unwrap(), Some(5), "seen without being told");
        two.raise(&record(1), 3).unwrap();
        two.raise(&record(2), 7).unwrap();
        let open = two.note(&record(3), 9, TakeAway::RemoveKey).unwrap();
        assert_eq!(
            (one.of(&record(1)).unwrap(), one.of(&record(2)).unwrap()),
            (Some(5), Some(7))
        );
        drop((one, two));
        let again = Floors::open(place.path(), "log-one", &realm).unwrap();
        assert_eq!(
            (again.of(&record(1)).unwrap(), again.of(&record(2)).unwrap()),
            (Some(5), Some(7))
        );
        let notes = again.notes();
        assert_eq!(notes.len(), 1);
        assert_eq!(
            (notes[0].log(), notes[0].record(), notes[0].rev()),
            ("log-two", &record(3), 9)
        );
        again.not_done(&open).unwrap();
        assert!(again.notes().is_empty());
    }

    #[tokio::test]
    async fn a_line_that_was_changed_or_moved_is_noticed() {
        let (place, realm) = (tempfile::tempdir().unwrap(), a_realm().await);
        let floors = Floors::open(place.path(), "log", &realm).unwrap();
        (1..=3).for_each(|n| floors.raise(&record(n), 5).unwrap());
        let path = place.path().join("floors");
        let good = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = good.lines().collect();
        let swapped = format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]);
        let removed = format!("{}\n{}\n", lines[0], lines[2]);
        for bad in [
            good.replacen(" 5 ", " 4 ", 1),
            swapped,
            removed,
            good.replacen("floor", "done", 1),
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(Floors::open(place.path(), "log", &realm).is_err());
        }
        std::fs::write(&path, good.as_bytes().split_last_chunk::<9>().unwrap().0).unwrap();
        let torn = Floors::open(place.path(), "log", &realm).unwrap();
        assert_eq!(
            (torn.of(&record(2)).unwrap(), torn.of(&record(3)).unwrap()),
            (Some(5), None)
        );
        torn.raise(&record(3), 6).unwrap();
        drop(torn);
        assert_eq!(
            Floors::open(place.path(), "log", &realm)
                .unwrap()
                .of(&record(3))
                .unwrap(),
            Some(6)
        );
    }

    #[tokio::test]
    async fn floors_outlive_their_file_in_a_process_that_knew_them() {
        let (place, realm) = (tempfile::tempdir().unwrap(), a_realm().await);
        let floors = Floors::open(place.path(), "log", &realm).unwrap();
        floors.raise(&record(1), 5).unwrap();
        std::fs::remove_file(place.path().join("floors")).unwrap();
        assert!(floors.raise(&record(2), 6).is_err(), "not into a file that is gone");
        assert!(floors.is_broken());
        floors.mend().unwrap();
        floors.raise(&record(2), 6).unwrap();
        let again = Floors::open(place.path(), "log", &realm).unwrap();
        assert_eq!(
            (again.of(&record(1)).unwrap(), again.of(&record(2)).unwrap()),
            (Some(5), Some(6))
        );
    }

    #[tokio::test]
    async fn a_file_of_much_history_is_made_short_and_says_the_same() {
        let (place, realm) = (tempfile::tempdir().unwrap(), a_realm().await);
        let floors = Floors::open(place.path(), "log", &realm).unwrap();
        (1..=1200).for_each(|rev| floors.raise(&record(1), rev).unwrap());
        floors.note(&record(2), 8, TakeAway::DisableVersion(3)).unwrap();
        let again = Floors::open(place.path(), "log", &realm).unwrap();
        assert!(std::fs::metadata(place.path().join("floors")).unwrap().len() < 1000);
        assert_eq!(again.of(&record(1)).unwrap(), Some(1200));
        assert_eq!(again.notes()[0].what(), TakeAway::DisableVersion(3));
        // The process that had the longer file open goes on with the new one.
        floors.raise(&record(4), 2).unwrap();
        assert_eq!(again.of(&record(4)).unwrap(), Some(2));
    }
}
