//! PostgreSQL, from the newest `/usr/lib/postgresql/*/bin`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use super::{Directory, family, free_port, listens, output, signal, until};

/// The password of the superuser `postgres`, made to be searched for.
pub const PASSWORD: &str = "pw-SENTINEL-postgres";

/// A running PostgreSQL.
pub struct Postgres {
    directory: Directory,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl Postgres {
    /// Starts one with these settings, such as `fsync=off`, over its defaults.
    pub fn start(settings: &[&str]) -> Self {
        let directory = place();
        let data = directory.path().join("data");
        output(
            Command::new("cp")
                .arg("-a")
                .arg(TEMPLATE.path().join("data"))
                .arg(&data),
        );
        let mut postgres = Postgres {
            directory,
            port: free_port(),
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            child: None,
        };
        postgres.restart();
        postgres
    }

    /// Starts a standby of another server, which follows it asynchronously.
    pub fn standby_of(primary: &Postgres) -> Self {
        let directory = place();
        let mut backup = program("pg_basebackup");
        backup
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--wal-method=stream",
                "--no-sync",
            ])
            .arg(format!("--dbname={}", primary.url()))
            .arg("--pgdata")
            .arg(directory.path().join("data"));
        output(&mut backup);
        let mut standby = Postgres {
            directory,
            port: free_port(),
            settings: primary.settings.clone(),
            child: None,
        };
        standby.restart();
        standby
    }

    /// Makes a standby the primary, at the port of the old one, which no longer runs.
    pub fn take_over(&mut self, port: u16) {
        self.psql("SELECT pg_promote()");
        self.kill();
        self.port = port;
        self.restart();
    }

    /// Starts it again, after [`kill`](Postgres::kill).
    pub fn restart(&mut self) {
        let data = self.directory.path().join("data");
        let mut command = program("postgres");
        command
            .arg("-D")
            .arg(&data)
            .args(["-p", &self.port.to_string(), "-k", ""]);
        for setting in ["listen_addresses=127.0.0.1", "max_connections=200", "jit=off"] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        // The children of one that was killed may still be there for a moment.
        for _ in 0..50 {
            let log = self.directory.log();
            command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
            let mut child = command.spawn().expect("PostgreSQL cannot be started");
            fs::write(self.directory.path().join("pid"), child.id().to_string()).unwrap();
            until("PostgreSQL does not start", || self.answers() || is_gone(child.id()));
            if child.try_wait().unwrap().is_none() {
                self.child = Some(child);
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("PostgreSQL did not start: {}", self.directory.said());
    }

    fn answers(&self) -> bool {
        listens(self.port)
            && self
                .psql_command("SELECT 1")
                .output()
                .is_ok_and(|output| output.status.success())
    }

    /// The URL of the database `postgres` for its superuser, through `port`: its own or a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    /// The same through its own port.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The port on which the server listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the output of a statement, without decoration.
    pub fn psql(&self, statement: &str) -> String {
        output(&mut self.psql_command(statement))
    }

    /// The same for several statements, one after the other in one session.
    pub fn psql_in_parts(&self, statements: &[&str]) -> String {
        let (first, rest) = statements.split_first().unwrap();
        let mut command = self.psql_command(first);
        for statement in rest {
            command.args(["-c", statement]);
        }
        output(&mut command)
    }

    /// Runs a statement until it ends or what this gives is dropped.
    pub fn in_background(&self, statement: &str) -> Background {
        let mut command = self.psql_command(statement);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Background(command.spawn().expect("`psql` cannot be run"))
    }

    fn psql_command(&self, statement: &str) -> Command {
        let mut command = program("psql");
        command
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-qAtX",
            ])
            .args(["-v", "ON_ERROR_STOP=1", "-c", statement])
            .env("PGPASSWORD", PASSWORD)
            .env("PGCONNECT_TIMEOUT", "3");
        command
    }

    /// Ends it as a loss of power would, but for the disk.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal("CONT", &family(child.id()));
            signal("KILL", &family(child.id()));
            child.wait().ok();
        }
    }

    /// Freezes it, with all its processes.
    pub fn freeze(&self) {
        signal("STOP", &self.family());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal("CONT", &self.family());
    }

    fn family(&self) -> Vec<u32> {
        self.child.as_ref().map(|child| family(child.id())).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A statement under way.
pub struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// An empty database, from which each server's is copied: making one takes a second or more.
static TEMPLATE: LazyLock<Directory> = LazyLock::new(|| {
    let directory = place();
    let password = directory.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    own(&password);
    let mut initdb = program("initdb");
    initdb.args([
        "--auth=scram-sha-256",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    initdb.arg(format!("--pwfile={}", password.display()));
    initdb.arg("-D").arg(directory.path().join("data"));
    output(&mut initdb);
    directory
});

fn place() -> Directory {
    let directory = Directory::new("postgres");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    own(directory.path());
    directory
}

fn is_gone(pid: u32) -> bool {
    // A child that has ended and was not waited for is a zombie.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

/// A program of the newest PostgreSQL. It will not run as root, so then it is run as another user.
fn program(name: &str) -> Command {
    let path = newest().join(name);
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    let (user, group) = user();
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .args(["--clear-groups", "--"])
        .arg(path);
    command.current_dir("/");
    command
}

/// Gives a path to the user that PostgreSQL runs as.
pub fn own(path: &Path) {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let (user, group) = user();
        chown(path, Some(user), Some(group)).unwrap();
    }
}

/// Returns the numbers of the user `postgres` and its group, or else of `nobody`.
fn user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .expect("there is no user to run PostgreSQL as")
}

fn newest() -> PathBuf {
    let releases = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbers = releases.filter_map(|release| release.file_name().to_str()?.parse::<u32>().ok());
    let newest = numbers
        .max()
        .expect("PostgreSQL is not installed (Debian package `postgresql`)");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}
