//! An own sink ([`OneFile`]) and an own home for audit logs in a [redb](https://www.redb.org) database ([`RedbHome`]): the code of
//! `docs/own-sink.md`.
#![forbid(unsafe_code)]

mod one_file;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ibyok_audit::{Error, Hold, Home, HomeFile, SinkDescription, SinkDurability};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition, WriteTransaction};

pub use one_file::OneFile;

/// The parts of files: (log, file, offset) and the bytes that one append added there.
const PARTS: TableDefinition<'_, (&str, &str, u64), &[u8]> = TableDefinition::new("parts");

/// The lengths of files: (log, file) and the number of bytes.
const LENGTHS: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("lengths");

/// A home in a redb database. Clones are handles on the same database.
#[derive(Clone)]
pub struct RedbHome {
    database: Arc<Database>,
    name: String,
    held: Arc<Mutex<BTreeSet<String>>>,
}

impl RedbHome {
    /// Opens the database at a path, and makes it if it does not exist.
    ///
    /// # Errors
    /// Fails if the file is not a database, or if another process has it open.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let database = Database::create(path).map_err(Error::other)?;
        let begin = database.begin_write().map_err(Error::other)?;
        // A reader finds no table that no writer has made.
        begin.open_table(PARTS).map_err(Error::other)?;
        begin.open_table(LENGTHS).map_err(Error::other)?;
        begin.commit().map_err(Error::other)?;
        Ok(Self {
            database: Arc::new(database),
            name: format!("redb {}", path.display()),
            held: Arc::default(),
        })
    }

    /// Runs a change in a transaction that is durable when this returns.
    fn write(&self, change: impl FnOnce(&WriteTransaction) -> Result<(), Error>) -> Result<(), Error> {
        let transaction = self.database.begin_write().map_err(Error::other)?;
        change(&transaction)?;
        transaction.commit().map_err(Error::other)
    }
}

impl fmt::Debug for RedbHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedbHome({})", self.name)
    }
}

impl Home for RedbHome {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new(&self.name, SinkDurability::Synced)
    }

    fn logs(&self) -> Result<Vec<String>, Error> {
        let transaction = self.database.begin_read().map_err(Error::other)?;
        let lengths = transaction.open_table(LENGTHS).map_err(Error::other)?;
        let mut logs = BTreeSet::new();
        for entry in lengths.iter().map_err(Error::other)? {
            logs.insert(entry.map_err(Error::other)?.0.value().0.to_owned());
        }
        Ok(logs.into_iter().collect())
    }

    fn take(&self, log: &str) -> Result<Option<Hold>, Error> {
        // redb lets one process open a database, so a set in memory is a lock for all.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.insert(log.to_owned()) {
            return Ok(None);
        }
        let (held, log) = (Arc::clone(&self.held), log.to_owned());
        Ok(Some(Hold::new(Held { held, log })))
    }

    fn files(&self, log: &str) -> Result<Vec<HomeFile>, Error> {
        let transaction = self.database.begin_read().map_err(Error::other)?;
        let lengths = transaction.open_table(LENGTHS).map_err(Error::other)?;
        let mut files = Vec::new();
        for entry in lengths.range((log, "")..).map_err(Error::other)? {
            let (key, length) = entry.map_err(Error::other)?;
            let (of, file) = key.value();
            if of != log {
                break;
            }
            files.push(HomeFile::new(file, length.value()));
        }
        Ok(files)
    }

    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        let transaction = self.database.begin_read().map_err(Error::other)?;
        let lengths = transaction.open_table(LENGTHS).map_err(Error::other)?;
        if lengths.get((log, file)).map_err(Error::other)?.is_none() {
            return Err(Error::other(format!("the home holds no file `{file}` of this log")));
        }
        let parts = transaction.open_table(PARTS).map_err(Error::other)?;
        // The last part that begins at the offset or before it holds the first byte.
        let mut before = parts
            .range((log, file, 0)..=(log, file, offset))
            .map_err(Error::other)?;
        let first = before.next_back().transpose().map_err(Error::other)?;
        let mut at = first.map_or(0, |(key, _)| key.value().2);
        let mut bytes = Vec::new();
        for entry in parts
            .range((log, file, at)..=(log, file, u64::MAX))
            .map_err(Error::other)?
        {
            let (key, part) = entry.map_err(Error::other)?;
            at = key.value().2;
            let skipped = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
            let part = part.value().get(skipped..).unwrap_or_default();
            let wanted = limit - bytes.len();
            bytes.extend_from_slice(part.get(..wanted).unwrap_or(part));
            if bytes.len() == limit {
                break;
            }
        }
        Ok(bytes)
    }

    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.write(|transaction| {
            let mut lengths = transaction.open_table(LENGTHS).map_err(Error::other)?;
            let found = lengths
                .get((log, file))
                .map_err(Error::other)?
                .map_or(0, |length| length.value());
            if found != offset {
                return Err(Error::OutOfPlace {
                    file: file.to_owned(),
                    expected: offset,
                    found,
                });
            }
            put(
                &mut transaction.open_table(PARTS).map_err(Error::other)?,
                (log, file, offset),
                bytes,
            )?;
            let length = offset + bytes.len() as u64;
            lengths.insert((log, file), length).map_err(Error::other)?;
            Ok(())
        })
    }

    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Error> {
        self.write(|transaction| {
            let mut parts = transaction.open_table(PARTS).map_err(Error::other)?;
            let all = (log, file, 0)..=(log, file, u64::MAX);
            parts.retain_in(all, |_, _| false).map_err(Error::other)?;
            put(&mut parts, (log, file, 0), bytes)?;
            let mut lengths = transaction.open_table(LENGTHS).map_err(Error::other)?;
            lengths.insert((log, file), bytes.len() as u64).map_err(Error::other)?;
            Ok(())
        })
    }
}

/// The table of parts in a transaction that writes.
type Parts<'t> = Table<'t, (&'static str, &'static str, u64), &'static [u8]>;

/// Puts a part. An append of nothing is no part, and would take the place of the next one.
fn put(parts: &mut Parts<'_>, at: (&str, &str, u64), bytes: &[u8]) -> Result<(), Error> {
    if !bytes.is_empty() {
        parts.insert(at, bytes).map_err(Error::other)?;
    }
    Ok(())
}

/// Frees a log when it is dropped.
#[derive(Debug)]
struct Held {
    held: Arc<Mutex<BTreeSet<String>>>,
    log: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.log);
    }
}

/// The code of the page runs as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/own-sink.md")]
mod page {}
