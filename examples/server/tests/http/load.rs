//! Load from outside: what one token, one address and one connection may cost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ibyok_core::{Environments, Grant, Scope, Scopes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{World, read_answer};

/// A connection from another address of this machine.
async fn connect_from(source: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((source, 0)))?;
    socket.connect(to).await
}

async fn is_served(stream: std::io::Result<TcpStream>, path: &str, token: &str) -> bool {
    let Ok(mut stream) = stream else { return false };
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.is_ok()
        && read_answer(&mut stream, false)
            .await
            .is_some_and(|answer| answer.status == 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_of_one_address_lock_nobody_out() {
    let world = World::new().await;
    let (token, address) = (world.admin().await, world.server.address());
    let stopped = Arc::new(AtomicBool::new(false));
    let mut crowd = Vec::new();
    for _ in 0..1024 {
        let stopped = Arc::clone(&stopped);
        crowd.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.ok();
            while !stopped.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                let Some(open) = &mut stream else { break };
                let sent = open.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
                if sent.is_err() || read_answer(open, false).await.is_none() {
                    stream = TcpStream::connect(address).await.ok();
                }
            }
        }));
    }
    tokio::time::sleep(Duration::from_millis(1600)).await;
    let path = "/api/v1/keys/prod/openai/value";
    for source in [[127, 0, 0, 2], [127, 0, 0, 1], [127, 0, 3, 3]] {
        for _ in 0..20 {
            let begun = Instant::now();
            assert!(
                is_served(connect_from(source, address).await, path, &token).await,
                "{source:?}"
            );
            assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        }
    }
    stopped.store(true, Ordering::Relaxed);
    for one in crowd {
        one.await.unwrap();
    }
}

#[tokio::test]
async fn one_address_has_its_share_of_connections_and_no_more() {
    let world = World::with(|_, limits| limits.connections_per_address = 3).await;
    let address = world.server.address();
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A request that is under way: its body is still to come.
        let head = format!(
            "PUT /api/v1/keys/dev/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n",
            world.admin().await
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = TcpStream::connect(address).await;
    assert!(
        !is_served(refused, "/healthz", "").await,
        "all of its connections are at work"
    );
    assert!(is_served(connect_from([127, 0, 0, 2], address).await, "/healthz", "").await);
    drop(held.pop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_served(TcpStream::connect(address).await, "/healthz", "").await);
}

#[tokio::test]
async fn a_trusted_proxy_carries_the_connections_of_many() {
    let trusted = "127.0.0.0/30".parse().unwrap();
    let world = World::with(|options, limits| {
        options.trusted_proxies = vec![trusted];
        limits.connections_per_address = 2;
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(read_answer(&mut stream, false).await.unwrap().status, 200);
        held.push(stream);
    }
    for stream in &mut held {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(read_answer(stream, false).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_connection_ends_with_its_age_and_its_last_request_is_answered() {
    let world = World::with(|_, limits| limits.connection_age = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    let begun = Instant::now();
    loop {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let answer = read_answer(&mut stream, false).await.expect("an answer");
        assert_eq!(answer.status, 200);
        if answer.header("connection") == Some("close") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "it is never closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_newcomer_gets_the_place_of_the_connection_that_was_idle_longest() {
    let world = World::with(|_, limits| limits.connections = 2).await;
    let address = world.server.address();
    let ask = async |stream: &mut TcpStream| {
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.is_ok() && read_answer(stream, false).await.is_some()
    };
    let mut first = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut first).await);
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut second).await);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(ask(&mut first).await, "now the second was idle longer");
    let mut third = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut third).await);
    assert!(ask(&mut first).await);
    assert!(!ask(&mut second).await, "it made room");
}

#[tokio::test]
async fn a_head_that_never_ends_keeps_no_place() {
    let world = World::with(|_, limits| limits.connections = 2).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    assert_eq!(world.send("GET", "/healthz", &[], b"").await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_flood_of_refusals_of_one_token_is_a_few_lines_for_every_verb() {
    let world = World::new().await;
    let mut grant = Grant::new(Scopes::from([Scope::KeysList]), Environments::named(["dev"]));
    grant.keys = Some(vec!["nothing".parse().unwrap()]);
    grant.rate = Some("1/day".parse().unwrap());
    let token = world.issue(grant).await;
    let before = world.log().await.len();
    let flood = [
        ("GET", "/api/v1/keys/prod/openai", ""),
        ("GET", "/api/v1/keys/prod/openai/value", ""),
        ("GET", "/api/v1/keys/_/key_0000000000000000000000/value", ""),
        ("GET", "/api/v1/keys?env=prod", ""),
        ("GET", "/api/v1/tokens", ""),
        ("GET", "/api/v1/usage", ""),
        ("GET", "/api/v1/audit/review", ""),
        ("PUT", "/api/v1/keys/prod/openai", r#"{"value":"x"}"#),
        ("POST", "/api/v1/keys/dev/openai/disable", "{}"),
        ("DELETE", "/api/v1/keys/dev/openai", ""),
        ("POST", "/api/v1/tokens", r#"{"name":"x","environments":["dev"]}"#),
        ("PUT", "/api/v1/modes", r#"{"environment":"dev","mode":"live"}"#),
        ("POST", "/api/v1/incidents", r#"{"ref":"dev/x","reason":"x"}"#),
    ];
    for round in 0..60 {
        for (method, path, body) in flood {
            let answer = world.tell(method, path, &token, body).await;
            assert!(
                matches!(answer.status, 403 | 404 | 429),
                "{round} {method} {path}: {}",
                answer.text()
            );
        }
    }
    let lines = world.log().await.len() - before;
    assert!(lines <= 40, "{lines} lines of {} refusals", 60 * flood.len());
}

#[tokio::test]
async fn a_token_rotates_itself_as_often_as_a_service_needs_and_no_more() {
    let world = World::new().await;
    let mut grant = Grant::new(Scopes::from([Scope::KeysList]), Environments::named(["dev"]));
    (grant.rate, grant.self_rotate) = (Some("1/day".parse().unwrap()), true);
    let mut token = world.issue(grant).await;
    let mut rotated = 0;
    loop {
        let answer = world.tell("POST", "/api/v1/tokens/self/rotate", &token, "{}").await;
        if answer.status != 200 {
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert_eq!((answer.status, answer.code()), (429, "limited".to_owned()));
            assert!((1..=120).contains(&wait), "{wait}");
            break;
        }
        token = answer.json()["token"].as_str().unwrap().to_owned();
        rotated += 1;
        assert!(rotated <= 100, "it rotates as often as it likes");
    }
    assert!(rotated >= 10, "{rotated}");
    let revoked = world.ask("DELETE", "/api/v1/tokens/self", &token).await;
    assert_eq!(revoked.status, 200, "taking away is always possible");
}

#[tokio::test]
async fn reads_and_changes_of_a_token_have_limits_that_ordinary_use_does_not_meet() {
    let world = World::new().await;
    // As many as the default lets through would take long.
    let mut grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    grant.rate = Some("900/hour".parse().unwrap());
    let admin = world.issue(grant).await;
    for number in 0..600 {
        let path = format!("/api/v1/keys/dev/key-{number}");
        let written = world.tell("PUT", &path, &admin, r#"{"value":"v"}"#).await;
        assert_eq!(written.status, 201, "an import of hundreds of keys: {number}");
        let read = world.ask("GET", &format!("{path}/value"), &admin).await;
        assert_eq!(read.status, 200, "{number}");
    }
    let mut limited = 0;
    for _ in 0..700 {
        limited += u32::from(world.tell("PATCH", "/api/v1/keys/dev/key-1", &admin, "{}").await.status == 429);
    }
    assert!(limited > 100, "changes are limited: {limited}");
    let value = world.ask("GET", "/api/v1/keys/dev/key-1/value", &admin).await;
    assert_eq!(value.status, 200, "each kind of verb has a bucket of its own");
    let disabled = world.tell("POST", "/api/v1/keys/dev/key-1/disable", &admin, "{}").await;
    assert_eq!(disabled.status, 200, "taking away is always possible");
    let before = world.log().await.len();
    for _ in 0..300 {
        let again = world.tell("POST", "/api/v1/keys/dev/key-1/disable", &admin, "{}").await;
        assert_eq!(again.status, 200);
    }
    let lines = world.log().await.len() - before;
    assert!(lines < 80, "what changes nothing is folded beyond the limit: {lines}");
}
