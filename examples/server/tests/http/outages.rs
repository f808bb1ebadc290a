use std::sync::Arc;
use std::time::Duration;

use ibyok_core::store::{Expect, RecordId};
use ibyok_core::{MemoryStore, Scope, Store as _};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::world::World;

#[tokio::test]
async fn without_an_audit_log_nothing_is_released_and_it_is_said_when_to_come_back() {
    let world = World::new().await;
    let token = world.admin().await;
    let value = "/api/v1/keys/prod/openai/value";
    assert_eq!(world.ask("GET", value, &token).await.status, 200);
    world.vault.close().await.unwrap();
    for (method, path) in [
        ("GET", value),
        ("GET", "/external/keys/openai/value?env=prod"),
        ("GET", "/api/v1/keys"),
        ("DELETE", "/api/v1/keys/prod/openai"),
    ] {
        let answer = world.ask(method, path, &token).await;
        assert_eq!(
            (answer.status, answer.code()),
            (503, "unavailable".to_owned()),
            "{method} {path}"
        );
        assert!(
            answer
                .header("retry-after")
                .is_some_and(|after| after.parse::<u32>().is_ok())
        );
        assert!(!answer.text().contains("SENTINEL"));
        assert_eq!(answer.json()["detail"], "the audit log is unavailable");
    }
    assert_eq!(world.ask("GET", "/healthz", "").await.status, 200);
}

#[tokio::test]
async fn a_log_that_is_gone_is_told_at_once_however_lately_somebody_asked() {
    let world = World::new().await;
    assert_eq!(world.ask("GET", "/readyz", "").await.status, 200);
    world.vault.close().await.unwrap();
    let answer = world.ask("GET", "/readyz", "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.json()["audit"], "unavailable");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let world = World::with(|options, _| options.request_timeout = Duration::from_millis(100)).await;
    let token = world.admin().await;
    let unfinished = format!(
        "PUT /api/v1/keys/dev/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{{"
    );
    let answer = world.raw(unfinished.as_bytes()).await.unwrap();
    assert_eq!(
        (answer.status, answer.code(), answer.header("retry-after")),
        (503, "unavailable".to_owned(), Some("5"))
    );
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_line_on_the_log() {
    let world = World::new().await;
    let token = world.token(&[Scope::KeysRead], &["prod"], &[]).await;
    let request = format!(
        "GET /api/v1/keys/prod/openai/value HTTP/1.1\r\nhost: x\r\nx-request-id: gone\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    // A connection that ends before its request was looked at leaves no line, so clients go at ever later moments.
    for wait in 0..20 {
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_micros(50 << wait.min(12))).await;
        drop(stream);
    }
    assert_eq!(
        world.ask("GET", "/api/v1/keys/prod/openai/value", &token).await.status,
        200
    );
    let log = world.log().await;
    assert!(
        log.iter()
            .any(|line| line["request_id"] == "gone" && line["outcome"] == "allowed")
    );
}

#[tokio::test]
async fn a_server_whose_vault_moved_away_says_so_and_names_no_address() {
    let store = Arc::new(MemoryStore::new());
    let world = World::on(store.clone(), |_, _| {}).await;
    let token = world.admin().await;
    let value = "/api/v1/keys/prod/openai/value";
    assert_eq!(world.ask("GET", value, &token).await.status, 200);
    let seal = b"this vault was moved to postgres://db.internal/vault";
    store.put(&RecordId::SEAL, seal, Expect::Absent).await.unwrap();
    let put = world
        .tell("PUT", "/api/v1/keys/prod/openai", &token, "{\"value\":\"sk-2\"}")
        .await;
    assert_eq!(put.status, 503, "{}", put.text());
    let mut read = world.ask("GET", value, &token).await;
    for _ in 0..100 {
        if read.status != 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        read = world.ask("GET", value, &token).await;
    }
    for answer in [put, read] {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["detail"], "the vault was moved to another store");
        assert!(!answer.text().contains("db.internal"), "{}", answer.text());
    }
}
