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
