//! Chooses the lines that `audit tail` shows: those of the given actions, else all lines but the reader's own.

use std::collections::{HashMap, VecDeque};

use ibyok_core::{
    audit::{Action, Entry, Line, Outcome, opened_for_one_command},
    policy::Pattern,
};

use crate::error::{Error, Result};
use crate::show::clean;

/// A choice of lines, fed with every line in turn.
pub(super) struct Chosen {
    actions: Vec<Pattern>,
    /// The operator who reads; `None` shows the reader's own lines as well.
    reader: Option<String>,
    /// The session of each log that has begun and not ended.
    sessions: HashMap<String, Session>,
}

/// A session of a log.
struct Session {
    /// The line that opened it, until the next one shows its purpose.
    opened: Option<Line>,
    one_command: bool,
}

impl Chosen {
    /// A choice of these actions: names, or patterns with `*` and `?`. With none, lines of the reader's own are left out.
    ///
    /// # Errors
    /// [`Error::Usage`] for a pattern that no action has.
    pub(super) fn new(actions: &[String], reader: Option<String>) -> Result<Self> {
        let actions = actions
            .iter()
            .map(|action| pattern(action))
            .collect::<Result<Vec<_>>>()?;
        Ok(Chosen {
            reader: reader.filter(|_| actions.is_empty()),
            actions,
            sessions: HashMap::new(),
        })
    }

    /// The lines to be shown now that this one is known.
    pub(super) fn take(&mut self, line: Line) -> Vec<Line> {
        if !self.actions.is_empty() {
            let wanted = self.actions.iter().any(|action| action.matches(&line.entry().action));
            return Some(line).filter(|_| wanted).into_iter().collect();
        }
        match self.reader {
            Some(_) => self.without_own(line),
            None => vec![line],
        }
    }

    fn without_own(&mut self, line: Line) -> Vec<Line> {
        let entry = line.entry();
        let log = entry.log.clone();
        if entry.outcome != Outcome::Allowed {
            return vec![line];
        }
        match entry.action.parse() {
            Ok(Action::LogOpen) => {
                let opened = Session {
                    opened: Some(line),
                    one_command: false,
                };
                // One that never said what it was for did not get to open the vault: that is worth a look.
                let before = self.sessions.insert(log, opened);
                before.and_then(|before| before.opened).into_iter().collect()
            }
            Ok(Action::VaultOpen | Action::VaultInit) => {
                let one_command = opened_for_one_command(entry);
                // The making of the vault is where its log begins.
                let shown = !one_command || entry.action == Action::VaultInit.as_str();
                let session = self.sessions.get_mut(&log);
                let opened = session.and_then(|session| {
                    session.one_command = one_command;
                    session.opened.take()
                });
                let opened = opened.filter(|_| shown);
                opened.into_iter().chain(Some(line).filter(|_| shown)).collect()
            }
            Ok(Action::LogClose) => {
                let session = self.sessions.remove(&log);
                let shown = session.is_none_or(|session| !session.one_command);
                Some(line).filter(|_| shown).into_iter().collect()
            }
            Ok(Action::AuditRead) if self.is_own(entry) => Vec::new(),
            _ => vec![line],
        }
    }

    /// Returns true if the reader itself read the log, by a single command here.
    fn is_own(&self, entry: &Entry) -> bool {
        let here = self.sessions.get(&entry.log).is_none_or(|session| session.one_command);
        here && self.reader.is_some() && entry.principal.id == self.reader
    }
}

/// Keeps the last so many shown lines.
pub(super) struct Last {
    limit: Option<usize>,
    lines: VecDeque<Line>,
}

impl Last {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Last {
            limit,
            lines: VecDeque::new(),
        }
    }

    /// Keeps a line, or gives it back at once where none is to be kept.
    pub(super) fn add(&mut self, line: Line) -> Option<Line> {
        let Some(limit) = self.limit else { return Some(line) };
        self.lines.push_back(line);
        if self.lines.len() > limit {
            self.lines.pop_front();
        }
        None
    }

    /// The lines that were kept, oldest first.
    pub(super) fn take(self) -> VecDeque<Line> {
        self.lines
    }
}

fn pattern(action: &str) -> Result<Pattern> {
    let known = |pattern: &Pattern| Action::ALL.iter().any(|action| pattern.matches(action.as_str()));
    action.parse().ok().filter(known).ok_or_else(|| {
        let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        Error::usage(
            format!("`{}` is not an action", clean(action)),
            format!(
                "give an action such as `token.revoke`, or a pattern such as `key.*`; the actions are {}",
                words.join(", ")
            ),
        )
    })
}
