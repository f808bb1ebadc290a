//! The report of an incident as text.

use std::fmt::Write as _;

use ibyok_api::{IncidentReport, Reach};
use ibyok_core::audit::words::{counted, plural};

use super::{completed, remaining};
use crate::cell::{Cell, NONE, joined};
use crate::clean;

/// Writes the report of an incident as text, for a terminal or a ticket. No text in it can move a cursor.
#[must_use]
pub fn text(report: &IncidentReport) -> String {
    let mut out = String::new();
    head(&mut out, report);
    readers(&mut out, report);
    reach(&mut out, &report.reach);
    findings(&mut out, report);
    timeline(&mut out, report);
    let left = remaining(&report.remaining);
    if !left.is_empty() {
        section(&mut out, "Remaining steps");
        left.iter().for_each(|line| push(&mut out, line));
    }
    out
}

fn head(out: &mut String, report: &IncidentReport) {
    let incident = &report.incident;
    let (id, key, state) = (&incident.id, &incident.reference, &incident.state);
    push(out, &format!("Incident {id} on {key}, {state}"));
    push(out, &format!("  reason:   {}", incident.reason));
    let opened = &incident.opened;
    push(out, &format!("  opened:   {} by {}", opened.at.cell(), opened.by));
    for step in completed(incident) {
        push(out, &format!("  {step}"));
    }
    for note in &incident.notes {
        push(
            out,
            &format!("  note:     {} {}: {}", note.at.cell(), note.by, note.text),
        );
    }
    if let Some(closed) = &incident.closed {
        push(out, &format!("  closed:   {} by {}", closed.at.cell(), closed.by));
        push(out, &format!("  cause:    {}", closed.cause));
        push(out, &format!("  prevention: {}", closed.prevention));
    }
    if let Some(provider) = &report.provider {
        push(out, &format!("  revoke:   {}", provider.revoke_url));
    }
    push(out, &format!("  log read since {}", report.since.cell()));
}

fn readers(out: &mut String, report: &IncidentReport) {
    section(out, "Readers of the key");
    if report.readers.is_empty() {
        push(out, "  nobody");
    }
    for reader in &report.readers {
        let who = match &reader.name {
            Some(name) => format!("{name} ({})", reader.id),
            None => reader.id.clone(),
        };
        let times = counted(reader.count, "time");
        let (first, last) = (reader.first.cell(), reader.last.cell());
        push(out, &format!("  {who}: {times}, {first} to {last}"));
        push(
            out,
            &format!(
                "    {} {}, from {}, as {}",
                plural(reader.versions.len(), "version"),
                joined(&reader.versions),
                joined(&reader.addresses),
                joined(&reader.user_agents)
            ),
        );
    }
    for unseen in &report.unseen {
        push(out, &format!("  there may be more readers, because of {unseen}"));
    }
    push(out, &format!("  released after the leak: {}", report.released_after));
}

fn reach(out: &mut String, reach: &[Reach]) {
    if reach.is_empty() {
        return;
    }
    section(out, "Other keys in the readers' reach");
    for token in reach {
        push(out, &format!("  {} ({}, {})", token.name, token.token, token.state));
        let keys = counted(token.could_read_count, "key");
        push(out, &format!("    could: {keys}: {}", token.could_read.cell()));
        let did = token.did_read.iter();
        let did: Vec<String> = did.map(|did| format!("{} ({})", did.reference, did.count)).collect();
        let did = if did.is_empty() {
            "nothing".to_owned()
        } else {
            did.join(", ")
        };
        push(out, &format!("    did:   {did}"));
    }
}

fn findings(out: &mut String, report: &IncidentReport) {
    let findings = report.findings.as_deref().unwrap_or_default();
    if findings.is_empty() {
        return;
    }
    section(out, "Findings about the readers in a review of that time");
    for finding in findings {
        let (severity, id) = (&finding.severity, &finding.id);
        push(out, &format!("  {severity} {id}: {}", finding.explanation));
    }
}

fn timeline(out: &mut String, report: &IncidentReport) {
    section(out, "Timeline");
    for line in &report.timeline {
        let who = line.name.as_deref().or(line.by.as_deref()).unwrap_or(NONE);
        let mut told = format!("  {} {} {} by {who}", line.time.cell(), line.action, line.outcome);
        let version = line.version.map(|version| version.to_string());
        let address = line.address.map(|address| address.to_string());
        for (word, fact) in [("version", &version), ("from", &address), ("because", &line.reason)] {
            if let Some(fact) = fact {
                // Writing to a text does not fail.
                write!(told, ", {word} {fact}").unwrap_or_default();
            }
        }
        push(out, &told);
    }
    if report.further_lines > 0 {
        let further = counted(report.further_lines, "further line");
        push(out, &format!("  {further} not shown: see `ibyok audit tail --key`"));
    }
}

fn section(out: &mut String, title: &str) {
    out.push('\n');
    push(out, title);
}

fn push(out: &mut String, line: &str) {
    out.push_str(&clean(line));
    out.push('\n');
}
