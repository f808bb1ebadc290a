use crate::world::World;

#[tokio::test]
async fn no_answer_is_kept_by_anybody() {
    let world = World::new().await;
    let token = world.admin().await;
    let value = "/api/v1/keys/prod/openai/value";
    for (method, path, token) in [
        ("GET", value, token.as_str()),
        ("GET", "/external/keys/openai/value?env=prod", &token),
        ("GET", value, "bad"),
        ("HEAD", value, &token),
        ("DELETE", value, &token),
        ("GET", "/api/v1/keys/prod/nothing/value", &token),
        ("GET", "/api/v1/keys/prod/%00/value", &token),
        ("GET", "/api/v1/keys", &token),
        ("GET", "/api/v1/tokens", &token),
        ("GET", "/nothing", &token),
        ("GET", "/healthz", &token),
    ] {
        let answer = world.ask(method, path, token).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(answer.header("etag"), None, "{method} {path}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{method} {path}"
        );
    }
    let early = world.raw(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(early.header("cache-control"), Some("no-store"));
}
