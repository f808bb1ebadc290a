//! Checkpoints of logs, sealed in the store under the node's home.

use std::path::Path;
use std::sync::Arc;

use ibyok_audit::{LogPlace, LogStatus, logs_in};
use ibyok_crypto::cut;
use ibyok_storage::{Expect, RecordId, Store, StoreExt};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::floor::checkpoint::Said;
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::{Realm, open_failed};

/// The sealed body of a checkpoint's record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) host: String,
    pub(crate) place: String,
    pub(crate) note: String,
}

/// The place of a node's logs: a directory of its machine, or a home that machines share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The machine; empty for a home, which is on none of them.
    host: String,
    place: String,
}

impl Spot {
    pub(crate) fn of_directory(place: &Path) -> Self {
        let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
        Spot {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            place: place.display().to_string(),
        }
    }

    fn new(directory: &Path, home: Option<String>) -> Self {
        match home {
            Some(place) => Spot {
                host: String::new(),
                place,
            },
            None => Spot::of_directory(directory),
        }
    }
}

impl From<&LogPlace> for Spot {
    fn from(place: &LogPlace) -> Self {
        Spot::new(place.root(), place.home_name())
    }
}

impl From<LogStatus> for Spot {
    fn from(status: LogStatus) -> Self {
        Spot::new(&status.place, status.home)
    }
}

impl Kept {
    pub(crate) fn here(spot: &Spot, note: &str) -> Self {
        Kept {
            host: spot.host.clone(),
            place: spot.place.clone(),
            note: note.to_owned(),
        }
    }

    /// Names the place in words.
    pub(crate) fn whereabouts(&self) -> String {
        match self.host.as_str() {
            "" => format!("in `{}`", self.place),
            host => format!("in `{}` on `{host}`", self.place),
        }
    }

    pub(crate) fn is_of(&self, other: &Kept) -> bool {
        (&self.host, &self.place) == (&other.host, &other.place)
    }

    /// True if the log is at the place that this names, on the machine that looks.
    pub(crate) fn still_holds(&self, log: &str, here: &Kept) -> bool {
        self.host == here.host && logs_in(Path::new(&self.place)).is_ok_and(|logs| logs.iter().any(|id| id == log))
    }
}

/// Every checkpoint of a home.
#[derive(Default)]
pub(crate) struct AllKept {
    /// Those that open, with the id of the log that each is about.
    pub(crate) whole: Vec<(String, Kept)>,
    /// Those that do not.
    pub(crate) damaged: Vec<(RecordId, Damage)>,
}

impl AllKept {
    /// Returns the checkpoints of one log.
    pub(crate) fn of<'a>(&'a self, log: &'a str) -> impl Iterator<Item = &'a Kept> {
        self.whole.iter().filter(move |(of, _)| of == log).map(|(_, kept)| kept)
    }
}

/// The checkpoints in a store.
#[derive(Clone)]
pub(crate) struct Checkpoints<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) home: Arc<Realm>,
}

impl Checkpoints<'_> {
    /// Returns the record of a log's newest checkpoint.
    pub(crate) fn record_of(&self, log: &str) -> Result<RecordId> {
        let id = from_base62(log).ok_or_else(|| Error::integrity("the audit log's id"))?;
        self.home.record(kind::CHECKPOINT, id)
    }

    /// Returns the record of a checkpoint that the log does not fit. It is named by a hash of the note, so that nothing
    /// replaces it.
    pub(crate) fn evidence(&self, note: &str) -> Result<RecordId> {
        let digest: [u8; 32] = Sha256::digest(note.as_bytes()).into();
        self.home.record(kind::CHECKPOINT, cut(digest))
    }

    /// Returns a checkpoint; `None` if the store holds none.
    ///
    /// # Errors
    /// [`Error::Integrity`] for a record that does not open.
    pub(crate) async fn get(&self, id: &RecordId) -> Result<Option<Kept>> {
        let Some(stored) = self.store.get(id).await? else {
            return Ok(None);
        };
        let what = || format!("the checkpoint of an audit log ({id})");
        let body = self.home.keys.open_record(&self.home.place(id), &stored.bytes);
        let body = body.map_err(|error| open_failed(what(), error))?;
        let kept: Kept = serde_json::from_slice(body.expose_secret()).map_err(|_| Error::integrity(what()))?;
        match Said::parse(&kept.note) {
            Some(_) => Ok(Some(kept)),
            None => Err(Error::integrity(what())),
        }
    }

    /// Puts a checkpoint in the place of whatever the record holds, also of bytes that do not open.
    pub(crate) async fn put(&self, id: &RecordId, spot: &Spot, note: &str) -> Result<()> {
        let body = serde_json::to_vec(&Kept::here(spot, note));
        let body = body.map_err(|_| Error::integrity("a checkpoint"))?;
        let sealed = self.home.keys.seal_record(&self.home.place(id), &body);
        let sealed = sealed.map_err(|error| open_failed("a checkpoint".to_owned(), error))?;
        let there = self.store.get(id).await?;
        let expect = there.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision));
        self.store.put(id, &sealed, expect).await?;
        Ok(())
    }

    /// Deletes a record, if it is there.
    pub(crate) async fn delete(&self, id: &RecordId) -> Result<()> {
        if let Some(stored) = self.store.get(id).await? {
            self.store.delete(id, stored.revision).await?;
        }
        Ok(())
    }

    /// Returns every checkpoint of the home.
    pub(crate) async fn all(&self) -> Result<AllKept> {
        let collection = self.home.collection(kind::CHECKPOINT)?;
        let (mut all, mut pages) = (AllKept::default(), self.store.pages(&collection));
        while let Some(page) = pages.next_page().await? {
            for id in &page {
                match self.get(id).await {
                    Ok(kept) => all
                        .whole
                        .extend(kept.and_then(|kept| Some((Said::parse(&kept.note)?.log, kept)))),
                    Err(Error::Integrity { damage, .. }) => all.damaged.push((*id, damage)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(all)
    }
}
