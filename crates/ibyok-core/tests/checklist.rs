//! The vault's answers to the checklist.

mod scene;

use ibyok_core::Code;
use scene::{Scene, reading, secret};

#[tokio::test]
async fn environments_that_share_a_value_are_found_and_no_value_is_told() {
    let scene = Scene::new().await;
    for (key, value) in [
        ("dev/openai", "sk-same"),
        ("prod/openai", "sk-same"),
        ("prod/backup", "sk-same"),
        ("staging/openai", "sk-other"),
        ("prod/one", "sk-twice"),
        ("prod/two", "sk-twice"),
    ] {
        scene
            .operator()
            .keys()
            .set(&scene.key(key), secret(value))
            .await
            .unwrap();
    }
    let shared = scene.operator().known_values().shared().await.unwrap();
    let keys: Vec<_> = shared.iter().map(|shared| shared.keys.as_slice()).collect();
    assert_eq!(keys.len(), 1, "twice in one environment is none of it: {keys:?}");
    assert!(
        ["dev/openai", "prod/backup", "prod/openai"]
            .iter()
            .all(|key| keys.concat().contains(&(*key).to_owned()))
    );

    scene
        .operator()
        .keys()
        .set(&scene.key("dev/openai"), secret("sk-own"))
        .await
        .unwrap();
    assert!(
        scene.operator().known_values().shared().await.unwrap().is_empty(),
        "only current values count"
    );
}

#[tokio::test]
async fn an_attestation_is_kept_with_whose_word_it_is() {
    let scene = Scene::new().await;
    assert!(scene.operator().attestations().list().await.unwrap().is_empty());
    scene
        .operator()
        .attestations()
        .add("training", Some("all six of us".to_owned()))
        .await
        .unwrap();
    let kept = scene.operator().attestations().list().await.unwrap();
    let training = kept.get("training").unwrap();
    assert_eq!(
        (training.by.as_str(), training.note.as_deref()),
        ("os:test@here", Some("all six of us"))
    );
    let unknown = scene.operator().attestations().add("world peace", None).await;
    assert_eq!(unknown.unwrap_err().code(), Code::Invalid);
}

#[tokio::test]
async fn tokens_neither_attest_nor_compare() {
    let scene = Scene::new().await;
    let token = scene.vault.as_token(&scene.token(reading("prod")).await);
    assert_eq!(
        token.attestations().add("training", None).await.unwrap_err().code(),
        Code::Denied
    );
    assert_eq!(token.attestations().list().await.unwrap_err().code(), Code::Denied);
    assert_eq!(token.known_values().shared().await.unwrap_err().code(), Code::Denied);
}
