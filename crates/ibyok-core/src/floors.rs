//! Floors: the revision below which a record is not believed.
//!
//! Associated data stops a record from being swapped, not an older one of the same id from coming back with a restored backup or by
//! a hostile store. Each change that takes something away is noted before it is put, and raises its record's floor once it is done,
//! in a small file beside the audit log. Each line carries a MAC over itself and the line before.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use data_encoding::HEXLOWER;
use ibyok_storage::RecordId;
use subtle::ConstantTimeEq;

use crate::error::{Error, Part, Result};
use crate::realm::Realm;
use crate::take_away::TakeAway;

/// Separates these MACs from every other use of the realm's keyed hash.
const LABEL: &str = "ibyok floor v1";

/// The file's name, beside the log.
const FILE: &str = "floors";

/// The floors that this node knows.
#[derive(Debug)]
pub(crate) struct Floors {
    known: RwLock<HashMap<RecordId, u64>>,
    file: Mutex<FloorFile>,
    /// What the last process noted and did not end: a crash between the two.
    interrupted: Vec<(RecordId, TakeAway)>,
}

#[derive(Debug)]
struct FloorFile {
    file: File,
    last: String,
    realm: Arc<Realm>,
    /// What is noted and has no end yet.
    noted: HashSet<RecordId>,
    /// How long the file is, in whole lines.
    len: u64,
    /// Whether a write failed and could not be taken back.
    broken: bool,
}

/// What a file of floors says.
#[derive(Default)]
struct Content {
    last: String,
    whole_lines: u64,
    open: HashMap<RecordId, TakeAway>,
}

impl Floors {
    /// Reads the floors beside this log and beside the logs in its sibling slots, and continues this log's file.
    pub(crate) fn open(directory: &Path, siblings: &[PathBuf], realm: &Arc<Realm>) -> Result<Self> {
        let mut known = HashMap::new();
        for sibling in siblings.iter().filter(|sibling| sibling.as_path() != directory) {
            read(&sibling.join(FILE), realm, &mut known)?;
        }
        let path = directory.join(FILE);
        let content = read(&path, realm, &mut known)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(unavailable)?;
        // A line that a crash cut short was never acknowledged.
        file.set_len(content.whole_lines).map_err(unavailable)?;
        let file = FloorFile {
            file,
            last: content.last,
            realm: Arc::clone(realm),
            noted: content.open.keys().copied().collect(),
            len: content.whole_lines,
            broken: false,
        };
        let interrupted = content.open.into_iter().collect();
        Ok(Floors {
            known: RwLock::new(known),
            file: Mutex::new(file),
            interrupted,
        })
    }

    /// The floor of a record, if it has one.
    pub(crate) fn of(&self, id: &RecordId) -> Option<u64> {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .copied()
    }

    /// What a crash left noted and not ended.
    pub(crate) fn interrupted(&self) -> &[(RecordId, TakeAway)] {
        &self.interrupted
    }

    /// Notes what is about to be taken away; durable when it returns.
    pub(crate) fn note(&self, id: &RecordId, what: TakeAway) -> Result<()> {
        let mut file = self.file();
        file.noted.insert(*id);
        file.write(&format!("intended {id} {what}"))
    }

    /// Raises a record's floor; durable when it returns.
    pub(crate) fn raise(&self, id: &RecordId, rev: u64) -> Result<()> {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let floor = known.entry(*id).or_insert(0);
            *floor = rev.max(*floor);
        }
        let mut file = self.file();
        file.noted.remove(id);
        file.write(&format!("done {id} {rev}"))
    }

    /// Takes a note back, if there is one: nothing was taken away, or something later was made of the record.
    pub(crate) fn withdraw(&self, id: &RecordId) -> Result<()> {
        let mut file = self.file();
        if !file.noted.remove(id) {
            return Ok(());
        }
        file.write(&format!("not_done {id} -"))
    }

    fn file(&self) -> MutexGuard<'_, FloorFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FloorFile {
    fn write(&mut self, text: &str) -> Result<()> {
        if self.broken {
            return Err(unavailable(std::io::Error::other(
                "the file of floors failed; open the vault again",
            )));
        }
        let mac = mac(&self.realm, &self.last, text);
        let line = format!("{text} {mac}\n");
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line must not stand before the next one; what a failed sync left is not believed either.
            self.broken = self
                .file
                .set_len(self.len)
                .and_then(|()| self.file.sync_data())
                .is_err();
            return Err(unavailable(error));
        }
        self.len += u64::try_from(line.len()).unwrap_or(0);
        self.last = mac;
        Ok(())
    }
}

fn read(path: &Path, realm: &Realm, known: &mut HashMap<RecordId, u64>) -> Result<Content> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Content::default()),
        Err(error) => return Err(unavailable(error)),
    };
    let mut content = Content::default();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let read = read_line(line.trim_end(), realm, &mut content, known);
        read.ok_or_else(|| Error::integrity(format!("the file of floors `{}`", path.display())))?;
        content.whole_lines += u64::try_from(line.len()).unwrap_or(0);
    }
    Ok(content)
}

fn read_line(line: &str, realm: &Realm, content: &mut Content, known: &mut HashMap<RecordId, u64>) -> Option<()> {
    let (text, given) = line.rsplit_once(' ')?;
    let right = mac(realm, &content.last, text);
    if !bool::from(right.as_bytes().ct_eq(given.as_bytes())) {
        return None;
    }
    content.last = right;
    let mut words = text.split(' ');
    let (word, id, rest) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    match word {
        "intended" => {
            content.open.insert(id, rest.parse().ok()?);
        }
        "done" => {
            let rev: u64 = rest.parse().ok()?;
            content.open.remove(&id);
            let floor = known.entry(id).or_insert(0);
            *floor = rev.max(*floor);
        }
        "not_done" => {
            content.open.remove(&id);
        }
        _ => return None,
    }
    Some(())
}

fn mac(realm: &Realm, last: &str, text: &str) -> String {
    HEXLOWER.encode(&realm.keys.keyed_hash(LABEL, format!("{last} {text}").as_bytes()))
}

fn unavailable(error: std::io::Error) -> Error {
    Error::unavailable(Part::AuditLog, error)
}
