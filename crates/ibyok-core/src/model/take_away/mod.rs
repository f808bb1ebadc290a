//! Changes that take something away: it must not come back, and recovery applies the change again after a crash.
//!
//! Each kind of record has its own enum, so that no record can be asked to lose what it cannot have.

mod key;
mod settings;
mod token;

use std::fmt;
use std::str::FromStr;

pub(crate) use self::key::KeyTakeAway;
pub(crate) use self::settings::SettingsTakeAway;
pub(crate) use self::token::TokenTakeAway;

/// A change that takes something away, of any kind of record. Its text is in the floors file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeAway {
    Key(KeyTakeAway),
    Settings(SettingsTakeAway),
    Token(TokenTakeAway),
}

impl TakeAway {
    /// Returns the version of a key that the change is about.
    pub(crate) fn version(self) -> Option<u32> {
        match self {
            TakeAway::Key(what) => what.version(),
            TakeAway::Settings(_) | TakeAway::Token(_) => None,
        }
    }

    /// True if sealed values go with it. Then the store must scrub its files.
    pub(crate) fn destroys(self) -> bool {
        match self {
            TakeAway::Key(what) => what.destroys(),
            TakeAway::Settings(_) | TakeAway::Token(_) => false,
        }
    }
}

impl From<KeyTakeAway> for TakeAway {
    fn from(what: KeyTakeAway) -> Self {
        TakeAway::Key(what)
    }
}

impl From<SettingsTakeAway> for TakeAway {
    fn from(what: SettingsTakeAway) -> Self {
        TakeAway::Settings(what)
    }
}

impl From<TokenTakeAway> for TakeAway {
    fn from(what: TokenTakeAway) -> Self {
        TakeAway::Token(what)
    }
}

impl fmt::Display for TakeAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TakeAway::Key(what) => what.fmt(f),
            TakeAway::Settings(what) => what.fmt(f),
            TakeAway::Token(what) => what.fmt(f),
        }
    }
}

impl FromStr for TakeAway {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let key = text.parse().map(TakeAway::Key);
        let settings = || text.parse().map(TakeAway::Settings);
        let token = || text.parse().map(TakeAway::Token);
        key.or_else(|()| settings()).or_else(|()| token())
    }
}

/// Splits `word:number`.
fn numbered(text: &str) -> Result<(&str, u32), ()> {
    let (word, number) = text.split_once(':').ok_or(())?;
    Ok((word, number.parse().map_err(|_| ())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mode::Mode;

    fn compromise(version: u32, freeze: bool) -> KeyTakeAway {
        KeyTakeAway::Compromise { version, freeze }
    }

    fn supersede(epoch: u32, at_once: bool) -> TokenTakeAway {
        TokenTakeAway::Supersede { epoch, at_once }
    }

    #[test]
    fn each_has_its_text_in_the_floors_file_and_parses_back() {
        let texts: [(TakeAway, &str); 14] = [
            (KeyTakeAway::Disable.into(), "disable-key"),
            (KeyTakeAway::DisableVersion(7).into(), "disable-version:7"),
            (KeyTakeAway::RetireVersion(8).into(), "retire-version:8"),
            (
                KeyTakeAway::DestroyVersion(u32::MAX).into(),
                "destroy-version:4294967295",
            ),
            (KeyTakeAway::Remove.into(), "remove-key"),
            (KeyTakeAway::Live(Some(Mode::Mock)).into(), "live-of-key:mock"),
            (KeyTakeAway::Live(None).into(), "live-of-key:inherit"),
            (compromise(3, false).into(), "compromise:3"),
            (compromise(3, true).into(), "freeze:3"),
            (SettingsTakeAway::Live.into(), "live-of-environment"),
            (TokenTakeAway::Revoke { keep_children: false }.into(), "revoke-token"),
            (
                TokenTakeAway::Revoke { keep_children: true }.into(),
                "revoke-token:keep-children",
            ),
            (supersede(4, true).into(), "supersede-token:4"),
            (supersede(5, false).into(), "supersede-token-later:5"),
        ];
        for (what, text) in texts {
            assert_eq!(what.to_string(), text);
            assert_eq!(text.parse(), Ok(what));
        }
    }

    #[test]
    fn other_texts_do_not_parse() {
        for bad in [
            "",
            "disable-version:x",
            "destroy-version",
            "destroy-version:",
            "retire-version:-1",
            "live-of-key:live",
            "revoke-token:1",
            "x:1",
        ] {
            assert_eq!(bad.parse::<TakeAway>(), Err(()), "{bad}");
        }
    }
}
