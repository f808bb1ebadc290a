//! Prints variables so that what reads them gets the same values.

use clap::ValueEnum;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// What reads the printed variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A `.env` file
    #[default]
    Dotenv,
    /// One JSON object of strings
    Json,
    /// `docker run --env-file`, which knows neither quotes nor line breaks
    Docker,
    /// A POSIX shell: `export` lines to be sourced
    Shell,
}

/// Prints variables with their values.
///
/// # Errors
/// [`Error::Usage`] naming a variable whose value the format cannot hold.
pub(crate) fn print(format: Format, variables: &[(String, Zeroizing<String>)]) -> Result<Zeroizing<String>> {
    if format == Format::Json {
        return json(variables);
    }
    let mut printed = Zeroizing::new(String::new());
    for (variable, value) in variables {
        match format {
            Format::Shell => {
                printed.push_str(&format!("export {variable}={}\n", &*shell(variable, value)?));
            }
            Format::Docker => {
                docker(variable, value)?;
                printed.push_str(&format!("{variable}={}\n", value.as_str()));
            }
            Format::Dotenv | Format::Json => printed.push_str(&format!("{variable}={}\n", &*dotenv(value))),
        }
    }
    Ok(printed)
}

fn json(variables: &[(String, Zeroizing<String>)]) -> Result<Zeroizing<String>> {
    let object: std::collections::BTreeMap<&str, &str> = variables
        .iter()
        .map(|(variable, value)| (variable.as_str(), value.as_str()))
        .collect();
    let text = serde_json::to_string_pretty(&object);
    let text = text.map_err(|error| Error::failed(format!("JSON cannot be written: {error}"), "this is a bug"))?;
    Ok(Zeroizing::new(format!("{text}\n")))
}

/// Plain where nothing needs quotes; in single quotes, which every reader takes as they are, where the value allows it; else in
/// double quotes with escapes, of which readers know more or fewer. A `$` in those is escaped, since many readers expand it there.
fn dotenv(value: &str) -> Zeroizing<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.,:/@%+=".contains(&b);
    if !value.is_empty() && value.bytes().all(plain) {
        return Zeroizing::new(value.to_owned());
    }
    let literal = |c: char| c != '\'' && c != '\\' && !c.is_control();
    if !value.is_empty() && value.chars().all(literal) {
        return Zeroizing::new(format!("'{value}'"));
    }
    let mut quoted = Zeroizing::new(String::with_capacity(value.len() + 2));
    quoted.push('"');
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' | '$' => quoted.extend(['\\', c]),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn shell(variable: &str, value: &str) -> Result<Zeroizing<String>> {
    // Single quotes keep everything but themselves; NUL can be in no variable.
    if value.contains('\0') {
        return Err(cannot(variable, "a NUL", "shell"));
    }
    Ok(Zeroizing::new(format!("'{}'", value.replace('\'', "'\\''"))))
}

fn docker(variable: &str, value: &str) -> Result<()> {
    match value.chars().find(|c| matches!(c, '\n' | '\r' | '\0')) {
        Some(_) => Err(cannot(variable, "a line break or NUL", "docker")),
        None => Ok(()),
    }
}

fn cannot(variable: &str, what: &str, format: &str) -> Error {
    Error::usage(
        format!("the value of `{variable}` holds {what}, which the format {format} cannot"),
        "choose `--format json`, or let `ibyok run` start the program",
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn printed(format: Format, value: &str) -> Result<Zeroizing<String>> {
        print(format, &[("A".to_owned(), Zeroizing::new(value.to_owned()))])
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        assert_eq!(
            printed(Format::Dotenv, "sk-proj-1_2").unwrap().as_str(),
            "A=sk-proj-1_2\n"
        );
        assert_eq!(printed(Format::Dotenv, "a b$").unwrap().as_str(), "A='a b$'\n");
        assert_eq!(printed(Format::Dotenv, "it's $").unwrap().as_str(), "A=\"it's \\$\"\n");
        assert_eq!(printed(Format::Dotenv, "").unwrap().as_str(), "A=\"\"\n");
    }

    #[test]
    fn docker_is_given_nothing_that_it_would_read_differently() {
        assert_eq!(
            printed(Format::Docker, "a \"b\" $c").unwrap().as_str(),
            "A=a \"b\" $c\n"
        );
        assert!(printed(Format::Docker, "a\nb").is_err());
    }

    #[test]
    fn a_real_shell_reads_back_what_was_printed() {
        for value in ["it's \"both\" $HOME `x` \\ !", "line\nline\n", " ", "-n", "*", "東京"] {
            let script = format!("{}printf %s \"$A\"", printed(Format::Shell, value).unwrap().as_str());
            let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }

    proptest! {
        #[test]
        fn dotenv_reads_back_what_it_printed(value in "[^\0]{0,80}") {
            let text = printed(Format::Dotenv, &value).unwrap();
            let parsed = super::super::parse(&text).unwrap();
            prop_assert_eq!(parsed.assignments.len(), 1);
            prop_assert_eq!(parsed.assignments[0].value.as_str(), value.as_str());
        }
    }
}
