//! Entries of the audit log.

use ibyok_core::audit::Entry;
use serde::Serialize;

/// Describes an entry of the audit log in one line.
#[must_use]
pub fn line(entry: &Entry) -> String {
    let who = &entry.principal;
    let name = who.name.as_deref().or(who.id.as_deref()).unwrap_or("");
    let what = match (&entry.environment, &entry.key) {
        (Some(environment), Some(key)) => format!(" {environment}/{key}"),
        (Some(environment), None) => format!(" {environment}"),
        (None, Some(key)) => format!(" {key}"),
        (None, None) => String::new(),
    };
    let version = entry
        .version
        .map(|version| format!(" version {version}"))
        .unwrap_or_default();
    let target = entry
        .target
        .as_ref()
        .map(|target| format!(" {} {}", target.kind, target.id))
        .unwrap_or_default();
    let phase = entry
        .phase
        .and_then(|phase| word(&phase))
        .map(|phase| format!(" ({phase})"))
        .unwrap_or_default();
    let reason = entry
        .reason
        .as_deref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let from = entry.client.ip.map(|ip| format!(" from {ip}")).unwrap_or_default();
    let count = if entry.count > 1 {
        format!(" ×{}", entry.count)
    } else {
        String::new()
    };
    let outcome = word(&entry.outcome).unwrap_or_default();
    format!(
        "{:<27} {outcome:<7} {:<14} {} {name}{from}{what}{version}{target}{phase}{count}{reason}",
        entry.time.to_string(),
        entry.action,
        who.kind
    )
}

/// Returns the word that an entry has for a member of a closed set.
pub fn word(word: &impl Serialize) -> Option<String> {
    let word = serde_json::to_value(word).ok()?;
    word.as_str().map(str::to_owned)
}
