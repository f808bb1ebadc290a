//! The part of a vault that a log's lines are believed about.

use std::fmt;

use super::entry::Entry;

/// The one environment that the lines of a log are believed about.
///
/// Whoever holds the keys of an environment can begin a log of their own, and give its lines MACs and signatures that hold. Such a log
/// proves nothing about any other environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    namespace: String,
    environment: String,
    tag: String,
}

impl About {
    /// The environment of a name in a namespace, and the tag that its tokens and records carry.
    pub fn new(namespace: impl Into<String>, environment: impl Into<String>, tag: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            environment: environment.into(),
            tag: tag.into(),
        }
    }

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

/// Prints the environment as `namespace/environment`.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.environment)
    }
}
