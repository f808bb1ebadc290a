//! A review as a page for a browser: one file, no script, no network, for screens light and dark, wide and narrow, and for paper.

use serde_json::Value;

use crate::page::{Page, escaped, short};
use crate::table::{at, text};
use crate::words::counted;

/// The largest number of days in the heat map. It shows the last ones.
const DAYS: usize = 92;

/// The page of a review.
pub(super) fn of(review: &Value) -> String {
    let span = format!("{} to {}", short(at(review, "since")), short(at(review, "until")));
    let mut page = Page::new("Audit review", &format!("{span}, UTC"));
    page.figures(&[
        ("Findings", list(review, "findings").count().to_string()),
        ("Open", text(at(review, "open"))),
        ("Lines", text(at(review, "lines"))),
        ("Lines of history", text(at(review, "history"))),
    ]);
    findings(&mut page, review);
    timeline(&mut page, review);
    heat(&mut page, review);
    page.table(
        "Tokens",
        "tokens",
        list(review, "tokens"),
        &[
            ("Token", "name", false),
            ("Id", "id", false),
            ("Reads", "reads", true),
            ("Refused", "refused", true),
            ("Keys", "keys", true),
            ("Networks", "networks", true),
            ("First", "first", false),
            ("Last", "last", false),
        ],
    );
    let countries = list(review, "networks").any(|row| row.get("country").is_some());
    page.table("Networks", "networks", list(review, "networks"), networks(countries));
    page.end(&foot(review))
}

/// Returns the columns of the networks: with countries if the review names any.
fn networks(countries: bool) -> &'static [(&'static str, &'static str, bool)] {
    const ALL: &[(&str, &str, bool)] = &[
        ("Country", "country", false),
        ("Network", "network", false),
        ("Requests", "requests", true),
        ("Refused", "refused", true),
        ("Tokens", "tokens", true),
        ("First", "first", false),
        ("Last", "last", false),
    ];
    ALL.get(usize::from(!countries)..).unwrap_or(ALL)
}

fn findings(page: &mut Page, review: &Value) {
    page.add("<section id=\"findings\"><h2>Findings</h2>");
    if list(review, "findings").next().is_none() {
        page.add("<p>Nothing to look at.</p>");
    }
    for finding in list(review, "findings") {
        finding_of(page, finding);
    }
    if let Value::Object(more) = at(review, "more") {
        for (detector, count) in more {
            let (detector, count) = (escaped(detector), escaped(&text(count)));
            page.add(&format!("<p>And {count} more of <code>{detector}</code>.</p>"));
        }
    }
    page.add("</section>");
}

fn finding_of(page: &mut Page, finding: &Value) {
    let field = |name: &str| escaped(&text(at(finding, name)));
    let severity = match at(finding, "severity").as_str() {
        Some("high") => "high",
        Some("medium") => "medium",
        _ => "low",
    };
    let acknowledged = at(finding, "acknowledged");
    let class = if acknowledged.is_object() { " done" } else { "" };
    page.add(&format!(
            "<article class=\"{severity}{class}\"><h3><span class=\"severity\">{severity}</span> {} <small>{}</small></h3>\n\
             <p class=\"who\">{}</p>\n<p>{}</p>\n<p class=\"when\">{} &times;, {} to {}</p>",
            field("detector").replace('_', " "),
            field("id"),
            escaped(&who(at(finding, "subject"))),
            field("explanation"),
            field("count"),
            short(at(finding, "first")),
            short(at(finding, "last")),
        ));
    page.add("<details><summary>Lines</summary><ol>");
    for line in list(finding, "lines") {
        page.add(&format!(
            "<li><code>{}</code> {}</li>",
            escaped(&place(line)),
            short(at(line, "time"))
        ));
    }
    page.add("</ol></details>");
    if acknowledged.is_object() {
        let field = |name: &str| escaped(&text(at(acknowledged, name)));
        let when = short(at(acknowledged, "at"));
        page.add(&format!(
            "<p class=\"ack\">Acknowledged on {when} by {}: {}</p>",
            field("by"),
            field("reason")
        ));
    }
    page.add("</article>");
}

/// Requests by day, as bars, the refused ones on top.
fn timeline(page: &mut Page, review: &Value) {
    let days: Vec<(String, u64, u64)> = days(review).map(|day| (day.0, day.1.iter().sum(), day.2)).collect();
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
fn heat(page: &mut Page, review: &Value) {
    let most = days(review).flat_map(|day| day.1).max().unwrap_or(0).max(1);
    page.add(
        "<section id=\"heat\"><h2>Hours by day</h2><div class=\"wide\"><table class=\"heat\"><thead><tr><th>Day</th>",
    );
    for hour in 0..24 {
        page.put(&format!("<th>{hour:02}</th>"));
    }
    page.add("</tr></thead><tbody>");
    for (date, hours, _) in days(review) {
        page.put(&format!("<tr><th>{}</th>", escaped(&date)));
        for count in hours {
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

fn foot(review: &Value) -> String {
    let mut foot = String::new();
    for log in list(review, "logs") {
        let field = |name: &str| escaped(&text(at(log, name)));
        foot.push_str(&format!(
            "<p>Log <code>{}</code>, lines {} to {}</p>",
            field("log"),
            field("from"),
            field("until")
        ));
    }
    let last = at(review, "last_done");
    if last.is_object() {
        let (when, by) = (short(at(last, "at")), escaped(&text(at(last, "by"))));
        foot.push_str(&format!("<p>Last recorded as reviewed on {when} by {by}</p>"));
    }
    foot.push_str("<p>Made by <code>ibyok audit review --html</code></p>");
    foot
}

/// The last days: date, requests of each hour, how many were refused.
fn days(review: &Value) -> impl Iterator<Item = (String, Vec<u64>, u64)> {
    let all = list(review, "days").count();
    list(review, "days").skip(all.saturating_sub(DAYS)).map(|day| {
        let hours = list(day, "hours")
            .map(|count| count.as_u64().unwrap_or(0))
            .take(24)
            .collect();
        (text(at(day, "date")), hours, at(day, "refused").as_u64().unwrap_or(0))
    })
}

/// The subject of a finding.
fn who(subject: &Value) -> String {
    let (kind, id, name) = (
        text(at(subject, "kind")),
        text(at(subject, "id")),
        text(at(subject, "name")),
    );
    match name.is_empty() || name == id {
        true => format!("{kind} {id}"),
        false => format!("{kind} {name} ({id})"),
    }
}

/// `LOG:NUMBER`, as `audit prove` takes it.
fn place(line: &Value) -> String {
    format!("{}:{}", text(at(line, "log")), text(at(line, "seq")))
}

fn list<'v>(value: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> {
    at(value, path).as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_a_review_becomes_markup() {
        let hostile = "\"><script>alert(1)</script><img src=x onerror='y'>\u{202e}\u{1b}[2J";
        let line = json!({ "log": hostile, "seq": hostile, "time": hostile });
        let subject = json!({ "kind": hostile, "id": hostile, "name": hostile });
        let acknowledged = json!({ "at": hostile, "by": hostile, "reason": hostile });
        let review = json!({
            "since": hostile, "until": hostile, "lines": hostile, "history": hostile, "open": hostile,
            "more": { hostile: hostile },
            "findings": [{ "id": hostile, "detector": hostile, "severity": hostile, "subject": subject, "explanation": hostile,
                "count": hostile, "first": hostile, "last": hostile, "lines": [line], "acknowledged": acknowledged }],
            "days": [{ "date": hostile, "hours": [1, 2], "refused": hostile }],
            "tokens": [{ "id": hostile, "name": hostile, "reads": hostile, "first": hostile }],
            "networks": [{ "network": hostile, "requests": hostile }],
            "logs": [{ "log": hostile, "from": hostile, "until": hostile }],
            "last_done": { "at": hostile, "by": hostile },
        });
        let page = of(&review);
        for mark in ["<script", "<img", "onerror='", "\u{202e}", "\u{1b}"] {
            assert!(!page.contains(mark), "{mark:?}");
        }
        let tags = page.matches('<').count();
        let empty = of(&json!({}));
        assert!(tags > empty.matches('<').count());
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_page_of_nothing_is_a_page() {
        let page = of(&json!({ "findings": [] }));
        assert!(page.contains("Nothing to look at.") && page.ends_with("</html>\n"));
    }
}
