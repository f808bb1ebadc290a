//! The list of due rotations and ends.

#[path = "../../ibyok-core/tests/scene/mod.rs"]
mod scene;

use ibyok_core::Code;
use ibyok_core::jiff::{SignedDuration, Timestamp};
use ibyok_core::keys::{KeyEdit, KeyWrite};
use ibyok_operations::rotation::DueExt as _;
use scene::{Scene, reading, secret};

#[tokio::test]
async fn what_is_old_enough_or_ends_soon_is_due() {
    let scene = Scene::new().await;
    let operator = scene.operator();
    let days = |days: i64| Timestamp::now() + SignedDuration::from_hours(days * 24);
    let write = || KeyWrite::from(secret("value"));
    let every = |text: &str| Some(Some(text.parse().unwrap()));
    for (name, write) in [
        ("prod/old", write().rotate_every(every("1s"))),
        ("prod/young", write().rotate_every(every("90d"))),
        ("prod/ends", write().expires(Some(Some(days(20))))),
        ("prod/lasts", write().expires(Some(Some(days(40))))),
        ("dev/other", write().rotate_every(every("1s"))),
    ] {
        operator.keys().set(&scene.key(name), write).await.unwrap();
    }
    let mut grant = reading("prod");
    grant.expires = Some(days(25));
    scene.token_named("new, and for 25 days", grant).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let due = operator.rotation().due(Some(&"prod".parse().unwrap())).await.unwrap();
    let told: Vec<_> = due
        .iter()
        .map(|due| (due.name.as_str(), due.kind.as_str(), due.within_days))
        .collect();
    assert_eq!(told, [("old", "rotation", 0), ("ends", "key_expiry", 30)]);
    assert_eq!(operator.rotation().due(None).await.unwrap().len(), 3);
    assert!(
        operator.retrieve(&scene.key("prod/ends")).await.is_ok(),
        "it is served until then"
    );

    operator
        .keys()
        .set(&scene.key("prod/old"), secret("new"))
        .await
        .unwrap();
    let mut edit = KeyEdit::default();
    edit.expires = Some(None);
    operator.keys().edit(&scene.key("prod/ends"), &edit).await.unwrap();
    assert!(
        operator
            .rotation()
            .due(Some(&"prod".parse().unwrap()))
            .await
            .unwrap()
            .is_empty()
    );
    edit.expires = Some(Some(Timestamp::now()));
    let past = operator.keys().edit(&scene.key("prod/ends"), &edit).await.unwrap_err();
    assert_eq!(past.code(), Code::Invalid);
    let lister = scene.vault.as_token(&scene.token_named("lister", reading("dev")).await);
    assert_eq!(
        lister.rotation().due(None).await.unwrap().len(),
        1,
        "its own environment, and no tokens"
    );
}
