//! Changes that take something of the settings of an environment away.

use std::fmt;
use std::str::FromStr;

use crate::model::mode::Mode;
use crate::model::settings::SettingsRecord;

/// A change that takes something of the settings of an environment away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingsTakeAway {
    /// Live values of those keys of the environment that have no mode of their own.
    Live,
}

impl fmt::Display for SettingsTakeAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsTakeAway::Live => f.write_str("live-of-environment"),
        }
    }
}

impl FromStr for SettingsTakeAway {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "live-of-environment" => Ok(SettingsTakeAway::Live),
            _ => Err(()),
        }
    }
}

impl SettingsRecord {
    /// Takes something away. Returns false if it is away already.
    pub(crate) fn take_away(&mut self, what: SettingsTakeAway) -> bool {
        match what {
            SettingsTakeAway::Live => {
                let mock = Some(Mode::Mock);
                std::mem::replace(&mut self.mode, mock) != mock
            }
        }
    }
}
