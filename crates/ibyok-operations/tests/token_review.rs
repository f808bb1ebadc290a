//! The findings about tokens: in a review, and after a revocation.

#[path = "../../ibyok-core/tests/scene/mod.rs"]
mod scene;

use ibyok_core::{Environments, Grant, RequestContext, Scope, Scopes, TokenRequest, clock::Clock, tokens::Expiry};
use ibyok_operations::tokens::{TokenFinding, TokenReviewExt as _};
use scene::later::{HOUR, timed};
use scene::{Scene, reading};

fn words(findings: &[TokenFinding]) -> Vec<(&str, &str)> {
    findings
        .iter()
        .map(|found| (found.name.as_str(), found.finding.as_str()))
        .collect()
}

#[expect(clippy::unwrap_used, reason = "a review that fails is a failed test")]
async fn review(scene: &Scene) -> Vec<TokenFinding> {
    scene.operator().tokens().review().await.unwrap().items
}

#[tokio::test]
async fn a_new_token_is_no_finding_and_one_without_an_end_is_at_once() {
    let (scene, _) = timed().await;
    scene.token_named("plain", reading("prod")).await;
    assert_eq!(words(&review(&scene).await), []);
    let endless = TokenRequest::new("endless", reading("prod")).expiry(Expiry::Never);
    scene.operator().tokens().issue(endless).await.unwrap();
    assert_eq!(words(&review(&scene).await), [("endless", "never_expires")]);
}

#[tokio::test]
async fn what_was_never_used_or_rests_is_told() {
    let (scene, clock) = timed().await;
    let used = TokenRequest::new("used", reading("prod")).expiry(Expiry::At(clock.now() + HOUR * 24 * 90));
    let used = scene.operator().tokens().issue(used).await.unwrap().token;
    let unused = TokenRequest::new("never", reading("prod")).expiry(Expiry::At(clock.now() + HOUR * 24 * 90));
    scene.operator().tokens().issue(unused).await.unwrap();
    let session = scene.vault.as_token(&used);
    session.keys().show(&scene.key("prod/openai")).await.unwrap();
    for key in ["prod/openai", "prod/stripe"] {
        session.retrieve(&scene.key(key)).await.unwrap();
    }
    clock.move_on(HOUR * 24 * 8);
    assert_eq!(words(&review(&scene).await), [("never", "never_used")]);
    clock.move_on(HOUR * 24 * 23);
    assert_eq!(
        words(&review(&scene).await),
        [("never", "never_used"), ("used", "unused")]
    );
}

#[tokio::test]
async fn what_is_wider_than_its_use_is_told_with_what_would_have_sufficed() {
    let (scene, clock) = timed().await;
    let scopes = Scopes::from([Scope::KeysRead, Scope::KeysList, Scope::KeysWrite]);
    let grant = Grant::new(scopes, Environments::named(["dev", "prod"]));
    let token = scene.token_named("wide", grant).await;
    let session = scene.vault.as_token(&token);
    session.retrieve(&scene.key("prod/openai")).await.unwrap();
    clock.move_on(HOUR * 24 * 7);
    let found = review(&scene).await;
    assert_eq!(words(&found), [("wide", "wider_than_used")]);
    let narrower = found[0].narrower.as_ref().unwrap();
    assert_eq!(narrower.scopes, Scopes::from([Scope::KeysRead]));
    assert_eq!(narrower.environments, Environments::named(["prod"]));
    let keys: Vec<&str> = narrower
        .keys
        .iter()
        .flatten()
        .map(ibyok_core::policy::Pattern::as_str)
        .collect();
    assert_eq!(keys, ["openai"]);
    // What would have suffices indeed, and is then no finding.
    let mut narrower = narrower.clone();
    narrower.expires = None;
    let token = scene.token_named("narrow", narrower).await;
    scene
        .vault
        .as_token(&token)
        .retrieve(&scene.key("prod/openai"))
        .await
        .unwrap();
    clock.move_on(HOUR * 24 * 7);
    assert!(review(&scene).await.iter().all(|found| found.name != "narrow"));
}

#[tokio::test]
async fn an_end_is_told_in_time_and_only_to_what_lives_longer() {
    let (scene, clock) = timed().await;
    for (name, days) in [("ci", 7), ("service", 90)] {
        let mut grant = reading("prod");
        grant.expires = Some(clock.now() + HOUR * 24 * days);
        let token = scene.token_named(name, grant).await;
        let context = RequestContext::default();
        scene
            .vault
            .retrieve(&token, &scene.key("prod/openai"), &context)
            .await
            .unwrap();
    }
    let ends = async |name: &str| {
        let found = review(&scene).await;
        let ending = found
            .into_iter()
            .find(|found| found.name == name && found.finding.as_str() == "expires_soon");
        ending.and_then(|found| found.within_days)
    };
    assert_eq!(ends("ci").await, None);
    clock.move_on(HOUR * 24 * 6 + HOUR);
    assert_eq!((ends("ci").await, ends("service").await), (Some(1), None));
    clock.move_on(HOUR * 24 * 54);
    // What is over is no longer told.
    assert_eq!((ends("ci").await, ends("service").await), (None, Some(30)));
    clock.move_on(HOUR * 24 * 23);
    assert_eq!(ends("service").await, Some(7));
    clock.move_on(HOUR * 24 * 6);
    assert_eq!(ends("service").await, Some(1));
}

#[tokio::test]
async fn a_token_is_told_only_of_tokens_and_keys_that_it_may_see() {
    let (scene, clock) = timed().await;
    let scopes = Scopes::from([Scope::KeysRead, Scope::UsageRead]);
    for (name, environment) in [("here", "dev"), ("there", "prod")] {
        let mut grant = reading(environment);
        grant.scopes = scopes;
        let token = scene.token_named(name, grant).await;
        let key = scene.key(&format!("{environment}/openai"));
        scene.vault.as_token(&token).retrieve(&key).await.unwrap();
    }
    clock.move_on(HOUR * 24 * 8);
    let mut grant = reading("dev");
    grant.scopes = scopes.iter().chain([Scope::TokensIssue]).collect();
    let found = scene
        .vault
        .as_token(&scene.token_named("issuer", grant).await)
        .tokens()
        .review()
        .await
        .unwrap();
    assert_eq!(words(&found), [("here", "wider_than_used")]);
    // It may not list keys: it is not told which were read.
    assert_eq!(found[0].narrower.as_ref().unwrap().keys, None);
    let reader = scene.vault.as_token(&scene.token_named("reader", reading("dev")).await);
    assert_eq!(
        reader.tokens().review().await.unwrap_err().code(),
        ibyok_core::Code::Denied
    );
}

#[tokio::test]
async fn a_revocation_tells_the_keys_that_were_read_and_the_secrets_that_were_seen() {
    let (scene, _) = timed().await;
    let mut grant = reading("prod");
    grant.scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue]);
    let parent = scene.vault.as_token(&scene.token_named("parent", grant.clone()).await);
    parent.retrieve(&scene.key("prod/openai")).await.unwrap();
    grant.scopes = Scopes::from([Scope::KeysRead]);
    let child = parent
        .tokens()
        .issue(TokenRequest::new("child", grant.clone()))
        .await
        .unwrap();
    scene
        .vault
        .as_token(&child.token)
        .retrieve(&scene.key("prod/stripe"))
        .await
        .unwrap();
    let other = parent.tokens().issue(TokenRequest::new("other", grant)).await.unwrap();
    parent.tokens().rotate("other", None).await.unwrap();
    let revoked = scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let mut read: Vec<&str> = revoked.read_keys.iter().map(|key| key.reference.as_str()).collect();
    read.sort_unstable();
    assert_eq!(read, ["prod/openai", "prod/stripe"]);
    assert!(revoked.read_keys_complete);
    assert_eq!(revoked.rotated_tokens, [other.info.id]);
    assert!(revoked.children.is_empty(), "{:?}", revoked.children);
    // With the children kept, what they read is theirs.
    let again = scene
        .operator()
        .tokens()
        .revoke("child", ibyok_core::tokens::Descendants::Keep)
        .await
        .unwrap();
    assert_eq!(again.read_keys.len(), 1);
}
