//! The access token that a program's environment announces.

use std::collections::BTreeMap;
use std::fmt;
use std::process::{Command, Stdio};

use ibyok_core::AccessToken;
use zeroize::Zeroizing;

/// The longest token that is taken from a file or a command, in bytes. A longer text is no token.
const TOKEN_MAX: usize = 64 * 1024;

/// The variables that announce a token.
const TOKEN: &str = "IBYOK_TOKEN";
const TOKEN_FILE: &str = "IBYOK_TOKEN_FILE";
const TOKEN_COMMAND: &str = "IBYOK_TOKEN_COMMAND";

/// The reason why there is no usable token. It never shows a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoToken {
    /// The fault in the source of the token.
    pub what: String,
    /// The remedy.
    pub hint: String,
}

impl NoToken {
    fn because(what: impl Into<String>) -> Self {
        NoToken {
            what: what.into(),
            hint: "give a whole token, or unset the variable; with a local vault, `--operator` ignores the variable"
                .to_owned(),
        }
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for NoToken {}

/// Returns true if a variable announces an access token, also one that does not exist: a program must not act as an operator because of a
/// spelling mistake.
#[must_use]
pub fn announces_token(environment: &BTreeMap<String, String>) -> bool {
    environment.keys().any(|name| name.starts_with(TOKEN))
}

/// Returns the token that the environment holds or points to, and the name of the variable: `IBYOK_TOKEN`, else `IBYOK_TOKEN_FILE`, else `IBYOK_TOKEN_COMMAND`.
///
/// The command is split into words as a shell would, and run without one: nothing in it is expanded.
///
/// # Errors
/// [`NoToken`] if there is none, it is empty, or the file or command fails.
pub fn announced_token(environment: &BTreeMap<String, String>) -> Result<(AccessToken, &'static str), NoToken> {
    let (text, why) = if let Some(text) = environment.get(TOKEN) {
        (Zeroizing::new(text.clone()), TOKEN)
    } else if let Some(path) = environment.get(TOKEN_FILE) {
        (from_file(path)?, TOKEN_FILE)
    } else if let Some(line) = environment.get(TOKEN_COMMAND) {
        (from_command(line)?, TOKEN_COMMAND)
    } else if let Some(name) = environment.keys().find(|name| name.starts_with(TOKEN)) {
        return Err(NoToken::because(format!("{name} is set, but no such variable exists")));
    } else {
        return Err(NoToken {
            what: "a server needs an access token, and none is set".to_owned(),
            hint: "set IBYOK_TOKEN, IBYOK_TOKEN_FILE or IBYOK_TOKEN_COMMAND".to_owned(),
        });
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(NoToken::because(format!("{why} holds no token: it is empty")));
    }
    Ok((AccessToken::from(text), why))
}

fn from_file(path: &str) -> Result<Zeroizing<String>, NoToken> {
    let fail = |why: &dyn std::fmt::Display| {
        NoToken::because(format!("cannot read a token from `{path}` ({TOKEN_FILE}): {why}"))
    };
    let mut file = std::fs::File::open(path).map_err(|error| fail(&error))?;
    let bytes = ibyok_core::Secret::read(&mut file, TOKEN_MAX).map_err(|error| fail(&error))?;
    let text = bytes.text().map_err(|error| fail(&error))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn from_command(line: &str) -> Result<Zeroizing<String>, NoToken> {
    let fail =
        |why: &dyn std::fmt::Display| NoToken::because(format!("cannot get a token from {TOKEN_COMMAND}: {why}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn is_refused(pairs: &[(&str, &str)]) -> bool {
        let environment = environment(pairs);
        announces_token(&environment) && announced_token(&environment).is_err()
    }

    #[test]
    fn an_announced_token_that_is_not_usable_is_an_error() {
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
        let (token, why) = announced_token(&environment(&[("IBYOK_TOKEN_COMMAND", "echo '$HOME' \"a b\"")])).unwrap();
        assert_eq!((token.expose(), why), ("$HOME a b", TOKEN_COMMAND));
    }
}
