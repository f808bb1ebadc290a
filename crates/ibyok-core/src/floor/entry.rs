//! The changes that raise floors, and the meaning of the file's answers.

use data_encoding::HEXLOWER;
use ibyok_audit::FloorsStatement;
use ibyok_storage::{Error as StorageError, MapChange, MapSummary, RecordId};

use super::key;
use super::note::NoteId;
use crate::base::error::{Error, Part};

/// The name of the file in the place of the logs.
pub(crate) const FILE: &str = "floors";

/// Makes the statement of a line of the log about a state of the floors.
pub(crate) fn statement(summary: &MapSummary) -> FloorsStatement {
    FloorsStatement::new(summary.generation, summary.numbers, HEXLOWER.encode(&summary.tag))
}

pub(crate) fn raise(record: &RecordId, rev: u64) -> MapChange {
    MapChange::Raise {
        key: key::of_record(record),
        number: rev,
    }
}

pub(crate) fn ended(note: &NoteId) -> MapChange {
    MapChange::Put {
        key: key::note(&note.0),
        text: None,
    }
}

/// The error that callers get for a failure of the file.
pub(crate) fn unavailable(error: StorageError) -> Error {
    match error {
        StorageError::Refused { what, .. } => Error::Floors { what },
        other => Error::unavailable(Part::AuditLog, format!("the file of floors: {other}")),
    }
}
