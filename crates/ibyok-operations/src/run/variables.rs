//! The variables that a program gets.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use ibyok_core::{Error, KeyRef, Result, keys::VariableKind};
use zeroize::Zeroizing;

/// The beginning of a value that is a reference to a key.
const SCHEME: &str = "ibyok://";

/// The content of a variable, as a file or an environment says it.
#[expect(
    clippy::exhaustive_enums,
    reason = "a program resolves each kind, and must resolve a new one"
)]
pub enum Source {
    /// This text.
    Plain(Zeroizing<String>),
    /// The value of this key.
    Key(KeyRef),
}

impl Source {
    /// Reads the value of a variable: a reference to a key, or plain text.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the variable, for a value that begins like a reference and is none.
    pub fn of(variable: &str, value: &str) -> Result<Self> {
        if !Source::is_reference(value) {
            return Ok(Source::Plain(Zeroizing::new(value.to_owned())));
        }
        let key = value.parse().map_err(|error: Error| {
            let hint = error.hint().unwrap_or_default();
            Error::invalid(format!("{variable}: {error}"), hint)
        })?;
        Ok(Source::Key(key))
    }

    /// Returns true if a value begins like a reference to a key.
    #[must_use]
    pub fn is_reference(value: &str) -> bool {
        value.starts_with(SCHEME)
    }
}

/// Splits `VAR=REF` at the first `=`.
///
/// # Errors
/// [`Error::Invalid`] for text of another form, and for a variable that no program can be given.
pub fn parse_pair(pair: &str) -> Result<(&str, &str)> {
    let parts = pair.split_once('=').filter(|(variable, _)| !variable.is_empty());
    let (variable, reference) = parts.ok_or_else(|| {
        Error::invalid(
            format!("`{pair}` is not of the form `VAR=REF`"),
            "write for example `--key TOKEN=prod/stripe`",
        )
    })?;
    let plain = variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain || variable.starts_with(|c: char| c.is_ascii_digit()) || is_ours(OsStr::new(variable)) {
        return Err(Error::invalid(
            format!("`{variable}` is not a variable that IBYOK can set"),
            "use letters, digits and `_`; names that begin with `IBYOK_` are reserved",
        ));
    }
    Ok((variable, reference))
}

/// Returns true for a variable of IBYOK itself: it may hold a token, and no program inherits it.
#[must_use]
pub fn is_ours(variable: &OsStr) -> bool {
    variable.as_bytes().starts_with(b"IBYOK_")
}

/// Returns the reason not to hand out a variable unasked; `None` if there is none. A writer of keys must not choose which code every
/// program runs, or where it sends its requests. `named` is true if an operator chose the variable.
#[must_use]
pub fn withheld(variable: &str, named: bool) -> Option<&'static str> {
    let kind = VariableKind::of(variable);
    if kind.may_be_handed_out(named) {
        return None;
    }
    Some(match kind {
        VariableKind::Malformed => "is not the name of a variable",
        VariableKind::Reserved => "is reserved for IBYOK, or decides where requests go",
        VariableKind::RunsCode => "decides which code a program runs",
        VariableKind::Unproven | VariableKind::Evident => "was chosen by a token, and may steer a program",
    })
}

/// Refuses two keys of one variable: a program would get one of them by chance.
///
/// # Errors
/// [`Error::Invalid`] naming both keys.
pub fn no_two_of_one_variable<'a>(keys: impl IntoIterator<Item = (&'a str, &'a KeyRef)>) -> Result<()> {
    let mut seen = HashMap::new();
    for (variable, key) in keys {
        if let Some(other) = seen.insert(variable, key) {
            return Err(Error::invalid(
                format!("`{other}` and `{key}` have the same variable `{variable}`"),
                "change the variable of one key with `ibyok keys edit REF --var NAME`, or choose one key with `--only`",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_names_a_variable_that_a_program_can_have() {
        assert_eq!(parse_pair("TOKEN=prod/a=b").unwrap(), ("TOKEN", "prod/a=b"));
        for bad in [
            "TOKEN",
            "=prod/a",
            "9A=prod/a",
            "A-B=prod/a",
            "IBYOK_TOKEN=prod/a",
            "A B=prod/a",
        ] {
            assert!(parse_pair(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_that_begins_like_a_reference_is_one_or_an_error() {
        assert!(matches!(Source::of("A", "ibyok://prod/a").unwrap(), Source::Key(key) if key.to_string() == "prod/a"));
        assert!(matches!(Source::of("A", "prod/a").unwrap(), Source::Plain(text) if *text == "prod/a"));
        let error = Source::of("A", "ibyok://").err().unwrap();
        assert!(error.to_string().starts_with("A: "), "{error}");
    }

    #[test]
    fn a_variable_that_runs_code_is_never_handed_out_and_an_unproven_one_only_if_an_operator_chose_it() {
        assert!(withheld("LD_PRELOAD", true).is_some() && withheld("https_proxy", true).is_some());
        assert!(withheld("MAKEFILES", false).is_some());
        assert_eq!(withheld("OPENAI_API_KEY", false), None);
    }

    #[test]
    fn two_keys_of_one_variable_are_refused_with_both_names() {
        let [one, other]: [KeyRef; 2] = ["prod/a", "prod/b"].map(|key| key.parse().unwrap());
        assert!(no_two_of_one_variable([("A", &one), ("B", &other)]).is_ok());
        let error = no_two_of_one_variable([("A", &one), ("A", &other)])
            .unwrap_err()
            .to_string();
        assert_eq!(error, "`prod/a` and `prod/b` have the same variable `A`");
    }
}
