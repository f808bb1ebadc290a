//! `.ibyok.toml`: the keys that a program wants, named in its project's directory.
//!
//! It may come from a stranger's repository, so it can name keys and nothing else: not a server, a store, a command
//! or a token. It cannot choose a variable that may steer a program. And it is used only if no other user can
//! have written it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ibyok_core::{EnvironmentName, Error, KeyRef, Result, keys::VariableKind};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;

/// The file's name.
pub const NAME: &str = ".ibyok.toml";

/// The largest file that is read, in bytes, and the most keys that it may name.
const SIZE_MAX: u64 = 64 * 1024;
const KEYS_MAX: usize = 1000;

/// The request of a project: the keys that its program wants.
#[derive(Debug)]
#[non_exhaustive]
pub struct Project {
    /// The file.
    pub path: PathBuf,
    /// Every key of this environment that the caller may read.
    pub environment: Option<EnvironmentName>,
    /// A key for a variable.
    pub keys: Vec<(String, KeyRef)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    env: Option<String>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

/// The nearest `.ibyok.toml`, from a directory upwards. The search ends at the home directory and at the edge of a file system: directories
/// above belong to others.
///
/// # Errors
/// [`Error::Invalid`] for one that others can have written, or that says anything but `env` and `[keys]`.
pub fn find(from: &Path, home: Option<&Path>) -> Result<Option<Project>> {
    let device = |directory: &Path| directory.metadata().map(|metadata| metadata.dev()).ok();
    let home = home.and_then(|home| home.canonicalize().ok());
    let start = device(from);
    for directory in from.ancestors() {
        if device(directory) != start {
            return Ok(None);
        }
        let path = directory.join(NAME);
        if path.symlink_metadata().is_ok() {
            return read(&path).map(Some);
        }
        if home.as_deref() == Some(directory) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Opens the file if it, and a link that leads to it, belongs to the user or root and no other user can write to it.
///
/// The directory needs no check: a file that others put there belongs to them.
fn open(path: &Path) -> Result<File, String> {
    let link = path.symlink_metadata().map_err(|error| error.to_string())?;
    owned(link.uid())?;
    // A FIFO is not waited for.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| std::io::Error::from(error).to_string())?;
    let file = File::from(file);
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    owned(metadata.uid())?;
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err("other users can write to it (`chmod go-w` prevents that)".to_owned());
    }
    Ok(file)
}

fn owned(user: u32) -> Result<(), String> {
    let own = rustix::process::geteuid().as_raw();
    match user == own || user == 0 {
        true => Ok(()),
        false => Err(format!("it belongs to user {user}, not to you (user {own}) or root")),
    }
}

fn refused(path: &Path, why: &str) -> Error {
    Error::invalid(
        format!("refused `{}`: {why}", escaped(&path.display().to_string())),
        "the file may hold only `env = \"…\"`, and `[keys]` with `VARIABLE = \"ibyok://…\"`",
    )
}

/// The text with control characters as escapes: it comes from a stranger's file.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

fn read(path: &Path) -> Result<Project> {
    let refuse = |why: String| refused(path, &why);
    let mut text = String::new();
    let file = open(path).map_err(refuse)?;
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
pub fn parse(path: &Path, text: &str) -> Result<Project> {
    let refuse = |why: String| refused(path, &why);
    let form: Form = toml::from_str(text).map_err(|error| refuse(escaped(error.message())))?;
    if form.keys.len() > KEYS_MAX {
        return Err(refuse(format!("it names more than {KEYS_MAX} keys")));
    }
    let environment = form.env.map(|name| name.parse()).transpose();
    let environment = environment.map_err(|error: Error| refuse(error.to_string()))?;
    let keys = form.keys.into_iter().map(|(variable, reference)| {
        if !reference.starts_with("ibyok://") {
            return Err(refuse(format!(
                "`{}` is not an `ibyok://` reference",
                escaped(&variable)
            )));
        }
        let key = reference.parse().map_err(|error: Error| refuse(error.to_string()))?;
        check_variable(&variable).map_err(&refuse)?;
        Ok((variable, key))
    });
    Ok(Project {
        path: path.to_owned(),
        environment,
        keys: keys.collect::<Result<_>>()?,
    })
}

/// Refuses a variable that a file may not choose: it may have come with a stranger's repository, and steer the program.
fn check_variable(variable: &str) -> Result<(), String> {
    let shown = escaped(variable);
    match VariableKind::of(variable) {
        VariableKind::Evident => Ok(()),
        VariableKind::Malformed => Err(format!("`{shown}` is not the name of a variable")),
        VariableKind::Reserved | VariableKind::RunsCode => Err(format!(
            "`{shown}` decides which code a program runs or where it connects"
        )),
        VariableKind::Unproven => Err(format!(
            "`{shown}` may steer a program; end its name in a word such as KEY, TOKEN or URL, or give `--key {shown}=REF`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> Result<Project> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(NAME), text).unwrap();
        let below = directory.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        find(&below, None).map(Option::unwrap)
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
            "[keys]\nMAKEFILES = \"ibyok://dev/a\"",
            "[keys]\nRUSTFLAGS = \"ibyok://dev/a\"",
            "[keys]\nOPENAI_BASE_URL = \"ibyok://dev/a\"",
            "[other]\nx = 1",
            "env = \"dev\"\nenv = \"prod\"",
            "not toml",
        ] {
            let error = reading(hostile).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{hostile}: {error}");
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
    fn it_is_believed_only_if_nobody_else_can_have_written_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(NAME);
        std::fs::write(&path, "env = \"dev\"\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        for fine in [0o600, 0o644, 0o755] {
            mode(fine);
            assert!(find(scratch.path(), None).is_ok(), "{fine:o}");
        }
        for open in [0o620, 0o602, 0o666] {
            mode(open);
            let error = find(scratch.path(), None).unwrap_err();
            assert!(error.to_string().contains("can write to it"), "{error}");
        }
        assert!(owned(rustix::process::geteuid().as_raw()).is_ok() && owned(0).is_ok());
        assert!(owned(54_321).is_err());
    }

    #[test]
    fn the_search_ends_at_the_home_directory() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(NAME), "env = \"dev\"\n").unwrap();
        let home = scratch.path().join("home");
        let below = home.join("project");
        std::fs::create_dir_all(&below).unwrap();
        assert!(find(&below, Some(&home)).unwrap().is_none());
        assert!(find(&below, None).unwrap().is_some());
        std::fs::write(home.join(NAME), "env = \"prod\"\n").unwrap();
        assert!(find(&below, Some(&home)).unwrap().is_some());
    }

    #[test]
    fn the_search_ends_at_the_edge_of_a_file_system() {
        // What is above `/proc` is another file system.
        assert!(find(Path::new("/proc/self"), None).unwrap().is_none());
    }

    #[test]
    fn a_message_shows_no_control_character_of_the_file() {
        let error = reading("\"\\u001b[31m\" = 1").unwrap_err().to_string();
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}
