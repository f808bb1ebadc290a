use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{OPENAI, World, read_answer};

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let world = World::new().await;
    let token = world.admin().await;
    let value = "/api/v1/keys/prod/openai/value";
    let auth = format!("authorization: Bearer {token}\r\n");
    let json = "content-type: application/json\r\n";
    for (what, request) in [
        (
            "length and encoding",
            format!(
                "PUT {value} HTTP/1.1\r\nhost: x\r\n{auth}{json}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "encoding and length",
            format!(
                "GET {value} HTTP/1.1\r\nhost: x\r\n{auth}transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "two equal lengths",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\n{auth}content-length: 0\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "two lengths",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\n{auth}content-length: 0\r\ncontent-length: 1\r\n\r\na"),
        ),
        (
            "a length that is none",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\n{auth}content-length: +0\r\n\r\n"),
        ),
        (
            "an encoding that is none",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\n{auth}transfer-encoding: xchunked\r\n\r\n"),
        ),
        (
            "two hosts",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\nhost: y\r\n{auth}\r\n"),
        ),
        (
            "the same host twice",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\nhost: x\r\n{auth}\r\n"),
        ),
        ("no host", format!("GET {value} HTTP/1.1\r\n{auth}\r\n")),
        (
            "an address of another host",
            format!("GET http://y{value} HTTP/1.1\r\nhost: x\r\n{auth}\r\n"),
        ),
        (
            "bare line feeds",
            format!("GET {value} HTTP/1.1\nhost: x\n{}\n\n", auth.trim_end()),
        ),
        (
            "a folded field",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n{auth}\r\n"),
        ),
        (
            "a space before the colon",
            format!("GET {value} HTTP/1.1\r\nhost : x\r\n{auth}\r\n"),
        ),
        (
            "a space in the path",
            format!("GET {value} x HTTP/1.1\r\nhost: x\r\n{auth}\r\n"),
        ),
        (
            "a byte that is none of a path's",
            format!("GET {value}\u{e9} HTTP/1.1\r\nhost: x\r\n{auth}\r\n"),
        ),
        (
            "NUL in a field",
            format!("GET {value} HTTP/1.1\r\nhost: x\r\nx: \0\r\n{auth}\r\n"),
        ),
        ("everything", format!("OPTIONS * HTTP/1.1\r\nhost: x\r\n{auth}\r\n")),
        (
            "no HTTP",
            "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03 hello\r\n\r\n".to_owned(),
        ),
    ] {
        let answer = world.raw(request.as_bytes()).await;
        let status = answer.as_ref().map(|answer| answer.status);
        assert!(matches!(status, Some(400 | 404) | None), "{what}: {status:?}");
        assert!(answer.is_none_or(|answer| !answer.text().contains(OPENAI)), "{what}");
    }
    let good = format!("GET http://x{value} HTTP/1.1\r\nhost: x\r\n{auth}\r\n");
    assert_eq!(
        world.raw(good.as_bytes()).await.unwrap().status,
        200,
        "an address may be absolute"
    );
    let old = format!("GET {value} HTTP/1.0\r\n{auth}\r\n");
    assert_eq!(
        world.raw(old.as_bytes()).await.unwrap().status,
        200,
        "HTTP/1.0 knew no host"
    );
}

#[tokio::test]
async fn nothing_behind_an_ambiguous_request_is_answered() {
    let world = World::new().await;
    let token = world.admin().await;
    let smuggled =
        format!("GET /api/v1/keys/prod/openai/value HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let (spaces, zeros) = (" ".repeat(60), "0".repeat(60));
    for first in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        &format!("content-length:{spaces}4\r\n\r\nbody"),
        &format!("content-length: {zeros}4\r\n\r\nbody"),
        &format!("transfer-encoding:{spaces}chunked\r\n\r\n0\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        let both = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{first}{smuggled}");
        stream.write_all(both.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.ok();
        let text = String::from_utf8_lossy(&all);
        assert!(text.starts_with("HTTP/1.1 400"), "{first}: {text}");
        assert!(!text.contains(OPENAI), "{first}");
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let world = World::new().await;
    let token = world.admin().await;
    let request =
        format!("GET /api/v1/keys/prod/openai/value HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    for _ in 0..20 {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(read_answer(&mut stream, false).await.unwrap().json()["value"], OPENAI);
    }
}

/// Returns the time until the server closes the connection on which it got only these bytes.
async fn closes_after(world: &World, bytes: &[u8]) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut all = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await;
    assert!(end.is_ok(), "still open: {}", String::from_utf8_lossy(bytes));
    begun.elapsed()
}

#[tokio::test]
async fn who_is_slow_or_idle_is_let_go() {
    let world = World::with(|_, limits| limits.header_timeout = Duration::from_millis(300)).await;
    for bytes in [
        &b""[..],
        b"GET ",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\r\n",
    ] {
        assert!(closes_after(&world, bytes).await < Duration::from_secs(3), "{bytes:?}");
    }
    // One byte at a time keeps nothing open.
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    let begun = Instant::now();
    for byte in b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn who_does_not_take_their_answers_is_let_go() {
    let world = World::with(|_, limits| limits.write_timeout = Duration::from_millis(300)).await;
    let token = world.admin().await;
    let large = "x".repeat(60_000);
    world
        .tell(
            "PUT",
            "/api/v1/keys/dev/large",
            &token,
            &format!(r#"{{"value":"{large}"}}"#),
        )
        .await;
    let request =
        format!("GET /api/v1/keys/dev/large/value HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    let flood = async {
        loop {
            if stream.write_all(request.repeat(16).as_bytes()).await.is_err() {
                return;
            }
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(10), flood).await.is_ok(),
        "the connection stays open"
    );
}

#[tokio::test]
async fn when_places_are_short_idle_connections_are_closed_sooner() {
    let world = World::with(|_, limits| {
        limits.connections = 8;
        limits.header_timeout = Duration::from_secs(2);
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(TcpStream::connect(world.server.address()).await.unwrap());
    }
    let begun = Instant::now();
    assert_eq!(world.send("GET", "/healthz", &[], b"").await.status, 200);
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    drop(idle);
}

#[tokio::test]
async fn a_head_is_bounded_in_bytes_and_fields() {
    let world = World::new().await;
    let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(40_000));
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: a\r\n".repeat(120));
    for request in [long, many] {
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.is_none_or(|answer| answer.status == 431));
    }
}
