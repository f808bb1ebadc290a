//! The process's environment as a map that is wiped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::ops::Deref;

use zeroize::Zeroize;

/// The process's environment. It may hold an access token or a store's password, so that its values are wiped when it is dropped
/// and are not part of its `Debug`.
///
/// ```
/// let environment = ibyok_settings::ProcessEnvironment::read();
/// assert!(!format!("{environment:?}").contains('='));
/// ```
pub struct ProcessEnvironment(BTreeMap<String, String>);

impl ProcessEnvironment {
    /// Reads it. A value that is not UTF-8 is included with replacement characters, so that the variable counts as set.
    #[must_use]
    pub fn read() -> Self {
        ProcessEnvironment(
            std::env::vars_os()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
        )
    }
}

/// The text, and no copy of it where it is UTF-8.
fn text(text: OsString) -> String {
    text.into_string()
        .unwrap_or_else(|text| text.to_string_lossy().into_owned())
}

impl Deref for ProcessEnvironment {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for ProcessEnvironment {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for ProcessEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
