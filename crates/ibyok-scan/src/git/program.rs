//! The program `git`, called so that nothing of a repository is run.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::Error;

use super::said;

/// Settings that win over the repository's: every setting in which a repository can name a program.
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.sshCommand=false",
    "core.gitProxy=false",
    "core.askPass=false",
    "core.pager=cat",
    "core.alternateRefsCommand=true",
    "credential.helper=",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "protocol.file.allow=never",
    "protocol.git.allow=never",
    "protocol.http.allow=never",
    "protocol.https.allow=never",
    "protocol.ssh.allow=never",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// The variables of a call, in addition to those with the place of the user's settings.
const VARIABLES: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PROTOCOL_FROM_USER", "0"),
];

/// Git, for one repository.
#[derive(Clone, Debug)]
pub(super) struct Git {
    program: PathBuf,
    repository: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl Git {
    pub(super) fn find(path: &Path, environment: &BTreeMap<String, String>) -> Result<Self, Error> {
        let search = environment.get("PATH").map(String::as_str).unwrap_or_default();
        // A directory named relative to where we are may be the repository's own.
        let program = std::env::split_paths(search)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join("git"))
            .find(|program| program.is_file())
            .ok_or(Error::NoGit)?;
        let mut passed = vec!["HOME", "XDG_CONFIG_HOME", "SUDO_UID"];
        if path == Path::new(".") {
            passed.extend(["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"]);
        }
        let kept = passed
            .into_iter()
            .filter_map(|name| Some((name, environment.get(name)?.as_str())));
        let variables = VARIABLES.iter().copied().chain(kept);
        let repository = if path.is_dir() {
            path
        } else {
            path.parent().unwrap_or(path)
        };
        Ok(Git {
            program,
            repository: if repository.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                repository.to_owned()
            },
            variables: variables.map(|(name, value)| (name.into(), value.into())).collect(),
        })
    }

    /// A call of a plumbing command.
    pub(super) fn call(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(["--no-pager", "--no-optional-locks", "--literal-pathspecs"]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // Reading which hooks a repository has is no reason to run one.
        if arguments.first() != Some(&"config") {
            command.args(["-c", "core.hooksPath=/dev/null"]);
        }
        command.arg("-C").arg(&self.repository).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// Starts a command that answers on a pipe.
    pub(super) fn start(&self, arguments: &[&str], input: Stdio) -> Result<Child, Error> {
        let mut command = self.call(arguments);
        let child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        child.map_err(|error| Error::Git {
            what: format!("cannot run git: {error}"),
        })
    }

    /// Returns the output of a command.
    pub(super) fn answer(&self, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        match self.ask(arguments)? {
            Ok(answer) => Ok(answer),
            Err(what) => Err(Error::Git { what }),
        }
    }

    /// Returns the output of a command, or the reason why it failed.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, Error> {
        let output = self.call(arguments).output();
        let output = output.map_err(|error| Error::Git {
            what: format!("cannot run git: {error}"),
        })?;
        if output.status.success() {
            Ok(Ok(output.stdout))
        } else {
            Ok(Err(said(&output.stderr)))
        }
    }

    /// Returns the output of a command, without its line break.
    pub(super) fn line(&self, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        let mut line = self.answer(arguments)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(line)
    }
}

/// A path as git prints it.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}
