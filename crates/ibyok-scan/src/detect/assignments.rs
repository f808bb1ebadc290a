//! Values that are given to names that say secret: `API_KEY=…`, `"apiKey": "…"`, `-H "Authorization: Bearer …"`.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use ibyok_policy::TokenId;
use ibyok_providers::{Catalogue, Matched};

use super::cursor::{Reading, Value, assigned};
use super::names::Says;
use super::passwords::{is_code, is_password, is_password_of};
use super::placeholders::is_example;
use super::sealed::is_sealed;
use super::urls::decoded;
use super::values::{is_random, is_secret};
use super::{By, Hit, names};
use crate::stream::Window;

/// Words of which every name of a secret contains one.
const WORDS: &[&str] = &[
    "key",
    "token",
    "secret",
    "pass",
    "pwd",
    "credential",
    "auth",
    "bearer",
    "connection_string",
    "_pat",
];

/// The longest name that is checked.
const NAME_MAX: usize = 80;

/// The number of bytes before a name in which a connection string may begin.
const CONNECTION_MAX: usize = 120;

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

    /// Every value in the window that looks like a secret and is assigned to a name for secrets. In a file of `settings` a value
    /// without quotes is no variable.
    pub(crate) fn find(&self, window: &Window<'_>, settings: bool, hits: &mut Vec<Hit>) {
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
            let hit = self.judge(window, &name, settings);
            hits.extend(hit.filter(|hit| !is_sealed(window.text, name.start) && !is_token_id(window, &name, hit)));
        }
    }

    fn judge(&self, window: &Window<'_>, name: &Range<usize>, settings: bool) -> Option<Hit> {
        let named = window.get(name.clone());
        let says = names::says(named);
        if says == Says::Password
            && let Some(hit) = password(window, name, settings)
        {
            return Some(hit);
        }
        let value = assigned(window.text, name.end, Reading::Key, named.starts_with(b"--"))?;
        let text = window.get(value.span.clone());
        if says != Says::Nothing && is_basic(window, &value) {
            return Some(hit(value, name, By::Password));
        }
        if text.len() < 16 || !is_random(text) || is_example(text) {
            return None;
        }
        let provider = names::provider(self.catalogue, named);
        let exact = provider.filter(|provider| {
            let variable = provider
                .variables()
                .any(|variable| named.ends_with(variable.as_bytes()));
            (says != Says::Nothing || variable) && provider.matches(text) == Matched::Yes && !looks_like_code(text)
        });
        let shortest = if value.quoted || settings || says == Says::Password {
            16
        } else {
            20
        };
        let by = match exact {
            Some(provider) => By::Context(provider),
            None if says != Says::Nothing && is_secret(text, shortest) => By::Generic(provider),
            None => return None,
        };
        Some(hit(value, name, by))
    }
}

fn hit(value: Value, name: &Range<usize>, by: By) -> Hit {
    Hit {
        span: value.span,
        name: Some(name.clone()),
        prefix: 0,
        by,
    }
}

/// Returns true if a value is the id of an access token in one of the vault's own reports, which are JSON. Such an id
/// is no secret, although it is as long as a secret.
fn is_token_id(window: &Window<'_>, name: &Range<usize>, hit: &Hit) -> bool {
    const AROUND: usize = 400;
    const FIELDS: &[&[u8]] = &[
        b"\"state\"",
        b"\"last\"",
        b"\"count\"",
        b"\"network\"",
        b"\"scopes\"",
        b"\"seen\"",
    ];
    let id = std::str::from_utf8(window.get(hit.span.clone())).unwrap_or_default();
    let around = window.get(name.start.saturating_sub(AROUND)..hit.span.end + AROUND);
    let has = |field: &&[u8]| memchr::memmem::find(around, field).is_some();
    window.get(name.clone()) == b"token"
        && id.parse::<TokenId>().is_ok()
        && has(&b"\"name\"".as_slice())
        && FIELDS.iter().any(has)
}

/// The password assigned to a name that means password.
fn password(window: &Window<'_>, name: &Range<usize>, settings: bool) -> Option<Hit> {
    let named = window.get(name.clone());
    let connection = in_connection(window, name);
    let reading = if connection {
        Reading::Connection
    } else {
        Reading::Password
    };
    let value = assigned(window.text, name.end, reading, connection || named.starts_with(b"--"))?;
    let text = window.get(value.span.clone());
    let is_one = match reading {
        Reading::Connection => !is_code(text) && is_password_of(b"", &decoded(text).unwrap_or_default()),
        // Without quotes a value of code is an expression.
        _ => is_password(text) && (value.quoted || settings || !is_code(text)),
    };
    is_one.then(|| hit(value, name, By::Generic(None)))
}

/// Returns true if a name is one of several in a connection string, an address's query or a line of `.netrc`.
fn in_connection(window: &Window<'_>, name: &Range<usize>) -> bool {
    let before = window.get(name.start.saturating_sub(CONNECTION_MAX)..name.start);
    let has = |text: &[u8]| memchr::memmem::find(before, text).is_some();
    // `;a.password=b()` is code.
    let selects = window.get(name.clone()).contains(&b'.');
    match before.last() {
        Some(b';' | b'&' | b'?') => !selects,
        Some(b' ') => has(b"host=") || has(b"user=") || has(b"dbname=") || has(b"login "),
        _ => false,
    }
}

/// Returns true if a value is a user and a password in base64, as in `Authorization: Basic …`.
fn is_basic(window: &Window<'_>, value: &Value) -> bool {
    if !window.get(0..value.span.start).ends_with(b"Basic ") {
        return false;
    }
    let text = window.get(value.span.clone());
    let text = text.split(|byte| *byte == b'=').next().unwrap_or_default();
    let decoded = data_encoding::BASE64_NOPAD.decode(text).unwrap_or_default();
    let colon = memchr::memchr(b':', &decoded);
    colon.is_some_and(|colon| {
        let (user, password) = decoded.split_at(colon);
        is_password_of(user, password.get(1..).unwrap_or_default())
    })
}

/// Returns true if the text is a call, a template or a path rather than a value.
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
