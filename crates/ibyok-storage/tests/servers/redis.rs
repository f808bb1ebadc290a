//! `redis-server`, which appends every write to its file and syncs it.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

use super::{Directory, free_port, listens, output, signal, until};

/// The password of the default user, made to be searched for.
pub const PASSWORD: &str = "pw-SENTINEL-redis";

/// A running Redis.
pub struct Redis {
    directory: Directory,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    /// Starts one with these settings, such as `--appendfsync everysec`, over its defaults.
    pub fn start(settings: &[&str]) -> Self {
        let mut redis = Redis {
            directory: Directory::new("redis"),
            port: free_port(),
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            child: None,
        };
        redis.restart();
        redis
    }

    /// Starts a replica of another server, which follows it asynchronously.
    pub fn replica_of(primary: &Redis) -> Self {
        let port = primary.port.to_string();
        let replica = Redis::start(&["--replicaof", "127.0.0.1", &port, "--masterauth", PASSWORD]);
        until("the replica does not follow", || {
            replica.cli(&["INFO", "replication"]).contains("master_link_status:up")
        });
        replica
    }

    /// Makes a replica the primary, at the port of the old one, which no longer runs.
    pub fn take_over(&mut self, port: u16) {
        self.cli(&["REPLICAOF", "NO", "ONE"]);
        self.kill();
        self.settings.clear();
        self.port = port;
        self.restart();
    }

    /// Starts it again, after [`kill`](Redis::kill).
    pub fn restart(&mut self) {
        let log = self.directory.log();
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args([
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--requirepass",
                PASSWORD,
            ])
            .arg("--dir")
            .arg(self.directory.path())
            .args(&self.settings)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        let child = command
            .spawn()
            .expect("Redis cannot be started (Debian package `redis-server`)");
        fs::write(self.directory.path().join("pid"), child.id().to_string()).unwrap();
        self.child = Some(child);
        until("Redis does not start", || {
            listens(self.port)
                && self
                    .cli_command(&["PING"])
                    .output()
                    .is_ok_and(|output| output.stdout == b"PONG\n")
        });
    }

    /// The URL through `port`: its own or a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{port}/0")
    }

    /// The same through its own port.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The port on which the server listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the output of a command.
    pub fn cli(&self, command: &[&str]) -> String {
        output(&mut self.cli_command(command))
    }

    fn cli_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("redis-cli");
        command
            .args(["-p", &self.port.to_string(), "--no-auth-warning", "-e"])
            .args(arguments)
            .env("REDISCLI_AUTH", PASSWORD);
        command
    }

    /// Ends it as a loss of power would, but for the disk.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Freezes it.
    pub fn freeze(&self) {
        signal("STOP", &self.pid());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal("CONT", &self.pid());
    }

    fn pid(&self) -> Vec<u32> {
        self.child.iter().map(Child::id).collect()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
