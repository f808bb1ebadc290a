//! Prints variables so that every supported reader gets the same values.

use std::str::FromStr;

use zeroize::Zeroizing;

use super::error::{Error, Result};

/// The longest line that Docker's command line reads from an `--env-file`, in bytes.
const DOCKER_LINE: usize = 64 * 1024 - 1;

/// The format in which variables are printed, by the program that reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a program words each format, and must word a new one"
)]
pub enum Format {
    /// A `.env` file that python-dotenv, Node.js and a POSIX shell read alike.
    #[default]
    Dotenv,
    /// One JSON object of strings.
    Json,
    /// `docker run --env-file`, which knows neither quotes nor line breaks.
    Docker,
    /// A POSIX shell: `export` lines to be sourced.
    Shell,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Dotenv, Format::Json, Format::Docker, Format::Shell];

    /// Returns the format's word: `dotenv`, `json`, `docker` or `shell`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Dotenv => "dotenv",
            Format::Json => "json",
            Format::Docker => "docker",
            Format::Shell => "shell",
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let found = Format::ALL.into_iter().find(|format| format.as_str() == word);
        found.ok_or_else(|| Error::new("the format is not valid", "give `dotenv`, `json`, `docker` or `shell`"))
    }
}

/// The variables as text.
#[non_exhaustive]
pub struct Printed {
    /// The text.
    pub text: Zeroizing<String>,
    /// True if values are in quotes, which some readers of `.env` files keep.
    pub quoted: bool,
}

/// Prints variables with their values.
///
/// # Errors
/// [`Error`] naming the variables whose values the format cannot hold.
pub fn print(format: Format, variables: &[(String, Zeroizing<String>)]) -> Result<Printed> {
    let mut printed = Printed {
        text: Zeroizing::new(String::with_capacity(room(variables))),
        quoted: false,
    };
    match format {
        Format::Json => json(variables, &mut printed.text)?,
        Format::Shell => {
            printable(variables, format, "a NUL", |_, value| !value.contains('\0'))?;
            for (variable, value) in variables {
                shell(variable, value, &mut printed.text);
            }
        }
        Format::Docker => {
            let what = "a line break, a NUL character, or more text than a line may hold";
            printable(variables, format, what, |name, value| {
                !value.contains(['\n', '\r', '\0']) && name.len() + 1 + value.len() <= DOCKER_LINE
            })?;
            for (variable, value) in variables {
                line(variable, "", value, &mut printed.text);
            }
        }
        Format::Dotenv => {
            let what = "text that readers of `.env` files read in different ways";
            printable(variables, format, what, |_, value| Quotes::of(value).is_some())?;
            for (variable, value) in variables {
                let quotes = Quotes::of(value).unwrap_or(Quotes::Single);
                printed.quoted |= quotes != Quotes::None;
                line(variable, quotes.mark(), value, &mut printed.text);
            }
        }
    }
    Ok(printed)
}

/// More bytes than any format takes, so that the text never moves and leaves no copy behind.
fn room(variables: &[(String, Zeroizing<String>)]) -> usize {
    let each = variables
        .iter()
        .map(|(variable, value)| variable.len() + 6 * value.len() + 32);
    each.sum::<usize>() + 16
}

/// The quotes in which every reader takes a value as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    /// Without quotes Docker's command line reads it as well, which knows none.
    None,
    Single,
    Double,
}

impl Quotes {
    /// Returns the quotes of a value; `None` if readers disagree under any quotes.
    ///
    /// The readers are python-dotenv, Node's dotenv, `node --env-file`, docker compose and POSIX shells. No two of
    /// them escape alike, so that only text is printed that needs no escape: python-dotenv expands `${…}` and takes
    /// `\\` for one backslash in single quotes too, shells expand `$`, backticks and backslashes in double quotes,
    /// and a bare CR becomes a line feed.
    fn of(value: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.,:/@%+=".contains(&b);
        let disputed = value.contains("${") || value.contains(['\r', '\0']);
        if value.bytes().all(plain) {
            Some(Quotes::None)
        } else if disputed {
            None
        } else if !value.contains('\'') && !value.contains("\\\\") && !value.ends_with('\\') {
            Some(Quotes::Single)
        } else if !value.contains(['"', '$', '`', '\\', '!']) {
            Some(Quotes::Double)
        } else {
            None
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Quotes::None => "",
            Quotes::Single => "'",
            Quotes::Double => "\"",
        }
    }
}

fn line(variable: &str, quotes: &str, value: &str, text: &mut String) {
    for part in [variable, "=", quotes, value, quotes, "\n"] {
        text.push_str(part);
    }
}

/// Single quotes keep everything but themselves.
fn shell(variable: &str, value: &str, text: &mut String) {
    for part in ["export ", variable, "='"] {
        text.push_str(part);
    }
    for (place, part) in value.split('\'').enumerate() {
        if place > 0 {
            text.push_str("'\\''");
        }
        text.push_str(part);
    }
    text.push_str("'\n");
}

fn json(variables: &[(String, Zeroizing<String>)], text: &mut String) -> Result<()> {
    let object: std::collections::BTreeMap<&str, &str> = variables
        .iter()
        .map(|(variable, value)| (variable.as_str(), value.as_str()))
        .collect();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room(variables)));
    serde_json::to_writer_pretty(&mut *bytes, &object)
        .map_err(|error| Error::new(format!("cannot write JSON: {error}"), "this is a bug"))?;
    text.push_str(std::str::from_utf8(&bytes).unwrap_or_default());
    text.push('\n');
    Ok(())
}

/// Refuses values that a format cannot hold, all of them at once.
fn printable(
    variables: &[(String, Zeroizing<String>)],
    format: Format,
    what: &str,
    fits: impl Fn(&str, &str) -> bool,
) -> Result<()> {
    let bad = variables.iter().filter(|(name, value)| !fits(name, value));
    let bad: Vec<String> = bad.map(|(variable, _)| format!("`{variable}`")).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let format = format.as_str();
    Err(Error::new(
        format!(
            "the format {format} cannot hold the value of {}: it has {what}",
            bad.join(", ")
        ),
        "use `--format json`, skip the key with `--skip NAME`, or start the program with `ibyok run`",
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn printed(format: Format, value: &str) -> Result<String> {
        let printed = print(format, &[("A".to_owned(), Zeroizing::new(value.to_owned()))])?;
        assert!(printed.text.capacity() >= printed.text.len());
        Ok(printed.text.to_string())
    }

    #[test]
    fn quotes_are_the_fewest_in_which_every_reader_agrees() {
        for (value, text) in [
            ("sk-proj-1_2", "A=sk-proj-1_2\n"),
            ("", "A=\n"),
            ("a b$", "A='a b$'\n"),
            ("#s3cret", "A='#s3cret'\n"),
            ("C:\\Users\\me", "A='C:\\Users\\me'\n"),
            ("\\d+\\.\\w", "A='\\d+\\.\\w'\n"),
            ("a\tb", "A='a\tb'\n"),
            ("$(id) `id` \"$x\"", "A='$(id) `id` \"$x\"'\n"),
            ("it's", "A=\"it's\"\n"),
            ("a\nb\n", "A='a\nb\n'\n"),
        ] {
            assert_eq!(printed(Format::Dotenv, value).unwrap(), text);
        }
    }

    #[test]
    fn a_value_that_readers_take_differently_is_refused_with_its_variable() {
        for value in [
            "${A}",
            "it's $x",
            "it's \"both\"",
            "it's `x`",
            "\\\\srv\\share",
            "ends\\",
            "a\rb",
            "a\0b",
            "it's!",
        ] {
            let error = printed(Format::Dotenv, value).err().unwrap().to_string();
            assert!(error.contains("`A`") && !error.contains(value), "{error}");
        }
    }

    #[test]
    fn docker_is_given_nothing_that_it_would_read_differently() {
        assert_eq!(printed(Format::Docker, "a \"b\" $c").unwrap(), "A=a \"b\" $c\n");
        assert!(printed(Format::Docker, "a\nb").is_err());
        assert!(printed(Format::Docker, &"x".repeat(DOCKER_LINE - 2)).is_ok());
        assert!(printed(Format::Docker, &"x".repeat(DOCKER_LINE - 1)).is_err());
    }

    #[test]
    fn a_real_shell_reads_back_what_was_printed() {
        for value in [
            "it's \"both\" $HOME `x` \\ !",
            "line\nline\n",
            " ",
            "-n",
            "*",
            "東京",
            "''",
            "'",
        ] {
            let script = format!("{}printf %s \"$A\"", printed(Format::Shell, value).unwrap());
            let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }

    proptest! {
        #[test]
        fn dotenv_reads_back_what_it_printed(value in "[^\0]{0,80}") {
            let Ok(text) = printed(Format::Dotenv, &value) else { return Ok(()) };
            let parsed = super::super::parse(&text).unwrap();
            prop_assert_eq!(parsed.assignments.len(), 1);
            prop_assert_eq!(parsed.assignments[0].value.as_str(), value.as_str());
        }

        #[test]
        fn no_format_needs_more_room_than_was_made(values in prop::collection::vec(".{0,60}", 0..8)) {
            let variables: Vec<_> = values.into_iter().enumerate()
                .map(|(n, value)| (format!("A{n}"), Zeroizing::new(value))).collect();
            for format in [Format::Dotenv, Format::Json, Format::Docker, Format::Shell] {
                if let Ok(printed) = print(format, &variables) {
                    prop_assert!(printed.text.capacity() <= room(&variables) && printed.text.len() <= room(&variables));
                }
            }
        }
    }
}
