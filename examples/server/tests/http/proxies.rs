use ibyok_core::{Environments, Grant, Scope, Scopes};

use crate::world::World;

/// Asks with a token for 10.1.0.0/16 and gives the status and the address on the log.
async fn ask(world: &World, forwarded: &[&str]) -> (u16, String) {
    let mut grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    grant.networks = Some(vec!["10.1.0.0/16".parse().unwrap()]);
    let bearer = format!("Bearer {}", world.issue(grant).await);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(forwarded.iter().map(|value| ("x-forwarded-for", *value)));
    let status = world
        .send("GET", "/api/v1/keys/prod/openai/value", &headers, b"")
        .await
        .status;
    let log = world.log().await;
    let line = log.iter().rfind(|line| line["action"] == "key.retrieve").unwrap();
    (status, line["client"]["ip"].as_str().unwrap_or("unknown").to_owned())
}

#[tokio::test]
async fn the_word_of_anybody_is_not_believed() {
    let world = World::new().await;
    assert_eq!(ask(&world, &["10.1.2.3"]).await, (403, "127.0.0.1".to_owned()));
}

#[tokio::test]
async fn the_word_of_a_trusted_proxy_is() {
    let trusted = ["127.0.0.0/8".parse().unwrap(), "10.9.0.0/16".parse().unwrap()];
    let world = World::with(|options, _| options.trusted_proxies = trusted.into()).await;
    for (forwarded, status, address) in [
        (&["10.1.2.3"][..], 200, "10.1.2.3"),
        (&["9.9.9.9, 10.1.2.3"], 200, "10.1.2.3"),
        (&["10.1.2.3, 9.9.9.9"], 403, "9.9.9.9"),
        (&["10.1.2.3", "9.9.9.9"], 403, "9.9.9.9"),
        (&["10.1.2.3, 10.9.0.1"], 200, "10.1.2.3"),
        (&["::ffff:10.1.2.3"], 200, "10.1.2.3"),
        (&["10.1.2.3, nonsense"], 403, "unknown"),
        (&[], 403, "127.0.0.1"),
    ] {
        assert_eq!(
            ask(&world, forwarded).await,
            (status, address.to_owned()),
            "{forwarded:?}"
        );
    }
}
