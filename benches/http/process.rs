//! A server in a process of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ibyok_benches::{Result, resident_kib};

/// Runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this program again as one of its other roles. It may not listen yet.
    pub(crate) fn start(role: &str, address: SocketAddr, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .env(crate::ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        prepare(&mut command);
        let child = command.spawn()?;
        Ok(Server { child, address })
    }

    /// The CPU time that it has taken, its threads' together.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let nanos = threads.into_iter().flatten().flatten().filter_map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// The memory that it holds, in MB (of a million bytes).
    pub(crate) fn megabytes(&self) -> Option<f64> {
        resident_kib(self.child.id()).map(|kib| kib as f64 * 1024.0 / 1e6)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that ended by itself needs no more.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Returns an address on which no program listens right now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
