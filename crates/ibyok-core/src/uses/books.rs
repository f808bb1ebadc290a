//! This node's own records of counts: their content, and whether the store has it.
//!
//! A record is changed here first and then put until the store has it. So it does not matter how often a put is tried, nor whether
//! its answer was lost: nothing is added twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use ibyok_crypto::RealmTag;
use ibyok_storage::{Error as StorageError, Expect, RecordId, Revision};

use super::Usage;
use super::count::{Counted, ScopeKey, UseKey, Uses};
use super::replay::Replay;
use super::rollup::{Of, ROWS_MAX, Rollup, RollupId, Row, Subject, open_body, seal_body};
use super::sheet::{Part, Sheet};
use super::sign::OwnSign;
use super::tally::Tally;
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::realm::Realm;

/// The time for which an own record is kept in memory after it was last added to.
const KEEP: Duration = Duration::from_secs(60);

/// The number of sheets that are kept in memory although the store has them: some 10 MB.
const SHEETS_MAX: usize = 10_000;

/// The name of a record of counts in messages about its damage.
pub(super) const WHAT: &str = "a record of usage";

#[derive(Debug, Default)]
pub(super) struct Books {
    sheets: HashMap<SheetOf, Sheet>,
    /// The counts that are not in a sheet yet, because the store did not answer.
    pub(super) waiting: Vec<Add>,
    pub(super) signs: HashMap<RealmTag, OwnSign>,
    /// The lines of the log that are to be counted before anything else.
    pub(super) replay: Option<Replay>,
}

/// The records of one subject on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SheetOf {
    realm: RealmTag,
    subject: Subject,
    day: u16,
}

/// Something to be added to a sheet.
#[derive(Debug)]
pub(super) struct Add {
    pub(super) realm: Arc<Realm>,
    pub(super) subject: Subject,
    pub(super) day: u16,
    pub(super) row: Row,
}

impl Add {
    fn sheet(&self) -> SheetOf {
        SheetOf {
            realm: self.realm.tag(),
            subject: self.subject,
            day: self.day,
        }
    }

    /// Turns the counted uses into rows of keys and of tokens.
    pub(super) fn all(uses: Uses) -> Vec<Add> {
        let mut adds = Vec::new();
        for (key, counted) in uses.reads {
            adds.extend(Add::to_key(&key, &counted));
            adds.extend(Add::to_token(&key, &counted));
        }
        let scopes = uses.scopes.into_iter();
        adds.extend(scopes.map(|(key, (holder, scopes))| Add::scopes(key, holder.realm(), scopes)));
        adds
    }

    /// The row of a key: the caller that used it.
    pub(super) fn to_key(key: &UseKey, counted: &Counted) -> Option<Add> {
        let (realm, (_, id)) = counted.to.key_realm.as_ref().zip(key.key)?;
        let of = Of::Reader {
            caller: key.caller.clone(),
            version: key.version,
        };
        let name = counted.to.token_name.clone();
        Some(Add::one(realm, Subject::Key(id), key.day, of, name, &counted.tally))
    }

    /// The row of a token: the key that it used.
    pub(super) fn to_token(key: &UseKey, counted: &Counted) -> Option<Add> {
        let super::Caller::Token(id) = key.caller else {
            return None;
        };
        let realm = counted.to.token_realm.as_ref()?;
        let environment = counted
            .to
            .key_realm
            .as_ref()
            .and_then(|realm| realm.name.environment.as_ref());
        let of = Of::Key {
            environment: environment.map(ToString::to_string),
            key: key.key.map(|(_, id)| id),
        };
        let name = counted.to.key_name.as_ref().map(ToString::to_string);
        Some(Add::one(realm, Subject::Token(id), key.day, of, name, &counted.tally))
    }

    fn one(realm: &Arc<Realm>, subject: Subject, day: u16, of: Of, name: Option<String>, tally: &Tally) -> Add {
        let row = Row {
            of,
            // The rest row counts many keys and tokens together, so one name would be wrong.
            name: name.filter(|_| subject != Subject::REST),
            scopes: ibyok_policy::Scopes::NONE,
            tally: tally.clone(),
        };
        Add {
            realm: Arc::clone(realm),
            subject,
            day,
            row,
        }
    }

    /// The row of a token for the scopes that it used other than by retrieving.
    pub(super) fn scopes(key: ScopeKey, realm: &Arc<Realm>, scopes: ibyok_policy::Scopes) -> Add {
        let row = Row {
            of: Of::Key {
                environment: key.environment,
                key: None,
            },
            name: None,
            scopes,
            tally: Tally::default(),
        };
        Add {
            realm: Arc::clone(realm),
            subject: Subject::Token(key.token),
            day: key.day,
            row,
        }
    }
}

impl Books {
    pub(super) fn new(replay: Replay) -> Self {
        Books {
            replay: Some(replay),
            ..Books::default()
        }
    }

    /// True if the store has everything that is counted.
    pub(super) fn are_saved(&self) -> bool {
        self.waiting.is_empty() && self.sheets.values().all(Sheet::is_saved)
    }

    /// Forgets the sheets that the store has and that no use is added to.
    pub(super) fn tidy(&mut self, now: Duration) {
        self.sheets
            .retain(|_, sheet| !sheet.is_saved() || now.saturating_sub(sheet.touched) < KEEP);
        let mut over = self.sheets.len().saturating_sub(SHEETS_MAX);
        if over > 0 {
            self.sheets.retain(|_, sheet| {
                // Unsaved sheets stay, even above the bound: the store does not have their counts.
                let goes = over > 0 && sheet.is_saved();
                over -= usize::from(goes);
                !goes
            });
        }
    }
}

impl Usage {
    /// Adds a row to its sheet, which is read if it is not at hand.
    pub(super) async fn take_in(&self, books: &mut Books, add: &Add) -> Result<()> {
        let of = add.sheet();
        let sheet = match books.sheets.entry(of) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(self.read_sheet(add).await?),
        };
        // A touched sheet stays in memory, so that a busy key is not read from the store at every flush.
        sheet.touched = self.records.clock.elapsed();
        let new = |rows| Rollup {
            rev: 0,
            node: self.recorder.log.id().to_owned(),
            seq: 0,
            subject: add.subject,
            day: add.day,
            rows,
        };
        sheet.add(new, add.row.clone());
        Ok(())
    }

    /// True if a line that adds this row is in the store already: the record of the row says up to which line it
    /// counts.
    pub(super) async fn is_counted(&self, books: &mut Books, add: &Add, seq: u64) -> Result<bool> {
        let sheet = match books.sheets.entry(add.sheet()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(self.read_sheet(add).await?),
        };
        let part = sheet.part_with(&add.row.of);
        // A part without a revision is not in the store yet, so it cannot count the line there.
        Ok(part.is_some_and(|part| part.revision.is_some() && part.body.seq >= seq))
    }

    async fn read_sheet(&self, add: &Add) -> Result<Sheet> {
        let realm = self.records.newest(&add.realm).await?;
        let mut sheet = Sheet::new(&realm, self.records.clock.elapsed());
        // Parts are numbered without gaps, so the first missing record ends the sheet.
        for number in 0..=u8::MAX {
            let id = self.rollup_record(&realm, add.subject, add.day, number)?;
            let Some(stored) = self.records.store.get(&id).await? else {
                sheet.next = Some(number);
                break;
            };
            match open_body::<Rollup>(&realm, &id, &stored, WHAT) {
                // The record's id holds only 5 bytes of the node and 8 of the subject, so another node's record can have the same id.
                Ok(body) if body.node == self.recorder.log.id() && body.subject == add.subject => {
                    let full = body.rows.len() >= ROWS_MAX;
                    sheet.has(Part::stored(number, body, stored.revision));
                    if !full {
                        sheet.next = number.checked_add(1);
                        break;
                    }
                }
                // The damaged record is left as it is, and counting continues in the next part.
                Ok(_) | Err(Error::Integrity { .. }) => self.records.remember_damaged(&id),
                Err(error) => return Err(error),
            }
        }
        Ok(sheet)
    }

    /// Writes every record that differs in the store. Continues after a failure, and returns the first.
    pub(super) async fn save(&self, books: &mut Books, seq: u64) -> Result<()> {
        let mut failure = None;
        for (of, sheet) in &mut books.sheets {
            match self.records.newest(&sheet.realm).await {
                Ok(newest) => sheet.realm = newest,
                // What is not saved yet is saved with the next flush.
                Err(error) => {
                    failure = failure.or(Some(error));
                    continue;
                }
            }
            let (realm, parts) = sheet.unsaved();
            for part in parts {
                let saved = self.save_part(of, realm, part, seq).await;
                failure = failure.or(saved.err());
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn save_part(&self, of: &SheetOf, realm: &Arc<Realm>, part: &mut Part, seq: u64) -> Result<()> {
        let id = self.rollup_record(realm, of.subject, of.day, part.number)?;
        // The revision grows before the put. After a lost answer, the next put is recognised as newer than the stored one.
        (part.body.seq, part.body.rev) = (seq, part.body.rev.saturating_add(1));
        let expect = part.revision.map_or(Expect::Absent, Expect::Revision);
        let bytes = seal_body(realm, &id, &part.body, WHAT)?;
        let revision = match self.records.store.put(&id, &bytes, expect).await {
            Err(StorageError::Conflict | StorageError::Exists) => self.save_anyway(realm, &id, part).await?,
            other => other?,
        };
        (part.revision, part.unsaved) = (Some(revision), false);
        Ok(())
    }

    /// Only this node writes its records. So a record at an unexpected revision has two causes: the answer to an own
    /// write was lost, or the store was set back to an older copy. In both cases this process knows more.
    async fn save_anyway(&self, realm: &Arc<Realm>, id: &RecordId, part: &mut Part) -> Result<Revision> {
        let there = self.records.store.get(id).await?;
        let known = there.as_ref().map(|there| open_body::<Rollup>(realm, id, there, WHAT));
        match known {
            // One behind is a lost answer. More than one behind is a store that was set back.
            Some(Ok(body)) if body.rev.saturating_add(1) < part.body.rev => {
                tracing::error!(record = %id, "the store returned an older record of usage; writing it again");
                self.records.remember_damaged(id);
            }
            Some(Ok(body)) => part.body.rev = part.body.rev.max(body.rev.saturating_add(1)),
            Some(Err(_)) => self.records.remember_damaged(id),
            None => {}
        }
        let expect = there.map_or(Expect::Absent, |there| Expect::Revision(there.revision));
        let bytes = seal_body(realm, id, &part.body, WHAT)?;
        Ok(self.records.store.put(id, &bytes, expect).await?)
    }

    fn rollup_record(&self, realm: &Realm, subject: Subject, day: u16, part: u8) -> Result<RecordId> {
        let id = RollupId::of(subject, day, self.node, part);
        realm.record(subject.kind(), id.bytes())
    }
}
