//! Values that are given to names that say secret: `API_KEY=…`, `"apiKey": "…"`, `-H "Authorization: Bearer …"`.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use ibyok_providers::{Catalogue, Matched};

use super::values::{is_placeholder, is_random, is_secret};
use super::{By, Hit, names};
use crate::stream::Window;

/// What every name of a secret has somewhere.
const WORDS: &[&str] = &[
    "key",
    "token",
    "secret",
    "passw",
    "passphrase",
    "pwd",
    "credential",
    "auth",
    "bearer",
    "connection_string",
    "_pat",
];

/// The longest name, and the longest value, that is looked at.
const NAME_MAX: usize = 80;
const VALUE_MAX: usize = 512;

/// How many blanks there may be around what assigns.
const BLANKS: usize = 16;

/// Finds assignments.
#[derive(Debug)]
pub(crate) struct Assignments {
    words: Option<AhoCorasick>,
    catalogue: &'static Catalogue,
}

impl Assignments {
    pub(crate) fn of(catalogue: &'static Catalogue) -> Self {
        let words = AhoCorasick::builder().ascii_case_insensitive(true).build(WORDS);
        Assignments {
            words: words.ok(),
            catalogue,
        }
    }

    /// Every value in the window that looks like a secret and is given to a name that says so.
    pub(crate) fn find(&self, window: &Window<'_>, hits: &mut Vec<Hit>) {
        let Some(words) = &self.words else {
            return;
        };
        let mut done = 0;
        let own = window.get(0..window.own.end + NAME_MAX);
        for found in words.find_iter(aho_corasick::Input::new(own).range(window.own.start..)) {
            if found.start() >= window.own.end {
                return;
            }
            if found.start() < done {
                continue;
            }
            let name = name(window.text, found.start());
            done = name.end;
            if let Some(value) = assigned(window.text, name.end) {
                hits.extend(self.judge(window, name, value));
            }
        }
    }

    fn judge(&self, window: &Window<'_>, name: Range<usize>, value: Value) -> Option<Hit> {
        let text = window.get(value.span.clone());
        let named = window.get(name.clone());
        let says_secret = names::is_secret(named);
        if text.len() < 16 || is_placeholder(text) || !is_random(text) {
            return None;
        }
        let provider = names::provider(self.catalogue, named);
        let exact = provider.filter(|provider| {
            let variable = provider
                .variables()
                .any(|variable| named.ends_with(variable.as_bytes()));
            (says_secret || variable) && provider.matches(text) == Matched::Yes && !looks_like_code(text)
        });
        let by = match exact {
            Some(provider) => By::Context(provider),
            None if says_secret && is_secret(text, value.quoted) => By::Generic(provider),
            None => return None,
        };
        Some(Hit {
            span: value.span,
            name: Some(name),
            prefix: 0,
            by,
        })
    }
}

/// Whether it is a call, a template or a path rather than a value.
fn looks_like_code(value: &[u8]) -> bool {
    value
        .iter()
        .any(|byte| matches!(byte, b'(' | b')' | b'$' | b'{' | b'<' | b' '))
}

/// The name around a place.
fn name(text: &[u8], at: usize) -> Range<usize> {
    let before = text.get(at.saturating_sub(NAME_MAX)..at).unwrap_or_default();
    let start = at
        - before
            .iter()
            .rev()
            .take_while(|byte| in_name(**byte) || **byte == b'.')
            .count();
    let after = text.get(at..).unwrap_or_default();
    let end = at + after.iter().take(NAME_MAX).take_while(|byte| in_name(**byte)).count();
    start..end
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

struct Value {
    span: Range<usize>,
    quoted: bool,
}

/// The value that a name that ends at a place is given.
fn assigned(text: &[u8], at: usize) -> Option<Value> {
    let mut cursor = Cursor { text, at };
    // What closes the name: a quote, an index, a call's first argument.
    cursor.skip(4, |byte| matches!(byte, b'"' | b'\'' | b'`' | b']' | b')' | b'\\'));
    cursor.blanks();
    cursor.type_before();
    cursor.compound();
    let mut assigns = cursor.skip(4, |byte| matches!(byte, b'=' | b':' | b'>' | b',' | b'?'));
    if assigns.is_empty() && cursor.rest().starts_with(b"value=") {
        assigns = b"=";
    }
    if assigns.is_empty() || assigns.starts_with(b">") && assigns.len() > 1 {
        return None;
    }
    let loose = matches!(assigns, b"," | b">" | b"?");
    cursor.blanks();
    let below = cursor.below(assigns);
    if assigns == b":" {
        cursor.type_annotation();
    }
    cursor.word(b"value=");
    cursor.opening();
    let open = cursor.skip(2, |byte| byte == b'\\').len();
    let quote = cursor
        .skip(1, |byte| matches!(byte, b'"' | b'\'' | b'`'))
        .first()
        .copied();
    if open > 0 && quote.is_none() {
        return None;
    }
    cursor.skip(2, |byte| byte == b'"' || byte == b'\'');
    for scheme in [b"Bearer ".as_slice(), b"Basic ", b"bearer ", b"token ", b"Token "] {
        cursor.word(scheme);
    }
    match quote {
        Some(quote) => cursor.quoted(quote),
        // `f(api_key, other)`, `if key > limit`: what is given is in quotes there. `<apiKey>…</apiKey>` closes itself.
        None if loose && assigns != b">" => None,
        None => cursor.bare(assigns == b">" && !below),
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, most: usize, which: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().take(most).take_while(|byte| which(**byte)).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn blanks(&mut self) {
        self.skip(BLANKS, |byte| byte == b' ' || byte == b'\t');
    }

    fn word(&mut self, word: &[u8]) {
        if self.rest().starts_with(word) {
            self.at += word.len();
        }
    }

    /// Past what stands before a literal: `r"…"`, `String::from("…")`, `@"…"`.
    fn opening(&mut self) {
        let rest = self.rest();
        let before = |byte: &&u8| !matches!(byte, b'"' | b'\'' | b'`' | b'\n' | b' ' | b'=' | b',');
        let length = rest.iter().take(24).take_while(before).count();
        let prefix = rest.get(..length).unwrap_or_default();
        let call = prefix.ends_with(b"(")
            || matches!(
                prefix,
                b"r" | b"b" | b"f" | b"u" | b"br" | b"rb" | b"@" | b"&" | b"[" | b"r#"
            );
        if call && rest.get(length).is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`')) {
            self.at += length;
        }
    }

    /// Past the type in `var apiKey string = "…"`.
    fn type_before(&mut self) {
        if self.rest().starts_with(b"string ") {
            self.at += b"string".len();
            self.blanks();
        }
    }

    /// Past what adds to a value as it assigns: `+=`, `.=`.
    fn compound(&mut self) {
        if self.rest().starts_with(b"+=") || self.rest().starts_with(b".=") {
            self.at += 1;
        }
    }

    /// Past the end of the line where the value stands on the next: YAML's `key: |` and `key: >`, and `<key>` on a line of its own.
    fn below(&mut self, assigns: &[u8]) -> bool {
        let start = self.at;
        let marked = assigns == b":" && !self.skip(1, |byte| byte == b'|' || byte == b'>').is_empty();
        if marked {
            self.skip(1, |byte| byte == b'-' || byte == b'+');
        }
        self.skip(1, |byte| byte == b'\r');
        let below = (marked || assigns == b">") && !self.skip(1, |byte| byte == b'\n').is_empty();
        if below {
            self.blanks();
        } else {
            self.at = start;
        }
        below
    }

    /// Past the type in `api_key: &'static str = "…"`.
    fn type_annotation(&mut self) {
        let rest = self.rest();
        let in_type = |byte: &&u8| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'_' | b'&' | b'\'' | b'<' | b'>' | b'[' | b']' | b'.' | b' ' | b'|' | b'?'
                )
        };
        let length = rest.iter().take(40).take_while(in_type).count();
        if rest.get(length) == Some(&b'=') && rest.get(..length).is_some_and(|of| of.contains(&b' ')) {
            self.at += length + 1;
            self.blanks();
        }
    }

    /// What stands until the quote that closes it, on this line.
    fn quoted(&mut self, quote: u8) -> Option<Value> {
        let rest = self.rest();
        let end = rest
            .iter()
            .take(VALUE_MAX + 1)
            .position(|byte| *byte == quote || matches!(byte, b'\\' | b'\n' | b'"'))?;
        let closed = rest.get(end) != Some(&b'\n');
        closed.then(|| self.value(end, true))
    }

    /// What stands until a blank or what ends an argument.
    fn bare(&mut self, in_tags: bool) -> Option<Value> {
        let rest = self.rest();
        let ends = |byte: u8| {
            byte.is_ascii_whitespace()
                || matches!(
                    byte,
                    b'"' | b'\'' | b'`' | b';' | b',' | b'<' | b')' | b'}' | b']' | b'&' | b'\\'
                )
        };
        let end = rest.iter().take(VALUE_MAX + 1).position(|byte| ends(*byte));
        let end = end.unwrap_or(rest.len().min(VALUE_MAX + 1));
        let closes = rest.get(end).copied();
        let right = if in_tags {
            closes == Some(b'<')
        } else {
            end <= VALUE_MAX
        };
        right.then(|| self.value(end, false))
    }

    fn value(&self, length: usize, quoted: bool) -> Value {
        Value {
            span: self.at..self.at + length,
            quoted,
        }
    }
}
