//! What the file of floors says, line by line.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ibyok_storage::RecordId;
use subtle::ConstantTimeEq;

use crate::realm::Realm;
use crate::take_away::TakeAway;

/// Separates these MACs from every other use of the realm's keyed hash.
const LABEL: &str = "ibyok floor v1";

/// So many lines more than are needed, and the file is made anew.
const HISTORY: usize = 1000;

/// A note's name: the MAC of its line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NoteId(String);

/// What is about to be taken away.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    id: NoteId,
    log: String,
    record: RecordId,
    rev: u64,
    what: TakeAway,
}

impl Note {
    pub(super) fn new(log: &str, record: RecordId, rev: u64, what: TakeAway) -> Self {
        Note {
            id: NoteId(String::new()),
            log: log.to_owned(),
            record,
            rev,
            what,
        }
    }

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
}

/// One line.
#[derive(Debug)]
pub(super) enum Entry {
    Intended(Note),
    Done(NoteId, RecordId, u64),
    NotDone(NoteId),
    Floor(RecordId, u64),
}

impl Entry {
    fn print(&self) -> String {
        match self {
            Entry::Intended(note) => format!("intended {} {} {} {}", note.log, note.record, note.rev, note.what),
            Entry::Done(note, record, rev) => format!("done {} {record} {rev}", note.0),
            Entry::NotDone(note) => format!("not_done {}", note.0),
            Entry::Floor(record, rev) => format!("floor {record} {rev}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["intended", log, record, rev, what] => Some(Entry::Intended(Note::new(
                log,
                record.parse().ok()?,
                rev.parse().ok()?,
                what.parse().ok()?,
            ))),
            ["done", note, record, rev] => Some(Entry::Done(
                NoteId((*note).to_owned()),
                record.parse().ok()?,
                rev.parse().ok()?,
            )),
            ["not_done", note] => Some(Entry::NotDone(NoteId((*note).to_owned()))),
            ["floor", record, rev] => Some(Entry::Floor(record.parse().ok()?, rev.parse().ok()?)),
            _ => None,
        }
    }
}

/// Everything that the lines up to here say.
#[derive(Debug)]
pub(super) struct Content {
    realm: Arc<Realm>,
    last: String,
    lines: usize,
    floors: HashMap<RecordId, u64>,
    open: BTreeMap<NoteId, Note>,
}

impl Content {
    pub(super) fn new(realm: Arc<Realm>) -> Self {
        Content {
            realm,
            last: String::new(),
            lines: 0,
            floors: HashMap::new(),
            open: BTreeMap::new(),
        }
    }

    pub(super) fn floor(&self, record: &RecordId) -> Option<u64> {
        self.floors.get(record).copied()
    }

    /// Every record that has a floor.
    pub(super) fn records(&self) -> impl Iterator<Item = &RecordId> {
        self.floors.keys()
    }

    pub(super) fn notes(&self) -> Vec<Note> {
        self.open.values().cloned().collect()
    }

    pub(super) fn is_mostly_history(&self) -> bool {
        self.lines > HISTORY + self.floors.len() + self.open.len()
    }

    /// The next line for an entry, with its line break.
    pub(super) fn line(&self, entry: &Entry) -> String {
        let text = entry.print();
        let mac = self.mac(&text);
        format!("{text} {mac}\n")
    }

    /// Takes in the next line, without its line break; `None` if it is not one that follows.
    pub(super) fn take(&mut self, line: &str) -> Option<NoteId> {
        let (text, given) = line.rsplit_once(' ')?;
        let mac = self.mac(text);
        if !bool::from(mac.as_bytes().ct_eq(given.as_bytes())) {
            return None;
        }
        let id = NoteId(mac.clone());
        match Entry::parse(text)? {
            Entry::Intended(mut note) => {
                note.id = id.clone();
                self.open.insert(id.clone(), note);
            }
            Entry::Done(note, record, rev) => {
                self.open.remove(&note);
                self.raise(record, rev);
            }
            Entry::NotDone(note) => {
                self.open.remove(&note);
            }
            Entry::Floor(record, rev) => self.raise(record, rev),
        }
        self.last = mac;
        self.lines += 1;
        Some(id)
    }

    /// The whole of what is known as a new file, and as the content that it has.
    pub(super) fn renewed(&self) -> Option<(String, Content)> {
        let mut content = Content::new(Arc::clone(&self.realm));
        let floors = self.floors.iter().map(|(record, rev)| Entry::Floor(*record, *rev));
        let notes = self.open.values().cloned().map(Entry::Intended);
        let mut text = String::new();
        for entry in floors.chain(notes) {
            let line = content.line(&entry);
            content.take(line.trim_end())?;
            text.push_str(&line);
        }
        Some((text, content))
    }

    /// Adds what another content knows and this one does not.
    pub(super) fn merge(&mut self, other: &Content) {
        for (record, rev) in &other.floors {
            self.raise(*record, *rev);
        }
    }

    /// Adds the notes that another content knows and this one does not.
    pub(super) fn merge_notes(&mut self, other: &Content) {
        self.open
            .extend(other.open.iter().map(|(id, note)| (id.clone(), note.clone())));
    }

    fn raise(&mut self, record: RecordId, rev: u64) {
        let floor = self.floors.entry(record).or_insert(0);
        *floor = rev.max(*floor);
    }

    fn mac(&self, text: &str) -> String {
        HEXLOWER.encode(
            &self
                .realm
                .keys
                .keyed_hash(LABEL, format!("{} {text}", self.last).as_bytes()),
        )
    }

    pub(super) fn realm(&self) -> &Arc<Realm> {
        &self.realm
    }
}
