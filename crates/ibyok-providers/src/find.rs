//! Finds keys in the middle of other text, for programs that must not repeat them.

use std::ops::Range;

use crate::catalogue::Catalogue;
use crate::shape::{MAX_VALUE_LEN, Shape};

/// The shortest text without white space to search for a shape that may begin with any character: all such keys are longer.
const OPEN_MIN: usize = 20;

/// The shapes that nothing else has, prepared for the search.
#[derive(Debug)]
pub(crate) struct Finder {
    /// The shapes by the pair of bytes that they begin with. A shape of several prefixes is in several groups.
    groups: Vec<Vec<Sought>>,
    /// For each pair of bytes its place in `groups` plus one, or 0, so that most text costs one look a word.
    begun: Box<[u16]>,
    /// Shapes that may begin with anything.
    open: Vec<Sought>,
}

/// A shape by its places in the catalogue, and one of the texts that values of it begin with.
#[derive(Debug)]
struct Sought {
    provider: usize,
    shape: usize,
    prefix: Vec<u8>,
    /// The length of the shortest value. Most texts in which a key is sought are shorter than most keys.
    shortest: usize,
}

impl Finder {
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let mut finder = Self {
            groups: Vec::new(),
            begun: vec![0; 1 << 16].into_boxed_slice(),
            open: Vec::new(),
        };
        for (provider, entry) in catalogue.iter().enumerate() {
            let all = entry.shapes().iter().enumerate();
            // What a provider publishes by design is no secret.
            for (shape, of) in all.filter(|(_, shape)| !shape.is_context_only() && !shape.is_public()) {
                let shortest = of.shortest();
                let sought = |prefix| Sought {
                    provider,
                    shape,
                    prefix,
                    shortest,
                };
                let prefixes = of.prefixes().unwrap_or_default();
                if prefixes.is_empty() || prefixes.iter().any(|prefix| prefix.len() < 2) {
                    finder.open.push(sought(Vec::new()));
                } else {
                    prefixes.into_iter().for_each(|prefix| finder.add(sought(prefix)));
                }
            }
        }
        finder
    }

    fn add(&mut self, sought: Sought) {
        let Some(place) = pair(&sought.prefix).and_then(|pair| self.begun.get_mut(pair)) else {
            return;
        };
        if *place == 0 {
            self.groups.push(Vec::new());
            // Two letters begin far fewer groups than `u16` counts.
            *place = u16::try_from(self.groups.len()).unwrap_or(0);
        }
        if let Some(group) = self.groups.get_mut(usize::from(*place).wrapping_sub(1)) {
            group.push(sought);
        }
    }

    /// The shapes whose prefix begins with the first two bytes of `rest`.
    fn group(&self, rest: &[u8]) -> &[Sought] {
        let place = pair(rest).and_then(|pair| self.begun.get(pair)).copied();
        let group = place.and_then(|place| self.groups.get(usize::from(place).checked_sub(1)?));
        group.map_or(&[], Vec::as_slice)
    }

    fn at<'c>(&'c self, catalogue: &'c Catalogue, rest: &'c [u8]) -> impl Iterator<Item = usize> + 'c {
        let long = rest
            .get(..OPEN_MIN)
            .is_some_and(|run| !run.iter().any(u8::is_ascii_whitespace));
        let shapes = self
            .group(rest)
            .iter()
            .filter(move |sought| rest.starts_with(&sought.prefix));
        let open = self.open.iter().filter(move |_| long);
        let rest = rest.get(..MAX_VALUE_LEN).unwrap_or(rest);
        shapes
            .chain(open)
            .filter(|sought| sought.shortest <= rest.len())
            .filter_map(|sought| longest(sought.of(catalogue)?, rest))
    }
}

/// Returns the length of the longest value of a shape with which `rest` begins, and which ends before something that
/// is neither a letter nor a digit.
fn longest(shape: &Shape, rest: &[u8]) -> Option<usize> {
    if !shape.leads(rest) {
        return None;
    }
    let ends = |at: &usize| rest.get(*at).is_none_or(|next| !next.is_ascii_alphanumeric());
    let mut lengths = (1..=rest.len()).rev().filter(ends);
    lengths.find(|length| rest.get(..*length).is_some_and(|value| shape.fits(value)))
}

impl Sought {
    fn of<'c>(&self, catalogue: &'c Catalogue) -> Option<&'c Shape> {
        catalogue.iter().nth(self.provider)?.shapes().get(self.shape)
    }
}

impl Catalogue {
    /// Finds the first key of a provider in `text`, by shapes that nothing else has. It begins behind something that
    /// is neither a letter nor a digit, and ends before something that is neither.
    ///
    /// It is for keeping keys out of names and logs, and takes some nanoseconds for each word. Mocks are not found.
    pub fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        let finder = self.finder();
        let begins = |at: &usize| {
            at.checked_sub(1)
                .and_then(|before| text.get(before))
                .is_none_or(|b| !b.is_ascii_alphanumeric())
        };
        (0..text.len()).filter(begins).find_map(|at| {
            let rest = text.get(at..)?;
            let length = finder.at(self, rest).max()?;
            let found = rest.get(..length)?;
            (!self.is_mock(found)).then_some(at..at + length)
        })
    }
}

fn pair(text: &[u8]) -> Option<usize> {
    let (first, second) = (text.first()?, text.get(1)?);
    Some(usize::from(*first) << 8 | usize::from(*second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        Catalogue::builtin()
            .find(text.as_bytes())
            .and_then(|range| text.get(range))
    }

    #[test]
    fn every_shape_that_nothing_else_has_is_found_in_the_middle_of_text() {
        let (mut shapes, mut missed) = (0, Vec::new());
        for provider in Catalogue::builtin().iter() {
            let strong = provider
                .shapes()
                .iter()
                .filter(|shape| !shape.is_context_only() && !shape.is_public());
            // A service account's key is a JSON document of several lines, which no name can be.
            for shape in strong.filter(|shape| !shape.pattern().starts_with("(?s)")) {
                let key = shape.example();
                shapes += 1;
                for text in [
                    key.to_owned(),
                    format!("curl/8 ({key})"),
                    format!("old-{key}"),
                    format!("a={key} b"),
                ] {
                    if found(&text).is_none_or(|found| !found.ends_with(key)) {
                        missed.push(format!("{}: {:?} in {text}", provider.id(), shape.pattern()));
                    }
                }
            }
        }
        assert!(shapes > 100 && missed.is_empty(), "{missed:#?} of {shapes}");
    }

    #[test]
    fn ordinary_text_holds_none() {
        for text in [
            "",
            "s",
            "openai",
            "prod-openai-2026",
            "sk-",
            "ghp_short",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "python-requests/2.32.3",
            "6f1c9a52-6f0e-4c52-9d0c-3a86f3c3b1d2",
            "01J8ZC4H3KQ2V5W7X9Y1A3B5C7",
            "sk-mock-openai-0123456789abcdefghijklmnopqrstuv",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
