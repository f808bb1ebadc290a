//! Limits over several nodes: where the store counts, they hold over all of them; elsewhere on each.

use std::time::Duration;

use ibyok_core::{AccessToken, Code, Environments, Grant, Scope, Scopes, TokenRequest, limits::LimitScope};

use crate::shared::Shared;
use crate::site::{Node, Site, code, said};

crate::on!(postgres redis, a_limit_holds_over_all_nodes_where_the_store_counts);

/// A token of 60 retrievals a minute.
async fn limited_token(node: &Node) -> AccessToken {
    let mut grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    grant.rate = Some("60/min".parse().expect("a rate"));
    let issued = node
        .operator()
        .tokens()
        .issue(TokenRequest::new("limited", grant))
        .await;
    issued.expect("a token").token
}

/// Returns the number of retrievals that are let through, of 100 over both nodes in turn. The limit must have refused
/// the others.
async fn let_through(nodes: [&Node; 2], token: &AccessToken) -> usize {
    let mut through = 0;
    for number in 0..100 {
        match nodes[number % 2].get(token, "prod/key").await {
            Ok(_) => through += 1,
            Err(error) => assert_eq!(error.code(), Code::Limited, "{}", said(&error)),
        }
    }
    through
}

async fn a_limit_holds_over_all_nodes_where_the_store_counts(mut shared: Shared) {
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let there = site.open(&shared.url()).await.expect("a node");
    here.set("prod/key", "the value").await.expect("a key");
    let token = limited_token(&here).await;
    let scope = here
        .operator()
        .tokens()
        .show("limited")
        .await
        .expect("the token")
        .limit_scope;

    let begun = std::time::Instant::now();
    let through = let_through([&here, &there], &token).await;
    // One comes back each second.
    let back = begun.elapsed().as_secs() as usize + 1;
    match &shared {
        Shared::Redis(_) => {
            assert_eq!(scope, Some(LimitScope::Shared));
            assert!((60..=60 + back).contains(&through), "{through} were let through");
        }
        _ => {
            assert_eq!(scope, Some(LimitScope::Node));
            assert_eq!(through, 100, "each node counts by itself");
        }
    }
    if !matches!(shared, Shared::Redis(_)) {
        return;
    }

    // What counts is away: nothing that is limited is let through, and what was used stays used.
    shared.kill();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for node in [&here, &there] {
        assert_eq!(code(&node.get(&token, "prod/key").await), Some(Code::Unavailable));
    }
    shared.restart();
    let begun = std::time::Instant::now();
    while code(&here.get(&token, "prod/key").await) == Some(Code::Unavailable) {
        assert!(begun.elapsed() < Duration::from_secs(10), "not back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let through = let_through([&here, &there], &token).await;
    assert!(through < 20, "{through} were let through after a restart");
}
