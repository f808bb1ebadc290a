//! No secret in anything that this process says, at the finest level there is. A process of its own, so that everything is heard.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "tests may panic on unexpected results"
)]

#[path = "http/world.rs"]
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
mod world;

use std::io::Write;
use std::sync::{Arc, Mutex};

use ibyok_core::FileStore;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{OPENAI, World};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Captured;

    fn make_writer(&'a self) -> Captured {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_what_is_logged() {
    let captured = Captured::default();
    let lines = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::TRACE);
    tracing::subscriber::set_global_default(lines.with_writer(captured.clone()).finish()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let store = FileStore::open(place.path().join("vault.db")).await.unwrap();
    let world = World::on(Arc::new(store), |_, _| ()).await;
    let token = world.admin().await;
    let child = every_door(&world, &token).await;
    let audited = serde_json::to_string(&world.log().await).unwrap();
    let World { server, vault, .. } = world;
    server.stop().await.unwrap();
    vault.close().await.unwrap();
    let said = captured.text();
    assert!(said.contains("answered"), "the capture works");
    for secret in [OPENAI, &OPENAI[..12], token.as_str(), &token[45..], child.as_str()] {
        assert!(!said.contains(secret), "{secret} is in the log");
        assert!(!audited.contains(secret), "{secret} is in the audit log");
    }
    let line = said.lines().find(|line| line.contains("answered")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let listed = [
        "client",
        "level",
        "message",
        "method",
        "micros",
        "request_id",
        "route",
        "status",
        "target",
        "timestamp",
    ];
    assert_eq!(names, listed, "a request is one line of what is listed");
    assert_eq!(line["route"], "/api/v1/keys/{env}/{name}/value");
}

/// Sends a value and a token by every door; gives a token that was issued.
async fn every_door(world: &World, token: &str) -> String {
    let value = "/api/v1/keys/prod/openai/value";
    let bearer = format!("Bearer {token}");
    assert_eq!(world.ask("GET", value, token).await.json()["value"], OPENAI);
    world.ask("GET", "/external/keys/openai/value?env=prod", token).await;
    world.ask("GET", &format!("{value}?token={token}"), token).await;
    world.ask("GET", &format!("{value}?field={OPENAI}"), token).await;
    world
        .ask("GET", &format!("/api/v1/keys/prod/{token}/value"), token)
        .await;
    world.ask("GET", &format!("/api/v1/tokens/{token}"), token).await;
    world.ask("GET", &format!("/{token}"), token).await;
    let headers = [("x-vault-token", token), ("cookie", token), ("user-agent", token)];
    world.send("GET", value, &headers, b"").await;
    world
        .send(
            "GET",
            value,
            &[
                ("authorization", &bearer),
                ("user-agent", token),
                ("x-forwarded-for", token),
            ],
            b"",
        )
        .await;
    for header in [
        "x-request-id",
        "traceparent",
        "cookie",
        "if-none-match",
        "content-type",
        "x-vault-namespace",
    ] {
        world
            .send(
                "PUT",
                "/api/v1/keys/dev/x",
                &[("authorization", &bearer), (header, token)],
                b"{}",
            )
            .await;
    }
    let body = format!(r#"{{"value":"{OPENAI}","provider":"{OPENAI}"}}"#);
    world.tell("PUT", "/api/v1/keys/dev/x", token, &body).await;
    let body = format!(r#"{{"value":"{OPENAI}","labels":{{"{OPENAI} ":"x"}}}}"#);
    world.tell("PUT", "/api/v1/keys/dev/x", token, &body).await;
    let body = format!(r#"{{"value":{{"x":"{OPENAI}"}}}}"#);
    world.tell("PUT", "/api/v1/keys/dev/x", token, &body).await;
    world
        .tell(
            "PUT",
            "/api/v1/keys/dev/x",
            token,
            &format!(r#"{{"value":"{OPENAI}"}}"#),
        )
        .await;
    world
        .send(
            "PUT",
            "/api/v1/keys/dev/x",
            &[("authorization", &bearer)],
            OPENAI.as_bytes(),
        )
        .await;
    world
        .raw(format!("GET {value} HTTP/1.1\r\nauthorization: {token}\r\n\r\n").as_bytes())
        .await;
    world.raw(format!("{token}\r\n\r\n").as_bytes()).await;
    let issued = world
        .tell(
            "POST",
            "/api/v1/tokens",
            token,
            r#"{"name":"t","environments":["dev"]}"#,
        )
        .await;
    issued.json()["token"].as_str().unwrap().to_owned()
}
