//! Real servers for tests, each started for the test binary that asks for it, on a free port of loopback and with its data in a directory of
//! its own. A server that cannot be started is a panic, so no test passes for want of one.
//!
//! Only the standard library and a Unix shell are needed, so other packages can take this in by `#[path]`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it, and whatever goes wrong is a panic"
)]

pub mod postgres;
pub mod redis;
pub mod tls;

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The longest time for the start or the end of a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory that is removed, with all programs that run in it, when it is dropped. It is also removed when the
/// test process ends without dropping it, as for a `static`, or by `kill -9`.
pub struct Directory {
    path: PathBuf,
    /// A shell that waits for the end of the pipe that this process holds.
    keeper: Child,
}

impl Directory {
    /// Makes an empty directory. The process in its file `pid` is killed before it is removed.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ibyok-{name}-{}-{count}", std::process::id()));
        fs::create_dir(&path).expect("there is no place for a server's data");
        let script = r#"
            trap '' INT TERM HUP
            cat >/dev/null
            if pid=$(cat "$1/pid" 2>/dev/null); then
                kill -CONT "$pid" && kill -INT "$pid"
                for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.2; done
                kill -KILL "$pid"
            fi
            for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && break; sleep 0.1; done
        "#;
        let keeper = Command::new("sh")
            .args(["-c", script, "keeper"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("there is no shell");
        Directory { path, keeper }
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it for what a server says.
    fn log(&self) -> File {
        let log = File::options().create(true).append(true).open(self.path.join("log"));
        log.expect("the log of a server cannot be written")
    }

    /// Returns the log of a server, for the panic message.
    pub fn said(&self) -> String {
        fs::read_to_string(self.path.join("log")).unwrap_or_default()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// Returns a port of loopback on which no program listens.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has no free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// Waits until something holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns true if a server listens on a port.
pub fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1)).is_ok()
}

/// Sends a signal, such as `STOP`.
pub fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    Command::new("kill")
        .arg(format!("-{name}"))
        .args(pids)
        .stderr(Stdio::null())
        .status()
        .expect("`kill` cannot be run");
}

/// A process and its children.
fn family(parent: u32) -> Vec<u32> {
    let mut family = vec![parent];
    for entry in fs::read_dir("/proc").expect("there is no /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // `pid (name) state parent …`, and a name may hold spaces.
        let after = stat.rsplit(") ").next().unwrap_or_default();
        if after.split(' ').nth(1) == Some(&parent.to_string()) {
            family.push(pid);
        }
    }
    family
}

/// Runs a program to its end and gives what it printed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
