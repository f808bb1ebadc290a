//! An incident's report as a page for a browser: one file, no script, no network.

use serde_json::Value;

use super::items;
use crate::page::{Page, escaped, short};
use crate::table::{at, number, text};
use crate::words::counted;

/// The page of a report.
pub(super) fn of(report: &Value) -> String {
    let incident = at(report, "incident");
    let about = |path: &str| escaped(&text(at(incident, path)));
    let title = format!("Incident on {}", about("ref"));
    let told = format!(
        "{} · {} · looked at the log since {}",
        about("id"),
        about("state"),
        short(at(report, "since"))
    );
    let mut page = Page::new(&title, &told);
    page.figures(&[
        ("Readers", items(at(report, "readers")).len().to_string()),
        ("Released after the leak", text(at(report, "released_after"))),
        ("Versions compromised", text(at(incident, "versions"))),
        ("Tokens revoked", items(at(incident, "revoked")).len().to_string()),
    ]);
    account(&mut page, report);
    remaining(&mut page, report);
    readers(&mut page, report);
    reach(&mut page, report);
    findings(&mut page, report);
    timeline(&mut page, report);
    page.end(&format!("Made {}", short(at(report, "made"))))
}

fn account(page: &mut Page, report: &Value) {
    let incident = at(report, "incident");
    let about = |path: &str| escaped(&text(at(incident, path)));
    page.section("account", "What happened");
    page.add(&format!("<p>{}</p>", about("reason")));
    page.add(&format!(
        "<p class=\"when\">opened {} by {}</p>",
        short(at(incident, "opened.at")),
        about("opened.by")
    ));
    for step in super::open::done(incident) {
        page.add(&format!("<p>{}</p>", escaped(&step)));
    }
    for note in items(at(incident, "notes")) {
        let (when, by) = (short(at(note, "at")), escaped(&text(at(note, "by"))));
        page.add(&format!(
            "<p>{} <small>{when}, {by}</small></p>",
            escaped(&text(at(note, "text")))
        ));
    }
    if at(incident, "closed").is_object() {
        page.add(&format!("<p><b>Cause:</b> {}</p>", about("closed.cause")));
        page.add(&format!("<p><b>Prevention:</b> {}</p>", about("closed.prevention")));
        page.add(&format!(
            "<p class=\"when\">closed {} by {}</p>",
            short(at(incident, "closed.at")),
            about("closed.by")
        ));
    }
    page.end_section();
}

fn remaining(page: &mut Page, report: &Value) {
    let steps = items(at(report, "remaining"));
    if steps.is_empty() {
        return;
    }
    page.section("remaining", "What remains");
    page.add("<ol>");
    for step in steps {
        let (what, how) = (escaped(&text(at(step, "what"))), escaped(&text(at(step, "how"))));
        page.add(&format!("<li>{what}: <code>{how}</code></li>"));
    }
    page.add("</ol>");
    page.end_section();
}

fn readers(page: &mut Page, report: &Value) {
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
    for unseen in items(at(report, "unseen")) {
        let unseen = escaped(&text(unseen));
        page.add(&format!("<p>And perhaps others, hidden by {unseen}</p>"));
    }
}

fn reach(page: &mut Page, report: &Value) {
    page.section("reach", "What else they could read, and did");
    let reach = items(at(report, "reach"));
    if reach.is_empty() {
        page.add("<p>No token read it.</p>");
    }
    for token in reach {
        let about = |path: &str| escaped(&text(at(token, path)));
        page.add(&format!(
            "<article><h3>{} <small>{} · {}</small></h3>",
            about("name"),
            about("token"),
            about("state")
        ));
        page.add(&format!(
            "<p>could read {}: {}</p>",
            counted(number(at(token, "could_read_count")), "key"),
            about("could_read")
        ));
        let did = items(at(token, "did_read")).iter();
        let did: Vec<String> = did
            .map(|did| format!("{} ({})", text(at(did, "ref")), text(at(did, "count"))))
            .collect();
        page.add(&format!("<p>did read: {}</p></article>", escaped(&did.join(", "))));
    }
    page.end_section();
}

fn findings(page: &mut Page, report: &Value) {
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

fn timeline(page: &mut Page, report: &Value) {
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
    let further = text(at(report, "further_lines"));
    match further.as_str() {
        "0" => {}
        "1" => page.add("<p>And 1 further line.</p>"),
        _ => page.add(&format!("<p>And {} further lines.</p>", escaped(&further))),
    }
}
