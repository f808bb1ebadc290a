//! A new secret under the same id: the caller that gets it, and the grace of the one before.

mod scene;

use std::time::Duration;

use ibyok_core::{
    AccessToken, Code, Scope, Scopes, TokenRequest, jiff::Timestamp, policy::Restriction, tokens::attenuate,
};
use scene::later::{HOUR, copy, reads, timed};
use scene::{Scene, reading};

async fn with(scene: &Scene, name: &str, scopes: &[Scope]) -> AccessToken {
    let mut grant = reading("prod");
    grant.scopes = scopes.iter().copied().collect();
    scene.token_named(name, grant).await
}

#[tokio::test]
async fn both_secrets_work_until_the_grace_ends_and_the_new_one_after() {
    let (scene, clock) = timed().await;
    let old = scene.token_named("app", reading("prod")).await;
    let rotated = scene.operator().tokens().rotate("app", Some(HOUR)).await.unwrap();
    assert_eq!(rotated.info.epoch, 1);
    assert_eq!(rotated.info.id, ibyok_core::tokens::token_id(&old).unwrap());
    for token in [&old, &rotated.token] {
        assert_eq!(reads(&scene, token, "prod/openai").await, Ok(()));
    }
    clock.move_on(HOUR - Duration::from_secs(60));
    assert_eq!(reads(&scene, &old, "prod/openai").await, Ok(()));
    clock.move_on(Duration::from_secs(60));
    assert_eq!(reads(&scene, &old, "prod/openai").await, Err(Code::Unauthenticated));
    assert_eq!(reads(&scene, &rotated.token, "prod/openai").await, Ok(()));
    let shown = scene.operator().tokens().show("app").await.unwrap();
    assert_eq!(shown.older_secret_until, None);
    assert_eq!(shown.rotated.unwrap().by, "os:test@here");
}

#[tokio::test]
async fn without_a_grace_the_old_secret_ends_at_once_with_what_was_made_of_it() {
    let (scene, _) = timed().await;
    let old = scene.token_named("app", reading("prod")).await;
    let mut only = Restriction::default();
    only.keys = Some(vec!["openai".parse().unwrap()]);
    let narrowed = attenuate(&old, &only).unwrap();
    assert_eq!(reads(&scene, &narrowed, "prod/openai").await, Ok(()));
    let rotated = scene
        .operator()
        .tokens()
        .rotate("app", Some(Duration::ZERO))
        .await
        .unwrap();
    for token in [&old, &narrowed] {
        assert_eq!(reads(&scene, token, "prod/openai").await, Err(Code::Unauthenticated));
    }
    assert_eq!(reads(&scene, &rotated.token, "prod/openai").await, Ok(()));
}

#[tokio::test]
async fn what_was_narrowed_from_the_old_secret_ends_with_its_grace() {
    let (scene, clock) = timed().await;
    let old = scene.token_named("app", reading("prod")).await;
    let mut only = Restriction::default();
    only.keys = Some(vec!["openai".parse().unwrap()]);
    let narrowed = attenuate(&old, &only).unwrap();
    scene.operator().tokens().rotate("app", Some(HOUR)).await.unwrap();
    assert_eq!(reads(&scene, &narrowed, "prod/openai").await, Ok(()));
    assert_eq!(reads(&scene, &narrowed, "prod/stripe").await, Err(Code::Denied));
    clock.move_on(HOUR);
    assert_eq!(
        reads(&scene, &narrowed, "prod/openai").await,
        Err(Code::Unauthenticated)
    );
}

#[tokio::test]
async fn a_second_rotation_ends_the_oldest_secret_at_once() {
    let (scene, _) = timed().await;
    let first = scene.token_named("app", reading("prod")).await;
    let second = scene.operator().tokens().rotate("app", Some(HOUR)).await.unwrap().token;
    let third = scene.operator().tokens().rotate("app", Some(HOUR)).await.unwrap().token;
    assert_eq!(reads(&scene, &first, "prod/openai").await, Err(Code::Unauthenticated));
    for token in [&second, &third] {
        assert_eq!(reads(&scene, token, "prod/openai").await, Ok(()));
    }
}

#[tokio::test]
async fn a_grace_never_outlasts_the_token_and_has_a_bound() {
    let (scene, clock) = timed().await;
    let mut grant = reading("prod");
    grant.expires = Some(ibyok_core::clock::Clock::now(&clock) + HOUR);
    let old = scene.token_named("app", grant.clone()).await;
    let rotated = scene.operator().tokens().rotate("app", Some(HOUR * 48)).await.unwrap();
    assert_eq!(rotated.info.older_secret_until, grant.expires);
    assert_eq!(rotated.info.expires_at, grant.expires);
    for grace in [HOUR * 24 * 91, Duration::MAX] {
        let refused = scene.operator().tokens().rotate("app", Some(grace)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Invalid);
    }
    clock.move_on(HOUR);
    for token in [&old, &rotated.token] {
        assert_eq!(reads(&scene, token, "prod/openai").await, Err(Code::Unauthenticated));
    }
    let refused = scene.operator().tokens().rotate("app", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
}

#[tokio::test]
async fn what_is_revoked_or_has_no_parent_gets_no_new_secret() {
    let (scene, _) = timed().await;
    let parent = with(&scene, "parent", &[Scope::KeysRead, Scope::TokensIssue]).await;
    let mut grant = reading("prod");
    grant.scopes = Scopes::from([Scope::KeysRead]);
    let parent = scene.vault.as_token(&parent);
    let child = parent.tokens().issue(TokenRequest::new("child", grant)).await.unwrap();
    parent.tokens().rotate("child", None).await.unwrap();
    scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    for which in ["parent", "child"] {
        let refused = scene.operator().tokens().rotate(which, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict, "{which}");
    }
    assert_eq!(
        reads(&scene, &child.token, "prod/openai").await,
        Err(Code::Unauthenticated)
    );
}

#[tokio::test]
async fn a_token_rotates_itself_but_not_the_wider_one_that_it_stands_for() {
    let (scene, _) = timed().await;
    let mut grant = reading("prod");
    grant.self_rotate = true;
    let token = scene.token_named("app", grant).await;
    let mut short = Restriction::default();
    short.expires = Some(Timestamp::now() + HOUR);
    let narrowed = scene.vault.as_token(&attenuate(&token, &short).unwrap());
    let id = ibyok_core::tokens::token_id(&token).unwrap().to_string();
    for which in ["self", id.as_str()] {
        let refused = narrowed.tokens().rotate(which, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::Denied, "{which}");
    }
    let rotated = scene
        .vault
        .as_token(&copy(&token))
        .tokens()
        .rotate("self", None)
        .await
        .unwrap();
    assert_eq!(reads(&scene, &rotated.token, "prod/openai").await, Ok(()));
    // The secret that is in its grace gets no further one, else it would never end.
    let superseded = scene.vault.as_token(&token);
    assert!(superseded.whoami().await.unwrap().superseded);
    assert_eq!(superseded.whoami().await.unwrap().restrictions, 0);
    let refused = superseded.tokens().rotate("self", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::Denied);
}

#[tokio::test]
async fn a_token_without_the_right_does_not_rotate_itself() {
    let (scene, _) = timed().await;
    // Not even with every scope.
    for scope in [Scope::KeysRead, Scope::TokensIssue, Scope::Admin] {
        let token = with(&scene, scope.as_str(), &[scope]).await;
        let id = ibyok_core::tokens::token_id(&token).unwrap().to_string();
        let session = scene.vault.as_token(&token);
        for which in ["self", id.as_str()] {
            let refused = session.tokens().rotate(which, None).await.unwrap_err();
            assert_eq!(refused.code(), Code::Denied, "{scope} {which}");
        }
        assert_eq!(scene.operator().tokens().show(&id).await.unwrap().epoch, 0);
    }
}

#[tokio::test]
async fn the_right_to_rotate_itself_is_handed_on_only_by_who_has_it() {
    let (scene, _) = timed().await;
    let mut child = reading("prod");
    child.scopes = Scopes::from([Scope::KeysRead]);
    child.self_rotate = true;
    for (may, name) in [(true, "may"), (false, "may-not")] {
        let mut grant = reading("prod");
        grant.scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue]);
        grant.self_rotate = may;
        let parent = scene.token_named(name, grant).await;
        let mut without = Restriction::default();
        without.no_self_rotate = true;
        let narrowed = scene.vault.as_token(&attenuate(&parent, &without).unwrap());
        let request = || TokenRequest::new("child", child.clone());
        assert_eq!(
            narrowed.tokens().issue(request()).await.unwrap_err().code(),
            Code::Denied
        );
        let issued = scene.vault.as_token(&parent).tokens().issue(request()).await;
        assert_eq!(
            issued.map(|_| ()).map_err(|error| error.code()),
            if may { Ok(()) } else { Err(Code::Denied) }
        );
    }
}

#[tokio::test]
async fn a_token_rotates_only_what_it_or_its_descendants_issued() {
    let (scene, _) = timed().await;
    let mut grant = reading("prod");
    grant.scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue]);
    let issuer = scene.vault.as_token(&scene.token_named("issuer", grant.clone()).await);
    // Siblings, however narrow and short-lived.
    let mut short = reading("prod");
    short.scopes = Scopes::from([Scope::KeysRead]);
    short.expires = Some(Timestamp::now() + HOUR);
    scene.token_named("sibling", short.clone()).await;
    scene.token_named("wider", reading("prod")).await;
    scene.token_named("elsewhere", reading("dev")).await;
    for which in ["sibling", "wider", "elsewhere", "nothing"] {
        let refused = issuer.tokens().rotate(which, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::Denied, "{which}");
    }
    grant.expires = issuer.whoami().await.unwrap().expires_at;
    let child = issuer.tokens().issue(TokenRequest::new("child", grant)).await.unwrap();
    let child = scene.vault.as_token(&child.token);
    let grandchild = child
        .tokens()
        .issue(TokenRequest::new("grandchild", short))
        .await
        .unwrap();
    issuer.tokens().rotate("child", Some(HOUR)).await.unwrap();
    issuer.tokens().rotate("grandchild", None).await.unwrap();
    let reader = scene.vault.as_token(&grandchild.token);
    assert_eq!(
        reader.tokens().rotate("child", None).await.unwrap_err().code(),
        Code::Denied
    );
}

#[tokio::test]
async fn a_child_does_not_get_the_secret_of_its_parent() {
    let (scene, _) = timed().await;
    let mut grant = reading("prod");
    grant.scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue]);
    let parent = scene.vault.as_token(&scene.token_named("parent", grant.clone()).await);
    grant.expires = parent.whoami().await.unwrap().expires_at;
    let child = parent.tokens().issue(TokenRequest::new("child", grant)).await.unwrap();
    let child = scene.vault.as_token(&child.token);
    assert_eq!(
        child.tokens().rotate("parent", None).await.unwrap_err().code(),
        Code::Denied
    );
}

#[tokio::test]
async fn what_the_old_secret_issues_in_its_grace_ends_with_it() {
    let (scene, clock) = timed().await;
    let old = with(&scene, "issuer", &[Scope::KeysRead, Scope::TokensIssue]).await;
    let rotated = scene.operator().tokens().rotate("issuer", Some(HOUR)).await.unwrap();
    let old = scene.vault.as_token(&old);
    let mut grant = reading("prod");
    grant.scopes = Scopes::from([Scope::KeysRead]);
    let child = old
        .tokens()
        .issue(TokenRequest::new("child", grant.clone()))
        .await
        .unwrap();
    assert_eq!(child.info.expires_at, rotated.info.older_secret_until);
    grant.expires = Some(ibyok_core::clock::Clock::now(&clock) + HOUR * 2);
    let longer = old
        .tokens()
        .issue(TokenRequest::new("longer", grant))
        .await
        .unwrap_err();
    assert_eq!(longer.code(), Code::Denied);
}

#[tokio::test]
async fn of_two_rotations_at_once_one_gives_a_secret_and_the_other_nothing() {
    let (scene, _) = timed().await;
    let node = scene.another_node().await;
    for round in 0..3_u32 {
        let name = format!("app-{round}");
        let old = scene.token_named(&name, reading("prod")).await;
        let (here, there) = (scene.operator(), node.operator("os:other@there"));
        let (one, other) = tokio::join!(here.tokens().rotate(&name, None), there.tokens().rotate(&name, None));
        let mut won = Vec::new();
        for outcome in [one, other] {
            match outcome {
                Ok(issued) => won.push(issued),
                Err(error) => assert_eq!(error.code(), Code::Conflict),
            }
        }
        // Both may succeed only one after the other; then each has an epoch of its own and the first is the older one.
        let epochs: Vec<u32> = won.iter().map(|issued| issued.info.epoch).collect();
        assert!(matches!(epochs.as_slice(), [1] | [1, 2] | [2, 1]), "{epochs:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        for issued in &won {
            assert_eq!(reads(&scene, &issued.token, "prod/openai").await, Ok(()));
        }
        if won.len() == 1 {
            assert_eq!(reads(&scene, &old, "prod/openai").await, Ok(()));
        }
    }
}

#[tokio::test]
async fn an_older_record_does_not_bring_the_old_secret_back() {
    use ibyok_core::Store;

    let (scene, _) = timed().await;
    let old = scene.token_named("app", reading("prod")).await;
    let before = scene.store.clone();
    let id = ibyok_core::tokens::token_id(&old).unwrap();
    let realm = ibyok_storage::Collection::new(ibyok_storage::Kind::new(4), id.tag()).unwrap();
    let record = ibyok_storage::RecordId::new(realm, id.bytes());
    let kept = before.get(&record).await.unwrap().unwrap();
    scene
        .operator()
        .tokens()
        .rotate("app", Some(Duration::ZERO))
        .await
        .unwrap();
    let now = before.get(&record).await.unwrap().unwrap();
    let put = before.put(&record, &kept.bytes, ibyok_storage::Expect::Revision(now.revision));
    put.await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(reads(&scene, &old, "prod/openai").await, Err(Code::Integrity));
}

#[tokio::test]
async fn a_rotation_is_on_the_log_with_its_token_and_never_with_a_secret() {
    let (scene, _) = timed().await;
    let old = scene.token_named("app", reading("prod")).await;
    let rotated = scene.operator().tokens().rotate("app", None).await.unwrap();
    scene.vault.close().await.unwrap();
    let mut directories = vec![scene.scratch.path().join("audit")];
    let mut log = String::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => directories.push(path),
                false => log += &String::from_utf8_lossy(&std::fs::read(path).unwrap()),
            }
        }
    }
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("\"token.rotate\"")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("\"intended\"") && lines[1].contains("\"done\""));
    assert!(lines[0].contains(&rotated.info.id.to_string()) && lines[0].contains("the secret before ends"));
    for token in [old, rotated.token] {
        assert!(!log.contains(token.expose().rsplit('_').next().unwrap()));
    }
}
