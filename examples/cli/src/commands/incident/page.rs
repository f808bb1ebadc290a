//! An incident's report as a page for a browser: one file, no script, no network.

use ibyok_api::{Document, Incident, IncidentReport, Reach, Step};
use jiff::Timestamp;
use serde_json::Value;

use crate::cell::Cell;
use crate::page::{Page, escaped, short};
use crate::table::at;
use crate::words::counted;

/// The page of a report.
pub(super) fn of(report: &Document<IncidentReport>) -> String {
    let incident = &report.incident;
    let title = format!("Incident on {}", escaped(&incident.reference));
    let told = format!(
        "{} · {} · looked at the log since {}",
        escaped(&incident.id),
        escaped(incident.state.as_str()),
        short_time(report.since)
    );
    let mut page = Page::new(&title, &told);
    page.figures(&[
        ("Readers", report.readers.len().to_string()),
        ("Released after the leak", report.released_after.to_string()),
        ("Versions compromised", incident.versions.cell()),
        ("Tokens revoked", incident.revoked.len().to_string()),
    ]);
    account(&mut page, incident);
    remaining(&mut page, &report.remaining);
    readers(&mut page, report);
    reach(&mut page, &report.reach);
    findings(&mut page, report);
    timeline(&mut page, report);
    page.end(&format!("Made {}", short_time(report.made)))
}

fn account(page: &mut Page, incident: &Incident) {
    page.section("account", "What happened");
    page.add(&format!("<p>{}</p>", escaped(&incident.reason)));
    page.add(&format!(
        "<p class=\"when\">opened {} by {}</p>",
        short_time(incident.opened.at),
        escaped(&incident.opened.by)
    ));
    for step in super::open::done(incident) {
        page.add(&format!("<p>{}</p>", escaped(&step)));
    }
    for note in &incident.notes {
        let (when, by) = (short_time(note.at), escaped(&note.by));
        page.add(&format!("<p>{} <small>{when}, {by}</small></p>", escaped(&note.text)));
    }
    if let Some(closed) = &incident.closed {
        page.add(&format!("<p><b>Cause:</b> {}</p>", escaped(&closed.cause)));
        page.add(&format!("<p><b>Prevention:</b> {}</p>", escaped(&closed.prevention)));
        let (when, by) = (short_time(closed.at), escaped(&closed.by));
        page.add(&format!("<p class=\"when\">closed {when} by {by}</p>"));
    }
    page.end_section();
}

fn remaining(page: &mut Page, steps: &[Step]) {
    if steps.is_empty() {
        return;
    }
    page.section("remaining", "What remains");
    page.add("<ol>");
    for step in steps {
        let (what, how) = (escaped(&step.what), escaped(&step.how));
        page.add(&format!("<li>{what}: <code>{how}</code></li>"));
    }
    page.add("</ol>");
    page.end_section();
}

fn readers(page: &mut Page, report: &Document<IncidentReport>) {
    page.table(
        "Who was given the key",
        "readers",
        items(at(report, "readers")),
        &[
            ("Name", "name", false),
            ("Id", "id", false),
            ("Times", "count", true),
            ("First", "first", false),
            ("Last", "last", false),
            ("Versions", "versions", false),
            ("From", "addresses", false),
            ("As", "user_agents", false),
        ],
    );
    for unseen in &report.unseen {
        let unseen = escaped(unseen);
        page.add(&format!("<p>And perhaps others, hidden by {unseen}</p>"));
    }
}

fn reach(page: &mut Page, reach: &[Reach]) {
    page.section("reach", "What else they could read, and did");
    if reach.is_empty() {
        page.add("<p>No token read it.</p>");
    }
    for token in reach {
        page.add(&format!(
            "<article><h3>{} <small>{} · {}</small></h3>",
            escaped(&token.name),
            escaped(&token.token),
            escaped(token.state.as_str())
        ));
        page.add(&format!(
            "<p>could read {}: {}</p>",
            counted(token.could_read_count, "key"),
            escaped(&token.could_read.cell())
        ));
        let did = token.did_read.iter();
        let did: Vec<String> = did.map(|did| format!("{} ({})", did.reference, did.count)).collect();
        page.add(&format!("<p>did read: {}</p></article>", escaped(&did.join(", "))));
    }
    page.end_section();
}

fn findings(page: &mut Page, report: &Document<IncidentReport>) {
    let findings = items(at(report, "findings"));
    if findings.is_empty() {
        return;
    }
    page.table(
        "What a review of that time found about them",
        "findings",
        findings,
        &[
            ("Severity", "severity", false),
            ("Id", "id", false),
            ("What", "explanation", false),
            ("First", "first", false),
            ("Last", "last", false),
        ],
    );
}

fn timeline(page: &mut Page, report: &Document<IncidentReport>) {
    page.table(
        "Line by line",
        "timeline",
        items(at(report, "timeline")),
        &[
            ("Time", "time", false),
            ("Action", "action", false),
            ("Outcome", "outcome", false),
            ("Who", "name", false),
            ("Version", "version", true),
            ("From", "address", false),
            ("Because", "reason", false),
            ("Line", "seq", true),
            ("By", "by", false),
            ("Log", "log", false),
        ],
    );
    match report.further_lines {
        0 => {}
        1 => page.add("<p>And 1 further line.</p>"),
        further => page.add(&format!("<p>And {further} further lines.</p>")),
    }
}

/// A time as the page shows it.
fn short_time(time: Timestamp) -> String {
    short(&Value::from(time.to_string()))
}

/// The rows of a table of the page.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
