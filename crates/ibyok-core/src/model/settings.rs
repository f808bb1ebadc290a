//! The record of an environment's settings: the defaults for its keys.

use ibyok_policy::Rate;
use serde::{Deserialize, Serialize};

use super::mode::Mode;

/// The id of the one record of settings in a realm.
pub(crate) const SETTINGS_ID: [u8; 16] = [0; 16];

/// The sealed body. Where there is none, nothing is set.
///
/// A field that is not known is an error and never dropped: it may say that no live value must be served.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsRecord {
    pub(crate) rev: u64,
    /// The mode of keys without their own mode; live unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<Mode>,
    /// The limit of keys without their own limit; none unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Rate>,
}
