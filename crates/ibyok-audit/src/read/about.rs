//! The judgement whether a log is believed about what a line names.

use super::entry::Entry;
use crate::about::About;
use crate::key::VerifyingKey;

impl VerifyingKey {
    /// Returns true if a line of the log is believed, as far as the line names things.
    pub(crate) fn is_believed_about(&self, line: &Entry) -> bool {
        self.about().is_none_or(|about| about.covers(line))
    }
}

impl About {
    /// Returns true if everything that a line names belongs to the environment. A line that names nothing, such as `log.open`, is about the
    /// log and the process that writes it.
    #[must_use]
    pub fn covers(&self, entry: &Entry) -> bool {
        let names_a_key = entry.key.is_some() || entry.key_id.is_some() || entry.version.is_some();
        let place = match (entry.namespace.as_deref(), entry.environment.as_deref()) {
            (Some(namespace), Some(environment)) => namespace == self.namespace && environment == self.environment,
            (namespace, None) => !names_a_key && namespace.is_none_or(|namespace| namespace == self.namespace),
            (None, Some(_)) => false,
        };
        place && self.has_caller(entry) && self.has_target(entry) && self.has_record(entry)
    }

    /// An operator and a stranger belong to no environment.
    fn has_caller(&self, entry: &Entry) -> bool {
        let caller = &entry.principal;
        caller.kind != "token" || caller.id.as_deref().is_some_and(|id| self.is_own_token(id))
    }

    /// A line without an environment may name a token or a log, and nothing that belongs elsewhere.
    fn has_target(&self, entry: &Entry) -> bool {
        match &entry.target {
            None => true,
            Some(target) => match target.kind.as_str() {
                "token" => self.is_own_token(&target.id),
                "log" => true,
                "environment" => target.id == self.environment,
                _ => entry.environment.is_some(),
            },
        }
    }

    /// A record's id reads `kind.tag.id`.
    fn has_record(&self, entry: &Entry) -> bool {
        let tag = entry.record.as_deref().map(|record| record.split('.').nth(1));
        tag.is_none_or(|tag| tag == Some(self.tag.as_str()))
    }

    /// A token's id begins with the tag of its environment.
    fn is_own_token(&self, id: &str) -> bool {
        id.starts_with(&self.tag)
    }
}
