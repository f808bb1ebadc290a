//! Tracks the current version of each key from the changes on the log.

use std::collections::HashMap;

use jiff::SignedDuration;

use super::finding::{Detector, Severity, Shown, Subject};
use super::findings::{Findings, Hit};
use crate::action::{Outcome, Phase};
use crate::read::Entry;

/// The largest number of keys that are tracked. The review reports nothing about the rest.
const KEYS: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Versions(HashMap<String, (u64, u64)>);

impl Versions {
    /// Takes in a line about a key.
    pub(super) fn take(&mut self, entry: &Entry, line: &Shown, found: &mut Findings) {
        let (Some(key), Some(version)) = (&entry.key_id, entry.version) else {
            return;
        };
        let makes_current = matches!(entry.action.as_str(), "key.set" | "key.promote" | "key.rollback");
        if makes_current && entry.phase == Some(Phase::Done) {
            if self.0.len() < KEYS || self.0.contains_key(key) {
                let (current, highest) = self.0.entry(key.clone()).or_default();
                (*current, *highest) = (version, version.max(*highest));
            }
            return;
        }
        let Some((current, highest)) = self.0.get(key).copied() else {
            return;
        };
        let is_read = entry.action == "key.retrieve" && entry.outcome == Outcome::Allowed;
        // A higher number than any that was current is pending: a trial.
        if !is_read || version == current || version > highest || entry.principal.kind != "token" {
            return;
        }
        let key = key_of(entry).unwrap_or_default();
        found.hit(Hit {
            detector: Detector::RetiringVersion,
            severity: Severity::Low,
            subject: Subject {
                kind: "token",
                id: entry.principal.id.clone().unwrap_or_default(),
                name: entry.principal.name.clone(),
            },
            explanation: format!("read version {version} of `{key}`, and the current one is {current}"),
            about: key,
            line: line.clone(),
            count: entry.count,
            within: SignedDuration::from_hours(24 * 7),
        });
    }
}

/// The key's name for people, with its environment.
pub(super) fn key_of(entry: &Entry) -> Option<String> {
    let key = entry.key.as_deref().or(entry.key_id.as_deref())?;
    Some(format!("{}/{key}", entry.environment.as_deref().unwrap_or("?")))
}
