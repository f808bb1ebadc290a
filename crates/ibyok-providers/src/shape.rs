//! The shapes of a provider's keys.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, literal::Extractor};

/// The longest value, in bytes, that is compared with a shape. Keys are shorter.
pub const MAX_VALUE_LEN: usize = 4096;

/// The most memory, in bytes, that one compiled shape takes.
const SIZE_LIMIT: usize = 1 << 20;

/// The flags of a shape in the catalogue's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uses {
    pub(crate) context_only: bool,
    pub(crate) documented: bool,
    pub(crate) public: bool,
}

/// One form that a provider's keys have.
#[derive(Clone, Debug)]
pub struct Shape {
    pattern: String,
    example: String,
    context_only: bool,
    documented: bool,
    public: bool,
    /// Compiled when it is first asked for; `None` where the pattern is not one, which [`Shape::compile`] finds first.
    compiled: OnceLock<Option<Regex>>,
    /// The same for the beginning of a text.
    leading: OnceLock<Option<Regex>>,
}

impl Shape {
    pub(crate) fn new(pattern: String, example: String, uses: Uses) -> Self {
        let Uses {
            context_only,
            documented,
            public,
        } = uses;
        Self {
            pattern,
            example,
            context_only,
            documented,
            public,
            compiled: OnceLock::new(),
            leading: OnceLock::new(),
        }
    }

    /// The shape as a regular expression (syntax of the `regex` crate, ASCII classes) over a whole key. It has no
    /// anchors; who searches in longer text sets the bounds.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns a text of this shape that is visibly not a real key.
    pub fn example(&self) -> &str {
        &self.example
    }

    /// Returns true if other things have this shape too, such as 32 hexadecimal digits. Such a shape says something
    /// about a value only if the provider is known, and nothing is recognised by it.
    pub fn is_context_only(&self) -> bool {
        self.context_only
    }

    /// Returns true if the shape is published, by the provider or in public rules of secret scanners. Otherwise it is
    /// a guess, and loose.
    pub fn is_documented(&self) -> bool {
        self.documented
    }

    /// Returns true for keys that the provider publishes by design, such as those that a web page sends. A scan
    /// reports none of them.
    pub fn is_public(&self) -> bool {
        self.public
    }

    /// Returns true if the whole of `value` has this shape.
    pub(crate) fn fits(&self, value: &[u8]) -> bool {
        let compiled = self.compiled.get_or_init(|| self.compile().ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(value))
    }

    /// Returns true if `text` begins with a value of this shape.
    pub(crate) fn leads(&self, text: &[u8]) -> bool {
        let compile = || builder(&format!(r"\A(?:{})", self.pattern)).build().ok();
        let compiled = self.leading.get_or_init(compile).as_ref();
        compiled.is_some_and(|regex| regex.is_match(text))
    }

    /// Returns prefixes, with one of which every value of this shape begins. They dismiss most texts without the
    /// pattern. `None` if values may begin with anything.
    pub fn prefixes(&self) -> Option<Vec<Vec<u8>>> {
        let prefixes = Extractor::new().extract(&self.parsed()?);
        Some(
            prefixes
                .literals()?
                .iter()
                .map(|prefix| prefix.as_bytes().to_vec())
                .collect(),
        )
    }

    /// Returns the length of the shortest value of this shape, in bytes; 0 if it is not known.
    pub(crate) fn shortest(&self) -> usize {
        let pattern = self.parsed();
        pattern
            .and_then(|pattern| pattern.properties().minimum_len())
            .unwrap_or(0)
    }

    fn parsed(&self) -> Option<Hir> {
        let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
        parser.parse(&self.pattern).ok()
    }

    /// The pattern, compiled and anchored.
    pub(crate) fn compile(&self) -> Result<Regex, regex::Error> {
        // Alone first: what closes our group and opens another is not a pattern.
        builder(&self.pattern).build()?;
        builder(&anchored(&self.pattern)).build()
    }
}

fn builder(pattern: &str) -> RegexBuilder {
    let mut builder = RegexBuilder::new(pattern);
    builder.unicode(false).size_limit(SIZE_LIMIT);
    builder
}

fn anchored(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}
