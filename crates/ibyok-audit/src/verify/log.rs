//! One log: each line in its place, each checkpoint over the lines it speaks of.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::files::{self, Item, Lines};
use super::judge::Watch;
use super::note::{self, Note};
use super::parts::{Form, Parts};
use super::progress::VerifyProgress;
use super::report::{BadLine, LogReport, VerifyFault};
use super::tree::Tree;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line_key::LineKey;

pub(super) type Hash = [u8; 32];

/// A slot, its form, and the slots of archives that may hold older lines of its log.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) slot: u32,
    pub(super) directory: &'a Path,
    pub(super) form: Form,
    pub(super) archives: &'a [PathBuf],
}

/// Verifies the log in a slot.
pub(super) fn verify(
    place: Spot<'_>,
    id: &str,
    trusted: Option<&VerifyingKey>,
    known: &[&str],
    progress: &Arc<VerifyProgress>,
) -> Result<LogReport, Error> {
    let report = match verify_once(place, id, trusted, known, progress) {
        // The segment was archived after the slot was listed.
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            verify_once(place, id, trusted, known, progress)?
        }
        report => report?,
    };
    let unsigned = report
        .first_bad
        .as_ref()
        .is_some_and(|bad| bad.what == VerifyFault::Unsigned);
    if unsigned {
        // A session may have begun between the look at the checkpoints and the look at the lines: then its first checkpoint is there.
        return verify_once(place, id, trusted, known, progress);
    }
    Ok(report)
}

/// A log for which no key vouches. Its content is not checked.
pub(super) fn foreign(
    slot: u32,
    directory: &Path,
    id: String,
    progress: &Arc<VerifyProgress>,
) -> Result<LogReport, Error> {
    let mut walk = Walk::new(id);
    let mut lines = Lines::open(directory)?.counting(progress);
    while lines.next()?.is_some() {
        walk.events += 1;
    }
    walk.claim("log.pub", 1, 0, VerifyFault::Foreign);
    Ok(walk.report(Some(slot), false))
}

/// Withdraws the claim that a slot holds the log it names.
pub(super) fn disown(report: &mut LogReport) {
    let mut walk = Walk::new(report.id.clone());
    walk.claim("id", 1, 0, VerifyFault::Foreign);
    (report.first_bad, report.trusted_key) = (walk.first_bad, false);
}

fn verify_once(
    spot: Spot<'_>,
    id: &str,
    trusted: Option<&VerifyingKey>,
    known: &[&str],
    progress: &Arc<VerifyProgress>,
) -> Result<LogReport, Error> {
    let directory = spot.directory;
    let beside = files::text(&directory.join("log.pub"))?;
    let beside: Option<VerifyingKey> = beside.and_then(|text| text.trim_end().parse().ok());
    let key = trusted.or(beside.as_ref());
    let mut walk = Walk::new(id.to_owned());
    walk.lines = key.and_then(VerifyingKey::lines).cloned();
    // Before the checkpoints: a log that is archived meanwhile must not look shorter than its statement.
    let parts = Parts::of(spot.form, directory, key, spot.archives)?;
    walk.begin(&parts);
    if let Some(key) = key {
        let text = files::text(&directory.join("checkpoints"))?.unwrap_or_default();
        walk.expect(note::all(&text, key), "checkpoints");
        known
            .iter()
            .for_each(|text| walk.expect(note::all(text, key), "known checkpoint"));
        walk.notes.sort_by_key(|note| note.size);
    }
    // The key beside the log is a copy for people without the vault. Another one there can only have been put there.
    if trusted.is_some() && beside.is_some() && trusted != beside.as_ref() {
        walk.claim("log.pub", 1, 0, VerifyFault::Replaced);
    }
    walk.run(&mut Lines::of(parts.segments).counting(progress))?;
    if key.is_none() && walk.events > 0 {
        walk.claim("log.pub", 1, 0, VerifyFault::BadSignature);
    }
    walk.claim_unsigned();
    let mut report = walk.report(Some(spot.slot), trusted.is_some());
    report.elsewhere = parts.elsewhere.into_iter().collect();
    Ok(report)
}

/// A log of which there are only checkpoints from elsewhere.
pub(super) fn missing(id: &str, key: Option<&VerifyingKey>, known: &[&str]) -> LogReport {
    let mut walk = Walk::new(id.to_owned());
    if let Some(key) = key {
        known
            .iter()
            .for_each(|text| walk.expect(note::all(text, key), "known checkpoint"));
    }
    walk.claim("", 0, 1, VerifyFault::Missing);
    walk.report(None, key.is_some())
}

/// The fields that bind a line to its place.
#[derive(Deserialize)]
pub(super) struct Link {
    pub(super) v: u64,
    pub(super) seq: u64,
    pub(super) log: String,
    pub(super) prev: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    time: String,
}

impl Link {
    /// Returns true if a session of the log begins with this line. Only these lines are on a log before their
    /// checkpoint is.
    fn begins(&self) -> bool {
        ["log.open", "log.gap"].contains(&self.action.as_str())
    }
}

/// The longest stretch of time between the first line without a checkpoint and the last. A checkpoint is made each second, and a line
/// may wait for its place for five.
const UNSIGNED_MAX: SignedDuration = SignedDuration::from_secs(30);

/// The lines that no checkpoint covers yet.
#[derive(Default)]
struct Unsigned {
    /// True if the last signed line ended a session, or there is none. Then only the next session may be unsigned,
    /// and the writer signs its first lines before it continues.
    sealed: bool,
    /// The first line that should be signed, and its fault.
    first: Option<(At, u64, VerifyFault)>,
    since: Option<Timestamp>,
}

/// The position of a line: its segment, and its number in it.
#[derive(Clone, Copy, Default)]
pub(super) struct At {
    pub(super) segment: u32,
    pub(super) line: u64,
}

pub(super) struct Walk {
    pub(super) id: String,
    events: u64,
    pub(super) size: u64,
    /// The hash of the last good line, its position, and the hash before it.
    pub(super) last: Hash,
    pub(super) at: At,
    pub(super) before_last: Hash,
    pub(super) tree: Tree,
    pub(super) notes: Vec<Note>,
    next_note: usize,
    covered: u64,
    /// The number of lines before the first that is read: the vault archived them.
    archived: u64,
    held: u64,
    torn: bool,
    unsigned: Unsigned,
    /// The key of the MACs that lines carry, where it is known.
    lines: Option<LineKey>,
    pub(super) first_bad: Option<BadLine>,
    pub(super) watch: Option<Watch>,
}

impl Walk {
    fn new(id: String) -> Self {
        Self {
            id,
            events: 0,
            size: 0,
            last: [0; 32],
            at: At::default(),
            before_last: [0; 32],
            tree: Tree::default(),
            notes: Vec::new(),
            next_note: 0,
            covered: 0,
            archived: 0,
            held: 0,
            torn: false,
            unsigned: Unsigned {
                sealed: true,
                ..Unsigned::default()
            },
            lines: None,
            first_bad: None,
            watch: None,
        }
    }

    /// Begins where the first file of these parts does.
    fn begin(&mut self, parts: &Parts) {
        if let Some(start) = &parts.start {
            (self.size, self.covered, self.archived) = (start.size, start.size, start.size);
            (self.last, self.tree, self.unsigned.sealed) = (start.last, start.tree.clone(), start.ended);
        }
        self.notes.extend(&parts.notes);
        if let Some(name) = parts.unsigned {
            self.claim(name, 1, 0, VerifyFault::BadSignature);
        }
    }

    fn expect(&mut self, notes: Vec<Note>, from: &str) {
        for (note, number) in notes.into_iter().zip(1..) {
            if note.signed {
                self.notes.push(note);
            } else {
                self.claim(from, number, note.size, VerifyFault::BadSignature);
            }
        }
    }

    fn run(&mut self, lines: &mut Lines) -> Result<(), Error> {
        while let Some(item) = lines.next()? {
            if !item.whole && item.in_last {
                self.torn = true;
                break;
            }
            self.events += 1;
            if self.is_bad_already() {
                self.sharpen(&item);
            } else {
                self.take(&item, lines)?;
            }
        }
        // A signed checkpoint of more lines than the files hold proves that lines are gone.
        let claimed = self.notes.last().map_or(0, |note| note.size);
        if claimed > self.size {
            let (file, line, seq) = (file_name(self.at.segment.max(1)), self.at.line + 1, self.size + 1);
            self.claim(&file, line, seq, VerifyFault::Truncated);
        }
        Ok(())
    }

    /// Returns true if a line was found bad. A bad signature or key does not end the walk.
    fn is_bad_already(&self) -> bool {
        self.first_bad
            .as_ref()
            .is_some_and(|bad| bad.segment.starts_with("audit-"))
    }

    fn take(&mut self, item: &Item, lines: &mut Lines) -> Result<(), Error> {
        let link = link(item).filter(|link| link.v == 1 && link.log == self.id);
        let fits = |link: &Link| link.seq == self.size + 1 && link.prev == hex(&self.last);
        let link = match link {
            Some(link) if fits(&link) => link,
            link => return self.judge(item, link, lines),
        };
        self.before_last = self.last;
        self.last = Sha256::digest(&item.text).into();
        self.at = At {
            segment: item.segment,
            line: item.line,
        };
        self.size += 1;
        self.tree.add(&item.text);
        self.compare(lines)?;
        self.is_it_signed(&link, &item.text);
        Ok(())
    }

    /// Remembers the first line that no checkpoint covers and that one would cover if its writer had written it.
    fn is_it_signed(&mut self, link: &Link, line: &[u8]) {
        // A checkpoint covers this line, so no line before it is unsigned any more.
        if self.covered == self.size {
            self.unsigned = Unsigned {
                sealed: link.action == "log.close",
                ..Unsigned::default()
            };
            return;
        }
        if self.unsigned.first.is_some() {
            return;
        }
        let time = link.time.parse::<Timestamp>().ok();
        let since = *self.unsigned.since.get_or_insert(time.unwrap_or_default());
        let late = time.is_none_or(|time| time.duration_since(since).abs() > UNSIGNED_MAX);
        if self.lines.as_ref().is_some_and(|lines| !lines.fits(line)) {
            // The writer of this line did not have the key of the lines.
            self.unsigned.first = Some((self.at, self.size, VerifyFault::Inserted));
        } else if late || (self.unsigned.sealed && !link.begins()) {
            self.unsigned.first = Some((self.at, self.size, VerifyFault::Unsigned));
        }
    }

    fn claim_unsigned(&mut self) {
        if let Some((at, seq, what)) = self.unsigned.first.filter(|_| self.first_bad.is_none()) {
            self.claim(&file_name(at.segment), at.line, seq, what);
        }
    }

    /// Holds the tree against the checkpoints of this size.
    fn compare(&mut self, lines: &mut Lines) -> Result<(), Error> {
        while let Some(note) = self.notes.get(self.next_note).copied() {
            if note.size > self.size {
                break;
            }
            self.next_note += 1;
            if note.size < self.size {
                continue;
            }
            if note.root == self.tree.hash() {
                (self.covered, self.held) = (self.size, self.held + 1);
                continue;
            }
            let next = lines.peek(0)?.and_then(link);
            // The next line still holds the hash of the line that stood here. If it differs, this line alone was changed.
            let cut_off = next.is_some_and(|next| next.prev != hex(&self.last));
            // Another checkpoint of this size may hold: then the log was set back at some time, and went on in another way.
            let forked = self.covered == self.size;
            let first = if cut_off || forked { self.size } else { self.covered + 1 };
            let what = if first == self.size && !forked {
                VerifyFault::Changed
            } else {
                VerifyFault::Replaced
            };
            let until = (first < self.size).then_some(self.size);
            let line = self.at.line.saturating_sub(self.size - first);
            self.claim(&file_name(self.at.segment), line.max(1), first, what);
            if let Some(bad) = &mut self.first_bad {
                bad.until = until;
            }
        }
        Ok(())
    }

    /// Keeps the first claim. A claim about a line comes before a claim about a key or signature.
    pub(super) fn claim(&mut self, segment: &str, line: u64, seq: u64, what: VerifyFault) {
        if self.first_bad.is_none() || (!self.is_bad_already() && segment.starts_with("audit-")) {
            let log = self.id.clone();
            self.first_bad = Some(BadLine {
                log,
                segment: segment.to_owned(),
                line,
                seq,
                until: None,
                what,
            });
        }
    }

    fn report(self, slot: Option<u32>, trusted_key: bool) -> LogReport {
        LogReport {
            id: self.id,
            slot,
            events: self.events,
            archived: self.archived,
            elsewhere: Vec::new(),
            checkpoints: self.held,
            chained_only: self.size - self.covered,
            first_bad: self.first_bad,
            torn: self.torn,
            trusted_key,
        }
    }
}

pub(super) fn link(item: &Item) -> Option<Link> {
    item.whole.then(|| serde_json::from_slice(&item.text).ok()).flatten()
}

pub(super) fn hex(hash: &Hash) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

pub(super) fn file_name(segment: u32) -> String {
    format!("audit-{segment:08}.log")
}
