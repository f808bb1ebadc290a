//! The catalogue: all providers, and which of them a value or a variable belongs to.

use std::sync::OnceLock;

use regex::bytes::RegexSet;

use crate::{
    entry,
    error::Error,
    mock::{self, GENERIC_PREFIX},
    provider::Provider,
    rules,
    shape::{self, MAX_VALUE_LEN},
};

/// The built-in data.
const DATA: &str = include_str!("../providers.toml");

/// A set of providers, in the order of their file.
#[derive(Debug, Default)]
pub struct Catalogue {
    providers: Vec<Provider>,
    recogniser: OnceLock<Recogniser>,
}

impl Catalogue {
    /// The most bytes that a catalogue's text may have.
    pub const MAX_LEN: usize = 1 << 20;

    /// The catalogue that comes with this crate. It is read once; shapes are compiled when they are first needed.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Catalogue> = OnceLock::new();
        // The data is compiled in, and a test says that `parse` accepts it.
        BUILTIN.get_or_init(|| entry::read(DATA).map(Self::new).unwrap_or_default())
    }

    /// Reads a catalogue in the form of `providers.toml` and holds it to every rule of `docs/providers.md`.
    ///
    /// # Errors
    ///
    /// The first fault, with the entry and the field.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > Self::MAX_LEN {
            return Err(Error::TooLong {
                bytes: text.len(),
                limit: Self::MAX_LEN,
            });
        }
        let providers = entry::read(text)?;
        rules::check(&providers)?;
        Ok(Self::new(providers))
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
    /// The whole value is compared, a newline at its end included. `None` is said of what no shape fits, of what the
    /// shapes of two providers fit, of mocks, and of values over [`MAX_VALUE_LEN`]. Takes time linear in the value.
    pub fn recognise(&self, value: &[u8]) -> Option<&Provider> {
        if value.is_empty() || value.len() > MAX_VALUE_LEN {
            return None;
        }
        let owner = self
            .recogniser
            .get_or_init(|| Recogniser::new(&self.providers))
            .owner(value)?;
        self.providers.get(owner).filter(|_| !self.is_mock(value))
    }

    /// Whether `value`, white space around it aside, is a mock of any provider, of this catalogue or another: such a
    /// value must not be kept as a key.
    pub fn is_mock(&self, value: &[u8]) -> bool {
        mock::has_form(value)
            || mock::has_prefix(value, GENERIC_PREFIX)
            || self.iter().any(|provider| mock::has_prefix(value, &provider.mock))
    }

    fn new(providers: Vec<Provider>) -> Self {
        Self {
            providers,
            recogniser: OnceLock::new(),
        }
    }
}

/// All shapes that are not `context_only`, as one expression.
#[derive(Debug)]
struct Recogniser {
    set: RegexSet,
    /// For each expression of the set, the place of its provider.
    owners: Vec<usize>,
}

impl Recogniser {
    fn new(providers: &[Provider]) -> Self {
        let shapes = providers.iter().enumerate().flat_map(|(owner, provider)| {
            provider
                .shapes
                .iter()
                .filter(|shape| !shape.is_context_only())
                .map(move |shape| (owner, shape))
        });
        let (owners, shapes): (Vec<_>, Vec<_>) = shapes.unzip();
        Self {
            set: shape::set(shapes.into_iter()),
            owners,
        }
    }

    /// The provider of every shape that fits, if it is one.
    fn owner(&self, value: &[u8]) -> Option<usize> {
        let fits = self.set.matches(value);
        let mut owners = fits.iter().filter_map(|index| self.owners.get(index).copied());
        let owner = owners.next()?;
        owners.all(|other| other == owner).then_some(owner)
    }
}
