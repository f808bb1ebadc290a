//! From flags and variables to the vault's settings, which the core resolves.

use std::io::IsTerminal;

use ibyok_core::{EnvironmentName, Secret, secrecy::ExposeSecret};
use ibyok_settings::{Given, Locations, Settings, has_password};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::globals::{Environment, Globals};

/// The settings that flags, variables and `vault.toml` give.
///
/// # Errors
/// The core's, naming the fault and the source of the setting.
pub(crate) fn resolve(globals: &Globals, environment: &Environment) -> Result<Settings> {
    resolve_given(&given(globals)?, environment)
}

/// The same, from already collected settings.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn resolve_given(given: &Given, environment: &Environment) -> Result<Settings> {
    Ok(Settings::resolve(given, environment, &Locations::of_user(environment))?)
}

/// Returns the settings of the flags.
///
/// # Errors
/// [`Error::Usage`] for a store's password, which every process could see.
pub(crate) fn given(globals: &Globals) -> Result<Given> {
    let settings = globals.settings.clone();
    if settings.store.as_deref().is_some_and(has_password) {
        return Err(Error::usage(
            "`--store` holds a password, which every process can read",
            "put the URL into IBYOK_STORE or into `vault.toml`",
        ));
    }
    let mut given = Given::default();
    given.vault.clone_from(&globals.vault);
    given.namespace.clone_from(&globals.namespace);
    given.store = settings.store;
    given.kek = (!settings.kek.is_empty()).then(|| settings.kek.join(","));
    given.also_kek = (!settings.also_kek.is_empty()).then(|| settings.also_kek.join(","));
    given.kek_file = settings.kek_file;
    given.passphrase_file = settings.passphrase_file;
    given.audit = settings.audit;
    given.key_cache_ttl = settings.key_cache_ttl;
    given.durability = settings.durability;
    given.geoip = settings.geoip;
    given.dev_mode_forced = settings.dev_mode_forced;
    given.staging_mode_forced = settings.staging_mode_forced;
    given.prod_mode_forced = settings.prod_mode_forced;
    given.prod_mock_allowed = settings.prod_mock_allowed;
    Ok(given)
}

/// A function that asks for the passphrase of the vault, or of one environment.
pub(crate) type Ask = fn(Option<&EnvironmentName>) -> ibyok_core::Result<Secret>;

/// Asks for the passphrase, where there is a terminal to ask on.
pub(crate) fn ask() -> Option<Ask> {
    let ask: Ask = |environment| match environment {
        None => typed("Passphrase: "),
        Some(name) => typed(&format!("Passphrase of {name}: ")),
    };
    std::io::stdin().is_terminal().then_some(ask)
}

/// Asks for a new passphrase, twice.
pub(crate) fn ask_twice() -> Option<Ask> {
    let ask: Ask = |environment| {
        let first = match environment {
            None => typed("New passphrase: ")?,
            Some(name) => typed(&format!("New passphrase of {name}: "))?,
        };
        let second = typed("Once more: ")?;
        if first.expose_secret() != second.expose_secret() {
            return Err(ibyok_core::Error::invalid("the two passphrases differ", "try again"));
        }
        Ok(first)
    };
    std::io::stdin().is_terminal().then_some(ask)
}

fn typed(prompt: &str) -> ibyok_core::Result<Secret> {
    let typed = rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| {
            ibyok_core::Error::invalid(
                format!("cannot read the passphrase from the terminal: {error}"),
                "give `--passphrase-file`",
            )
        })?;
    Ok(Secret::copy_of(typed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_with_a_password_is_refused() {
        let mut globals = Globals::default();
        for url in ["postgres://u:SENT@host/db", "postgres://u@host/db?password=SENT"] {
            globals.settings.store = Some(url.to_owned());
            let error = given(&globals).unwrap_err();
            assert!(matches!(&error, Error::Usage { what, hint } if !what.contains("SENT") && !hint.contains("SENT")));
        }
    }
}
