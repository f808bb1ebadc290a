//! A user's machine in a temporary directory, with or without a vault on it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::command::Run;
use crate::server::{Server, ServerOptions};

/// The paths of the programs under test.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// The command line.
    pub ibyok: &'static str,
    /// The server as a program of its own.
    pub server: &'static str,
}

/// A user's machine: a home directory, in it perhaps a vault, and beside it what the user types in and keeps elsewhere.
#[derive(Debug)]
pub struct Home {
    root: TempDir,
    programs: Programs,
    servers: AtomicU32,
}

impl Home {
    /// A machine without a vault.
    #[must_use]
    pub fn empty(programs: Programs) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        for directory in ["home", "inputs", "logs"] {
            fs::create_dir(root.path().join(directory)).expect("a directory");
        }
        fs::set_permissions(root.path().join("home"), fs::Permissions::from_mode(0o700)).expect("a mode");
        Home {
            root,
            programs,
            servers: AtomicU32::new(0),
        }
    }

    /// A machine with a new vault, made by `ibyok init`.
    #[must_use]
    pub fn with_vault(programs: Programs) -> Self {
        let home = Self::empty(programs);
        home.ibyok(["init"]).run().done();
        home
    }

    /// Copies this machine, as it is on the disk now. No program may be writing.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::empty(self.programs);
        fs::remove_dir(copy.path("home")).expect("an empty directory");
        copy_tree(&self.path("home"), &copy.path("home"));
        copy
    }

    /// A place below: `home/…` is what the programs use, `inputs/…` what a user hands in, `logs/…` what servers print.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// The vault's directory.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.path("home/vault")
    }

    /// The directory of one of the vault's logs.
    #[must_use]
    pub fn slot(&self, slot: u32) -> PathBuf {
        self.vault().join(format!("audit/slot-{slot}"))
    }

    /// The file of the vault's local KEK.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[must_use]
    pub fn kek_file(&self) -> PathBuf {
        let below = self.path("home/.config/ibyok");
        let files = fs::read_dir(&below).expect("a directory of KEKs");
        let mut files = files
            .map(|file| file.expect("a file").path())
            .filter(|path| path.extension().is_some_and(|e| e == "kek"));
        let only = files.next().expect("a KEK");
        assert_eq!(files.next(), None, "one KEK");
        only
    }

    /// Writes a file that a user hands in, and says where it is.
    ///
    /// # Panics
    /// If it cannot.
    pub fn input(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("inputs").join(name);
        fs::write(&path, content).expect("an input can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        path
    }

    /// The command line, to be run in this home.
    pub fn ibyok(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        self.program(self.programs.ibyok).args(args)
    }

    /// The same under another program, such as strace: that program's arguments first.
    pub fn ibyok_under(
        &self,
        over: &str,
        its: impl IntoIterator<Item = impl AsRef<OsStr>>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Run {
        self.program(over).args(its).arg(self.programs.ibyok).args(args)
    }

    /// Another program in this home's environment.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Run {
        let home = self.path("home");
        Run::new(program)
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("IBYOK_VAULT", self.vault())
            .within(&self.path("inputs"))
    }

    /// Stores a value under a reference.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn set(&self, reference: &str, value: impl Into<Vec<u8>>) {
        self.ibyok(["keys", "set", reference]).input(value).run().done();
    }

    /// The value under a reference.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn get(&self, reference: &str) -> Vec<u8> {
        self.ibyok(["get", "-n", reference]).run().done().stdout
    }

    /// A new token: its name, then flags.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn token(&self, args: &[&str]) -> String {
        self.ibyok(["tokens", "issue"].iter().chain(args)).run().done().text()
    }

    /// Starts `ibyok serve`, and waits until it is ready.
    #[must_use]
    pub fn serve(&self) -> Server {
        self.serve_with(ServerOptions::default())
    }

    /// The same with options.
    #[must_use]
    pub fn serve_with(&self, options: ServerOptions) -> Server {
        let number = self.servers.fetch_add(1, Ordering::Relaxed);
        let log = self.path("logs").join(format!("server-{number}"));
        let command = self.serve_command(&options);
        Server::start(command, options.port, &log)
    }

    /// The command that [`Home::serve_with`] starts.
    #[must_use]
    pub fn serve_command(&self, options: &ServerOptions) -> Command {
        let listen = format!("127.0.0.1:{}", options.port);
        let mut run = if options.own_program {
            self.program(self.programs.server)
        } else {
            self.program(self.programs.ibyok).arg("serve")
        };
        run = run.args(["--listen", &listen]).args(&options.flags);
        for (name, value) in &options.variables {
            run = run.env(name, value);
        }
        run.into_command()
    }
}

/// Copies a directory with all that is below it, modes included.
///
/// # Panics
/// If it cannot.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
    let mode = fs::metadata(from).expect("a directory").permissions();
    fs::set_permissions(to, mode).expect("a mode");
}
