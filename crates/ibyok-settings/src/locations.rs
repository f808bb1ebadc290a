//! The directories in which a vault and its KEK are unless settings say otherwise.

use std::collections::BTreeMap;
use std::path::PathBuf;

use etcetera::BaseStrategy;

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

    /// Returns the directories of the user whose environment this is: `XDG_DATA_HOME` and `XDG_CONFIG_HOME`, else the usual ones below
    /// `HOME`, else those of the platform.
    #[must_use]
    pub fn of_user(environment: &BTreeMap<String, String>) -> Self {
        let set = |name: &str| {
            let path = environment.get(name).map(PathBuf::from);
            path.filter(|path| path.is_absolute())
        };
        let platform = etcetera::choose_base_strategy().ok();
        let below = |directory: &str| set("HOME").map(|home| home.join(directory));
        let data = set("XDG_DATA_HOME").or_else(|| below(".local/share"));
        let config = set("XDG_CONFIG_HOME").or_else(|| below(".config"));
        let data = data.or_else(|| platform.as_ref().map(BaseStrategy::data_dir));
        let config = config.or_else(|| platform.as_ref().map(BaseStrategy::config_dir));
        let none = Locations::unknown();
        Locations::new(data.unwrap_or(none.data), config.unwrap_or(none.config))
    }

    /// There are none, since there is no home directory: then every place that is needed must be given.
    #[must_use]
    pub fn unknown() -> Self {
        Locations::new(NO_HOME, NO_HOME)
    }
}
