//! Keys: their marks, their limits, and the answers to writes.

use ibyok_api::{KeyInfo, LimitScope, LimitSource, Mark, Written};
use ibyok_core::audit::words::plural;
use ibyok_operations::Note;

use crate::cell::Cell;
use crate::listed;

/// Describes a version that was just written: the recognised provider, and warnings about the form of the value.
#[must_use]
pub fn written(written: &Written) -> Vec<Note> {
    let recognised = format!("recognised as {}", written.provider.cell());
    let recognised = written.recognised.then_some(Note::Info(recognised));
    let warnings = written.warnings.iter();
    let warnings = warnings.map(|warning| Note::Warning(format!("warning: {warning}")));
    recognised.into_iter().chain(warnings).collect()
}

/// Names the versions that are marked compromised, as a line of a key's facts, if there are any.
#[must_use]
pub fn compromised(info: &KeyInfo) -> Option<String> {
    let marked = info
        .versions
        .iter()
        .filter(|version| version.marks.contains(&Mark::Compromised));
    let marked: Vec<String> = marked.map(|version| version.version.cell()).collect();
    let noun = plural(marked.len(), "version");
    (!marked.is_empty()).then(|| format!("compromised   {noun} {}", listed(&marked)))
}

/// Describes the limit that holds for a key, as a line of its facts, if there is one.
#[must_use]
pub fn limit(info: &KeyInfo) -> Option<String> {
    let line = match (&info.limit_in_force, info.limit) {
        (Some(in_force), _) => {
            let of = match in_force.source {
                LimitSource::Environment => "the default of its environment",
                _ => "its own",
            };
            let counting = counting(Some(&in_force.scope));
            format!("{} ({of}; {counting})", in_force.rate)
        }
        (None, Some(rate)) => rate.cell(),
        (None, None) => return None,
    };
    Some(format!("limit     {line}"))
}

/// Describes the servers that share one count of a limit.
#[must_use]
pub fn counting(scope: Option<&LimitScope>) -> &'static str {
    match scope {
        Some(LimitScope::Shared) => "all servers share one count",
        Some(LimitScope::Node) => "each server counts separately",
        _ => "separately on each server; with a Redis store, all servers share one count",
    }
}
