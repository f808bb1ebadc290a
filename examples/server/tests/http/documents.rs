//! The server answers with the documents that the library serialises, member for member.

use ibyok_core::{
    AccessToken, Secret, Session,
    incidents::IncidentRequest,
    pages::PageRequest,
    secrecy::SecretString,
    usage::{UsageBy, UsageRequest},
};
use ibyok_operations::rotation::DueExt as _;
use ibyok_operations::tokens::TokenReviewExt as _;
use serde::Serialize;

use crate::world::World;

async fn compare(world: &World, token: &str, path: &str, thing: &impl Serialize) {
    let answer = world.ask("GET", path, token).await;
    assert_eq!(answer.text(), serde_json::to_string(thing).unwrap(), "{path}");
}

async fn keys(world: &World, token: &str, session: &Session) {
    let key = "prod/openai".parse().unwrap();
    let last_use = PageRequest::default().last_use(true);
    let (shown, listed) = (
        session.keys().show(&key).await.unwrap(),
        session.keys().list(None, &last_use).await,
    );
    compare(world, token, "/api/v1/keys/prod/openai", &shown).await;
    compare(world, token, "/api/v1/keys?last_use=true", &listed.unwrap()).await;
    let rotation = session.rotation().status(&key).await.unwrap();
    compare(world, token, "/api/v1/keys/prod/openai/rotation", &rotation).await;
    let due = session.rotation().due(None).await.unwrap();
    compare(world, token, "/api/v1/rotations/due", &due).await;
    let (modes, limits) = (session.modes().list().await, session.limits().list(None).await);
    compare(world, token, "/api/v1/modes", &modes.unwrap()).await;
    compare(world, token, "/api/v1/limits", &limits.unwrap()).await;
}

async fn tokens(world: &World, token: &str, session: &Session) {
    compare(world, token, "/api/v1/tokens/self", &session.whoami().await.unwrap()).await;
    let last_use = PageRequest::default().last_use(true);
    let (listed, reviewed) = (session.tokens().list(&last_use).await, session.tokens().review().await);
    compare(world, token, "/api/v1/tokens?last_use=true", &listed.unwrap()).await;
    compare(world, token, "/api/v1/tokens/review", &reviewed.unwrap()).await;
}

#[tokio::test]
async fn the_wire_says_what_the_library_serialises() {
    let world = World::new().await;
    let token = world.admin().await;
    let operator = world.vault.operator("test");
    let key = "prod/openai".parse().unwrap();
    operator.keys().set(&key, Secret::copy_of(b"second")).await.unwrap();
    operator
        .rotation()
        .stage(&key, Secret::copy_of(b"third"))
        .await
        .unwrap();
    world.ask("GET", "/api/v1/keys/prod/openai/value", &token).await;
    let leaked = "prod/stripe".parse().unwrap();
    let request = IncidentRequest::new("in a log".to_owned()).freeze(true);
    operator.incidents().open(&leaked, request).await.unwrap();
    let session = world
        .vault
        .as_token(&AccessToken::new(SecretString::from(token.as_str())));
    keys(&world, &token, &session).await;
    tokens(&world, &token, &session).await;
    let incidents = session
        .incidents()
        .list(ibyok_core::incidents::IncidentsShown::All)
        .await
        .unwrap();
    compare(&world, &token, "/api/v1/incidents?all=true", &incidents).await;
    let usage = session
        .usage()
        .report(&UsageRequest::new(UsageBy::Version))
        .await
        .unwrap();
    compare(&world, &token, "/api/v1/usage?by=version", &usage).await;
}
