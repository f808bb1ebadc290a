use crate::world::World;

/// Returns texts that look like secrets: keys of providers whose shape nothing else has, and an access token of
/// IBYOK.
fn secrets() -> Vec<String> {
    vec![
        format!("AKIA{}", "EXAMPLE7EXAMPLE7"),
        format!("ghp_{}", "EXAMPLE0".repeat(5).split_at(36).0),
        format!("sk-ant-api03-{}AA", "EXAMPLE0".repeat(12).split_at(93).0),
        "ibyok_24bEqhjG3hVKitVJk3G3iWdMQ9mw4h_05K1EXAMPLE0".to_owned(),
    ]
}

/// The part of a secret by which it is found wherever it went.
fn trace(secret: &str) -> &str {
    &secret[secret.len() - 14..]
}

#[tokio::test]
async fn a_secret_in_a_header_reaches_neither_an_answer_nor_the_log() {
    let world = World::new().await;
    let token = format!("Bearer {}", world.admin().await);
    for secret in secrets() {
        for id in [secret.clone(), format!("trace.{secret}"), format!("{secret}:1")] {
            let agent = format!("curl/8 ({id}) x");
            let headers = [
                ("authorization", token.as_str()),
                ("x-request-id", &id),
                ("user-agent", &agent),
            ];
            for path in [
                "/api/v1/keys",
                "/api/v1/keys/prod/none",
                "/external/keys/openai/value?env=prod",
                "/no/such/path",
            ] {
                let answer = world.send("GET", path, &headers, b"").await;
                assert_eq!(answer.header("x-request-id").unwrap().len(), 36, "{path}");
                assert!(!answer.text().contains(trace(&secret)), "{path}");
            }
        }
        let log = serde_json::to_string(&world.log().await).unwrap();
        assert!(
            !log.contains(trace(&secret)) && log.contains("curl/8 ([masked]) x"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_secret_is_no_name_and_is_not_repeated() {
    let world = World::new().await;
    let admin = world.admin().await;
    for secret in secrets() {
        let key = format!("/api/v1/keys/prod/{secret}");
        let labels = format!(r#"{{"value":"v","labels":{{"note":"was {secret}"}}}}"#);
        let name = format!(r#"{{"value":"v","labels":{{"{secret}":"x"}}}}"#);
        let issue = format!(r#"{{"name":"for {secret}","scopes":["keys:read"],"environments":["prod"]}}"#);
        let incident = format!(r#"{{"key":"prod/openai","reason":"leaked: {secret}"}}"#);
        for (method, path, body) in [
            ("PUT", key.as_str(), r#"{"value":"v"}"#),
            ("GET", key.as_str(), ""),
            ("PUT", "/api/v1/keys/prod/fine", labels.as_str()),
            ("PUT", "/api/v1/keys/prod/fine", name.as_str()),
            ("POST", "/api/v1/tokens", issue.as_str()),
        ] {
            let answer = world.tell(method, path, &admin, body).await;
            assert!(matches!(answer.status, 400 | 422), "{method} {path}: {}", answer.text());
            assert!(
                !answer.text().contains(trace(&secret)),
                "{method} {path}: {}",
                answer.text()
            );
        }
        world.tell("POST", "/api/v1/incidents", &admin, &incident).await;
        let log = serde_json::to_string(&world.log().await).unwrap();
        assert!(!log.contains(trace(&secret)), "{log}");
    }
}
