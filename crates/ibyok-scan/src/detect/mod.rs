//! What in a window is a secret: shapes, tokens, private keys, assignments, and what a matcher knows.

mod assignments;
mod candidates;
mod names;
mod pem;
mod shapes;
mod values;

use std::ops::Range;

use ibyok_providers::Provider;

pub(crate) use assignments::Assignments;
pub(crate) use candidates::Candidates;
pub(crate) use pem::private_keys;
pub(crate) use shapes::Shapes;

use crate::finding::{ACCESS_TOKEN, GENERIC, KNOWN_KEY, PRIVATE_KEY};
use crate::matcher::KnownKey;

/// A secret in a window.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// Where the secret stands.
    pub(crate) span: Range<usize>,
    /// The name that it is given to.
    pub(crate) name: Option<Range<usize>>,
    /// How many characters at its start every such secret has.
    pub(crate) prefix: usize,
    /// How it was found.
    pub(crate) by: By,
}

/// How a secret was found, the surest first.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// One of our own access tokens: its checksum is right.
    Token,
    /// A shape that nothing else has.
    Shape(&'static Provider),
    /// A PEM private key.
    PrivateKey,
    /// A matcher knows it.
    Known(KnownKey),
    /// A shape that other things have too, given to a name that is the provider's.
    Context(&'static Provider),
    /// It looks random, and is given to a name that says secret.
    Generic(Option<&'static Provider>),
}

impl By {
    fn rank(&self) -> u8 {
        match self {
            By::Token => 0,
            By::Shape(_) => 1,
            By::PrivateKey => 2,
            By::Known(_) => 3,
            By::Context(_) => 4,
            By::Generic(_) => 5,
        }
    }

    /// The rule's id.
    pub(crate) fn rule(&self) -> String {
        match self {
            By::Token => ACCESS_TOKEN.to_owned(),
            By::Shape(provider) | By::Context(provider) => format!("{}-key", provider.id()),
            By::PrivateKey => PRIVATE_KEY.to_owned(),
            By::Known(_) => KNOWN_KEY.to_owned(),
            By::Generic(_) => GENERIC.to_owned(),
        }
    }

    /// Whose key it is.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        match self {
            By::Shape(provider) | By::Context(provider) => Some(provider),
            By::Generic(provider) => *provider,
            By::Token | By::PrivateKey | By::Known(_) => None,
        }
    }
}

/// Of hits that overlap, the surest; what a matcher knew of the others is kept with it, and so is the name.
pub(crate) fn surest(mut hits: Vec<Hit>) -> Vec<(Hit, Option<KnownKey>)> {
    hits.sort_by_key(|hit| (hit.by.rank(), hit.span.start, usize::MAX - hit.span.end));
    let mut kept: Vec<(Hit, Option<KnownKey>)> = Vec::new();
    for hit in hits {
        let known = match &hit.by {
            By::Known(key) => Some(key.clone()),
            _ => None,
        };
        let over = kept
            .iter_mut()
            .find(|(other, _)| hit.span.start < other.span.end && other.span.start < hit.span.end);
        match over {
            None => kept.push((hit, known)),
            Some((surer, already)) => {
                surer.name = surer.name.take().or(hit.name);
                *already = already.take().or(known);
            }
        }
    }
    kept.sort_by_key(|(hit, _)| hit.span.start);
    kept
}
