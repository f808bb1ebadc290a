//! The catalogue: all providers, and which of them a value or a variable belongs to.

use std::sync::OnceLock;

use crate::{
    entry,
    find::Finder,
    mock::{self, GENERIC_PREFIX},
    provider::Provider,
    shape::MAX_VALUE_LEN,
};

/// The built-in data: `providers.toml` as JSON, so that a vault needs no parser of TOML.
const DATA: &str = include_str!("../providers.json");

/// A set of providers, in the order of their file.
#[derive(Debug, Default)]
pub struct Catalogue {
    providers: Vec<Provider>,
    recogniser: OnceLock<Recogniser>,
    finder: OnceLock<Finder>,
}

impl Catalogue {
    /// The catalogue that comes with this crate. It is read once; shapes are compiled when they are first needed.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Catalogue> = OnceLock::new();
        // The data is compiled in. A test compares it with `providers.toml`, which `parse` accepts.
        let read = || entry::read(serde_json::from_str(DATA).ok()?).ok();
        BUILTIN.get_or_init(|| read().map(Self::new).unwrap_or_default())
    }

    /// The provider of this id.
    pub fn get(&self, id: &str) -> Option<&Provider> {
        self.iter().find(|provider| provider.id == id)
    }

    /// All providers, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Provider> {
        self.providers.iter()
    }

    /// The provider whose keys programs expect in this variable. Exact: variables are case-sensitive.
    pub fn by_variable(&self, variable: &str) -> Option<&Provider> {
        self.iter()
            .find(|provider| provider.variables.iter().any(|name| name == variable))
    }

    /// The one provider whose keys look like `value`, by shapes that nothing else has.
    ///
    /// The whole value is compared, a newline at its end included. `None` for values that fit no shape or the
    /// shapes of two providers, for mocks, and for values over [`MAX_VALUE_LEN`]. Takes time linear in the value.
    pub fn recognise(&self, value: &[u8]) -> Option<&Provider> {
        if value.is_empty() || value.len() > MAX_VALUE_LEN {
            return None;
        }
        let recogniser = self.recogniser.get_or_init(|| Recogniser::new(&self.providers));
        let mut owners = recogniser.owners(&self.providers, value);
        let owner = owners.next()?;
        let only = owners.all(|other| other == owner);
        self.providers.get(owner).filter(|_| only && !self.is_mock(value))
    }

    /// Returns true if `value`, white space around it aside, is a mock of any provider, of this catalogue or another.
    /// Such a value must not be kept as a key.
    pub fn is_mock(&self, value: &[u8]) -> bool {
        mock::has_form(value)
            || mock::has_prefix(value, GENERIC_PREFIX)
            || self.iter().any(|provider| mock::has_prefix(value, &provider.mock))
    }

    pub(crate) fn finder(&self) -> &Finder {
        self.finder.get_or_init(|| Finder::new(self))
    }

    pub(crate) fn new(providers: Vec<Provider>) -> Self {
        Self {
            providers,
            recogniser: OnceLock::new(),
            finder: OnceLock::new(),
        }
    }
}

/// The shapes that are not `context_only`, with the prefixes of their values.
///
/// Not one automaton over all shapes: it would be larger and slower, and its cache would follow a value letter by
/// letter. A pattern is compiled when a value first begins like it.
#[derive(Debug)]
struct Recogniser {
    shapes: Vec<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    provider: usize,
    shape: usize,
    prefixes: Option<Vec<Vec<u8>>>,
}

impl Recogniser {
    fn new(providers: &[Provider]) -> Self {
        let shapes = providers.iter().enumerate().flat_map(|(provider, entry)| {
            let strong = entry
                .shapes
                .iter()
                .enumerate()
                .filter(|(_, shape)| !shape.is_context_only());
            strong.map(move |(shape, of)| Candidate {
                provider,
                shape,
                prefixes: of.prefixes(),
            })
        });
        Self {
            shapes: shapes.collect(),
        }
    }

    /// For every shape that `value` has, the place of its provider.
    fn owners(&self, providers: &[Provider], value: &[u8]) -> impl Iterator<Item = usize> {
        let begun = self.shapes.iter().filter(|candidate| candidate.may_begin(value));
        begun
            .filter(|candidate| candidate.fits(providers, value))
            .map(|candidate| candidate.provider)
    }
}

impl Candidate {
    fn may_begin(&self, value: &[u8]) -> bool {
        let begins = |prefixes: &Vec<Vec<u8>>| prefixes.iter().any(|prefix| value.starts_with(prefix));
        self.prefixes.as_ref().is_none_or(begins)
    }

    fn fits(&self, providers: &[Provider], value: &[u8]) -> bool {
        let shape = providers
            .get(self.provider)
            .and_then(|provider| provider.shapes.get(self.shape));
        shape.is_some_and(|shape| shape.fits(value))
    }
}
