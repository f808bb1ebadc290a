//! The facts that the line of an attempt states.

use std::sync::Arc;

use ibyok_audit::{Event, Principal as Who, PrincipalKind};

use crate::model::name::KeyIdText;

/// The facts that the line of an attempt states. The event borrows all of them.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The principal, where it is not the caller: a token that verified and is not valid, or an operator of whom no more is known.
    pub(crate) principal: Option<Who<'static>>,
    /// A keyed hash of the id of a token that is none of ours.
    pub(crate) unknown_token: Option<String>,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) environment: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) key_id: Option<KeyIdText>,
    pub(crate) version: Option<u32>,
    pub(crate) mode: Option<&'static str>,
    pub(crate) mode_source: Option<&'static str>,
    pub(crate) target: Option<(&'static str, String)>,
    pub(crate) record: Option<String>,
    pub(crate) rev: Option<u64>,
    pub(crate) count: u64,
    /// A reason for the log, finer than the error that the caller gets.
    pub(crate) reason: Option<&'static str>,
    /// The reason that the caller gave.
    pub(crate) because: Option<String>,
}

impl Default for Facts {
    fn default() -> Self {
        Facts {
            principal: None,
            unknown_token: None,
            namespace: None,
            environment: None,
            key: None,
            key_id: None,
            version: None,
            mode: None,
            mode_source: None,
            target: None,
            record: None,
            rev: None,
            // A line stands for one request unless it says otherwise.
            count: 1,
            reason: None,
            because: None,
        }
    }
}

impl Facts {
    /// The principal of an unknown caller; a token that is none of ours is named by a keyed hash of its id only.
    pub(super) fn nobody(&self) -> Who<'_> {
        let nobody = Who::new(PrincipalKind::Anonymous);
        match &self.unknown_token {
            Some(hash) => nobody.id(hash.as_str()),
            None => nobody,
        }
    }

    /// Adds the facts to an event. The reasons are added with its outcome.
    pub(super) fn on<'e>(&'e self, event: Event<'e>) -> Event<'e> {
        let mut event = event.count(self.count);
        if let Some(namespace) = self.namespace.as_deref() {
            event = event.namespace(namespace);
        }
        if let Some(environment) = self.environment.as_deref() {
            event = event.environment(environment);
        }
        if let Some(key) = self.key.as_deref() {
            event = event.key(key);
        }
        if let Some(id) = &self.key_id {
            event = event.key_id(id.as_str());
        }
        if let Some(version) = self.version {
            event = event.version(version);
        }
        if let Some(mode) = self.mode {
            event = event.mode(mode);
        }
        if let Some(source) = self.mode_source {
            event = event.mode_source(source);
        }
        if let Some((kind, id)) = &self.target {
            event = event.target(*kind, id.as_str());
        }
        if let Some(record) = &self.record {
            event = event.record(record.as_str());
        }
        if let Some(rev) = self.rev {
            event = event.rev(rev);
        }
        event
    }
}
