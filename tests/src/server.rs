//! A server that runs.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::http::{Answer, Request};

/// The longest time for a server to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// The options with which a server is started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Its port.
    pub port: u16,
    /// True for `ibyok-server`, false for `ibyok serve`.
    pub own_program: bool,
    /// Further flags.
    pub flags: Vec<String>,
    /// Further variables.
    pub variables: Vec<(String, String)>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            port: free_port(),
            own_program: false,
            flags: Vec::new(),
            variables: Vec::new(),
        }
    }
}

impl ServerOptions {
    /// With a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// As a program of its own.
    #[must_use]
    pub fn own_program(mut self) -> Self {
        self.own_program = true;
        self
    }
}

/// Returns a port on which no program listens, and that no other server of this run gets. It is below the range from
/// which clients get theirs.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + (std::process::id() % 100) as u16 * 100;
    for _ in 0..1000 {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 1000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port above {base}");
}

/// A server that runs, until it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The address on which the server listens.
    pub address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts a server, and waits until it is ready. Its output goes to files that begin with `log`.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start(command: Command, port: u16, log: &Path) -> Self {
        let mut server = Self::launch(command, port, log);
        let begun = Instant::now();
        while !server.is_ready() {
            let ended = server.child.try_wait().expect("a child can be asked");
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "no server: {ended:?}: {}",
                server.printed()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Starts a server, and does not wait.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn launch(mut command: Command, port: u16, log: &Path) -> Self {
        let file = |ending: &str| File::create(log.with_extension(ending)).expect("a log can be made");
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Server {
            child,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            log: log.to_owned(),
        }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds its standard error, which stays when it ends.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.log.with_extension("err")
    }

    /// All that it printed.
    ///
    /// # Panics
    /// If the files cannot be read.
    #[must_use]
    pub fn printed(&self) -> String {
        let read = |ending: &str| std::fs::read(self.log.with_extension(ending)).expect("a log can be read");
        format!(
            "{}{}",
            String::from_utf8_lossy(&read("out")),
            String::from_utf8_lossy(&read("err"))
        )
    }

    /// Returns true if the server reports that it can serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        Request::get("/readyz")
            .try_send(self.address)
            .is_ok_and(|answer| answer.status == 200)
    }

    /// Sends a request.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        request
            .try_send(self.address)
            .unwrap_or_else(|error| panic!("{request:?}: {error}; {}", self.printed()))
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub fn try_send(&self, request: &Request) -> io::Result<Answer> {
        request.try_send(self.address)
    }

    /// A retrieval.
    #[track_caller]
    pub fn retrieve(&self, token: &str, reference: &str) -> Answer {
        self.send(&Request::get(&format!("/api/v1/keys/{reference}/value")).bearer(token))
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a signal can be sent");
    }

    /// Kills it at once, as a loss of power would.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Asks it to end, waits until it has, and gives its status.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not end: {}",
                self.printed()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as good.
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
    }
}
