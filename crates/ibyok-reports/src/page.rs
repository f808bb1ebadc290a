//! Pages for a browser: one file, no script, no network, for screens light and dark, wide and narrow, and for paper.

use jiff::Timestamp;

/// Nothing is loaded, nothing runs, nothing is sent; only the page's own style counts.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("page.css");

/// The kind of a column, which decides where its text may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word, an id or a time: never broken.
    Word,
    /// A number, to the right.
    Number,
    /// Sentences and lists, broken into lines.
    Sentence,
}

/// A column: its head, its kind and the member that it shows.
pub(crate) type PageColumn<T> = (&'static str, Kind, fn(&T) -> String);

/// A page that is being written. All text from outside goes through [`escaped`].
pub(crate) struct Page(String);

impl Page {
    /// The beginning of a page. Title and subtitle are HTML already.
    pub(crate) fn new(title: &str, subtitle: &str) -> Self {
        let mut page = Page(String::with_capacity(64 * 1024));
        page.add(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header><h1>{title}</h1>\n<p>{subtitle}</p></header>\n<main>"
        ));
        page
    }

    /// A line of HTML.
    pub(crate) fn add(&mut self, html: &str) {
        self.put(html);
        self.0.push('\n');
    }

    /// A piece of HTML.
    pub(crate) fn put(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// A few figures, side by side.
    pub(crate) fn figures(&mut self, figures: &[(&str, String)]) {
        let each = |(name, figure): &(&str, String)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escaped(figure));
        let figures: String = figures.iter().map(each).collect();
        self.add(&format!("<dl id=\"figures\">{figures}</dl>"));
    }

    /// The beginning of a section.
    pub(crate) fn section(&mut self, id: &str, title: &str) {
        self.add(&format!("<section id=\"{id}\"><h2>{title}</h2>"));
    }

    /// The end of a section.
    pub(crate) fn end_section(&mut self) {
        self.add("</section>");
    }

    /// Adds a table of documents.
    pub(crate) fn table<T>(&mut self, title: &str, id: &str, rows: &[T], columns: &[PageColumn<T>]) {
        self.section(id, title);
        if rows.is_empty() {
            self.add("<p>None.</p>");
            return self.end_section();
        }
        self.put("<div class=\"wide\"><table><thead><tr>");
        for (head, kind, _) in columns {
            let class = if *kind == Kind::Number { class(*kind) } else { "" };
            self.add(&format!("<th{class}>{head}</th>"));
        }
        self.add("</tr></thead><tbody>");
        for row in rows {
            self.put("<tr>");
            for (_, kind, member) in columns {
                self.put(&format!("<td{}>{}</td>", class(*kind), escaped(&member(row))));
            }
            self.add("</tr>");
        }
        self.add("</tbody></table></div>");
        self.end_section();
    }

    /// The end of the page, and the page. The footer is HTML already.
    pub(crate) fn end(mut self, footer: &str) -> String {
        self.add(&format!("</main><footer>{footer}</footer></body></html>"));
        self.0
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Word => "",
        Kind::Number => " class=\"number\"",
        Kind::Sentence => " class=\"words\"",
    }
}

/// A time without its fractions. The fractions are cut and not rounded.
pub(crate) fn short(time: Timestamp) -> String {
    let time = time.to_string();
    let second = time.split('.').next().unwrap_or_default();
    second.trim_end_matches('Z').replace('T', " ")
}

/// Returns text that is safe in a page, in an element or an attribute: nothing in it is markup, and nothing changes
/// the direction of the text next to it.
pub(crate) fn escaped(text: &str) -> String {
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
