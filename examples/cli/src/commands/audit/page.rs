//! A review as a page for a browser: one file, no script, no network, for screens light and dark, wide and narrow, and for paper.

use serde_json::Value;

use super::review::{list, place, who};
use crate::table::{at, text};

/// Nothing is loaded, nothing runs, nothing is sent; only the page's own style counts.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("page.css");

/// How many days the heat map shows, the last ones.
const DAYS: usize = 92;

/// The page of a review.
pub(super) fn of(review: &Value) -> String {
    let mut out = Page(String::with_capacity(64 * 1024));
    out.head(review);
    out.findings(review);
    out.timeline(review);
    out.heat(review);
    out.table(
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
    out.table(
        "Networks",
        "networks",
        list(review, "networks"),
        &[
            ("Network", "network", false),
            ("Requests", "requests", true),
            ("Refused", "refused", true),
            ("Tokens", "tokens", true),
            ("First", "first", false),
            ("Last", "last", false),
        ],
    );
    out.foot(review);
    out.0
}

/// A page that is being written. Whatever comes from the review goes through [`escaped`].
struct Page(String);

impl Page {
    fn add(&mut self, html: &str) {
        self.0.push_str(html);
        self.0.push('\n');
    }

    fn head(&mut self, review: &Value) {
        let (since, until) = (short(at(review, "since")), short(at(review, "until")));
        let findings = list(review, "findings").count();
        let open = escaped(&text(at(review, "open")));
        self.add(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>Audit review, {since} to {until}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header><h1>Audit review</h1>\n<p>{since} to {until}, UTC</p></header>\n<main>"
        ));
        let lines = escaped(&text(at(review, "lines")));
        let history = escaped(&text(at(review, "history")));
        self.add(&format!(
            "<dl id=\"figures\"><div><dt>Findings</dt><dd>{findings}</dd></div><div><dt>Open</dt><dd>{open}</dd></div>\
             <div><dt>Lines</dt><dd>{lines}</dd></div><div><dt>Lines of history</dt><dd>{history}</dd></div></dl>"
        ));
    }

    fn findings(&mut self, review: &Value) {
        self.add("<section id=\"findings\"><h2>Findings</h2>");
        if list(review, "findings").next().is_none() {
            self.add("<p>Nothing to look at.</p>");
        }
        for finding in list(review, "findings") {
            self.finding(finding);
        }
        if let Value::Object(more) = at(review, "more") {
            for (detector, count) in more {
                let (detector, count) = (escaped(detector), escaped(&text(count)));
                self.add(&format!("<p>And {count} more of <code>{detector}</code>.</p>"));
            }
        }
        self.add("</section>");
    }

    fn finding(&mut self, finding: &Value) {
        let field = |name: &str| escaped(&text(at(finding, name)));
        let severity = match at(finding, "severity").as_str() {
            Some("high") => "high",
            Some("medium") => "medium",
            _ => "low",
        };
        let acknowledged = at(finding, "acknowledged");
        let class = if acknowledged.is_object() { " done" } else { "" };
        self.add(&format!(
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
        self.add("<details><summary>Lines</summary><ol>");
        for line in list(finding, "lines") {
            self.add(&format!(
                "<li><code>{}</code> {}</li>",
                escaped(&place(line)),
                short(at(line, "time"))
            ));
        }
        self.add("</ol></details>");
        if acknowledged.is_object() {
            let field = |name: &str| escaped(&text(at(acknowledged, name)));
            let when = short(at(acknowledged, "at"));
            self.add(&format!(
                "<p class=\"ack\">Acknowledged on {when} by {}: {}</p>",
                field("by"),
                field("reason")
            ));
        }
        self.add("</article>");
    }

    /// Requests by day, as bars, the refused ones on top.
    fn timeline(&mut self, review: &Value) {
        let days: Vec<(String, u64, u64)> = days(review).map(|day| (day.0, day.1.iter().sum(), day.2)).collect();
        let most = days.iter().map(|day| day.1).max().unwrap_or(0).max(1);
        let width = days.len() * 10;
        self.add("<section id=\"timeline\"><h2>Requests by day</h2>");
        self.add(&format!(
            "<div class=\"wide\"><svg viewBox=\"0 0 {} 120\" role=\"img\" aria-label=\"Requests by day\" \
             style=\"max-width:{}px\">",
            width.max(10),
            width.max(10) * 3
        ));
        for (n, (date, requests, refused)) in days.iter().enumerate() {
            let (x, tall) = (n * 10 + 1, requests.saturating_mul(110) / most);
            let red = refused.saturating_mul(110) / most;
            let y = 115 - tall;
            self.0.push_str(&format!(
                "<g><title>{}: {requests} requests, {refused} refused or failed</title>\
                 <rect class=\"bar\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{tall}\"/>\
                 <rect class=\"refused\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{red}\"/></g>",
                escaped(date)
            ));
        }
        self.add("</svg></div></section>");
    }

    /// Requests by day and hour, as a table that can be read aloud.
    fn heat(&mut self, review: &Value) {
        let most = days(review).flat_map(|day| day.1).max().unwrap_or(0).max(1);
        self.add("<section id=\"heat\"><h2>Hours by day</h2><div class=\"wide\"><table class=\"heat\"><thead><tr><th>Day</th>");
        for hour in 0..24 {
            self.0.push_str(&format!("<th>{hour:02}</th>"));
        }
        self.add("</tr></thead><tbody>");
        for (date, hours, _) in days(review) {
            self.0.push_str(&format!("<tr><th>{}</th>", escaped(&date)));
            for count in hours {
                // The root tells few from none, and many from very many.
                let level = match count {
                    0 => 0,
                    count => 1 + (count.saturating_mul(64) / most).isqrt().min(8),
                };
                let shown = if count == 0 { String::new() } else { count.to_string() };
                self.0.push_str(&format!("<td class=\"h{level}\">{shown}</td>"));
            }
            self.add("</tr>");
        }
        self.add("</tbody></table></div></section>");
    }

    fn table<'v>(
        &mut self,
        title: &str,
        id: &str,
        rows: impl Iterator<Item = &'v Value>,
        columns: &[(&str, &str, bool)],
    ) {
        self.add(&format!(
            "<section id=\"{id}\"><h2>{title}</h2><div class=\"wide\"><table><thead><tr>"
        ));
        for (head, _, number) in columns {
            self.add(&format!("<th{}>{head}</th>", class(*number)));
        }
        self.add("</tr></thead><tbody>");
        for row in rows {
            self.0.push_str("<tr>");
            for (_, path, number) in columns {
                let value = at(row, path);
                let shown = match *path {
                    "first" | "last" => short(value),
                    _ => escaped(&text(value)),
                };
                self.0.push_str(&format!("<td{}>{shown}</td>", class(*number)));
            }
            self.add("</tr>");
        }
        self.add("</tbody></table></div></section>");
    }

    fn foot(&mut self, review: &Value) {
        self.add("</main><footer>");
        for log in list(review, "logs") {
            let field = |name: &str| escaped(&text(at(log, name)));
            self.add(&format!(
                "<p>Log <code>{}</code>, lines {} to {}</p>",
                field("log"),
                field("from"),
                field("until")
            ));
        }
        let last = at(review, "last_done");
        if last.is_object() {
            let (when, by) = (short(at(last, "at")), escaped(&text(at(last, "by"))));
            self.add(&format!("<p>Last recorded as reviewed on {when} by {by}</p>"));
        }
        self.add("<p>Made by <code>ibyok audit review --html</code></p></footer></body></html>");
    }
}

fn class(number: bool) -> &'static str {
    if number { " class=\"number\"" } else { "" }
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

/// A time without its fractions.
fn short(time: &Value) -> String {
    let time = text(time);
    let second = time
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches('Z')
        .replace('T', " ");
    escaped(&second)
}

/// Text as it may stand in a page, in an element or an attribute: nothing in it is markup, and nothing changes the direction of
/// what stands beside it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(letter)));
            }
            letter if letter.is_control() => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out
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
