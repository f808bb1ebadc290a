//! Tokens and their descendants: the tokens that end together, those that stay valid, and those that see each other.
#![expect(clippy::unwrap_used, reason = "a step that cannot be taken is a failed test")]

mod scene;

use std::time::Duration;

use ibyok_core::{
    AccessToken, Code, Environments, Grant, Scope, Scopes, Session, TokenRequest,
    pages::PageRequest,
    policy::TokenId,
    tokens::{Expiry, Issued, TokenFacts, TokenRotation},
};
use proptest::prelude::*;
use scene::later::{HOUR, copy, reads, timed};
use scene::{Scene, reading};

/// A grant for `prod` that reads and issues.
fn issuing() -> Grant {
    let mut grant = reading("prod");
    grant.scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue]);
    grant
}

/// A grant that reads, and rotates itself.
fn service() -> Grant {
    let mut grant = reading("prod");
    grant.scopes = Scopes::from([Scope::KeysRead]);
    grant
}

async fn child(of: &Session, name: &str, grant: Grant) -> Issued {
    of.tokens().issue(TokenRequest::new(name, grant)).await.unwrap()
}

async fn works(scene: &Scene, token: &AccessToken) -> bool {
    match reads(scene, token, "prod/openai").await {
        Ok(()) => true,
        Err(code) => {
            assert_eq!(code, Code::Unauthenticated);
            false
        }
    }
}

/// The way in which the token that rotated another loses its power, by an operator.
#[derive(Clone, Copy, Debug)]
enum Fall {
    RevokedWithoutChildren,
    RotatedAway,
    GraceEnds,
}

#[tokio::test]
async fn a_secret_gained_by_rotation_falls_with_the_secret_that_gained_it() {
    for fall in [Fall::RevokedWithoutChildren, Fall::RotatedAway, Fall::GraceEnds] {
        let (scene, clock) = timed().await;
        let operator = scene.operator();
        let thief = scene.vault.as_token(&scene.token_named("parent", issuing()).await);
        let (mut own, mut above) = (service(), issuing());
        own.expires = thief.whoami().await.unwrap().expires_at;
        above.expires = own.expires;
        let other = scene.vault.as_token(&scene.token_named("other", issuing()).await);
        let aside = child(&other, "aside", service()).await.token;
        child(&thief, "plain", own.clone()).await;
        let gained = thief.tokens().rotate("plain", None).await.unwrap().token;
        let issuer = child(&thief, "issuer", above).await.token;
        let gained_issuer = thief.tokens().rotate("issuer", None).await.unwrap().token;
        let by_gained = child(&scene.vault.as_token(&copy(&gained_issuer)), "late", own)
            .await
            .token;
        for token in [&gained, &issuer, &gained_issuer, &by_gained, &aside] {
            assert!(works(&scene, token).await, "{fall:?}");
        }
        match fall {
            Fall::RevokedWithoutChildren => drop(
                operator
                    .tokens()
                    .revoke("parent", ibyok_core::tokens::Descendants::Keep)
                    .await
                    .unwrap(),
            ),
            Fall::RotatedAway => drop(operator.tokens().rotate("parent", Some(Duration::ZERO)).await.unwrap()),
            Fall::GraceEnds => {
                drop(operator.tokens().rotate("parent", Some(HOUR)).await.unwrap());
                assert!(works(&scene, &gained).await, "its rotator is in its grace");
                clock.move_on(HOUR);
            }
        }
        for token in [&gained, &gained_issuer, &by_gained] {
            assert!(!works(&scene, token).await, "{fall:?}");
        }
        // The child's own first secret, which was not gained by rotation, goes on for its grace.
        assert!(works(&scene, &issuer).await, "{fall:?}");
        assert!(works(&scene, &aside).await);
        // An operator gives it a secret that depends on nobody.
        let again = operator.tokens().rotate("plain", None).await.unwrap().token;
        assert!(works(&scene, &again).await);
        assert!(!works(&scene, &gained).await, "also in the grace that it now has");
    }
}

#[tokio::test]
async fn a_token_that_rotates_itself_takes_on_what_its_secret_depends_on() {
    let (scene, _) = timed().await;
    let mut grant = issuing();
    grant.self_rotate = true;
    let parent = scene.vault.as_token(&scene.token_named("parent", grant.clone()).await);
    grant.expires = parent.whoami().await.unwrap().expires_at;
    child(&parent, "child", grant).await;
    let gained = parent.tokens().rotate("child", None).await.unwrap().token;
    let own = scene
        .vault
        .as_token(&gained)
        .tokens()
        .rotate("self", Some(Duration::ZERO))
        .await
        .unwrap();
    assert!(works(&scene, &own.token).await);
    scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Keep)
        .await
        .unwrap();
    assert!(!works(&scene, &own.token).await);
}

#[tokio::test]
async fn an_older_secret_in_its_grace_ends_the_token_and_does_nothing_new() {
    let (scene, _) = timed().await;
    let mut grant = issuing();
    grant.self_rotate = true;
    let old = scene.token_named("app", grant).await;
    let new = scene.operator().tokens().rotate("app", Some(HOUR)).await.unwrap().token;
    let session = scene.vault.as_token(&copy(&old));
    assert_eq!(
        session.tokens().rotate("self", None).await.unwrap_err().code(),
        Code::Denied
    );
    session
        .tokens()
        .revoke("self", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    for token in [&old, &new] {
        assert!(!works(&scene, token).await);
    }
}

#[tokio::test]
async fn a_narrowed_older_secret_ends_nothing() {
    let (scene, _) = timed().await;
    let old = scene.token_named("app", reading("prod")).await;
    let new = scene.operator().tokens().rotate("app", Some(HOUR)).await.unwrap().token;
    let mut only = ibyok_core::policy::Restriction::default();
    only.keys = Some(vec!["openai".parse().unwrap()]);
    let narrowed = scene
        .vault
        .as_token(&ibyok_core::tokens::attenuate(&old, &only).unwrap());
    assert_eq!(
        narrowed
            .tokens()
            .revoke("self", ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap_err()
            .code(),
        Code::Denied
    );
    assert!(works(&scene, &new).await);
}

/// `parent` with two children, one of which has a child.
async fn family(scene: &Scene) -> [AccessToken; 4] {
    let mut grant = issuing();
    grant.self_rotate = true;
    let parent = scene.token_named("parent", grant).await;
    let session = scene.vault.as_token(&copy(&parent));
    let mut below = issuing();
    below.expires = session.whoami().await.unwrap().expires_at;
    let one = child(&session, "one", below.clone()).await.token;
    let two = child(&session, "two", service()).await.token;
    let grandchild = child(&scene.vault.as_token(&copy(&one)), "below-one", service())
        .await
        .token;
    [parent, one, two, grandchild]
}

fn names(children: &[ibyok_core::tokens::ChildToken]) -> Vec<&str> {
    let mut names: Vec<&str> = children.iter().map(|child| child.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_rotation_without_a_grace_names_what_stays_valid_and_revokes_it_if_asked() {
    let (scene, _) = timed().await;
    let [_, one, two, grandchild] = family(&scene).await;
    let operator = scene.operator();
    let with_grace = operator.tokens().rotate("parent", None).await.unwrap();
    assert_eq!(
        with_grace.children, None,
        "nothing is looked for where a grace is given"
    );
    let rotated = operator.tokens().rotate("parent", Some(Duration::ZERO)).await.unwrap();
    assert_eq!(names(&rotated.children.unwrap()), ["below-one", "one", "two"]);
    assert!(works(&scene, &two).await);
    let rotation = TokenRotation::default()
        .grace(Some(Duration::ZERO))
        .revoke_children(true);
    let rotated = operator.tokens().rotate_with("parent", &rotation).await.unwrap();
    assert_eq!(rotated.children.unwrap(), []);
    assert_eq!(rotated.revoked_children.len(), 2, "the third fell with its parent");
    for token in [&one, &two, &grandchild] {
        assert!(!works(&scene, token).await);
    }
    assert!(works(&scene, &rotated.token).await);
}

#[tokio::test]
async fn a_token_that_rotates_itself_may_revoke_what_it_issued() {
    let (scene, _) = timed().await;
    let [parent, one, two, grandchild] = family(&scene).await;
    let rotation = TokenRotation::default()
        .grace(Some(Duration::ZERO))
        .revoke_children(true);
    let own = scene
        .vault
        .as_token(&parent)
        .tokens()
        .rotate_with("self", &rotation)
        .await
        .unwrap();
    assert_eq!((own.children.unwrap().len(), own.revoked_children.len()), (0, 2));
    for token in [&one, &two, &grandchild] {
        assert!(!works(&scene, token).await);
    }
    assert!(works(&scene, &own.token).await);
}

#[tokio::test]
async fn to_revoke_the_children_of_another_token_takes_the_scope() {
    let (scene, _) = timed().await;
    let [parent, _, _, grandchild] = family(&scene).await;
    let rotation = TokenRotation::default().revoke_children(true);
    let parent = scene.vault.as_token(&parent);
    let refused = parent.tokens().rotate_with("one", &rotation).await.unwrap_err();
    assert_eq!(refused.code(), Code::Denied);
    assert_eq!(scene.operator().tokens().show("one").await.unwrap().epoch, 0);
    assert!(works(&scene, &grandchild).await);
}

#[tokio::test]
async fn a_revocation_that_keeps_children_names_them_and_what_they_rotated() {
    let (scene, _) = timed().await;
    let [_, one, _, _] = family(&scene).await;
    scene
        .vault
        .as_token(&one)
        .tokens()
        .rotate("below-one", None)
        .await
        .unwrap();
    let revoked = scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Keep)
        .await
        .unwrap();
    assert_eq!(names(&revoked.children), ["below-one", "one", "two"]);
    let below = scene.operator().tokens().show("below-one").await.unwrap().id;
    assert_eq!(revoked.rotated_tokens, [below]);
    let all = scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    assert!(all.children.is_empty());
}

/// Grants that often lie within each other and often do not.
fn grant() -> impl Strategy<Value = Grant> {
    let scopes = proptest::sample::subsequence(
        vec![
            Scope::KeysRead,
            Scope::KeysList,
            Scope::TokensIssue,
            Scope::TokensRevoke,
        ],
        1..=4,
    );
    let environments = proptest::sample::subsequence(vec!["dev", "prod"], 1..=2);
    let keys = proptest::option::of(proptest::sample::subsequence(
        vec!["openai", "open*", "*", "stripe"],
        0..=3,
    ));
    let networks = proptest::option::weighted(
        0.3,
        proptest::sample::subsequence(vec!["127.0.0.0/8", "0.0.0.0/0", "10.0.0.0/8"], 1..=2),
    );
    (scopes, environments, keys, networks, any::<bool>()).prop_map(|(scopes, environments, keys, networks, all)| {
        let environments = match all && environments.len() == 2 {
            true => Environments::All,
            false => Environments::named(environments),
        };
        let mut grant = Grant::new(scopes.into_iter().collect(), environments);
        let parsed = |texts: Vec<&str>| texts.iter().map(|text| text.parse().unwrap()).collect();
        grant.keys = keys.map(parsed);
        grant.networks = networks.map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect());
        grant
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A token sees another by each verb or by none, and only if the other's grant lies within its own.
    #[test]
    fn every_verb_on_tokens_sees_the_same_tokens(grants in proptest::collection::vec(grant(), 4..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let scene = Scene::new().await;
            let mut tokens = Vec::new();
            for (number, grant) in grants.iter().enumerate() {
                let request = TokenRequest::new(format!("t{number}"), grant.clone()).expiry(Expiry::Never);
                tokens.push(scene.operator().tokens().issue(request).await.unwrap());
            }
            let from = || ibyok_core::RequestContext::default().from_address("127.0.0.1".parse().unwrap());
            for observer in &tokens {
                let session = scene.vault.as_token(&copy(&observer.token)).with_context(from());
                let listed = session.tokens().list(&PageRequest::default()).await;
                let reviewed = session.tokens().judge(valid).await;
                prop_assert_eq!(listed.is_ok(), reviewed.is_ok());
                for other in tokens.iter().filter(|other| other.info.id != observer.info.id) {
                    let (id, name) = (other.info.id.to_string(), other.info.name.as_str());
                    let by_id = session.tokens().show(&id).await.is_ok();
                    prop_assert_eq!(session.tokens().show(name).await.is_ok(), by_id);
                    let in_list = listed.as_ref().is_ok_and(|page| page.items.iter().any(|item| item.id == other.info.id));
                    prop_assert_eq!(in_list, by_id);
                    // The facts about a token are shown to those that see the token.
                    let found = reviewed.as_ref().is_ok_and(|found| found.contains(&other.info.id));
                    prop_assert_eq!(found, by_id);
                    let own = &observer.info.grant;
                    let realm = |grant: &Grant| match &grant.environments {
                        Environments::Named(names) if names.len() == 1 => names.first().cloned(),
                        _ => None,
                    };
                    let environment = realm(own);
                    let scope = ibyok_policy::RealmScope { namespace: "default", environment: environment.as_deref() };
                    let within = ibyok_policy::in_sight(&other.info.grant, &scope, own, &[]).is_ok();
                    prop_assert!(within || !by_id, "{:?} sees {:?}", own, other.info.grant);
                    // By the right to revoke it is found as by the right to issue.
                    if !within {
                        prop_assert!(session.tokens().revoke(&id, ibyok_core::tokens::Descendants::Revoke).await.is_err());
                        prop_assert!(session.tokens().revoke(name, ibyok_core::tokens::Descendants::Revoke).await.is_err());
                        prop_assert!(session.tokens().rotate(&id, None).await.is_err());
                    }
                }
            }
            Ok(())
        })?;
    }
}

/// The id of each valid token.
fn valid(facts: TokenFacts<'_>) -> Vec<TokenId> {
    match facts {
        TokenFacts::Valid { token, .. } => vec![token.id],
        TokenFacts::Damaged { .. } => Vec::new(),
    }
}
