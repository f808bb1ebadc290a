//! The environments that a token reaches.

use std::collections::BTreeSet;

use crate::Error;

/// The environments of a grant, before its realm bounds them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that reads a grant must handle a third kind"
)]
pub enum Environments {
    /// Every environment, also later ones, and the records of none.
    All,
    /// Only these. The empty set reaches nothing.
    Named(BTreeSet<String>),
}

impl Environments {
    /// Only the given environments.
    pub fn named<I: IntoIterator<Item = S>, S: Into<String>>(names: I) -> Self {
        Self::Named(names.into_iter().map(Into::into).collect())
    }
}

/// Checks that the text can be an environment's name: `[a-z0-9][a-z0-9-]{0,62}`.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let right = (1..=63).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(allowed);
    if right {
        Ok(())
    } else {
        Err(Error::EnvironmentName(crate::error::excerpt(name)))
    }
}
