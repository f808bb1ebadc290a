//! The reasons why a record is refused, and the sorts of records that an error can be about.

use std::fmt;

use serde::Serialize;

/// The reason why a record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// Its bytes do not open: they were changed, cut or moved.
    DoesNotOpen,
    /// The store has no such record, although this node has seen one.
    Missing,
    /// The record is older than the one that this node has seen.
    Older,
    /// The store cannot read it, because the store's own files are damaged.
    Unreadable,
    /// Its format is one that this program does not know: a newer program wrote it, or it was changed.
    UnknownFormat,
    /// The KEK that it names was not given, or does not open it.
    Kek,
}

impl Damage {
    /// The stable word: `does_not_open`, `missing`, `older`, `unreadable`, `unknown_format` or `kek`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Damage::DoesNotOpen => "does_not_open",
            Damage::Missing => "missing",
            Damage::Older => "older",
            Damage::Unreadable => "unreadable",
            Damage::UnknownFormat => "unknown_format",
            Damage::Kek => "kek",
        }
    }

    /// Returns the action that helps, and the way to give up a record of this sort.
    pub(crate) fn remedy(self, affected: Affected) -> String {
        if affected == Affected::Home && self != Damage::Kek {
            return "no command opens the vault without this record: stop what runs, and restore the record, or the whole store, from the \
                    newest backup, with the command in docs/operations.md, \"One record from a backup\"; then find out who wrote to the store"
                .to_owned();
        }
        let action = match self {
            Damage::DoesNotOpen => "restore the store from a backup, and find out who wrote to the store",
            Damage::Missing if affected == Affected::Environment => {
                "restore the newest backup of the store, and find out who wrote to the store"
            }
            Damage::Missing | Damage::Older => {
                "restore the newest backup of the store, and find out who set the store back; if you restored an older store on purpose, accept the rollback of the older records"
            }
            Damage::Unreadable => {
                return "check the disk and the system's log, then restore the store from a backup".to_owned();
            }
            Damage::UnknownFormat => {
                "if a newer version of IBYOK wrote the record, use that version; else restore the store from a backup, and find out who wrote to the store"
            }
            Damage::Kek => return "give the KEK that the record names, or restore the store from a backup".to_owned(),
        };
        let way_out = match affected {
            Affected::Key if self == Damage::UnknownFormat => {
                "the list of keys has damaged ones; an operator can remove one by force even if it may be intact"
            }
            Affected::Key => "the list of keys has damaged ones, and an operator can remove one by its id",
            Affected::Token => {
                "the list of tokens has damaged ones, and an operator can revoke one permanently by its id"
            }
            // A record that may be whole is not given up.
            Affected::Environment if self == Damage::UnknownFormat => {
                "the other environments keep working; the list of environments has damaged ones"
            }
            Affected::Environment => {
                "the other environments keep working; the list of environments has damaged ones, and an operator can remove one with its keys and tokens"
            }
            Affected::Home | Affected::Other => "the status of the vault lists damaged records",
        };
        format!("{action}; {way_out}")
    }
}

/// The sort of record that an integrity error is about. It decides which way out the hint names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Affected {
    /// A key.
    Key,
    /// A token.
    Token,
    /// An environment: the record of its key, or of its name.
    Environment,
    /// The realm that spans the environments of the vault's home: no vault opens without it.
    Home,
    /// Any other record.
    Other,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::DoesNotOpen => "does not open: it was damaged or moved",
            Damage::Missing => "is missing, although this node has seen it",
            Damage::Older => "is older than the record that this node has seen",
            Damage::Unreadable => "cannot be read: the store's own files are damaged",
            Damage::UnknownFormat => "has an unknown format: it was damaged, or a newer program wrote it",
            Damage::Kek => "cannot be opened: the KEK that it names was not given, or refuses to open it",
        })
    }
}
