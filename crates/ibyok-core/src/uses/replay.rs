//! Replay after a crash: counts the lines of the log that are not in the store, and none twice.

use std::sync::Arc;

use ibyok_audit::{Entry, Filter, Line, Lines, Outcome, Phase};
use ibyok_policy::{Scope, Scopes, TokenId};
use ibyok_storage::RecordId;
use jiff::SignedDuration;

use super::books::{Add, Books};
use super::caller::Caller;
use super::count::{Counted, ScopeKey, UseKey, Whereto};
use super::rollup::Subject;
use super::sign::OwnSign;
use super::tally::Tally;
use super::{Usage, day_of};
use crate::base::error::{Code, Error, Part, Result};
use crate::gate::meter::Ended;
use crate::logs::unread_lines::UnreadLines;
use crate::model::mode::Mode;
use crate::realm::{Realm, RealmName};
use crate::recorder::uses::is_of_a_key;

/// The number of lines that are read at a time.
const BATCH: usize = 1000;

/// Older lines are of days whose counts are no longer kept.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The part of the log that is still to be counted.
#[derive(Debug)]
pub(super) struct Replay {
    /// The last line that is counted.
    pub(super) from: u64,
    /// The last line that is not this process's own.
    pub(super) to: u64,
    /// True if the process before had finished, so that no sign of it says that it still counts.
    pub(super) closed: bool,
}

impl Usage {
    /// Counts those lines of earlier processes that the store has not counted. If it fails, the lines counted so far stay counted.
    pub(super) async fn replay(self: &Arc<Self>, books: &mut Books) -> Result<()> {
        let Some(replay) = &books.replay else { return Ok(()) };
        let (from, to, closed) = (replay.from, replay.to, replay.closed);
        if from < to {
            self.replay_lines(books, from, to).await?;
        }
        // A process that ended in good order put its signs at rest, so there is none to find.
        if !closed || from < to {
            self.find_own_signs(books).await?;
        }
        books.replay = None;
        Ok(())
    }

    async fn replay_lines(self: &Arc<Self>, books: &mut Books, from: u64, to: u64) -> Result<()> {
        let mut filter = Filter::default();
        filter.log = Some(self.recorder.log.id().to_owned());
        // The lines up to `from` are in the store, by the mark beside the log.
        filter.from_seq = Some(from.saturating_add(1));
        filter.since = self.records.now().checked_sub(KEPT).ok();
        let reader = self.logs.log_reader(&filter).await?;
        // Reading the log is file work, which must not hold up the requests on the runtime's threads.
        let mut lines = blocking(move || Ok(reader.lines(&filter)?)).await?;
        loop {
            let (rest, batch, unread) = blocking(move || Ok(read_some(lines))).await?;
            lines = rest;
            for gap in unread.in_words() {
                self.recorder
                    .warn(format!("some uses may be missing from the counts: {gap}"));
            }
            let last = batch.len() < BATCH;
            for line in batch {
                let entry = line.entry();
                // Later lines are this process's own. The counts in memory have them.
                if entry.seq > to {
                    return Ok(());
                }
                self.count_again(books, entry).await?;
                if let Some(replay) = &mut books.replay {
                    // After a failure, the next try continues here instead of at the beginning.
                    replay.from = entry.seq;
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn count_again(self: &Arc<Self>, books: &mut Books, entry: &Entry) -> Result<()> {
        let adds = match self.adds_of(entry).await {
            // A realm that this node may no longer open: its counts cannot be kept here.
            Err(Error::Kek { .. } | Error::Integrity { .. }) => return Ok(()),
            other => other?,
        };
        let mut missing = Vec::new();
        for add in adds {
            // The process before may have put the record of the key and not that of the token, so each is asked by itself.
            if !self.is_counted(books, &add, entry.seq).await? {
                missing.push(add);
            }
        }
        // Every sheet is at hand: from here on nothing fails, and the line is counted whole.
        for add in missing {
            if matches!(add.subject, Subject::Key(_)) {
                let sign = || OwnSign::new(&add.realm);
                books.signs.entry(add.realm.tag()).or_insert_with(sign);
            }
            self.take_in(books, &add).await?;
        }
        Ok(())
    }

    /// Returns the rows that a line adds to records: the same as when it was written.
    async fn adds_of(&self, entry: &Entry) -> Result<Vec<Add>> {
        let caller = match (entry.principal.kind.as_str(), &entry.principal.id) {
            ("token", Some(id)) => match id.parse::<TokenId>() {
                Ok(id) => Caller::Token(id),
                Err(_) => return Ok(Vec::new()),
            },
            ("operator", Some(name)) => Caller::Operator(name.clone()),
            _ => return Ok(Vec::new()),
        };
        let token_realm = match &caller {
            Caller::Token(id) => self.realm_of(*id).await?,
            _ => None,
        };
        match (entry.action.as_str(), scope_of(&entry.action)) {
            ("key.retrieve" | "key.export", _) => {
                let (key, counted) = self.use_of_line(entry, caller, token_realm).await?;
                let adds = [Add::to_key(&key, &counted), Add::to_token(&key, &counted)];
                Ok(adds.into_iter().flatten().collect())
            }
            (_, Some(scope)) => {
                // A change has two lines. Only the first counts, as in the process that made it.
                let begun = entry.outcome == Outcome::Allowed && matches!(entry.phase, None | Some(Phase::Intended));
                let (Caller::Token(token), Some(realm), true) = (caller, token_realm, begun) else {
                    return Ok(Vec::new());
                };
                let key = ScopeKey {
                    token,
                    environment: entry.environment.clone(),
                    day: day_of(entry.time),
                };
                Ok(vec![Add::scopes(key, &realm, Scopes::from([scope]))])
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn use_of_line(
        &self,
        entry: &Entry,
        caller: Caller,
        token_realm: Option<Arc<Realm>>,
    ) -> Result<(UseKey, Counted)> {
        let ended = match entry.outcome {
            Outcome::Allowed if entry.mode.as_deref() == Some(Mode::Mock.as_str()) => Ended::Mocked,
            Outcome::Allowed => Ended::Live,
            Outcome::Denied => Ended::Denied,
            // The report counts a limit as a refusal, although the line of it says `failed`.
            Outcome::Failed if entry.reason.as_deref() == Some(Code::Limited.as_str()) => Ended::Denied,
            Outcome::Failed => Ended::Failed,
        };
        let of_a_key = matches!(ended, Ended::Live | Ended::Mocked) || entry.reason.as_deref().is_some_and(is_of_a_key);
        let key_realm = match (&entry.namespace, &entry.environment) {
            (Some(namespace), Some(environment)) if of_a_key => {
                let name = RealmName {
                    namespace: namespace.parse()?,
                    environment: Some(environment.parse()?),
                };
                self.records.realm(&name).await?
            }
            _ => None,
        };
        let id = entry.key_id.as_ref().and_then(|id| id.parse().ok());
        let version = entry.version.filter(|_| ended == Ended::Live);
        let key = UseKey {
            caller,
            key: key_realm.as_ref().map(|realm| realm.tag()).zip(id),
            version: version.and_then(|number| u32::try_from(number).ok()),
            day: day_of(entry.time),
        };
        let mut tally = Tally::default();
        tally.add(ended, entry.count, entry.time, entry.client.ip);
        let to = Whereto {
            key_realm,
            key_name: entry.key.as_ref().and_then(|name| name.parse().ok()),
            token_name: token_realm.as_ref().and(entry.principal.name.clone()),
            token_realm,
        };
        Ok((key, Counted { to, tally }))
    }

    async fn realm_of(&self, token: TokenId) -> Result<Option<Arc<Realm>>> {
        let Ok(tag) = ibyok_crypto::RealmTag::from_bytes(token.tag()) else {
            return Ok(None);
        };
        match self.records.realm_by_tag(tag).await? {
            Some(name) => self.records.realm(&name).await,
            None => Ok(None),
        }
    }

    /// Signs of this node that say that it counts: it does not, until it does again.
    async fn find_own_signs(&self, books: &mut Books) -> Result<()> {
        let tags = self.records.tags().await?;
        for (tag, name) in tags.iter() {
            let Some(stored) = self.records.store.get(&self.own_sign_of(tag)?).await? else {
                continue;
            };
            let realm = match self.records.realm(name).await {
                Ok(Some(realm)) => realm,
                Ok(None) | Err(Error::Kek { .. } | Error::Integrity { .. }) => continue,
                Err(error) => return Err(error),
            };
            let id: RecordId = self.own_sign(&realm)?;
            let at_rest = matches!(self.read_sign(&realm, &id).await, Ok(Some(sign)) if sign.at_rest);
            if !at_rest {
                let own = books.signs.entry(tag).or_insert_with(|| OwnSign::new(&realm));
                // With the revision, the next put replaces the sign that still says that this node counts.
                own.revision = Some(stored.revision);
            }
        }
        Ok(())
    }
}

/// Reads the next lines, and collects those that cannot be read: they count as nothing.
fn read_some(mut lines: Lines) -> (Lines, Vec<Line>, UnreadLines) {
    let (mut batch, mut unread) = (Vec::new(), UnreadLines::default());
    while batch.len() < BATCH {
        match lines.next() {
            Some(Ok(line)) => batch.push(line),
            Some(Err(error)) => unread.failed(&error),
            None => {
                unread.left_out(&lines);
                break;
            }
        }
    }
    (lines, batch, unread)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))?
}

/// Returns the scope that an action other than retrieving needs.
fn scope_of(action: &str) -> Option<Scope> {
    Some(match action {
        "key.list" | "key.show" => Scope::KeysList,
        "key.set" | "key.edit" | "key.disable" | "key.enable" => Scope::KeysWrite,
        "key.stage" | "key.promote" | "key.rollback" | "key.retire" => Scope::KeysRotate,
        "key.remove" | "key.destroy" => Scope::KeysDestroy,
        "key.mode" | "settings.change" => Scope::SettingsWrite,
        "token.issue" | "token.rotate" => Scope::TokensIssue,
        "token.revoke" => Scope::TokensRevoke,
        "usage.read" => Scope::UsageRead,
        "audit.read" => Scope::AuditRead,
        "incident.open" | "incident.close" => Scope::IncidentsWrite,
        _ => return None,
    })
}
