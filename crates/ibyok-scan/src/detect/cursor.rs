//! Finds the beginning and the end of an assigned value, in the syntaxes of many languages.

use std::ops::Range;

/// The longest value that is checked.
const VALUE_MAX: usize = 512;

/// The largest number of blanks around an assignment operator.
const BLANKS: usize = 16;

/// A value that is assigned.
pub(crate) struct Value {
    pub(crate) span: Range<usize>,
    pub(crate) quoted: bool,
}

/// The way to read a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Keys: what ends an argument ends the value.
    Key,
    /// Passwords, which may hold any symbol: the line, a blank or the quote that closes it ends the value.
    Password,
    /// Passwords in a connection string, where `;` and `&` end the value too.
    Connection,
}

/// The value that a name that ends at a place is given. A blank assigns too where the name is an option (`--password x`).
pub(crate) fn assigned(text: &[u8], at: usize, reading: Reading, option: bool) -> Option<Value> {
    let mut cursor = Cursor { text, at };
    // What closes the name: a quote, an index, a call's first argument.
    let closed = cursor.skip(4, |byte| matches!(byte, b'"' | b'\'' | b'`' | b']' | b')' | b'\\'));
    let blanks = cursor.blanks();
    cursor.type_before();
    cursor.compound();
    let mut assigns = cursor.skip(4, |byte| matches!(byte, b'=' | b':' | b'>' | b',' | b'?'));
    if assigns.is_empty() && (cursor.rest().starts_with(b"value=") || option && closed.is_empty() && blanks > 0) {
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
    let in_tags = assigns == b">" && !below;
    match (quote, reading) {
        (Some(quote), Reading::Password | Reading::Connection) if open == 0 => cursor.quoted_password(quote),
        (Some(quote), _) => cursor.quoted(quote),
        // `f(api_key, other)`, `if key > limit`: what is given is in quotes there. `<apiKey>…</apiKey>` closes itself.
        (None, _) if loose && assigns != b">" => None,
        (None, Reading::Key) => cursor.bare(in_tags),
        (None, _) => cursor.bare_password(in_tags, reading),
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

    fn blanks(&mut self) -> usize {
        self.skip(BLANKS, |byte| byte == b' ' || byte == b'\t').len()
    }

    fn word(&mut self, word: &[u8]) {
        if self.rest().starts_with(word) {
            self.at += word.len();
        }
    }

    /// Moves past the text before a literal: `r"…"`, `String::from("…")`, `@"…"`.
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

    /// Moves past operators that append to a value: `+=`, `.=`.
    fn compound(&mut self) {
        if self.rest().starts_with(b"+=") || self.rest().starts_with(b".=") {
            self.at += 1;
        }
    }

    /// Moves past the end of the line if the value is on the next line: YAML's `key: |` and `key: >`, and `<key>` on
    /// a line of its own.
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

    /// Returns the text up to the closing quote, on this line.
    fn quoted(&mut self, quote: u8) -> Option<Value> {
        let rest = self.rest();
        let end = rest
            .iter()
            .take(VALUE_MAX + 1)
            .position(|byte| *byte == quote || matches!(byte, b'\\' | b'\n' | b'"'))?;
        let closed = rest.get(end) != Some(&b'\n');
        closed.then(|| self.value(end, true))
    }

    /// Returns the text up to a blank or the end of an argument.
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

    /// Returns the text up to the closing quote, with any characters between.
    fn quoted_password(&mut self, quote: u8) -> Option<Value> {
        let rest = self.rest();
        let mut escaped = false;
        let ends = |byte: &u8| {
            let ends = *byte == b'\n' || *byte == quote && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        };
        let end = rest.iter().take(VALUE_MAX).position(ends)?;
        (rest.get(end) == Some(&quote)).then(|| self.value(end, true))
    }

    /// Returns the text up to a blank or a quote, without the characters that close a list or a call around it.
    fn bare_password(&mut self, in_tags: bool, reading: Reading) -> Option<Value> {
        let rest = self.rest();
        let ends = |byte: u8| {
            let joins = reading == Reading::Connection && matches!(byte, b';' | b'&');
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`') || in_tags && byte == b'<' || joins
        };
        let end = rest.iter().take(VALUE_MAX).position(|byte| ends(*byte));
        let end = end.unwrap_or(rest.len().min(VALUE_MAX));
        if in_tags && rest.get(end) != Some(&b'<') {
            return None;
        }
        let value = rest.get(..end).unwrap_or_default();
        let value = value.get(..settings(value)).unwrap_or_default();
        Some(self.value(closed_by_itself(value), false))
    }

    fn value(&self, length: usize, quoted: bool) -> Value {
        Value {
            span: self.at..self.at + length,
            quoted,
        }
    }
}

/// Returns the position at which another setting begins: `;Server=db`, `&sslmode=off`.
fn settings(value: &[u8]) -> usize {
    let named = |rest: &[u8]| {
        let letters = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_')
            .count();
        letters > 1 && rest.get(letters) == Some(&b'=')
    };
    let mut joins = memchr::memchr2_iter(b';', b'&', value);
    joins
        .find(|at| named(value.get(at + 1..).unwrap_or_default()))
        .unwrap_or(value.len())
}

/// Its length without a comma or a semicolon at the end, and without brackets that it did not open.
fn closed_by_itself(value: &[u8]) -> usize {
    let mut length = value.len();
    while let Some((last, before)) = value.get(..length).and_then(<[u8]>::split_last) {
        let opens = match last {
            b',' | b';' => None,
            b')' => Some(b'('),
            b']' => Some(b'['),
            b'}' => Some(b'{'),
            _ => return length,
        };
        if opens.is_some_and(|opens| before.contains(&opens)) {
            return length;
        }
        length = before.len();
    }
    length
}
