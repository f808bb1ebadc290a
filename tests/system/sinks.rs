//! Further sinks of the log, from outside: a webhook that is required, and one that is best effort.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ibyok_tests::{Home, Request, Server, wait_until};

use crate::home_with_vault;

const SECRET: &str = "whsec-SENTINEL-0123456789";

/// A collector of webhooks that answers with a status of the test's choice.
struct Collector {
    address: SocketAddr,
    state: Arc<Mutex<(u16, Vec<String>)>>,
}

impl Collector {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let collector = Collector {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new((status, Vec::new()))),
        };
        let state = Arc::clone(&collector.state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, mut stream) = (Arc::clone(&state), BufReader::new(stream.unwrap()));
                std::thread::spawn(move || while answer(&mut stream, &state).is_some() {});
            }
        });
        collector
    }

    fn answers(&self, status: u16) {
        self.state.lock().unwrap().0 = status;
    }

    /// The lines that it acknowledged.
    fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap().1.clone()
    }

    fn has(&self, words: &[&str]) -> bool {
        self.lines()
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    }
}

fn answer(stream: &mut BufReader<std::net::TcpStream>, state: &Mutex<(u16, Vec<String>)>) -> Option<()> {
    let (mut length, mut signed) = (0, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        assert!(
            !line.starts_with("authorization:") && !line.contains("ibyok_"),
            "{line}"
        );
        signed |= line.starts_with("ibyok-signature: t=");
        length = line
            .strip_prefix("content-length: ")
            .map_or(length, |length| length.parse().unwrap());
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    assert!(signed, "every batch is signed");
    let mut state = state.lock().unwrap();
    let status = state.0;
    if status == 200 {
        state
            .1
            .extend(String::from_utf8(body).unwrap().lines().map(str::to_owned));
    }
    drop(state);
    let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: 0\r\n\r\n");
    stream.get_mut().write_all(answer.as_bytes()).ok()
}

/// A vault with a key, and a webhook among its settings.
fn home_with_webhook(collector: &Collector, mode: &str) -> (Home, String) {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let secret = home.input("secret", SECRET);
    let settings = home.vault().join("vault.toml");
    let before = std::fs::read_to_string(&settings).unwrap_or_default();
    let sink = format!(
        "{before}\n[[audit_sink]]\nkind = \"webhook\"\nurl = \"http://{}/hook\"\nmode = \"{mode}\"\nallow_private = true\nsecret_file = \"{}\"\n",
        collector.address,
        secret.display()
    );
    std::fs::write(settings, sink).unwrap();
    (home, token)
}

fn sink_of(server: &Server) -> serde_json::Value {
    let ready = server.send(&Request::get("/readyz"));
    let ready: serde_json::Value = serde_json::from_slice(&ready.body).unwrap();
    ready["audit_sinks"][0].clone()
}

#[test]
fn a_server_releases_nothing_that_a_required_webhook_lacks() {
    let collector = Collector::start(200);
    let (home, token) = home_with_webhook(&collector, "required");
    let server = home.serve();
    server.retrieve(&token, "prod/key").is(200);
    assert!(collector.has(&["key.retrieve", "allowed"]));
    let before = collector.lines().len();
    collector.answers(500);
    for _ in 0..3 {
        let refused = server.retrieve(&token, "prod/key").is(503);
        assert!(
            !String::from_utf8_lossy(&refused.body).contains("value\":"),
            "{refused:?}"
        );
    }
    assert_eq!(collector.lines().len(), before);
    server.send(&Request::get("/readyz")).is(503);
    let sink = sink_of(&server);
    assert_eq!(
        (&sink["kind"], &sink["required"], &sink["state"]),
        (&"webhook".into(), &true.into(), &"unavailable".into())
    );
    collector.answers(200);
    wait_until("the server goes on by itself", Duration::from_secs(15), || {
        server.is_ready()
    });
    server.retrieve(&token, "prod/key").is(200);
    assert!(!server.printed().contains("SENTINEL"));
    drop(server);
    let seqs: Vec<u64> = collector
        .lines()
        .iter()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "no line is missing: {seqs:?}"
    );
    collector.answers(200);
    home.ibyok(["audit", "verify"]).run().done();
}

#[test]
fn a_command_with_a_required_webhook_that_is_down_is_refused_and_recovers() {
    let collector = Collector::start(500);
    let (home, _) = home_with_webhook(&collector, "required");
    let refused = home.ibyok(["get", "prod/key"]).run().exits(5);
    assert!(
        refused.stdout.is_empty() && refused.said().contains("webhook"),
        "{refused:?}"
    );
    collector.answers(200);
    assert_eq!(home.get("prod/key"), b"value");
    assert!(collector.has(&["key.retrieve", "allowed"]));
}

#[test]
fn a_best_effort_webhook_that_is_down_stops_nothing_and_is_shown() {
    let collector = Collector::start(500);
    let (home, token) = home_with_webhook(&collector, "best_effort");
    let server = home.serve();
    for _ in 0..20 {
        server.retrieve(&token, "prod/key").is(200);
    }
    wait_until("the failure is shown", Duration::from_secs(10), || {
        sink_of(&server)["state"] == "unavailable"
    });
    assert!(server.is_ready());
    collector.answers(200);
    wait_until("every line arrives", Duration::from_secs(30), || {
        sink_of(&server)["waiting"] == 0
    });
    assert!(collector.has(&["key.retrieve", "allowed"]));
    drop(server);
    collector.answers(503);
    assert_eq!(home.get("prod/key"), b"value");
    let tail = home
        .ibyok(["audit", "tail", "--json", "--action", "log.gap", "--include-own"])
        .run()
        .done();
    assert!(tail.text().contains("dropped: `webhook http"), "{tail:?}");
    let status = home.ibyok(["status", "--json"]).run().done();
    let sink = &status.json()["audit"]["sinks"][0];
    assert_eq!(
        (&sink["mode"], &sink["name"]),
        (
            &"best_effort".into(),
            &format!("webhook http://{}", collector.address).into()
        )
    );
}

#[test]
fn a_webhook_at_the_server_itself_is_refused() {
    let home = home_with_vault();
    let secret = home.input("secret", SECRET);
    let options = ibyok_tests::ServerOptions::default();
    let settings = home.vault().join("vault.toml");
    let before = std::fs::read_to_string(&settings).unwrap_or_default();
    let sink = format!(
        "{before}\n[[audit_sink]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\nallow_private = true\nsecret_file = \"{}\"\n",
        options.port,
        secret.display()
    );
    std::fs::write(settings, sink).unwrap();
    let refused = home
        .ibyok(["serve", "--listen", &format!("127.0.0.1:{}", options.port)])
        .run()
        .exits(2);
    assert!(refused.said().contains("itself"), "{refused:?}");
}

#[test]
fn a_short_command_delivers_its_lines_to_the_local_syslog() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let path = home.path("log.socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let sinks = format!("syslog:unix://{}", path.display());
    home.ibyok(["get", "prod/key"])
        .env("IBYOK_AUDIT_SINKS", &sinks)
        .run()
        .done();
    let (mut messages, mut buffer) = (String::new(), [0; 8192]);
    while let Ok(length) = socket.recv(&mut buffer) {
        messages.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        messages.push('\n');
    }
    for action in ["log.open", "key.retrieve", "log.close"] {
        assert!(messages.contains(&format!(" {action} - {{")), "{messages}");
    }
    let refused = home
        .ibyok(["get", "prod/key"])
        .env("IBYOK_AUDIT_SINKS", format!("required:{sinks}"));
    refused.run().exits(2);
}
