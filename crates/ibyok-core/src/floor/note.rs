//! Notes of changes that are about to take something away, so that a crash in between does not leave it in place.

use ibyok_storage::RecordId;

use crate::model::take_away::TakeAway;

/// A note's name, unique in its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NoteId(pub(super) String);

/// A change that is about to take something away.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(super) id: NoteId,
    pub(super) log: String,
    pub(super) record: RecordId,
    pub(super) rev: u64,
    pub(super) what: TakeAway,
}

impl Note {
    pub(crate) fn id(&self) -> &NoteId {
        &self.id
    }

    /// The log of the process that wrote it.
    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    pub(crate) fn record(&self) -> &RecordId {
        &self.record
    }

    /// The revision that the record was to get.
    pub(crate) fn rev(&self) -> u64 {
        self.rev
    }

    pub(crate) fn what(&self) -> TakeAway {
        self.what
    }

    pub(super) fn print(&self) -> String {
        format!("{} {} {} {}", self.log, self.record, self.rev, self.what)
    }

    /// Parses the text that [`Note::print`] wrote.
    pub(super) fn parse(id: NoteId, text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [log, record, rev, what] = words.as_slice() else {
            return None;
        };
        Some(Note {
            id,
            log: (*log).to_owned(),
            record: record.parse().ok()?,
            rev: rev.parse().ok()?,
            what: what.parse().ok()?,
        })
    }
}
