//! Changes that take something away: those that must not come back, and that are applied again after a crash.

use std::fmt;
use std::str::FromStr;

use crate::model::key::{KeyRecord, Stamp, StateChange};
use crate::model::token::{Revocation, TokenRecord};

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeAway {
    DisableKey,
    DisableVersion(u32),
    RemoveKey,
    RevokeToken { keep_children: bool },
}

impl fmt::Display for TakeAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TakeAway::DisableKey => f.write_str("disable-key"),
            TakeAway::DisableVersion(number) => write!(f, "disable-version:{number}"),
            TakeAway::RemoveKey => f.write_str("remove-key"),
            TakeAway::RevokeToken { keep_children: false } => f.write_str("revoke-token"),
            TakeAway::RevokeToken { keep_children: true } => f.write_str("revoke-token:keep-children"),
        }
    }
}

impl FromStr for TakeAway {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "disable-key" => Ok(TakeAway::DisableKey),
            "remove-key" => Ok(TakeAway::RemoveKey),
            "revoke-token" => Ok(TakeAway::RevokeToken { keep_children: false }),
            "revoke-token:keep-children" => Ok(TakeAway::RevokeToken { keep_children: true }),
            other => {
                let number = other.strip_prefix("disable-version:").ok_or(())?;
                number.parse().map(TakeAway::DisableVersion).map_err(|_| ())
            }
        }
    }
}

impl KeyRecord {
    /// Takes something away; `false` if it is away already.
    pub(crate) fn take_away(&mut self, what: TakeAway, stamp: &Stamp) -> bool {
        if self.removed.is_some() {
            return false;
        }
        match what {
            TakeAway::DisableKey => !std::mem::replace(&mut self.disabled, true),
            TakeAway::DisableVersion(number) => {
                let version = self
                    .versions
                    .iter_mut()
                    .find(|version| version.number == number && !version.disabled);
                let Some(version) = version else { return false };
                version.disabled = true;
                version.changes.push(StateChange::new("disabled", stamp));
                true
            }
            TakeAway::RemoveKey => {
                self.removed = Some(stamp.clone());
                self.versions.clear();
                true
            }
            TakeAway::RevokeToken { .. } => false,
        }
    }
}

impl TokenRecord {
    /// Takes something away; `false` if it is away already.
    pub(crate) fn take_away(&mut self, what: TakeAway, stamp: &Stamp) -> bool {
        let TakeAway::RevokeToken { keep_children } = what else {
            return false;
        };
        if self
            .revoked
            .as_ref()
            .is_some_and(|revoked| keep_children || !revoked.keep_children)
        {
            return false;
        }
        self.revoked = Some(Revocation {
            stamp: stamp.clone(),
            keep_children,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prints_and_parses_back() {
        for what in [
            TakeAway::DisableKey,
            TakeAway::DisableVersion(7),
            TakeAway::RemoveKey,
            TakeAway::RevokeToken { keep_children: true },
            TakeAway::RevokeToken { keep_children: false },
        ] {
            assert_eq!(what.to_string().parse(), Ok(what));
        }
        assert_eq!("disable-version:x".parse::<TakeAway>(), Err(()));
    }
}
