//! Incidents: their steps, their reports and the plan for them.

mod page;
mod plan;
mod text;

use std::collections::BTreeSet;

use ibyok_api::{Incident, IncidentOpened, IncidentReport, LeakedCopy, Step};
use ibyok_core::audit::words::{is_or_are, plural};
use ibyok_operations::Note;

use crate::cell::Cell;
use crate::listed;

pub use page::page;
pub use plan::plan;
pub use text::text;

/// Describes an incident that was just opened: each completed step, each step that failed, and the remaining ones.
#[must_use]
pub fn opened(opened: &IncidentOpened) -> Vec<Note> {
    let incident = &opened.incident;
    let verb = if opened.was_open {
        "was already open; this report was added to it"
    } else {
        "is open"
    };
    let mut notes = vec![Note::Info(format!(
        "incident {} on {} {verb}",
        incident.id, incident.reference
    ))];
    let done = completed(incident).into_iter();
    notes.extend(done.map(|line| Note::Info(format!("  {line}"))));
    let warnings = opened.not_replaced.iter().map(|why| format!("  NOT replaced: {why}"));
    let warnings = warnings.chain(opened.warnings.iter().map(|warning| format!("  warning: {warning}")));
    let not_revoked = opened.not_revoked.iter();
    let warnings =
        warnings.chain(not_revoked.map(|token| format!("  NOT revoked: token {}: {}", token.token, token.why)));
    let unseen = opened.unseen.iter().map(|unseen| {
        format!(
            "  a reader may be MISSING: {unseen}; after you repair this, open the incident again with `--revoke-readers`"
        )
    });
    notes.extend(warnings.chain(unseen).map(Note::Warning));
    notes.extend(opened.copies.iter().map(copy));
    notes.push(Note::Info("remaining steps:".to_owned()));
    notes.extend(remaining(&opened.remaining).into_iter().map(Note::Info));
    notes
}

/// Names another key with the same value.
fn copy(copy: &LeakedCopy) -> Note {
    let numbers: Vec<String> = copy.versions.iter().map(ToString::to_string).collect();
    let versions = format!(
        "{} {} of {} {} the same value",
        plural(numbers.len(), "version"),
        listed(&numbers),
        copy.reference,
        if numbers.len() == 1 { "holds" } else { "hold" }
    );
    let is = is_or_are(numbers.len());
    match &copy.incident {
        None => Note::Warning(format!("  {versions} and {is} NOT marked: {}", copy.why.cell())),
        Some(incident) => Note::Info(format!("  {versions}: incident {incident} is open on it as well")),
    }
}

/// Describes the remaining steps of an incident, a line each.
#[must_use]
pub fn remaining(steps: &[Step]) -> Vec<String> {
    let line = |step: &Step| format!("  - {}: {}", step.what, step.how);
    steps.iter().map(line).collect()
}

/// Returns the lines of the log that a report rests on, each as the id of its log and its number: the last line of each reader, and the
/// lines of the timeline.
#[must_use]
pub fn evidence(report: &IncidentReport) -> BTreeSet<(String, u64)> {
    let of_readers = report.readers.iter().filter_map(|reader| reader.last_line.as_ref());
    let of_readers = of_readers.map(|line| (line.log.clone(), line.seq));
    let of_timeline = report.timeline.iter().map(|line| (line.log.clone(), line.seq));
    of_readers.chain(of_timeline).collect()
}

/// Describes the completed steps of an incident, a line each.
#[must_use]
pub fn completed(incident: &Incident) -> Vec<String> {
    let versions: Vec<String> = incident.versions.iter().map(ToString::to_string).collect();
    let mut lines = Vec::new();
    if !versions.is_empty() {
        let (noun, verb) = (plural(versions.len(), "version"), is_or_are(versions.len()));
        lines.push(format!(
            "marked: {noun} {} {verb} marked compromised",
            listed(&versions)
        ));
    }
    if let Some(replaced) = &incident.replaced {
        lines.push(format!(
            "replaced: version {} is current, made by {} on {}",
            replaced.version,
            replaced.by,
            replaced.at.cell()
        ));
    }
    match incident.frozen {
        true => lines.push("frozen: the key is disabled for every program".to_owned()),
        false if incident.replaced.is_none() => lines.push("not frozen: the vault still serves the key".to_owned()),
        false => {}
    }
    for token in &incident.revoked {
        lines.push(format!("revoked: token {token}"));
    }
    lines
}
