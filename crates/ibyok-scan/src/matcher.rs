//! The question that a scan asks a keeper of keys about candidates.

use std::fmt::Debug;

/// Answers whether a text is a key that a keeper of keys holds.
///
/// # Contract
///
/// The scan hands over candidates for whole values: the text in quotes, assigned values, words, and the forms of
/// these that are decoded from base64 or URL encoding. It asks about the same candidate seldom more than once.
///
/// An implementation compares for equality, and reveals nothing about values that are not equal (compare keyed
/// hashes, not values). It keeps no candidate and lets none leave the process. It is asked from several threads at
/// once, often (a million times a second at most), so it answers from memory.
///
/// # Writing your own
///
/// ```
/// use ibyok_scan::{KnownKey, Matcher};
///
/// #[derive(Debug)]
/// struct One(String);
///
/// impl Matcher for One {
///     fn find(&self, candidate: &[u8]) -> Option<KnownKey> {
///         (candidate == self.0.as_bytes()).then(|| KnownKey::new("prod/one", Some(1)))
///     }
///     fn shortest(&self) -> usize {
///         self.0.len()
///     }
/// }
/// ```
pub trait Matcher: Debug + Send + Sync {
    /// The key that `candidate` is, exactly.
    fn find(&self, candidate: &[u8]) -> Option<KnownKey>;

    /// The length in bytes below which no candidate is worth asking about.
    fn shortest(&self) -> usize;
}

/// A key that a keeper of keys holds: its name, never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownKey {
    /// The reference, such as `prod/openai`.
    pub reference: String,
    /// The version.
    pub version: Option<u32>,
}

impl KnownKey {
    /// A key by its reference.
    pub fn new(reference: impl Into<String>, version: Option<u32>) -> Self {
        KnownKey {
            reference: reference.into(),
            version,
        }
    }
}
