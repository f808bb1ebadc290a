//! A filter that selects the lines to read.

use std::net::IpAddr;

use jiff::Timestamp;

use super::entry::{Entry, Line};
use crate::action::{Action, Outcome};
use crate::error::Error;

/// A filter that selects the lines to read. A line must match every field that is set. The default matches every
/// line.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Filter {
    /// A key, by name or public id.
    pub key: Option<String>,
    /// A token, by id or name: as the caller, or as the object of an action.
    pub token: Option<String>,
    /// A namespace.
    pub namespace: Option<String>,
    /// An environment.
    pub environment: Option<String>,
    /// An outcome.
    pub outcome: Option<Outcome>,
    /// An action.
    pub action: Option<Action>,
    /// A request id.
    pub request_id: Option<String>,
    /// A client's address.
    pub client: Option<IpAddr>,
    /// From this time on. Segments that ended a day or more before it are not read: a clock that was set back further than that
    /// hides lines.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// A log, by its id. The slots of others are not opened.
    pub log: Option<String>,
    /// From the line with this `seq` on, in each log. Segments before it are not read: this costs nothing for a long log.
    pub from_seq: Option<u64>,
    /// Segments that ended a day or more before this time are not read; the lines of the others are not judged by it.
    pub read_from: Option<Timestamp>,
    /// Only the last so many of them.
    pub limit: Option<usize>,
}

impl Filter {
    /// Selects the lines about a key, by name or public id.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Selects the lines about a token, by id or name.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Selects the lines about a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Selects the lines about an environment.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// Selects the lines about a request.
    #[must_use]
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// Selects the lines about one log, by its id.
    #[must_use]
    pub fn log(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Selects the lines with an outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Selects the lines of an action.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }

    /// Selects the lines of a client's address.
    #[must_use]
    pub fn client(mut self, client: IpAddr) -> Self {
        self.client = Some(client);
        self
    }

    /// Selects the lines from this time on; see [`Filter::since`].
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// Selects the lines before this time.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Selects the lines from this `seq` on, in each log.
    #[must_use]
    pub fn from_seq(mut self, from_seq: u64) -> Self {
        self.from_seq = Some(from_seq);
        self
    }

    /// Selects only the last so many of the lines.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Returns true if the filter matches a line. A line that cannot be read always matches.
    pub(super) fn lets(&self, line: &Result<Line, Error>) -> bool {
        line.as_ref().map_or(true, |line| self.wants(line.entry()))
    }

    /// Returns true if the filter matches an entry. Ignores the limit.
    #[must_use]
    pub fn wants(&self, entry: &Entry) -> bool {
        let target = entry
            .target
            .as_ref()
            .filter(|target| target.kind == "token")
            .map(|target| target.id.as_str());
        let caller = &entry.principal;
        any(&self.key, [entry.key.as_deref(), entry.key_id.as_deref(), None])
            && any(&self.token, [caller.id.as_deref(), caller.name.as_deref(), target])
            && any(&self.namespace, [entry.namespace.as_deref(), None, None])
            && any(&self.environment, [entry.environment.as_deref(), None, None])
            && any(&self.request_id, [entry.request_id.as_deref(), None, None])
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self.action.is_none_or(|action| entry.action == action.as_str())
            && self.client.is_none_or(|client| entry.client.ip == Some(client))
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
            && self.log.as_ref().is_none_or(|log| entry.log == *log)
            && self.from_seq.is_none_or(|first| entry.seq >= first)
    }
}

/// Returns true if no value is wanted, or one of these values equals it.
fn any(wanted: &Option<String>, has: [Option<&str>; 3]) -> bool {
    wanted.as_deref().is_none_or(|wanted| has.contains(&Some(wanted)))
}
