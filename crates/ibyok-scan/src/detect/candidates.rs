//! Finds candidates for whole values, about which a matcher is asked: the text in quotes, words, their parts, and the
//! decoded forms of these.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding};

use super::{By, Hit};
use crate::matcher::{KnownKey, Matcher};
use crate::stream::Window;

/// The longest candidate, in bytes.
const LONGEST: usize = 8 * 1024;

/// The largest number of separators of one word to check.
const SEPARATORS: usize = 12;

/// The largest number of candidates remembered as no key, so that the matcher is not asked about them twice.
const REMEMBERED: usize = 1 << 20;

/// Asks a matcher about the candidates of texts.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    unknown: HashSet<u64>,
    hasher: RandomState,
}

impl Candidates {
    /// Every key that the matcher knows of and that begins in the window.
    pub(crate) fn find(&mut self, matcher: &dyn Matcher, window: &Window<'_>, hits: &mut Vec<Hit>) {
        self.words(matcher, window, hits);
        self.quoted(matcher, window, hits);
    }

    fn words(&mut self, matcher: &dyn Matcher, window: &Window<'_>, hits: &mut Vec<Hit>) {
        let mut at = window.own.start;
        // A word that began earlier belongs to the window before.
        if at > 0 && window.text.get(at - 1).is_some_and(|byte| in_word(*byte)) {
            at += word(window.get(at..window.text.len()));
        }
        while at < window.own.end {
            let length = word(window.get(at..window.text.len()));
            if length >= matcher.shortest() && length <= LONGEST {
                self.word(matcher, window.text, at..at + length, hits);
            }
            at += length.max(1);
        }
    }

    /// Asks about a word, and about its parts between two of its separators.
    fn word(&mut self, matcher: &dyn Matcher, text: &[u8], word: Range<usize>, hits: &mut Vec<Hit>) {
        let separates = |at: &usize| text.get(*at).is_some_and(|byte| separates(*byte));
        let separators: Vec<usize> = word.clone().filter(separates).take(SEPARATORS).collect();
        let starts = std::iter::once(word.start).chain(separators.iter().map(|at| at + 1));
        for start in starts {
            let ends = separators.iter().copied().filter(|end| *end > start);
            for end in ends.chain([word.end]) {
                self.ask(matcher, text, start..end, hits);
            }
        }
    }

    /// Asks about the text between two quotes of the same sort, blanks and all.
    fn quoted(&mut self, matcher: &dyn Matcher, window: &Window<'_>, hits: &mut Vec<Hit>) {
        let own = window.get(window.own.clone());
        for found in memchr::memchr3_iter(b'"', b'\'', b'`', own) {
            let start = window.own.start + found + 1;
            let quote = own.get(found).copied().unwrap_or_default();
            let rest = window.get(start..start + LONGEST);
            let Some(length) = memchr::memchr2(quote, b'\n', rest) else {
                continue;
            };
            let content = rest.get(..length).unwrap_or_default();
            // Without one of these it is a word, and was asked about.
            if length >= matcher.shortest() && content.iter().any(|byte| !in_word(*byte)) {
                self.ask(matcher, window.text, start..start + length, hits);
            }
        }
    }

    fn ask(&mut self, matcher: &dyn Matcher, text: &[u8], span: Range<usize>, hits: &mut Vec<Hit>) {
        let candidate = text.get(span.clone()).unwrap_or_default();
        if candidate.len() < matcher.shortest() {
            return;
        }
        let hash = self.hasher.hash_one(candidate);
        if self.unknown.contains(&hash) {
            return;
        }
        match known(matcher, candidate) {
            Some(key) => hits.push(Hit {
                span,
                name: None,
                prefix: 0,
                by: By::Known(key),
            }),
            None => {
                if self.unknown.len() >= REMEMBERED {
                    self.unknown.clear();
                }
                self.unknown.insert(hash);
            }
        }
    }
}

/// Returns the key that equals a candidate: as it is, or decoded, or a part of the decoded text (`user:key` in
/// `Authorization: Basic`).
fn known(matcher: &dyn Matcher, candidate: &[u8]) -> Option<KnownKey> {
    if let Some(key) = matcher.find(candidate) {
        return Some(key);
    }
    let mut decoded = Vec::new();
    decoded.extend(from_url(candidate));
    decoded.extend(from_base64(candidate));
    let long = |part: &&[u8]| part.len() >= matcher.shortest();
    decoded.iter().find_map(|text| {
        let trimmed = text.trim_ascii_end();
        let parts = trimmed.splitn(2, |byte| *byte == b':');
        let all = [text.as_slice(), trimmed].into_iter().chain(parts);
        all.filter(long).find_map(|part| matcher.find(part))
    })
}

fn from_base64(candidate: &[u8]) -> Option<Vec<u8>> {
    let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    if !candidate.iter().all(of_base64) {
        return None;
    }
    let url = candidate.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let padded = candidate.last() == Some(&b'=');
    let encoding: &Encoding = match (url, padded) {
        (false, false) => &BASE64_NOPAD,
        (false, true) => &BASE64,
        (true, false) => &BASE64URL_NOPAD,
        (true, true) => &BASE64URL,
    };
    encoding.decode(candidate).ok()
}

fn from_url(candidate: &[u8]) -> Option<Vec<u8>> {
    candidate.contains(&b'%').then(|| {
        let mut decoded = Vec::with_capacity(candidate.len());
        let mut rest = candidate;
        while let Some((first, after)) = rest.split_first() {
            let escaped = (*first == b'%').then(|| after.split_first_chunk::<2>()).flatten();
            let byte =
                escaped.and_then(|(hex, tail)| Some((data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()?, tail)));
            match byte {
                Some((byte, tail)) => {
                    decoded.extend(byte);
                    rest = tail;
                }
                None => {
                    decoded.push(if *first == b'+' { b' ' } else { *first });
                    rest = after;
                }
            }
        }
        decoded
    })
}

/// Returns true if a byte is part of a word: no blank, no quote, and no bracket or list separator.
fn in_word(byte: u8) -> bool {
    !(byte.is_ascii_whitespace()
        || byte.is_ascii_control()
        || matches!(
            byte,
            b'"' | b'\'' | b'`' | b',' | b';' | b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'|' | b'\\'
        ))
}

fn word(text: &[u8]) -> usize {
    text.iter().position(|byte| !in_word(*byte)).unwrap_or(text.len())
}

fn separates(byte: u8) -> bool {
    matches!(byte, b'=' | b':' | b'@' | b'&' | b'?' | b'/' | b'#')
}
