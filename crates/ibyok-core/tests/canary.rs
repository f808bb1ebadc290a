//! A token for pending versions alone: it can try a staged version, and gets nothing else.

mod scene;

use ibyok_core::{
    AccessToken, Code, Scope, Scopes, TokenRequest, keys::WhichVersion, policy::Restriction, tokens::attenuate,
};
use scene::{Scene, reading, secret};

async fn read(scene: &Scene, token: &AccessToken, which: impl Into<WhichVersion>) -> Result<String, Code> {
    let key = scene.key("prod/openai").at_version(which);
    let released = scene
        .vault
        .as_token(&AccessToken::from(token.expose()))
        .retrieve(&key)
        .await;
    released
        .map(|key| key.text().unwrap_or("?").to_owned())
        .map_err(|error| error.code())
}

async fn staged() -> (Scene, [AccessToken; 2]) {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    assert!(scene.operator().keys().set(&key, secret("old")).await.is_ok());
    let mut grant = reading("prod");
    let wide = scene.token_named("wide", grant.clone()).await;
    grant.pending_only = true;
    let issued = scene.token_named("canary", grant).await;
    let mut restriction = Restriction::default();
    restriction.pending_only = true;
    let narrowed = attenuate(&wide, &restriction).unwrap_or(wide);
    (scene, [issued, narrowed])
}

#[tokio::test]
async fn a_canary_is_given_what_is_staged_and_never_what_is_in_use() {
    let (scene, canaries) = staged().await;
    for canary in &canaries {
        // Nothing is staged: there is nothing for it, and the current version is not a way out.
        assert_eq!(read(&scene, canary, WhichVersion::Current).await, Err(Code::NotFound));
        assert_eq!(read(&scene, canary, 1).await, Err(Code::Denied));
    }
    let key = scene.key("prod/openai");
    assert!(scene.operator().rotation().stage(&key, secret("new")).await.is_ok());
    for canary in &canaries {
        for which in [WhichVersion::Current, WhichVersion::Pending] {
            assert_eq!(read(&scene, canary, which).await.as_deref(), Ok("new"));
        }
        // By number it is not decided before it is known what the number is.
        for number in [1, 2, 9] {
            assert_eq!(read(&scene, canary, number).await, Err(Code::Denied));
        }
    }
    assert!(scene.operator().rotation().promote(&key).await.is_ok());
    for canary in &canaries {
        assert_eq!(read(&scene, canary, WhichVersion::Pending).await, Err(Code::NotFound));
    }
}

#[tokio::test]
async fn a_canary_lists_and_does_nothing_else() {
    let (scene, canaries) = staged().await;
    let key = scene.key("prod/openai");
    for canary in canaries {
        let canary = scene.vault.as_token(&canary);
        assert!(canary.keys().show(&key).await.is_ok());
        assert_eq!(
            canary.keys().set(&key, secret("x")).await.map_err(|e| e.code()).err(),
            Some(Code::Denied)
        );
    }
    let mut grant = reading("prod");
    grant.pending_only = true;
    grant.scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue]);
    let refused = scene
        .operator()
        .tokens()
        .issue(TokenRequest::new("no canary", grant))
        .await;
    assert_eq!(refused.map_err(|error| error.code()).err(), Some(Code::Invalid));
}
