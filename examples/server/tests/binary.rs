//! The binary as an operator meets it: settings, exit codes, signals, and what it says on which stream.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic on unexpected results"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use ibyok_core::{Environments, Grant, Scope, Scopes, Secret, TokenRequest};
use ibyok_settings::{Given, Locations, Settings};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A vault in directories of its own, with one key, and a token that may read it.
struct Place {
    root: tempfile::TempDir,
    token: String,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let locations = Locations::new(root.path().join("data"), root.path().join("config"));
        let settings = Settings::resolve(&Given::default(), &BTreeMap::new(), &locations).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let token = runtime.block_on(async {
            let (vault, _) = settings.create("test", None).await.unwrap();
            let operator = vault.operator("test");
            operator
                .keys()
                .set(&"prod/openai".parse().unwrap(), Secret::copy_of(b"sk-binary"))
                .await
                .unwrap();
            let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
            let issued = operator.tokens().issue(TokenRequest::new("t", grant)).await.unwrap();
            vault.close().await.unwrap();
            issued.token.expose().to_owned()
        });
        Place { root, token }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ibyok-server"));
        command.env_clear().env("HOME", self.root.path());
        command
            .env("XDG_DATA_HOME", self.root.path().join("data"))
            .env("XDG_CONFIG_HOME", self.root.path().join("config"));
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn fails(&self, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.command(args).envs(variables.iter().copied()).output().unwrap();
        assert!(stdout.is_empty());
        (status.code(), String::from_utf8(stderr).unwrap())
    }
}

/// A server that is stopped at the end, also after a panic.
struct Running {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    address: SocketAddr,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert_eq!(said["message"], "listening", "{line}");
        let address = said["address"].as_str().unwrap().parse().unwrap();
        Running { child, log, address }
    }

    fn ask(&self, path: &str, token: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Stops it, and gives how it ended, its standard output and its log.
    fn stop(mut self, signal: Signal) -> (ExitStatus, String, String) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let status = self.child.wait().unwrap();
        let (mut out, mut log) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.log.read_to_string(&mut log).unwrap();
        (status, out, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn it_serves_until_a_signal_and_logs_json_without_a_secret() {
    let place = Place::new();
    for signal in [Signal::TERM, Signal::INT] {
        let server = Running::new(place.command(&["--listen", "127.0.0.1:0", "--log", "trace"]));
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        assert_eq!(
            core.split_whitespace().skip(4).collect::<Vec<_>>(),
            ["0", "0", "bytes"],
            "no core dumps"
        );
        let answer = server.ask("/api/v1/keys/prod/openai/value", &place.token);
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("sk-binary"),
            "{answer}"
        );
        let (status, out, log) = server.stop(signal);
        assert!(status.success(), "{status}: {log}");
        assert_eq!(out, "");
        assert!(
            log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
            "{log}"
        );
        assert!(log.contains("\"stopped\"") && log.contains("\"answered\""), "{log}");
        assert!(!log.contains("sk-binary") && !log.contains(&place.token), "{log}");
    }
}

#[test]
fn two_servers_share_a_vault() {
    let place = Place::new();
    let one = Running::new(place.command(&["--listen", "127.0.0.1:0"]));
    let other = Running::new(place.command(&["--listen", "127.0.0.1:0"]));
    for server in [&one, &other] {
        assert!(
            server
                .ask("/api/v1/keys/prod/openai/value", &place.token)
                .starts_with("HTTP/1.1 200")
        );
    }
    assert!(one.stop(Signal::TERM).0.success());
    assert!(other.ask("/readyz", "").contains("\"ready\":true"));
    assert!(other.stop(Signal::TERM).0.success());
}

#[test]
fn few_descriptors_and_many_connections_do_not_stop_it() {
    let place = Place::new();
    let server = place.command(&["--listen", "127.0.0.1:0"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(server.get_program())
        .args(server.get_args());
    limited
        .env_clear()
        .envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let server = Running::new(limited);
    let value = "/api/v1/keys/prod/openai/value";
    assert!(server.ask(value, &place.token).starts_with("HTTP/1.1 200"));
    let crowd: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    drop(crowd);
    assert!(server.ask(value, &place.token).starts_with("HTTP/1.1 200"));
    assert!(server.ask("/readyz", "").starts_with("HTTP/1.1 200"));
    assert!(server.stop(Signal::TERM).0.success());
}

#[test]
fn what_is_wrong_is_said_with_a_hint_and_an_exit_code() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let empty = place.root.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    for (args, variables, code, word) in [
        (&["--listen", "0.0.0.0:0"][..], &[][..], 2, "--insecure-http"),
        (&["--listen", "[::]:0"], &[], 2, "unencrypted"),
        (&[], &[("IBYOK_LISTEN", "0.0.0.0:0")], 2, "unencrypted"),
        (&["--listen", "nonsense"], &[], 2, "listen"),
        (&["--listen", &taken], &[], 1, "cannot listen on"),
        (&["--trusted-proxy", "10.0.0.0/99"], &[], 2, "trusted_proxies"),
        (&["--log", "loud"], &[], 2, "level"),
        (&["--nonsense"], &[], 2, "--nonsense"),
        (&[], &[("PROD_MODE_FORCED", "mocked")], 2, "PROD_MODE_FORCED"),
        (&[], &[("DEV_MODE_FORCED", "")], 2, "DEV_MODE_FORCED"),
        (&["--prod-mock-allowed", "maybe"], &[], 2, "PROD_MOCK_ALLOWED"),
        (&["--geoip", "/dev/null"], &[], 2, "/dev/null"),
        (&[], &[("IBYOK_GEOIP", "/nope.mmdb")], 2, "/nope.mmdb"),
        (&["--env", "Prod"], &[], 2, "Prod"),
        (&["--vault", empty], &[], 4, "no vault"),
    ] {
        let (status, said) = place.fails(args, variables);
        assert_eq!(status, Some(code), "{args:?} {variables:?}: {said}");
        assert!(said.contains(word), "{args:?} {variables:?}: {said}");
        assert!(said.starts_with("error: "), "{said}");
    }
}

#[test]
fn a_variable_that_is_no_text_is_not_passed_over() {
    let place = Place::new();
    for (name, value, code, word) in [
        ("PROD_MODE_FORCED", &b"mock\xff"[..], 2, "PROD_MODE_FORCED"),
        ("IBYOK_VAULT", b"/nope\xff", 4, "no vault"),
    ] {
        let mut command = place.command(&[]);
        let Output { status, stderr, .. } = command.env(name, OsStr::from_bytes(value)).output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(word), "{name}: {said}");
    }
}

#[test]
fn beyond_loopback_it_listens_when_that_is_meant() {
    let place = Place::new();
    for args in [&["--insecure-http"][..], &["--trusted-proxy", "10.0.0.0/8"]] {
        let args = [&["--listen", "0.0.0.0:0"][..], args].concat();
        assert!(Running::new(place.command(&args)).stop(Signal::TERM).0.success());
    }
}

/// Returns true if the server answers a request that comes from this address of this machine.
fn answers(from: [u8; 4], port: u16) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let Ok(mut stream) = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await else {
            return false;
        };
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let mut answer = Vec::new();
        stream.write_all(request).await.ok();
        stream.read_to_end(&mut answer).await.ok();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 200"));
        !answer.is_empty()
    })
}

#[test]
fn beyond_loopback_plain_http_is_for_the_trusted_proxies_only() {
    let place = Place::new();
    let (proxy, other) = ([127, 0, 0, 2], [127, 0, 0, 3]);
    for (args, others) in [
        (&["--listen", "0.0.0.0:0", "--trusted-proxy", "127.0.0.2/32"][..], false),
        (&["--listen", "[::]:0", "--trusted-proxy", "127.0.0.2/32"], false),
        (
            &[
                "--listen",
                "0.0.0.0:0",
                "--trusted-proxy",
                "127.0.0.2/32",
                "--insecure-http",
            ],
            true,
        ),
        (&["--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.2/32"], true),
    ] {
        let server = Running::new(place.command(args));
        for _ in 0..30 {
            assert!(answers(proxy, server.address.port()), "{args:?}");
            assert_eq!(answers(other, server.address.port()), others, "{args:?}");
        }
        let (status, _, log) = server.stop(Signal::TERM);
        assert!(status.success());
        let told = log
            .lines()
            .filter(|line| line.contains("not from a trusted proxy"))
            .count();
        assert_eq!(told, if others { 0 } else { 20 }, "the rest is counted: {log}");
    }
}
