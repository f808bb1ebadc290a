//! Chooses the vault and the identity of a command: the vault here as its operator or as a token's holder, or a
//! server as a token's holder.

use ibyok_core::AccessToken;
use ibyok_settings::{announced_token, announces_token, operator_name};

use crate::error::{Error, Result};
use crate::globals::{Environment, Globals};

/// The place at which the command works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The vault of this machine.
    Here,
    /// A server.
    Server {
        /// Its URL.
        url: String,
        /// The flag or variable that named the server.
        why: &'static str,
    },
}

/// The identity of the command.
#[derive(Debug)]
pub(crate) enum Who {
    /// The operator, by this name.
    Operator(String),
    /// The holder of a token that came from somewhere.
    Token(AccessToken, &'static str),
}

/// Chooses the place at which a command works. A flag beats a variable, and `IBYOK_URL` beats `IBYOK_VAULT`.
///
/// # Errors
/// [`Error::Usage`] for `--url` together with `--vault` or `--operator`.
pub(crate) fn place(globals: &Globals, environment: &Environment) -> Result<Place> {
    if let Some(url) = &globals.url {
        if globals.vault.is_some() {
            return Err(Error::usage(
                "`--url` and `--vault` name two different vaults",
                "give only one of them",
            ));
        }
        return server(globals, url, "--url");
    }
    match environment.get("IBYOK_URL") {
        Some(url) if globals.vault.is_none() => server(globals, url, "IBYOK_URL"),
        _ => Ok(Place::Here),
    }
}

fn server(globals: &Globals, url: &str, why: &'static str) -> Result<Place> {
    if globals.operator {
        return Err(Error::usage(
            format!("`--operator` does not work with {why}: a server has no operator"),
            "give an access token in IBYOK_TOKEN, or use `--vault` to work on a local vault",
        ));
    }
    if url.is_empty() {
        return Err(Error::usage(
            format!("{why} is empty"),
            "give the server's URL, or unset it",
        ));
    }
    Ok(Place::Server {
        url: url.to_owned(),
        why,
    })
}

/// Chooses the identity of a command on the local vault.
///
/// # Errors
/// [`Error::NoToken`] where a token is announced and there is none.
pub(crate) fn who_here(globals: &Globals, environment: &Environment) -> Result<Who> {
    if !is_by_token(globals, environment) {
        return Ok(Who::Operator(operator_name()));
    }
    let (token, why) = announced_token(environment)?;
    Ok(Who::Token(token, why))
}

/// Returns true if a command on the vault here acts as the holder of an access token: a variable announces one, and
/// `--operator` does not overrule it.
pub(crate) fn is_by_token(globals: &Globals, environment: &Environment) -> bool {
    !globals.operator && announces_token(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn globals(url: Option<&str>, vault: Option<&str>) -> Globals {
        Globals {
            url: url.map(str::to_owned),
            vault: vault.map(str::to_owned),
            ..Globals::default()
        }
    }

    fn is_refused(pairs: &[(&str, &str)]) -> bool {
        matches!(
            who_here(&Globals::default(), &environment(pairs)),
            Err(Error::NoToken { .. })
        )
    }

    #[test]
    fn a_flag_beats_a_variable_and_the_url_beats_the_vault() {
        let both = environment(&[("IBYOK_URL", "http://a"), ("IBYOK_VAULT", "/v")]);
        let server = |url: &str, why| Place::Server {
            url: url.to_owned(),
            why,
        };
        assert_eq!(
            place(&globals(None, None), &both).unwrap(),
            server("http://a", "IBYOK_URL")
        );
        assert_eq!(place(&globals(None, Some("/w")), &both).unwrap(), Place::Here);
        assert_eq!(
            place(&globals(Some("http://b"), None), &both).unwrap(),
            server("http://b", "--url")
        );
        assert!(matches!(
            place(&globals(Some("http://b"), Some("/w")), &both),
            Err(Error::Usage { .. })
        ));
    }

    #[test]
    fn an_announced_token_is_never_the_operator() {
        for pairs in [
            [("IBYOK_TOKEN", "")],
            [("IBYOK_TOKEN_FILE", "/dev/null")],
            [("IBYOK_TOKEN_FIEL", "/run/token")],
        ] {
            assert!(is_refused(&pairs), "{pairs:?}");
        }
    }

    #[test]
    fn without_a_token_it_is_the_operator() {
        let who = who_here(&Globals::default(), &environment(&[("IBYOK_VAULT", "/v")])).unwrap();
        assert!(matches!(who, Who::Operator(name) if name.starts_with("os:") && name.contains('@')));
        let forced = Globals {
            operator: true,
            ..Globals::default()
        };
        assert!(matches!(
            who_here(&forced, &environment(&[("IBYOK_TOKEN", "")])),
            Ok(Who::Operator(_))
        ));
    }
}
