//! Finds the secrets in a window: shapes, tokens, private keys, assignments, and keys that a matcher knows.

mod assignments;
mod bounds;
mod candidates;
mod cursor;
mod names;
mod passwords;
mod pem;
mod placeholders;
mod sealed;
mod shapes;
mod urls;
mod values;
mod vocabulary;

use std::collections::BTreeMap;
use std::ops::Range;

use ibyok_providers::Provider;

pub(crate) use assignments::Assignments;
pub(crate) use candidates::Candidates;
pub(crate) use pem::private_keys;
pub(crate) use shapes::Shapes;
pub(crate) use urls::passwords;

use crate::finding::{ACCESS_TOKEN, GENERIC, KNOWN_KEY, PRIVATE_KEY, URL_PASSWORD};
use crate::matcher::KnownKey;

/// A secret in a window.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// The range of the secret in the text.
    pub(crate) span: Range<usize>,
    /// The name that it is given to.
    pub(crate) name: Option<Range<usize>>,
    /// The number of characters at its start that every such secret has.
    pub(crate) prefix: usize,
    /// The way in which it was found.
    pub(crate) by: By,
}

/// The way in which a secret was found, the surest first.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// One of our own access tokens: its checksum is right.
    Token,
    /// A shape that nothing else has.
    Shape(&'static Provider),
    /// A shape that nothing else has, of keys that are published by design.
    Public(&'static Provider),
    /// A PEM private key.
    PrivateKey,
    /// A matcher knows it.
    Known(KnownKey),
    /// The password of an address, or one that is given to a command.
    Password,
    /// A shape that other things have too, given to a name that is the provider's.
    Context(&'static Provider),
    /// It looks random, and is assigned to a name that means secret.
    Generic(Option<&'static Provider>),
}

impl By {
    fn rank(&self) -> u8 {
        match self {
            By::Token => 0,
            By::Shape(_) => 1,
            By::Public(_) => 2,
            By::PrivateKey => 3,
            By::Known(_) => 4,
            By::Password => 5,
            By::Context(_) => 6,
            By::Generic(_) => 7,
        }
    }

    /// The rule's id.
    pub(crate) fn rule(&self) -> String {
        match self {
            By::Token => ACCESS_TOKEN.to_owned(),
            By::Shape(provider) | By::Public(provider) | By::Context(provider) => format!("{}-key", provider.id()),
            By::Password => URL_PASSWORD.to_owned(),
            By::PrivateKey => PRIVATE_KEY.to_owned(),
            By::Known(_) => KNOWN_KEY.to_owned(),
            By::Generic(_) => GENERIC.to_owned(),
        }
    }

    /// The provider of the key.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        match self {
            By::Shape(provider) | By::Public(provider) | By::Context(provider) => Some(provider),
            By::Generic(provider) => *provider,
            By::Token | By::PrivateKey | By::Password | By::Known(_) => None,
        }
    }
}

/// Of hits that overlap, the surest one. It keeps the known key and the name of the others. Ordered by place.
pub(crate) fn surest(mut hits: Vec<Hit>) -> Vec<(Hit, Option<KnownKey>)> {
    hits.sort_by_key(|hit| (hit.by.rank(), hit.span.start, usize::MAX - hit.span.end));
    // By their starts. What is kept does not overlap, so only the last one that begins before a hit's end can overlap with the hit.
    let mut kept: BTreeMap<usize, (Hit, Option<KnownKey>)> = BTreeMap::new();
    for hit in hits {
        let known = match &hit.by {
            By::Known(key) => Some(key.clone()),
            _ => None,
        };
        let last = kept.range_mut(..hit.span.end).next_back();
        match last.filter(|(_, (other, _))| hit.span.start < other.span.end) {
            None => {
                kept.insert(hit.span.start, (hit, known));
            }
            Some((_, (surer, already))) => {
                surer.name = surer.name.take().or(hit.name);
                *already = already.take().or(known);
            }
        }
    }
    kept.into_values().collect()
}
