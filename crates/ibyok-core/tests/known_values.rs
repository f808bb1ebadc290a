//! A scan recognises the values of the vault in a text.

#![cfg(test)]

mod scene;

use ibyok_core::{Code, known_values::KnownValues, secrecy::ExposeSecret};
use scene::{Scene, reading, secret};

const LONG: &str = "a value that is long enough";

async fn with_values() -> Scene {
    let scene = Scene::new().await;
    for (key, value) in [
        ("dev/openai", "sk-one"),
        ("prod/openai", "sk-old"),
        ("prod/openai", LONG),
    ] {
        scene
            .operator()
            .keys()
            .set(&scene.key(key), secret(value))
            .await
            .unwrap();
    }
    scene
}

fn found(values: &KnownValues, text: &str) -> Option<(String, u32)> {
    let known = values.find(text.as_bytes())?;
    Some((known.reference.clone(), known.version))
}

#[tokio::test]
async fn every_version_of_every_key_is_known_by_its_value_and_by_nothing_else() {
    let scene = with_values().await;
    let values = scene.operator().known_values().collect().await.unwrap();
    assert_eq!(values.len(), 3);
    assert_eq!(found(&values, "sk-one"), Some(("dev/openai".to_owned(), 1)));
    assert_eq!(found(&values, "sk-old"), Some(("prod/openai".to_owned(), 1)));
    assert_eq!(found(&values, LONG), Some(("prod/openai".to_owned(), 2)));
    assert_eq!(found(&values, "sk-on"), None);
    assert_eq!(found(&values, ""), None);
    assert_eq!(format!("{values:?}"), "KnownValues { len: 3, .. }");
}

#[tokio::test]
async fn a_bundle_knows_the_same_without_the_vault_but_not_what_can_be_guessed() {
    let scene = with_values().await;
    let bundle = scene.operator().known_values().export().await.unwrap();
    assert_eq!((bundle.values, bundle.left_out), (1, 2));
    let text = bundle.text.expose_secret();
    assert!(!text.contains(LONG));
    let values = KnownValues::from_bundle(text).unwrap();
    assert_eq!(found(&values, LONG), Some(("prod/openai".to_owned(), 2)));
    assert_eq!(found(&values, "sk-one"), None);

    let other = scene.operator().known_values().export().await.unwrap();
    assert_ne!(text, other.text.expose_secret(), "each has a key of its own");
    assert!(!format!("{bundle:?}").contains("fingerprint\""));
}

#[tokio::test]
async fn what_is_no_bundle_is_refused() {
    let scene = with_values().await;
    let bundle = scene.operator().known_values().export().await.unwrap();
    let text = bundle.text.expose_secret().to_owned();
    for broken in [
        String::new(),
        "{}".to_owned(),
        "[1]".to_owned(),
        text.replace("\"ibyok_fingerprints\": 1", "\"ibyok_fingerprints\": 2"),
        text.replace("\"key\": \"", "\"key\": \"AA"),
        text.replace("\"version\"", "\"more\": 1, \"version\""),
    ] {
        assert_eq!(
            KnownValues::from_bundle(&broken).unwrap_err().code(),
            Code::Invalid,
            "{broken}"
        );
    }
}

#[tokio::test]
async fn a_token_may_compare_nothing() {
    let scene = with_values().await;
    let session = scene.vault.as_token(&scene.token(reading("prod")).await);
    assert_eq!(session.known_values().collect().await.unwrap_err().code(), Code::Denied);
    assert_eq!(session.known_values().export().await.unwrap_err().code(), Code::Denied);
}
