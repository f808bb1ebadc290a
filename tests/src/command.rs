//! Running a program: what goes in, what comes out, and never for ever.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest time that a program may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is about to run.
#[derive(Debug)]
#[must_use]
pub struct Run {
    command: Command,
    input: Vec<u8>,
}

impl Run {
    /// The program, in an environment that holds nothing but a path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        Run {
            command,
            input: Vec::new(),
        }
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// A variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without a variable.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// The current directory.
    pub fn within(mut self, directory: &std::path::Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Sets the bytes of standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Starts it, with nothing on standard input and its output thrown away.
    pub fn start(mut self) -> Child {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.command
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.command))
    }

    /// The command as it would be started, for those who need more.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it cannot be started or does not end within a minute.
    pub fn run(self) -> Finished {
        self.run_and(|_| {})
    }

    /// Runs it to its end, and does something meanwhile.
    ///
    /// # Panics
    /// As [`Run::run`].
    pub fn run_and(mut self, meanwhile: impl FnOnce(&mut Child)) -> Finished {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let shown = format!("{:?}", self.command);
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut stdin = child.stdin.take().expect("piped");
        let input = std::mem::take(&mut self.input);
        // A program that does not read its input is no failure of the test.
        let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap_or_default());
        let stdout = reader(child.stdout.take().expect("piped"));
        let stderr = reader(child.stderr.take().expect("piped"));
        meanwhile(&mut child);
        let status = wait(&mut child, &shown);
        writer.join().expect("the writer");
        Finished {
            shown,
            status,
            stdout: stdout.join().expect("stdout"),
            stderr: stderr.join().expect("stderr"),
        }
    }
}

fn reader(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

fn wait(child: &mut Child, shown: &str) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().expect("a child can be killed");
            panic!("does not end: {shown}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The exit status of a program, and its output.
#[derive(Debug)]
pub struct Finished {
    shown: String,
    status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// Its exit code; 128 and the signal if one ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// The same, if it ended with this code.
    ///
    /// # Panics
    /// If it did not, with all that it said.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let (out, err) = (self.text(), self.said());
        assert_eq!(self.code(), code, "{}\nstdout: {out}\nstderr: {err}", self.shown);
        self
    }

    /// The same, if all went well.
    #[track_caller]
    pub fn done(self) -> Self {
        self.exits(0)
    }

    /// The same, if it failed with this exit code, this error code, and a hint of what to do. Run with `--json`.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str) -> Self {
        let this = self.exits(exit);
        let error = this.json()["error"].clone();
        assert_eq!(error["code"], code, "{}: {}", this.shown, this.text());
        let says = |field: &str| error[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(says("message") && says("hint"), "{}: {}", this.shown, this.text());
        this
    }

    /// Its standard output as text, without the newline at its end.
    #[must_use]
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    /// Its standard error as text.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Its standard output as one JSON document.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{}: no JSON: {error}: {}{}", self.shown, self.text(), self.said()))
    }
}
