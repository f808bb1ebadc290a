//! `.ibyok.toml`: what a project's directory says about the keys that its program wants.
//!
//! It may come from a stranger's repository, so it can name keys and nothing else: not a server, a store, a command or a token.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ibyok_core::{EnvironmentName, KeyRef, runs_code};
use serde::Deserialize;

use crate::error::{Error, Result};

/// The file's name.
pub(crate) const NAME: &str = ".ibyok.toml";

/// The largest file that is read, in bytes, and the most keys that it may name.
const SIZE_MAX: u64 = 64 * 1024;
const KEYS_MAX: usize = 1000;

/// What a project asks for.
#[derive(Debug)]
pub(crate) struct Project {
    /// The file.
    pub(crate) path: PathBuf,
    /// Every key of this environment that the caller may read.
    pub(crate) environment: Option<EnvironmentName>,
    /// A key for a variable.
    pub(crate) keys: Vec<(String, KeyRef)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    env: Option<String>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

/// The nearest `.ibyok.toml`, from a directory upwards.
///
/// # Errors
/// [`Error::Usage`] for one that says anything but `env` and `[keys]`.
pub(crate) fn find(from: &Path) -> Result<Option<Project>> {
    match from
        .ancestors()
        .map(|directory| directory.join(NAME))
        .find(|path| path.symlink_metadata().is_ok())
    {
        Some(path) => read(&path).map(Some),
        None => Ok(None),
    }
}

fn refused(path: &Path, why: &str) -> Error {
    Error::usage(
        format!(
            "`{}` is refused: {why}",
            crate::show::clean(&path.display().to_string())
        ),
        "it may hold `env = \"…\"` and `[keys]` with `VARIABLE = \"ibyok://…\"`, and nothing else",
    )
}

fn read(path: &Path) -> Result<Project> {
    let refuse = |why: String| refused(path, &why);
    let metadata = path.metadata().map_err(|error| refuse(error.to_string()))?;
    if !metadata.is_file() {
        return Err(refuse("it is no file".to_owned()));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    file.take(SIZE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| refuse(error.to_string()))?;
    if text.len() as u64 > SIZE_MAX {
        return Err(refuse(format!("it is larger than {SIZE_MAX} bytes")));
    }
    parse(path, &text)
}

/// Reads the text of a project's file.
///
/// # Errors
/// As [`find`].
pub(crate) fn parse(path: &Path, text: &str) -> Result<Project> {
    let refuse = |why: String| refused(path, &why);
    let form: Form = toml::from_str(text).map_err(|error| refuse(crate::show::clean(error.message())))?;
    if form.keys.len() > KEYS_MAX {
        return Err(refuse(format!("it names more than {KEYS_MAX} keys")));
    }
    let environment = form.env.map(|name| name.parse()).transpose();
    let environment = environment.map_err(|error: ibyok_core::Error| refuse(error.to_string()))?;
    let keys = form.keys.into_iter().map(|(variable, reference)| {
        if !reference.starts_with("ibyok://") {
            return Err(refuse(format!(
                "`{}` is no `ibyok://` reference",
                crate::show::clean(&variable)
            )));
        }
        let key = reference
            .parse()
            .map_err(|error: ibyok_core::Error| refuse(error.to_string()))?;
        check_variable(&variable).map_err(&refuse)?;
        Ok((variable, key))
    });
    Ok(Project {
        path: path.to_owned(),
        environment,
        keys: keys.collect::<Result<_>>()?,
    })
}

/// Whether somebody else may set a variable of a program: one that decides which code runs or where it connects is refused.
pub(crate) fn check_variable(variable: &str) -> Result<(), String> {
    let mut bytes = variable.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(format!("`{}` is no name of a variable", crate::show::clean(variable)));
    }
    let upper = variable.to_ascii_uppercase();
    if runs_code(variable) || upper.starts_with("IBYOK_") || upper.ends_with("_PROXY") {
        return Err(format!(
            "`{variable}`, which decides what a program runs or where it connects"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> Result<Project> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(NAME), text).unwrap();
        let below = directory.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        find(&below).map(Option::unwrap)
    }

    #[test]
    fn it_is_found_upwards_and_names_keys() {
        let project = reading("env = \"dev\"\n[keys]\nOPENAI_API_KEY = \"ibyok://prod/openai?version=2\"\n").unwrap();
        assert_eq!(project.environment.unwrap().as_str(), "dev");
        assert_eq!(project.keys[0].0, "OPENAI_API_KEY");
        assert_eq!(project.keys[0].1.to_string(), "prod/openai?version=2");
    }

    #[test]
    fn anything_else_in_it_is_refused() {
        for hostile in [
            "url = \"https://evil.example\"",
            "store = \"postgres://evil\"",
            "vault = \"/tmp/x\"",
            "command = \"rm -rf /\"",
            "token = \"ibyok_x\"",
            "env = [\"dev\"]",
            "env = \"../dev\"",
            "[keys]\nA = \"sk-plain\"",
            "[keys]\nA = { command = \"x\" }",
            "[keys]\n\"A\\nB\" = \"ibyok://dev/a\"",
            "[keys]\nPATH = \"ibyok://dev/a\"",
            "[keys]\nLD_PRELOAD = \"ibyok://dev/a\"",
            "[keys]\nIBYOK_TOKEN = \"ibyok://dev/a\"",
            "[other]\nx = 1",
            "env = \"dev\"\nenv = \"prod\"",
            "not toml",
        ] {
            let error = reading(hostile).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{hostile}: {error}");
        }
        let long = format!("# {}", "x".repeat(70_000));
        assert!(reading(&long).is_err());
    }

    #[test]
    fn no_variable_that_runs_code_or_leads_elsewhere_is_set_for_a_program() {
        for bad in [
            "GIT_EDITOR",
            "GIT_PAGER",
            "GIT_PROXY_COMMAND",
            "GIT_EXTERNAL_DIFF",
            "GIT_TEMPLATE_DIR",
            "GIT_CONFIG_COUNT",
            "GIT_EXEC_PATH",
            "LOCPATH",
            "KUBECONFIG",
            "LESSOPEN",
            "Https_Proxy",
            "IBYOK_TOKEN",
        ] {
            assert!(check_variable(bad).is_err(), "{bad}");
        }
        assert_eq!(check_variable("OPENAI_API_KEY"), Ok(()));
    }

    #[test]
    fn a_message_shows_no_control_character_of_the_file() {
        let error = reading("\"\\u001b[31m\" = 1").unwrap_err().to_string();
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}
