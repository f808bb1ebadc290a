use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::world::{World, read_answer};

const PATH: &str = "/api/v1/keys/dev/body";

#[tokio::test]
async fn json_that_means_two_things_or_nothing_is_refused() {
    let world = World::new().await;
    let admin = world.admin().await;
    let deep = format!(r#"{{"value":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let wide = format!(
        r#"{{"labels":{{{}}},"value":"a"}}"#,
        (0..20_000)
            .map(|n| format!("\"a{n}\":\"SENT\""))
            .collect::<Vec<_>>()
            .join(",")
    );
    for body in [
        r#"{"value":"SENT","value":"SENT"}"#,
        r#"{"value":"a","labels":{"x":"1","x":"2"}}"#,
        r#"{"fields":{"value":"a","value":"b"}}"#,
        r#"{"value":"a","SENT":1}"#,
        r#"{"value":{"x":"SENT"}}"#,
        r#"{"value":["SENT"]}"#,
        r#"{"value":NaN}"#,
        r#"{"value":null}"#,
        r#"{"value":1}"#,
        "\u{feff}{\"value\":\"a\"}",
        r#"{"value":"SENT"#,
        r#"{"value":"a"}{"#,
        r#"["SENT"]"#,
        "SENT",
        r#"{"value":"\ud800"}"#,
        &deep,
        &wide,
    ] {
        let answer = world.tell("PUT", PATH, &admin, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "invalid".to_owned()),
            "{body:.80}: {}",
            answer.text()
        );
        assert!(!answer.text().contains("SENT"), "{}", answer.text());
    }
    let bearer = format!("Bearer {admin}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    assert_eq!(
        world.send("PUT", PATH, &headers, b"{\"value\":\"\xff\"}").await.status,
        400
    );
    assert_eq!(world.send("PUT", PATH, &headers, b"").await.status, 400);
    assert_eq!(world.ask("GET", PATH, &admin).await.status, 404);
}

#[tokio::test]
async fn another_kind_of_body_is_refused() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.admin().await);
    let token = ("authorization", bearer.as_str());
    let json = ("content-type", "application/json");
    for headers in [
        vec![token],
        vec![token, ("content-type", "text/plain")],
        vec![token, ("content-type", "application/x-www-form-urlencoded")],
        vec![token, ("content-type", "application/json; charset=latin1")],
        vec![token, json, json],
        vec![token, json, ("content-encoding", "gzip")],
    ] {
        let answer = world.send("PUT", PATH, &headers, br#"{"value":"SENT"}"#).await;
        assert_eq!(
            (answer.status, answer.code()),
            (415, "unsupported_media".to_owned()),
            "{headers:?}"
        );
        assert!(!answer.text().contains("SENT"));
    }
    let no_token = world.send("PUT", PATH, &[("content-type", "text/plain")], b"x").await;
    assert_eq!(no_token.status, 401, "who asks is looked at first");
    let bad_token = world
        .raw(
            format!("PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-length: 900000\r\n\r\n")
                .as_bytes(),
        )
        .await;
    assert_eq!(bad_token.unwrap().status, 401, "before any of the body is there");
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_refused_whether_it_says_so_or_not() {
    let world = World::new().await;
    let bearer = world.admin().await;
    let head = format!(
        "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json\r\n"
    );
    let announced = world
        .raw(format!("{head}content-length: 3000000\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert_eq!((announced.status, announced.code()), (413, "too_large".to_owned()));
    let mut chunked = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..20 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&[b' '; 0x10000]);
        chunked.extend_from_slice(b"\r\n");
    }
    if let Some(answer) = world.raw(&chunked).await {
        assert_eq!((answer.status, answer.code()), (413, "too_large".to_owned()));
    }
    let small = world
        .raw(format!("{head}transfer-encoding: chunked\r\n\r\nd\r\n{{\"value\":\"a\"}}\r\n0\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert_eq!((small.status, small.header("connection")), (201, Some("close")));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let world = World::with(|options, _| options.body_timeout = Duration::from_millis(200)).await;
    let bearer = world.admin().await;
    let head = format!(
        "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{{"
    );
    let begun = Instant::now();
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream, false).await.unwrap();
    assert_eq!((answer.status, answer.code()), (408, "timeout".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let world = World::new().await;
    let bearer = world.admin().await;
    let request = format!(
        "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 13\r\n\r\n{{\"value\":\"a\"}}"
    );
    assert_eq!(world.raw(request.as_bytes()).await.unwrap().status, 201);
}

#[tokio::test]
async fn where_no_value_is_written_a_body_has_16_kibibytes_at_most() {
    let world = World::new().await;
    let admin = world.admin().await;
    let padding = " ".repeat(17 << 10);
    for (method, path) in [
        ("PATCH", "/api/v1/keys/prod/openai"),
        ("POST", "/api/v1/keys/prod/openai/disable"),
        ("POST", "/api/v1/keys/prod/openai/enable"),
        ("POST", "/api/v1/keys/prod/openai/promote"),
        ("POST", "/api/v1/keys/prod/openai/rollback"),
        ("POST", "/api/v1/keys/prod/openai/retire"),
        ("POST", "/api/v1/keys/prod/openai/destroy"),
        ("POST", "/api/v1/keys/prod/openai/mode"),
        ("PUT", "/api/v1/limits"),
        ("PUT", "/api/v1/modes"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/tokens/self/rotate"),
        ("POST", "/api/v1/incidents"),
        ("POST", "/api/v1/incidents/x/close"),
        ("POST", "/api/v1/incidents/x/notes"),
        ("POST", "/api/v1/audit/review/acks"),
        ("POST", "/api/v1/audit/review/done"),
    ] {
        let answer = world.tell(method, path, &admin, &format!("{{{padding}}}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (413, "too_large".to_owned()),
            "{method} {path}"
        );
    }
    for path in ["/api/v1/keys/dev/large", "/api/v1/keys/prod/openai/stage"] {
        let method = if path.ends_with("stage") { "POST" } else { "PUT" };
        let answer = world
            .tell(method, path, &admin, &format!("{{\"value\":\"v\"{padding}}}"))
            .await;
        assert!(answer.status < 300, "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn all_bodies_together_have_a_budget() {
    let world = World::with(|options, _| options.body_budget = 300_000).await;
    let admin = world.admin().await;
    let head = format!(
        "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {admin}\r\ncontent-type: application/json\r\ncontent-length: 200000\r\n\r\n"
    );
    let mut held = TcpStream::connect(world.server.address()).await.unwrap();
    held.write_all(head.as_bytes()).await.unwrap();
    held.write_all(&[b' '; 190_000]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let value = format!(r#"{{"value":"v"{}}}"#, " ".repeat(150_000));
    let refused = world.tell("PUT", PATH, &admin, &value).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable".to_owned()));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        world.tell("PUT", PATH, &admin, r#"{"value":"small"}"#).await.status,
        201
    );
    drop(held);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        world.tell("PUT", PATH, &admin, &value).await.status,
        200,
        "it is free again"
    );
}

#[tokio::test]
async fn a_body_that_trickles_keeps_its_connection_no_longer_than_its_time() {
    let world = World::with(|options, _| options.body_timeout = Duration::from_millis(500)).await;
    let bearer = world.admin().await;
    let head = format!(
        "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json\r\ncontent-length: 500000\r\n\r\n"
    );
    let begun = Instant::now();
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    while stream.write_all(b" ").await.is_ok() && begun.elapsed() < Duration::from_secs(9) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
