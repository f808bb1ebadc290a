//! The report of an incident as a page for a browser: one file, no script, no network.

use ibyok_api::{Finding, Incident, IncidentReport, KeyReader, Reach, ReportLine, Step};
use ibyok_core::audit::words::counted;

use super::completed;
use crate::cell::{Cell, joined};
use crate::page::{Kind, Page, PageColumn, escaped, short};

/// Writes the report of an incident as a page for a browser: one HTML file, without scripts or network. Nothing in the report becomes markup.
#[must_use]
pub fn page(report: &IncidentReport) -> String {
    let incident = &report.incident;
    let title = format!("Incident on {}", escaped(&incident.reference));
    let told = format!(
        "{} · {} · log read since {}",
        escaped(&incident.id),
        escaped(incident.state.as_str()),
        short(report.since)
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
    page.end(&format!("Made {}", short(report.made)))
}

fn account(page: &mut Page, incident: &Incident) {
    page.section("account", "Timeline");
    page.add(&format!("<p>{}</p>", escaped(&incident.reason)));
    page.add(&format!(
        "<p class=\"when\">opened {} by {}</p>",
        short(incident.opened.at),
        escaped(&incident.opened.by)
    ));
    for step in completed(incident) {
        page.add(&format!("<p>{}</p>", escaped(&step)));
    }
    for note in &incident.notes {
        let (when, by) = (short(note.at), escaped(&note.by));
        page.add(&format!("<p>{} <small>{when}, {by}</small></p>", escaped(&note.text)));
    }
    if let Some(closed) = &incident.closed {
        page.add(&format!("<p><b>Cause:</b> {}</p>", escaped(&closed.cause)));
        page.add(&format!("<p><b>Prevention:</b> {}</p>", escaped(&closed.prevention)));
        let (when, by) = (short(closed.at), escaped(&closed.by));
        page.add(&format!("<p class=\"when\">closed {when} by {by}</p>"));
    }
    page.end_section();
}

fn remaining(page: &mut Page, steps: &[Step]) {
    if steps.is_empty() {
        return;
    }
    page.section("remaining", "Remaining steps");
    page.add("<ol>");
    for step in steps {
        let (what, how) = (escaped(&step.what), escaped(&step.how));
        page.add(&format!("<li>{what}: <code>{how}</code></li>"));
    }
    page.add("</ol>");
    page.end_section();
}

fn readers(page: &mut Page, report: &IncidentReport) {
    const COLUMNS: [PageColumn<KeyReader>; 8] = [
        ("Name", Kind::Sentence, |reader| reader.name.cell()),
        ("Id", Kind::Word, |reader| reader.id.cell()),
        ("Times", Kind::Number, |reader| reader.count.cell()),
        ("First", Kind::Word, |reader| short(reader.first)),
        ("Last", Kind::Word, |reader| short(reader.last)),
        ("Versions", Kind::Word, |reader| joined(&reader.versions)),
        ("From", Kind::Sentence, |reader| joined(&reader.addresses)),
        ("As", Kind::Sentence, |reader| joined(&reader.user_agents)),
    ];
    page.table("Readers of the key", "readers", &report.readers, &COLUMNS);
    for unseen in &report.unseen {
        let unseen = escaped(unseen);
        page.add(&format!("<p>There may be more readers, because of {unseen}</p>"));
    }
}

fn reach(page: &mut Page, reach: &[Reach]) {
    page.section("reach", "Other keys in the readers' reach");
    if reach.is_empty() {
        page.add("<p>No token read the key.</p>");
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

fn findings(page: &mut Page, report: &IncidentReport) {
    const COLUMNS: [PageColumn<Finding>; 5] = [
        ("Severity", Kind::Word, |finding| finding.severity.to_string()),
        ("Id", Kind::Word, |finding| finding.id.cell()),
        ("What", Kind::Sentence, |finding| finding.explanation.cell()),
        ("First", Kind::Word, |finding| short(finding.first)),
        ("Last", Kind::Word, |finding| short(finding.last)),
    ];
    let findings = report.findings.as_deref().unwrap_or_default();
    if findings.is_empty() {
        return;
    }
    let title = "Findings about the readers in a review of that time";
    page.table(title, "findings", findings, &COLUMNS);
}

fn timeline(page: &mut Page, report: &IncidentReport) {
    const COLUMNS: [PageColumn<ReportLine>; 10] = [
        ("Time", Kind::Word, |line| short(line.time)),
        ("Action", Kind::Word, |line| line.action.cell()),
        ("Outcome", Kind::Word, |line| line.outcome.to_string()),
        ("Who", Kind::Sentence, |line| line.name.cell()),
        ("Version", Kind::Number, |line| line.version.cell()),
        ("From", Kind::Word, |line| {
            line.address.map(|address| address.to_string()).cell()
        }),
        ("Because", Kind::Sentence, |line| line.reason.cell()),
        ("Line", Kind::Number, |line| line.seq.cell()),
        ("By", Kind::Word, |line| line.by.cell()),
        ("Log", Kind::Word, |line| line.log.cell()),
    ];
    page.table("Line by line", "timeline", &report.timeline, &COLUMNS);
    match report.further_lines {
        0 => {}
        1 => page.add("<p>1 more line is not shown.</p>"),
        further => page.add(&format!("<p>{further} more lines are not shown.</p>")),
    }
}
