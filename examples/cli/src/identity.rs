//! Chooses the vault and the identity of a command: the vault here as its operator or as a token's holder, or a
//! server as a token's holder.

use std::process::{Command, Stdio};

use ibyok_core::AccessToken;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::globals::{Environment, Globals};

/// The longest token that is taken from a file or a command, in bytes. A longer text is no token.
const TOKEN_MAX: usize = 64 * 1024;

/// The variables that announce a token.
const TOKEN: &str = "IBYOK_TOKEN";
const TOKEN_FILE: &str = "IBYOK_TOKEN_FILE";
const TOKEN_COMMAND: &str = "IBYOK_TOKEN_COMMAND";

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
    let (token, why) = token(environment)?;
    Ok(Who::Token(token, why))
}

/// Returns true if a command on the vault here acts as the holder of an access token: a variable announces one, and
/// `--operator` does not overrule it.
pub(crate) fn is_by_token(globals: &Globals, environment: &Environment) -> bool {
    !globals.operator && environment.keys().any(|name| name.starts_with(TOKEN))
}

/// The token that the environment holds or points to: `IBYOK_TOKEN`, else `IBYOK_TOKEN_FILE`, else `IBYOK_TOKEN_COMMAND`.
///
/// The command is split into words as a shell would, and run without one: nothing in it is expanded.
///
/// # Errors
/// [`Error::NoToken`] if there is none, it is empty, or the file or command fails.
pub(crate) fn token(environment: &Environment) -> Result<(AccessToken, &'static str)> {
    let (text, why) = if let Some(text) = environment.get(TOKEN) {
        (Zeroizing::new(text.clone()), TOKEN)
    } else if let Some(path) = environment.get(TOKEN_FILE) {
        (from_file(path)?, TOKEN_FILE)
    } else if let Some(line) = environment.get(TOKEN_COMMAND) {
        (from_command(line)?, TOKEN_COMMAND)
    } else if let Some(name) = environment.keys().find(|name| name.starts_with(TOKEN)) {
        return Err(Error::no_token(format!("{name} is set, but no such variable exists")));
    } else {
        return Err(Error::NoToken {
            what: "a server needs an access token, and none is set".to_owned(),
            hint: "set IBYOK_TOKEN, IBYOK_TOKEN_FILE or IBYOK_TOKEN_COMMAND".to_owned(),
        });
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::no_token(format!("{why} holds no token: it is empty")));
    }
    Ok((AccessToken::from(text), why))
}

fn from_file(path: &str) -> Result<Zeroizing<String>> {
    let fail = |why: &dyn std::fmt::Display| {
        Error::no_token(format!("cannot read a token from `{path}` ({TOKEN_FILE}): {why}"))
    };
    let mut file = std::fs::File::open(path).map_err(|error| fail(&error))?;
    let bytes = ibyok_core::Secret::read(&mut file, TOKEN_MAX).map_err(|error| fail(&error))?;
    let text = bytes.text().map_err(|error| fail(&error))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn from_command(line: &str) -> Result<Zeroizing<String>> {
    let fail = |why: &dyn std::fmt::Display| Error::no_token(format!("cannot get a token from {TOKEN_COMMAND}: {why}"));
    let words = shlex::split(line).ok_or_else(|| fail(&"a quote is not closed"))?;
    let (program, arguments) = words.split_first().ok_or_else(|| fail(&"it is empty"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_remove(TOKEN_COMMAND)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| fail(&format!("`{program}`: {error}")))?;
    let mut output = child.stdout.take().ok_or_else(|| fail(&"it has no output"))?;
    let read = ibyok_core::Secret::read(&mut output, TOKEN_MAX);
    drop(output);
    let status = child.wait().map_err(|error| fail(&error))?;
    if !status.success() {
        return Err(fail(&format!("`{program}` ended with {status}")));
    }
    let bytes = read.map_err(|error| fail(&error))?;
    let text = bytes.text().map_err(|error| fail(&error))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The operator's name on the audit log: `os:user@host`.
pub(crate) fn operator_name() -> String {
    let id = rustix::process::getuid().as_raw();
    // A container often runs as a user that has a number and no name.
    let user = whoami::username().ok().filter(|user| !user.is_empty());
    let user = user.unwrap_or_else(|| id.to_string());
    let host = whoami::hostname().unwrap_or_else(|_| "unknown".to_owned());
    format!("os:{user}@{host}")
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
        assert!(is_refused(&[("IBYOK_TOKEN", "")]));
        assert!(is_refused(&[("IBYOK_TOKEN", "  ")]));
        assert!(is_refused(&[("IBYOK_TOKEN", ""), ("IBYOK_TOKEN_FILE", "/dev/null")]));
        assert!(is_refused(&[("IBYOK_TOKEN_FILE", "/dev/null")]));
        assert!(is_refused(&[("IBYOK_TOKEN_FILE", "/nowhere/at/all")]));
        assert!(is_refused(&[("IBYOK_TOKEN_COMMAND", "false")]));
        assert!(is_refused(&[("IBYOK_TOKEN_COMMAND", "true")]));
        assert!(is_refused(&[("IBYOK_TOKEN_COMMAND", "no-such-program-here")]));
        assert!(is_refused(&[("IBYOK_TOKEN_COMMAND", "echo 'x")]));
        assert!(is_refused(&[("IBYOK_TOKEN_FIEL", "/run/token")]));
    }

    #[test]
    fn a_command_is_run_without_a_shell() {
        let (token, why) = token(&environment(&[("IBYOK_TOKEN_COMMAND", "echo '$HOME' \"a b\"")])).unwrap();
        assert_eq!((token.expose(), why), ("$HOME a b", TOKEN_COMMAND));
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
