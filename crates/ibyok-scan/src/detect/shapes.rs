//! Shapes that nothing else has, searched anywhere in a text.
//!
//! Most begin with a unique prefix (`sk-ant-`): one pass of Aho and Corasick's automaton over the text finds the places where
//! they may begin. The others (`[0-9a-f]{32}-us1`) are tried at the starts of long runs of characters of keys.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use ibyok_policy::Token;
use ibyok_providers::{Catalogue, MAX_VALUE_LEN, Provider, Shape};
use memchr::memmem;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::bounds::{begins_word, in_run, is_host, run};
use super::placeholders::is_example;
use super::{By, Hit};
use crate::stream::Window;

/// The minimum length of a prefix to search for.
const PREFIX_MIN: usize = 3;

/// The token that `docs/tokens.md` explains. It belongs to no vault.
const PUBLISHED: &str = concat!(
    "ibyok_Ab3dEf9h000SYW7RiJy4vCtPHnHiPP_",
    "05K1WLooHw8FLrHkyOy3vQEdjI20PnIV4BnvWAhwDUfS0zIZ8Rb870qqg0v"
);

/// The shortest run that a shape without a prefix is tried in; all of them are longer.
const RUN_MIN: usize = 30;

/// All shapes of a catalogue, ready.
#[derive(Debug)]
pub(crate) struct Shapes {
    /// Finds prefixes; `None` if there is none to find.
    prefixes: Option<AhoCorasick>,
    /// For each prefix, the shapes that may begin with it.
    begin: Vec<Vec<usize>>,
    shapes: Vec<Searched>,
    /// Those that are tried in runs.
    in_runs: Vec<usize>,
}

#[derive(Debug)]
struct Searched {
    provider: &'static Provider,
    pattern: String,
    /// Compiled when a value first begins like it.
    regex: OnceLock<Option<Regex>>,
    /// A literal that every value contains.
    within: Vec<u8>,
    /// The number of characters at the start of a value that only name the provider.
    prefix: usize,
    /// True if the provider publishes such keys by design.
    public: bool,
}

impl Shapes {
    pub(crate) fn of(catalogue: &'static Catalogue) -> Self {
        let mut shapes = Vec::new();
        let mut starts: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut in_runs = Vec::new();
        for provider in catalogue.iter() {
            for shape in provider.shapes().iter().filter(|shape| is_a_word(shape)) {
                let mut searched = Searched::new(provider, shape);
                let prefixes = shape.prefixes().unwrap_or_default();
                let shortest = prefixes.iter().map(Vec::len).min().unwrap_or_default();
                if shortest < PREFIX_MIN {
                    in_runs.push(shapes.len());
                } else {
                    searched.prefix = shortest;
                    starts.extend(prefixes.into_iter().map(|prefix| (prefix, shapes.len())));
                }
                shapes.push(searched);
            }
        }
        let (prefixes, begin) = automaton(starts);
        Shapes {
            prefixes,
            begin,
            shapes,
            in_runs,
        }
    }

    /// Finds every value of a shape, and every access token of IBYOK, that begins in the window.
    pub(crate) fn find(&self, window: &Window<'_>, hits: &mut Vec<Hit>) {
        self.by_prefix(window, hits);
        self.by_runs(window, hits);
    }

    fn by_prefix(&self, window: &Window<'_>, hits: &mut Vec<Hit>) {
        let Some(prefixes) = &self.prefixes else {
            return;
        };
        let mut from = window.own.start;
        while from < window.own.end {
            let input = Input::new(window.text).range(from..);
            let Some(found) = prefixes.find(input) else {
                return;
            };
            let at = found.start();
            if at >= window.own.end {
                return;
            }
            from = at + 1;
            if !begins_word(window.text, at) {
                continue;
            }
            let value = window.get(at..at + MAX_VALUE_LEN);
            let begun = self.begin.get(found.pattern().as_usize());
            for shape in begun.into_iter().flatten() {
                match self.shapes.get(*shape) {
                    Some(shape) => hits.extend(shape.hit(window.text, value, at)),
                    None => hits.extend(token(value, at)),
                }
            }
        }
    }

    fn by_runs(&self, window: &Window<'_>, hits: &mut Vec<Hit>) {
        let mut at = window.own.start;
        // What began before belongs to the window before.
        if at > 0 && window.text.get(at - 1).is_some_and(|byte| in_run(*byte)) {
            at += run(window.get(at..window.text.len()));
        }
        while at < window.own.end {
            let rest = window.get(at..window.text.len());
            let length = run(rest);
            if length >= RUN_MIN {
                self.in_run(window.get(0..at + length), at, hits);
            }
            at += length.max(1);
        }
    }

    /// Tries at each start of a word in the run that `text` ends with.
    fn in_run(&self, text: &[u8], start: usize, hits: &mut Vec<Hit>) {
        let run = text.get(start..).unwrap_or_default();
        let possible: Vec<&Searched> = self
            .in_runs
            .iter()
            .filter_map(|shape| self.shapes.get(*shape))
            .filter(|shape| memmem::find(run, &shape.within).is_some())
            .collect();
        if possible.is_empty() {
            return;
        }
        let mut at = start;
        while at + RUN_MIN <= text.len() {
            if begins_word(text, at) {
                let end = text.len().min(at + MAX_VALUE_LEN);
                let value = text.get(at..end).unwrap_or_default();
                hits.extend(possible.iter().filter_map(|shape| shape.hit(text, value, at)));
            }
            at += 1;
        }
    }
}

/// Returns true if a text can be searched for a shape. A document that may begin with anything cannot (its private
/// key is found instead), nor can a shape that only its context identifies.
fn is_a_word(shape: &Shape) -> bool {
    !shape.is_context_only() && !shape.pattern().starts_with("(?s)")
}

/// The automaton over prefixes none of which begins another, and the shapes that each may begin. Our own tokens are a shape beyond the last.
fn automaton(mut starts: Vec<(Vec<u8>, usize)>) -> (Option<AhoCorasick>, Vec<Vec<usize>>) {
    starts.push((Token::PREFIX.as_bytes().to_vec(), usize::MAX));
    starts.sort();
    let mut patterns: Vec<Vec<u8>> = Vec::new();
    let mut begin: Vec<Vec<usize>> = Vec::new();
    for (prefix, shape) in starts {
        match (patterns.last(), begin.last_mut()) {
            (Some(shorter), Some(shapes)) if prefix.starts_with(shorter) => {
                if !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
            _ => {
                patterns.push(prefix);
                begin.push(vec![shape]);
            }
        }
    }
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(patterns);
    (automaton.ok(), begin)
}

impl Searched {
    fn new(provider: &'static Provider, shape: &Shape) -> Self {
        Searched {
            provider,
            pattern: format!(r"\A(?:{})\b{{end-half}}", shape.pattern()),
            regex: OnceLock::new(),
            within: longest_literal(shape.pattern()),
            prefix: 0,
            public: shape.is_public(),
        }
    }

    /// `None` for a pattern that does not compile; a test says that there is none.
    fn regex(&self) -> Option<&Regex> {
        let compiled = || RegexBuilder::new(&self.pattern).unicode(false).build().ok();
        self.regex.get_or_init(compiled).as_ref()
    }

    /// Returns the value with which `text` begins. `at` is the place of `text`.
    fn hit(&self, window: &[u8], text: &[u8], at: usize) -> Option<Hit> {
        let value = self.regex()?.find(text)?.as_bytes();
        let body = value.get(self.prefix..).unwrap_or_default();
        let end = at + value.len();
        if is_example(body) || ibyok_providers::is_mock(value) || is_host(window, at..end) {
            return None;
        }
        let by = if self.public {
            By::Public(self.provider)
        } else {
            By::Shape(self.provider)
        };
        Some(Hit {
            span: at..end,
            name: None,
            prefix: self.prefix,
            by,
        })
    }
}

/// The access token that `text` begins with.
fn token(text: &[u8], at: usize) -> Option<Hit> {
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text
        .iter()
        .take(Token::MAX_LEN + 1)
        .take_while(|byte| letters(byte))
        .count();
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    (Token::parse(text).is_ok() && text != PUBLISHED).then(|| Hit {
        span: at..at + length,
        name: None,
        prefix: Token::PREFIX.len(),
        by: By::Token,
    })
}

/// Returns a literal that every value of a pattern contains: the longest literal that is a part of the pattern
/// itself.
fn longest_literal(pattern: &str) -> Vec<u8> {
    fn literals<'a>(hir: &'a Hir, found: &mut Vec<&'a [u8]>) {
        match hir.kind() {
            HirKind::Literal(literal) => found.push(&literal.0),
            HirKind::Concat(parts) => parts.iter().for_each(|part| literals(part, found)),
            HirKind::Repetition(repetition) if repetition.min > 0 => literals(&repetition.sub, found),
            HirKind::Capture(capture) => literals(&capture.sub, found),
            _ => {}
        }
    }
    let parsed = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern);
    let Ok(hir) = parsed else {
        return Vec::new();
    };
    let mut found = Vec::new();
    literals(&hir, &mut found);
    found
        .into_iter()
        .max_by_key(|literal| literal.len())
        .unwrap_or_default()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_that_nothing_else_has_is_searched_for() {
        let catalogue = Catalogue::builtin();
        let words = catalogue
            .iter()
            .flat_map(Provider::shapes)
            .filter(|shape| is_a_word(shape));
        let shapes = Shapes::of(catalogue);
        assert_eq!(shapes.shapes.len(), words.count());
        assert!(shapes.prefixes.is_some());
        assert!(shapes.shapes.iter().all(|shape| shape.regex().is_some()));
        for shape in &shapes.in_runs {
            let shape = &shapes.shapes[*shape];
            assert!(!shape.within.is_empty(), "{} is tried in every run", shape.pattern);
        }
    }
}
