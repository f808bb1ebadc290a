//! Chooses lines of the audit log for a reader: the lines of given actions, else all lines except those that reading the log wrote.

use std::collections::{HashMap, VecDeque};

use ibyok_core::{
    Error, Result,
    audit::{Action, Entry, Line, Outcome, opened_for_one_command},
    policy::Pattern,
};

/// A choice of lines. It gets every line in turn.
#[derive(Debug)]
pub struct Chosen {
    actions: Vec<Pattern>,
    /// The operator who reads; `None` shows the reader's own lines as well.
    reader: Option<String>,
    /// The session of each log that has begun and not ended.
    sessions: HashMap<String, Session>,
}

/// A session of a log.
#[derive(Debug)]
struct Session {
    /// The line that opened it, until the next one shows its purpose.
    opened: Option<Line>,
    one_command: bool,
}

impl Chosen {
    /// Chooses lines with these actions: names, or patterns with `*` and `?`. Without an action, leaves out the lines that `reader`, an
    /// operator, wrote by reading the log, and those of commands that only opened and closed it. Without a reader too, chooses every line.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a pattern that no action has.
    pub fn new(actions: &[String], reader: Option<String>) -> Result<Self> {
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

    /// Takes the next line of the log. Returns the lines that are chosen now: a line can wait until the next one shows its purpose.
    pub fn take(&mut self, line: Line) -> Vec<Line> {
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

/// Keeps the last lines, up to a limit.
#[derive(Debug)]
pub struct Last {
    limit: Option<usize>,
    lines: VecDeque<Line>,
}

impl Last {
    /// Keeps at most `limit` lines. Without a limit, keeps none and returns each at once.
    #[must_use]
    pub fn new(limit: Option<usize>) -> Self {
        Last {
            limit,
            lines: VecDeque::new(),
        }
    }

    /// Keeps a line, or returns it if there is no limit.
    pub fn add(&mut self, line: Line) -> Option<Line> {
        let Some(limit) = self.limit else { return Some(line) };
        self.lines.push_back(line);
        if self.lines.len() > limit {
            self.lines.pop_front();
        }
        None
    }

    /// Returns the lines that were kept, oldest first.
    #[must_use]
    pub fn take(self) -> VecDeque<Line> {
        self.lines
    }
}

fn pattern(action: &str) -> Result<Pattern> {
    let known = |pattern: &Pattern| Action::ALL.iter().any(|action| pattern.matches(action.as_str()));
    action.parse().ok().filter(known).ok_or_else(|| {
        let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        Error::invalid(
            format!("`{}` is not an action", action),
            format!(
                "give an action such as `token.revoke`, or a pattern such as `key.*`; the actions are {}",
                words.join(", ")
            ),
        )
    })
}
