//! Floods from outside, at the real server: its log, its memory and its audit log stay small, and others are served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ibyok_tests::{Home, Request, Server, audit_lines, strangers_token};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::home_with_vault;

/// A server of a vault with one key, and what it was given to start with.
fn served() -> (Home, Server, String) {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let server = home.serve();
    let reader = home.token(&["reader", "--env", "prod"]);
    (home, server, reader)
}

/// Sends the same request many times on one connection, reads any answers, and connects again when it is closed.
fn flood(to: SocketAddr, request: &[u8], times: usize) {
    let mut sent = 0;
    while sent < times {
        let mut stream = TcpStream::connect(to).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
        let mut buffer = [0; 64 << 10];
        while sent < times {
            sent += 1;
            if stream.write_all(request).is_err() || !matches!(stream.read(&mut buffer), Ok(1..)) {
                break;
            }
        }
    }
}

#[test]
fn refusals_without_a_token_do_not_fill_the_servers_own_log() {
    let (_home, server, reader) = served();
    let large = "x".repeat(40_000);
    for request in [
        "GET /api/v1/keys/a%20b HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "DELETE /api/v1/keys HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "POST /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n".to_owned(),
        "GET /api/v1/keys?a=b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\n\r\n".to_owned(),
        "GET /api/v1/keys HTTP/1.1\r\nhost: x\r\nauthorization: a\r\nauthorization: b\r\n\r\n".to_owned(),
        "PUT /api/v1/keys/dev/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx".to_owned(),
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {large}\r\n\r\n"),
        "no HTTP\r\n\r\n".to_owned(),
    ] {
        flood(server.address, request.as_bytes(), 1500);
    }
    server.retrieve(&reader, "prod/key").is(200);
    let said = server.printed();
    assert!(said.len() < 32 << 10, "{} bytes: {}", said.len(), &said[..2000]);
    let log = server.log_file();
    assert!(server.stop().success());
    let said = std::fs::read_to_string(log).expect("a log");
    let counted = said.lines().find(|line| line.contains("further requests were refused"));
    let counted = counted.unwrap_or_else(|| panic!("nothing is counted: {said}"));
    assert!(counted.contains("404: ") && counted.contains("405: "), "{counted}");
}

#[test]
fn refusals_of_tokens_and_strangers_do_not_fill_the_audit_log() {
    let (home, server, reader) = served();
    let nothing = home.token(&[
        "nothing",
        "--env",
        "dev",
        "--key",
        "nothing",
        "--scope",
        "keys:list",
        "--rate",
        "1/day",
    ]);
    let before = audit_lines(&home.slot(0)).len() + audit_lines(&home.slot(1)).len();
    for path in [
        "/api/v1/keys/prod/key",
        "/api/v1/keys/prod/key/value",
        "/api/v1/keys?env=prod",
        "/api/v1/tokens",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {nothing}\r\n\r\n");
        flood(server.address, request.as_bytes(), 1500);
    }
    for number in 0..500 {
        let stranger = strangers_token(&reader, number);
        server
            .retrieve(&stranger, "prod/key")
            .is_problem(401, "unauthenticated");
    }
    assert!(server.stop().success());
    let lines = audit_lines(&home.slot(0)).len() + audit_lines(&home.slot(1)).len() - before;
    assert!(lines < 100, "{lines} lines of 6,500 refusals");
}

/// The memory of a process, in MiB.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.expect("a number") / 1024
}

/// Opens connections from many addresses, and sends a body on each that never ends.
async fn unfinished(to: SocketAddr, token: &str, connections: u16) -> Vec<tokio::net::TcpStream> {
    let head = format!(
        "PUT /api/v1/keys/prod/new HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 1048576\r\n\r\n"
    );
    let mut open = Vec::new();
    let body = vec![b' '; (1 << 20) - 1];
    for number in 0..connections {
        let socket = TcpSocket::new_v4().expect("a socket");
        let [_, part] = (number / 100).to_be_bytes();
        socket
            .bind(SocketAddr::from(([127, 0, 1, part], 0)))
            .expect("an address");
        let Ok(mut stream) = socket.connect(to).await else {
            continue;
        };
        let send = async {
            stream.write_all(head.as_bytes()).await.ok();
            stream.write_all(&body).await.ok();
        };
        // Who is refused may find the connection closed, or nobody who reads.
        tokio::time::timeout(Duration::from_millis(300), send).await.ok();
        open.push(stream);
    }
    open
}

#[test]
fn hundreds_of_unfinished_bodies_cost_little_memory() {
    let (home, server, reader) = served();
    let lists = home.token(&["lists", "--env", "prod", "--scope", "keys:list"]);
    let writes = home.token(&["writes", "--env", "prod", "--scope", "keys:write"]);
    let before = memory(&server);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for (who, most) in [(&lists, 60), (&writes, 220)] {
        runtime.block_on(async {
            let open = unfinished(server.address, who, 700).await;
            let grown = memory(&server).saturating_sub(before);
            println!("700 unfinished bodies: {grown} MiB more than {before} MiB");
            assert!(grown < most, "{grown} MiB");
            drop(open);
        });
        server.retrieve(&reader, "prod/key").is(200);
    }
    let body = r#"{"value":"new"}"#;
    let request = Request::new("PUT", "/api/v1/keys/prod/new").bearer(&writes).json(body);
    ibyok_tests::wait_until("the memory for bodies is free again", Duration::from_secs(15), || {
        server.send(&request).status == 201
    });
}
