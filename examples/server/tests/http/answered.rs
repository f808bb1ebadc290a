//! A refused request with a body is answered so that its client reads the answer.

use std::time::{Duration, Instant};

use ibyok_client::{Client, KeyWrite, SecretSlice, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

const PATH: &str = "/api/v1/keys/dev/body";

/// Sends a whole request as ordinary clients do, all of it before anything is read, and gives all that was answered.
async fn ordinary(world: &World, head: &str, body: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(world.server.address()).await?;
    let request = [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    for piece in request.chunks(16 << 10) {
        stream.write_all(piece).await?;
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        answer.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&answer);
        if count == 0 || text.contains("\"request_id\":") && text.ends_with('}') {
            return Ok(text.into_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_reads_why_its_request_was_refused() {
    let world = World::with(|options, _| options.body_limit = 256 << 10).await;
    let admin = world.admin().await;
    let lists = world.token(&[ibyok_core::Scope::KeysList], &["dev"], &[]).await;
    let head = |token: &str, kind: &str| {
        format!("PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n")
    };
    let json = "application/json";
    for (what, head, size, status) in [
        ("no valid token", head("x", json), 20_000, 401),
        ("no valid token", head("x", json), 200_000, 401),
        ("no valid token", head("x", json), 1_000_000, 401),
        ("no scope", head(&lists, json), 60_000, 403),
        ("no scope", head(&lists, json), 200_000, 403),
        ("another kind", head(&admin, "text/plain"), 100_000, 415),
        ("too large", head(&admin, json), 300_000, 413),
        ("too large", head(&admin, json), 3_000_000, 413),
        ("no JSON", head(&admin, json), 100_000, 400),
        ("no host", head(&admin, json).replace("host: x\r\n", ""), 100_000, 400),
        ("no route", head(&admin, json).replace(PATH, "/nowhere"), 100_000, 404),
        (
            "no such method",
            head(&admin, json).replace("PUT", "POST"),
            100_000,
            405,
        ),
    ] {
        let body = vec![b'x'; size];
        for number in 0..40 {
            let answer = ordinary(&world, &head, &body).await;
            let answer = answer.unwrap_or_else(|error| panic!("{what}, {size} bytes, {number}: {error}"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_typed_client_reads_why_its_request_was_refused() {
    let world = World::new().await;
    let client = Client::new(&world.server.url(), SecretString::from("not a token")).unwrap();
    for size in [1_000, 50_000, 60_000] {
        let write = KeyWrite::fields(std::collections::BTreeMap::from([(
            "value".into(),
            SecretSlice::from(vec![b'x'; size]),
        )]));
        for number in 0..100 {
            let error = client.set_key("dev", "body", &write).await.unwrap_err();
            assert_eq!(error.code(), "unauthenticated", "{size} bytes, {number}: {error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_reads_why_its_request_was_refused() {
    let world = World::new().await;
    let place = tempfile::tempdir().unwrap();
    let url = format!("{}{PATH}", world.server.url());
    for (size, expect) in [(50_000, ""), (900_000, ""), (900_000, "100-continue"), (3_000_000, "")] {
        let file = place.path().join("body");
        std::fs::write(&file, vec![b'x'; size]).unwrap();
        for number in 0..25 {
            let mut curl = tokio::process::Command::new("curl");
            curl.args([
                "-s",
                "-S",
                "-X",
                "PUT",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--data-binary",
            ])
            .arg(format!("@{}", file.display()))
            .args([
                "-H",
                "Content-Type: application/json",
                "-H",
                "Authorization: Bearer x",
                "-H",
            ])
            .arg(format!("Expect: {expect}"))
            .arg(&url);
            let ended = curl.output().await.unwrap();
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(ended.status.success(), "{size} bytes, {expect:?}, {number}: {said}");
            assert_eq!(ended.stdout, b"401", "{size} bytes, {expect:?}, {number}: {said}");
        }
    }
}

#[tokio::test]
async fn a_refusal_does_not_wait_long_for_a_body_that_does_not_come() {
    let world = World::new().await;
    for length in [20, 60_000, 900_000] {
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        let head = format!(
            "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let begun = Instant::now();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(Duration::from_secs(8), stream.read_to_end(&mut answer))
            .await
            .expect("it closes")
            .unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(
            text.starts_with("HTTP/1.1 401 ") && text.contains("connection: close"),
            "{text}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn after_a_refusal_with_a_small_body_the_connection_goes_on() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    let body = "x".repeat(30_000);
    let request = format!(
        "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..10 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = crate::world::read_answer(&mut stream, false).await.expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (401, None));
    }
}
