//! The passphrase of a vault: its sources, and the minimum for a new one.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ibyok_core::{
    EnvironmentName, Error, Kek, Result, Secret,
    kek::{PassphraseCost, PassphraseKek},
    secrecy::ExposeSecret,
};

use crate::directory;

/// The longest passphrase, in bytes.
const PASSPHRASE_MAX: usize = 1024;

/// The shortest passphrase of a new vault, in characters.
///
/// NIST SP 800-63B asks for 8 where a verifier can slow guesses down (revision 3, section 5.1.1), and for 15 where a password is
/// the only factor (revision 4, section 3.1.1.2). Here an attacker needs a copy of the vault, and then guesses as fast as
/// Argon2id allows: the minimum is between the two.
const PASSPHRASE_MIN: usize = 12;

/// The fewest different characters: SP 800-63B names repetitions such as `aaaaaa` among the first guesses.
const DIFFERENT_MIN: usize = 4;

/// Asks a person for the passphrase of the vault, or of one environment.
pub type Passphrase<'a> = &'a (dyn Fn(Option<&EnvironmentName>) -> Result<Secret> + Send + Sync);

pub(crate) fn kek(passphrase: Secret) -> Arc<dyn Kek> {
    Arc::new(PassphraseKek::new(passphrase, PassphraseCost::default()))
}

/// The passphrase from its file, else from a person at the terminal.
pub(crate) fn read(
    file: Option<&Path>,
    whose: Option<&EnvironmentName>,
    ask: Option<Passphrase<'_>>,
) -> Result<Secret> {
    let passphrase = match (file, ask) {
        (Some(file), _) => of_file(file)?,
        (None, Some(ask)) => ask(whose)?,
        (None, None) => {
            return Err(Error::invalid(
                "this vault needs a passphrase",
                "give `--passphrase-file`, or run the command on a terminal",
            ));
        }
    };
    if passphrase.is_empty() {
        return Err(Error::invalid(
            "the passphrase is empty",
            "give a passphrase that nobody can guess",
        ));
    }
    Ok(passphrase)
}

/// Refuses a passphrase for a new vault that is too easy to guess. The message shows only its length.
///
/// # Errors
/// [`Error::Invalid`].
pub(crate) fn check_new(passphrase: &Secret) -> Result<()> {
    let hint = "use six or more random words, or accept the passphrase with `--weak`";
    let bytes = passphrase.expose_secret();
    // As SP 800-63B counts: each code point is a character, and white space around it is not one that was chosen.
    let (length, different) = match std::str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.trim();
            (text.chars().count(), text.chars().collect::<BTreeSet<_>>().len())
        }
        Err(_) => (bytes.len(), bytes.iter().collect::<BTreeSet<_>>().len()),
    };
    if length < PASSPHRASE_MIN {
        return Err(Error::invalid(
            format!("the passphrase is shorter than {PASSPHRASE_MIN} characters"),
            hint,
        ));
    }
    if different < DIFFERENT_MIN {
        return Err(Error::invalid(
            format!("the passphrase has fewer than {DIFFERENT_MIN} different characters"),
            hint,
        ));
    }
    Ok(())
}

/// All of the file, without one line break at its end.
fn of_file(path: &Path) -> Result<Secret> {
    let failed = |why: String| {
        Error::invalid(
            format!("passphrase file `{}`: {why}", path.display()),
            "check that you own the file and that only you can read it",
        )
    };
    directory::check_private(path)?;
    let mut file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let all = Secret::read(&mut file, PASSPHRASE_MAX).map_err(|error| failed(error.to_string()))?;
    let bytes = all.expose_secret();
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    Ok(Secret::copy_of(line.strip_suffix(b"\r").unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_passphrase_is_long_enough_and_no_repetition() {
        let check = |text: &str| check_new(&Secret::copy_of(text.as_bytes()));
        for weak in [
            "x",
            "hunter2",
            "elevenchars",
            "ünïcödé-wör",
            "           x           ",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababab",
            "123123123123123",
            "\u{1f511}\u{1f511}\u{1f511}",
        ] {
            let refused = check(weak).unwrap_err();
            assert!(!refused.to_string().contains(weak.trim()), "{weak}: {refused}");
        }
        for good in [
            "correct horse",
            "twelve-chars",
            "ünïcödé-wörd",
            "correct horse battery staple",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        assert!(check_new(&Secret::copy_of(&[0xff; 32])).is_err());
        assert!(check_new(&Secret::copy_of(&(0..32).map(|n| n | 0x80).collect::<Vec<u8>>())).is_ok());
    }
}
