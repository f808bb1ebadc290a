//! The directories in which a vault and its KEK are unless settings say otherwise.

use std::path::PathBuf;

/// The path in place of the usual places if there are none: it does not exist, and nobody can create it.
pub(crate) const NO_HOME: &str = "/proc/no-home";

/// The directories in which the platform keeps a user's data and configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Locations {
    /// For data: the vault is in `ibyok` below it unless said otherwise.
    pub data: PathBuf,
    /// For configuration: a local KEK lies in `ibyok` below it, apart from the vault.
    pub config: PathBuf,
}

impl Locations {
    /// These directories.
    pub fn new(data: impl Into<PathBuf>, config: impl Into<PathBuf>) -> Self {
        Locations {
            data: data.into(),
            config: config.into(),
        }
    }

    /// There are none, since there is no home directory: then every place that is needed must be given.
    #[must_use]
    pub fn unknown() -> Self {
        Locations::new(NO_HOME, NO_HOME)
    }
}
