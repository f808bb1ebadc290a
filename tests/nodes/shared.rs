//! The servers that stores are on: what nodes share.

use tempfile::TempDir;

use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;

/// A place that several nodes keep one store in.
pub enum Shared {
    File(TempDir),
    Postgres(Postgres),
    Redis(Redis),
}

impl Shared {
    pub fn file() -> Self {
        Shared::File(TempDir::new().expect("a temporary directory"))
    }

    pub fn postgres() -> Self {
        Shared::Postgres(Postgres::start(&[]))
    }

    pub fn redis() -> Self {
        Shared::Redis(Redis::start(&[]))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Shared::File(_) => "file",
            Shared::Postgres(_) => "PostgreSQL",
            Shared::Redis(_) => "Redis",
        }
    }

    /// The store's URL.
    pub fn url(&self) -> String {
        match self {
            Shared::File(directory) => format!("file:{}", directory.path().join("store").display()),
            _ => self.url_at(self.port()),
        }
    }

    /// The same through another port, such as a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        match self {
            Shared::File(_) => panic!("a file has no port"),
            Shared::Postgres(server) => server.url_at(port),
            Shared::Redis(server) => server.url_at(port),
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Shared::File(_) => panic!("a file has no port"),
            Shared::Postgres(server) => server.port(),
            Shared::Redis(server) => server.port(),
        }
    }

    /// Ends it as a loss of power would.
    pub fn kill(&mut self) {
        match self {
            Shared::File(_) => panic!("a file has no process"),
            Shared::Postgres(server) => server.kill(),
            Shared::Redis(server) => server.kill(),
        }
    }

    pub fn restart(&mut self) {
        match self {
            Shared::File(_) => panic!("a file has no process"),
            Shared::Postgres(server) => server.restart(),
            Shared::Redis(server) => server.restart(),
        }
    }

    /// Stops it with SIGSTOP: it takes connections, and answers nothing.
    pub fn freeze(&self) {
        match self {
            Shared::File(_) => panic!("a file has no process"),
            Shared::Postgres(server) => server.freeze(),
            Shared::Redis(server) => server.freeze(),
        }
    }

    pub fn thaw(&self) {
        match self {
            Shared::File(_) => panic!("a file has no process"),
            Shared::Postgres(server) => server.thaw(),
            Shared::Redis(server) => server.thaw(),
        }
    }
}
