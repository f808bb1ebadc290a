//! A review as a page for a browser: one file, no script, no network, for screens light and dark, wide and narrow, and for paper.

use ibyok_api::{Finding, Review, ReviewDay, ReviewNetwork, ReviewToken, Severity};
use ibyok_core::audit::words::counted;

use super::subject;
use crate::cell::Cell;
use crate::page::{Kind, Page, PageColumn, escaped, short};

/// The largest number of days in the heat map. It shows the last ones.
const DAYS: usize = 92;

/// Writes a review of the log as a page for a browser: one HTML file, without scripts or network. Nothing in the review becomes markup.
#[must_use]
pub fn page(review: &Review) -> String {
    let span = format!("{} to {}", short(review.since), short(review.until));
    let mut page = Page::new("Audit review", &format!("{span}, UTC"));
    page.figures(&[
        ("Findings", review.findings.len().to_string()),
        ("Open", review.open.to_string()),
        ("Lines", review.lines.to_string()),
        ("Lines of history", review.history.to_string()),
    ]);
    findings(&mut page, review);
    timeline(&mut page, review);
    heat(&mut page, review);
    page.table("Tokens", "tokens", &review.tokens, &TOKENS);
    let countries = review.networks.iter().any(|row| row.country.is_some());
    // Without a country there is no column for it.
    let columns = NETWORKS.get(usize::from(!countries)..).unwrap_or(&NETWORKS);
    page.table("Networks", "networks", &review.networks, columns);
    page.end(&foot(review))
}

const TOKENS: [PageColumn<ReviewToken>; 8] = [
    ("Token", Kind::Sentence, |token| token.name.cell()),
    ("Id", Kind::Word, |token| token.id.cell()),
    ("Reads", Kind::Number, |token| token.reads.cell()),
    ("Refused", Kind::Number, |token| token.refused.cell()),
    ("Keys", Kind::Number, |token| token.keys.cell()),
    ("Networks", Kind::Number, |token| token.networks.cell()),
    ("First", Kind::Word, |token| short(token.first)),
    ("Last", Kind::Word, |token| short(token.last)),
];

const NETWORKS: [PageColumn<ReviewNetwork>; 7] = [
    ("Country", Kind::Word, |network| network.country.cell()),
    ("Network", Kind::Word, |network| network.network.cell()),
    ("Requests", Kind::Number, |network| network.requests.cell()),
    ("Refused", Kind::Number, |network| network.refused.cell()),
    ("Tokens", Kind::Number, |network| network.tokens.cell()),
    ("First", Kind::Word, |network| short(network.first)),
    ("Last", Kind::Word, |network| short(network.last)),
];

fn findings(page: &mut Page, review: &Review) {
    page.add("<section id=\"findings\"><h2>Findings</h2>");
    if review.findings.is_empty() {
        page.add("<p>Nothing to look at.</p>");
    }
    for finding in &review.findings {
        finding_of(page, finding);
    }
    for (detector, count) in &review.more {
        let detector = escaped(detector);
        page.add(&format!("<p>And {count} more of <code>{detector}</code>.</p>"));
    }
    page.add("</section>");
}

fn finding_of(page: &mut Page, finding: &Finding) {
    // The word becomes a class of the page's style: only known ones do.
    let severity = match finding.severity {
        Severity::High => "high",
        Severity::Medium => "medium",
        _ => "low",
    };
    let class = if finding.acknowledged.is_some() { " done" } else { "" };
    page.add(&format!(
            "<article class=\"{severity}{class}\"><h3><span class=\"severity\">{severity}</span> {} <small>{}</small></h3>\n\
             <p class=\"who\">{}</p>\n<p>{}</p>\n<p class=\"when\">{} &times;, {} to {}</p>",
            escaped(&finding.detector).replace('_', " "),
            escaped(&finding.id),
            escaped(&subject(&finding.subject)),
            escaped(&finding.explanation),
            finding.count,
            short(finding.first),
            short(finding.last),
        ));
    page.add("<details><summary>Lines</summary><ol>");
    for line in &finding.lines {
        let (log, seq, time) = (escaped(&line.log), line.seq, short(line.time));
        page.add(&format!("<li><code>{log}:{seq}</code> {time}</li>"));
    }
    page.add("</ol></details>");
    if let Some(acknowledged) = &finding.acknowledged {
        let (when, by) = (short(acknowledged.at), escaped(&acknowledged.by));
        let reason = escaped(&acknowledged.reason);
        page.add(&format!(
            "<p class=\"ack\">Acknowledged on {when} by {by}: {reason}</p>"
        ));
    }
    page.add("</article>");
}

/// Requests by day, as bars, the refused ones on top.
fn timeline(page: &mut Page, review: &Review) {
    let days: Vec<(String, u64, u64)> = days(review)
        .map(|day| (day.date.to_string(), day.hours.iter().sum(), day.refused))
        .collect();
    let most = days.iter().map(|day| day.1).max().unwrap_or(0).max(1);
    let width = days.len() * 10;
    page.add("<section id=\"timeline\"><h2>Requests by day</h2>");
    page.add(&format!(
        "<div class=\"wide\"><svg viewBox=\"0 0 {} 120\" role=\"img\" aria-label=\"Requests by day\" \
             style=\"max-width:{}px\">",
        width.max(10),
        width.max(10) * 3
    ));
    for (n, (date, requests, refused)) in days.iter().enumerate() {
        let (x, tall) = (n * 10 + 1, requests.saturating_mul(110) / most);
        let red = refused.saturating_mul(110) / most;
        let y = 115 - tall;
        page.put(&format!(
            "<g><title>{}: {}, {refused} refused or failed</title>\
                 <rect class=\"bar\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{tall}\"/>\
                 <rect class=\"refused\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{red}\"/></g>",
            escaped(date),
            counted(*requests, "request")
        ));
    }
    page.add("</svg></div></section>");
}

/// Requests by day and hour, as a table that can be read aloud.
fn heat(page: &mut Page, review: &Review) {
    let most = days(review).flat_map(|day| day.hours).max().unwrap_or(0).max(1);
    page.add(
        "<section id=\"heat\"><h2>Hours by day</h2><div class=\"wide\"><table class=\"heat\"><thead><tr><th>Day</th>",
    );
    for hour in 0..24 {
        page.put(&format!("<th>{hour:02}</th>"));
    }
    page.add("</tr></thead><tbody>");
    for day in days(review) {
        page.put(&format!("<tr><th>{}</th>", day.date));
        for count in day.hours {
            // The root tells few from none, and many from very many.
            let level = match count {
                0 => 0,
                count => 1 + (count.saturating_mul(64) / most).isqrt().min(8),
            };
            let shown = if count == 0 { String::new() } else { count.to_string() };
            page.put(&format!("<td class=\"h{level}\">{shown}</td>"));
        }
        page.add("</tr>");
    }
    page.add("</tbody></table></div></section>");
}

fn foot(review: &Review) -> String {
    let mut foot = String::new();
    for log in &review.logs {
        foot.push_str(&format!(
            "<p>Log <code>{}</code>, lines {} to {}</p>",
            escaped(&log.log),
            log.from,
            log.until
        ));
    }
    if let Some(last) = &review.last_done {
        let (when, by) = (short(last.at), escaped(&last.by));
        foot.push_str(&format!("<p>Last recorded as reviewed on {when} by {by}</p>"));
    }
    foot.push_str("<p>Made by <code>ibyok audit review --html</code></p>");
    foot
}

/// The last days.
fn days(review: &Review) -> impl Iterator<Item = &ReviewDay> {
    review.days.iter().skip(review.days.len().saturating_sub(DAYS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TIME: &str = "2026-12-24T17:33:49.5Z";

    /// A review in which every text is this one.
    fn review(text: &str) -> Review {
        let line = json!({ "log": text, "seq": 1, "time": TIME });
        let subject = json!({ "kind": text, "id": text, "name": text });
        let acknowledged = json!({ "at": TIME, "by": text, "reason": text });
        let thresholds = json!({
            "history_days": 1, "learning_days": 1, "dormant_days": 1, "active_days": 1, "burst_lines": 1, "burst_factor": 1,
            "breadth_keys": 1, "breadth_factor": 1, "failed_by_network": 1, "failed_by_token": 1, "operator_hours": text,
            "time_zone": text,
        });
        let review = json!({
            "since": TIME, "until": TIME, "history_since": TIME, "lines": 1, "history": 1, "open": 1, "not_judged": 0,
            "more": { text: 1 },
            "findings": [{ "id": text, "detector": text, "severity": text, "subject": subject, "explanation": text, "count": 1,
                "first": TIME, "last": TIME, "lines": [line], "acknowledged": acknowledged }],
            "days": [{ "date": "2026-12-24", "hours": vec![1; 24], "refused": 1 }],
            "tokens": [{ "id": text, "name": text, "reads": 1, "refused": 1, "keys": 1, "networks": 1, "first": TIME, "last": TIME }],
            "networks": [{ "network": text, "country": text, "tokens": 1, "requests": 1, "refused": 1, "first": TIME, "last": TIME }],
            "logs": [{ "log": text, "from": 1, "until": 2, "last": TIME, "lines": 2 }],
            "thresholds": thresholds,
            "last_done": { "at": TIME, "by": text, "since": TIME, "until": [], "findings": 0, "open": 0 },
        });
        serde_json::from_value(review).unwrap()
    }

    #[test]
    fn nothing_in_a_review_becomes_markup() {
        let hostile = "\"><script>alert(1)</script><img src=x onerror='y'>\u{202e}\u{1b}[2J";
        let page = super::page(&review(hostile));
        for mark in ["<script", "<img", "onerror='", "\u{202e}", "\u{1b}"] {
            assert!(!page.contains(mark), "{mark:?}");
        }
        assert_eq!(
            page.matches('<').count(),
            super::page(&review("x")).matches('<').count()
        );
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_page_of_nothing_is_a_page() {
        let mut nothing = review("x");
        nothing.findings.clear();
        nothing.days.clear();
        nothing.networks.clear();
        let page = super::page(&nothing);
        assert!(page.contains("Nothing to look at.") && page.ends_with("</html>\n"));
    }
}
