//! A place of one's own, and the program in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A home directory that no other test sees.
pub(crate) struct Place {
    home: TempDir,
}

impl Place {
    /// One without a vault.
    pub(crate) fn empty() -> Self {
        Place {
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// One with a vault.
    pub(crate) fn new() -> Self {
        let place = Place::empty();
        place.ibyok(&["init"]).ok();
        place
    }

    /// One with a vault and a key.
    pub(crate) fn with_key(reference: &str, value: &str) -> Self {
        let place = Place::new();
        place.set(reference, value);
        place
    }

    /// Stores a value.
    pub(crate) fn set(&self, reference: &str, value: &str) {
        self.ibyok(&["keys", "set", reference]).stdin(value).ok();
    }

    /// A token that was just issued.
    pub(crate) fn token(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["tokens", "issue"].iter().chain(arguments).copied().collect();
        self.ibyok(&arguments).ok().out.trim_end().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The vault's directory.
    pub(crate) fn vault(&self) -> PathBuf {
        self.path("data/ibyok")
    }

    /// The file of the KEK.
    pub(crate) fn kek(&self) -> PathBuf {
        only_file(&self.path("config/ibyok"))
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program with arguments, in an environment that holds nothing of the tester's.
    pub(crate) fn ibyok(&self, arguments: &[&str]) -> Call {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ibyok"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("IBYOK_DURABILITY", "written")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.home.path());
        Call { command, stdin: None }
    }
}

/// A call that is about to be made.
pub(crate) struct Call {
    pub(crate) command: Command,
    stdin: Option<Vec<u8>>,
}

impl Call {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Makes the call.
    pub(crate) fn call(self) -> Done {
        let mut command = assert_cmd::Command::from_std(self.command);
        let output = command
            .write_stdin(self.stdin.unwrap_or_default())
            .timeout(std::time::Duration::from_secs(60))
            .output();
        Done::of(&output.unwrap())
    }

    /// Makes the call, which must succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> Done {
        let done = self.call();
        assert_eq!(done.code, 0, "{done:?}");
        done
    }

    /// Makes the call, which must fail with this exit code, and tell a hint.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Done {
        let done = self.call();
        assert_eq!(done.code, code, "{done:?}");
        assert!(
            done.err.contains("\nhint: ") || done.out.contains("\"hint\""),
            "{done:?}"
        );
        done
    }

    /// Starts it, with its standard output to be read.
    pub(crate) fn spawn(mut self) -> std::process::Child {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// A call that was made.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code; 128 and more for a signal.
    pub(crate) code: i32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    fn of(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = output.status.signal().map(|signal| 128 + signal);
        Done {
            code: output.status.code().or(signal).unwrap(),
            bytes: output.stdout.clone(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as the one JSON document that it is.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// The one file of a directory.
pub(crate) fn only_file(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    let file = files.next().unwrap();
    assert_eq!(files.next(), None);
    file
}

/// The POSIX shells of this machine: `sh` always, others where they are installed.
pub(crate) fn shells() -> Vec<&'static str> {
    let there = |shell: &&str| Command::new(shell).args(["-c", "true"]).output().is_ok();
    let shells: Vec<&str> = ["sh", "bash", "dash", "zsh", "ksh"].into_iter().filter(there).collect();
    assert!(shells.contains(&"sh"));
    shells
}
