//! The life of a retrieval, seen from outside: the releases, the refusals, and their lines on the log.

mod scene;

use ibyok_core::{
    Code, Environments, Grant, KeyRef, RequestContext, Scope, Scopes, TokenRequest, audit::Filter, policy::Restriction,
    tokens::Expiry,
};
use scene::{Scene, reading, secret};

#[tokio::test]
async fn a_key_goes_in_and_comes_out_for_who_may_have_it() {
    let scene = Scene::new().await;
    let written = scene
        .operator()
        .keys()
        .set(&scene.key("prod/openai"), secret("sk-1"))
        .await
        .unwrap();
    assert_eq!((written.version, written.created), (1, true));
    let token = scene.token(reading("prod")).await;
    let key = scene
        .vault
        .retrieve(&token, &scene.key("prod/openai"), &RequestContext::default())
        .await
        .unwrap();
    assert_eq!(key.text().unwrap(), "sk-1");
    assert_eq!(key.info().version, 1);
    assert_eq!(key.info().variable, "OPENAI_API_KEY");
}

#[tokio::test]
async fn bytes_come_back_exactly() {
    let scene = Scene::new().await;
    for value in [&b"\0"[..], b"\xff\xfe\0\x01", b"line\r\nbreak\n", &[0x41; 65536]] {
        let key = scene.key("dev/bytes");
        scene
            .operator()
            .keys()
            .set(&key, ibyok_core::Secret::copy_of(value))
            .await
            .unwrap();
        assert_eq!(scene.operator().retrieve(&key).await.unwrap().bytes().unwrap(), value);
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_and_nothing_changes() {
    let scene = Scene::new().await;
    let key = scene.key("dev/k");
    assert_eq!(
        scene.operator().keys().set(&key, secret("")).await.unwrap_err().code(),
        Code::Invalid
    );
    let large = ibyok_core::Secret::copy_of(&[b'x'; 65537]);
    assert_eq!(
        scene.operator().keys().set(&key, large).await.unwrap_err().code(),
        Code::TooLarge
    );
    assert_eq!(
        scene.operator().retrieve(&key).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn what_a_token_may_not_have_is_denied_whether_or_not_it_exists() {
    let scene = Scene::new().await;
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/openai"), secret("sk"))
        .await
        .unwrap();
    let mut grant = reading("dev");
    grant.keys = Some(vec!["open*".parse().unwrap()]);
    let token = scene.token(grant).await;
    let session = scene.vault.as_token(&token);
    for key in [
        "prod/openai",
        "prod/missing",
        "dev/stripe",
        "staging/openai",
        "nowhere/openai",
        "ibyok://other/dev/openai",
    ] {
        assert_eq!(
            session.retrieve(&scene.key(key)).await.unwrap_err().code(),
            Code::Denied,
            "{key}"
        );
    }
    assert_eq!(
        session.retrieve(&scene.key("dev/openai")).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        session
            .keys()
            .set(&scene.key("dev/openai"), secret("x"))
            .await
            .unwrap_err()
            .code(),
        Code::Denied
    );
}

#[tokio::test]
async fn by_id_what_is_missing_and_what_is_denied_are_one_answer() {
    let scene = Scene::new().await;
    let written = scene
        .operator()
        .keys()
        .set(&scene.key("prod/openai"), secret("sk"))
        .await
        .unwrap();
    let other = scene
        .operator()
        .keys()
        .set(&scene.key("prod/stripe"), secret("rk"))
        .await
        .unwrap();
    let mut grant = reading("prod");
    grant.keys = Some(vec!["openai".parse().unwrap()]);
    let session = scene.vault.as_token(&scene.token(grant).await);
    let by_id = |id: &str| format!("prod/{id}").parse::<KeyRef>().unwrap();
    assert_eq!(
        session
            .retrieve(&by_id(&written.id.to_string()))
            .await
            .unwrap()
            .text()
            .unwrap(),
        "sk"
    );
    let denied = session.retrieve(&by_id(&other.id.to_string())).await.unwrap_err();
    let missing = session
        .retrieve(&by_id("key_0000000000000000000000"))
        .await
        .unwrap_err();
    assert_eq!(
        (denied.code(), denied.to_string()),
        (missing.code(), missing.to_string())
    );
    assert_eq!(session.keys().find(written.id).await.unwrap(), scene.key("prod/openai"));
    let mut only_reads = reading("prod");
    only_reads.scopes = Scopes::from([Scope::KeysRead]);
    let reader = scene.vault.as_token(&scene.token_named("reader", only_reads).await);
    assert_eq!(reader.keys().find(written.id).await.unwrap(), scene.key("prod/openai"));
    assert_eq!(session.keys().find(other.id).await.unwrap_err().code(), Code::Denied);
}

#[tokio::test]
async fn every_way_in_which_a_token_is_not_valid_is_one_error() {
    let scene = Scene::new().await;
    let key = scene.key("dev/openai");
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    let good = scene.token(reading("dev")).await;
    let revoked = scene.token_named("revoked", reading("dev")).await;
    scene
        .operator()
        .tokens()
        .revoke("revoked", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let other_vault = Scene::new().await.token(reading("dev")).await;
    let text = good.expose().to_owned();
    let changed = text.replacen('_', "-", 1);
    let bad = [
        String::new(),
        "x".repeat(1_000_000),
        text.to_lowercase(),
        changed,
        text.chars().take(text.len() - 1).collect(),
    ];
    for token in bad.iter().map(|t| t.as_str().into()).chain([revoked, other_vault]) {
        let error = scene
            .vault
            .retrieve(&token, &key, &RequestContext::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated);
        assert_eq!(error.to_string(), "the access token is not valid");
    }
    assert!(
        scene
            .vault
            .retrieve(&good, &key, &RequestContext::default())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_attenuated_token_reaches_less_and_never_more() {
    let scene = Scene::new().await;
    scene
        .operator()
        .keys()
        .set(&scene.key("dev/openai"), secret("a"))
        .await
        .unwrap();
    scene
        .operator()
        .keys()
        .set(&scene.key("dev/stripe"), secret("b"))
        .await
        .unwrap();
    let token = scene.token(reading("dev")).await;
    let mut restriction = Restriction::default();
    restriction.keys = Some(vec!["openai".parse().unwrap()]);
    let narrow = ibyok_core::tokens::attenuate(&token, &restriction).unwrap();
    let session = scene.vault.as_token(&narrow);
    assert!(session.retrieve(&scene.key("dev/openai")).await.is_ok());
    assert_eq!(
        session.retrieve(&scene.key("dev/stripe")).await.unwrap_err().code(),
        Code::Denied
    );
    let listed = session.keys().list(None, &Default::default()).await.unwrap();
    assert_eq!(listed.items.len(), 1);
}

#[tokio::test]
async fn a_child_lies_within_its_parent_and_ends_with_it() {
    let scene = Scene::new().await;
    let key = scene.key("dev/openai");
    scene.operator().keys().set(&key, secret("a")).await.unwrap();
    let scopes = Scopes::from([Scope::KeysRead, Scope::KeysList, Scope::TokensIssue]);
    let parent = scene
        .token_named("parent", Grant::new(scopes, Environments::named(["dev"])))
        .await;
    let session = scene.vault.as_token(&parent);
    let child = session
        .tokens()
        .issue(TokenRequest::new("child", reading("dev")))
        .await
        .unwrap();
    assert!(
        scene
            .vault
            .retrieve(&child.token, &key, &RequestContext::default())
            .await
            .is_ok()
    );
    for wider in [
        reading("prod"),
        Grant::new(Scopes::from([Scope::KeysWrite]), Environments::named(["dev"])),
    ] {
        let refused = session.tokens().issue(TokenRequest::new("wide", wider)).await;
        assert_eq!(refused.unwrap_err().code(), Code::Denied);
    }
    let for_ever = TokenRequest::new("long", reading("dev")).expiry(Expiry::Never);
    assert_eq!(session.tokens().issue(for_ever).await.unwrap_err().code(), Code::Denied);
    scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let gone = scene
        .vault
        .retrieve(&child.token, &key, &RequestContext::default())
        .await;
    assert_eq!(gone.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn children_kept_outlive_their_parent_until_it_is_revoked_with_them() {
    let scene = Scene::new().await;
    let key = scene.key("dev/openai");
    scene.operator().keys().set(&key, secret("a")).await.unwrap();
    let scopes = Scopes::from([Scope::KeysRead, Scope::KeysList, Scope::TokensIssue]);
    let parent = scene
        .token_named("parent", Grant::new(scopes, Environments::named(["dev"])))
        .await;
    let child = scene
        .vault
        .as_token(&parent)
        .tokens()
        .issue(TokenRequest::new("child", reading("dev")))
        .await
        .unwrap();
    scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Keep)
        .await
        .unwrap();
    assert!(
        scene
            .vault
            .retrieve(&child.token, &key, &RequestContext::default())
            .await
            .is_ok()
    );
    scene
        .operator()
        .tokens()
        .revoke("parent", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    assert!(
        scene
            .vault
            .retrieve(&child.token, &key, &RequestContext::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn five_generations_are_refused() {
    let scene = Scene::new().await;
    let grant = || Grant::new(Scopes::from([Scope::TokensIssue]), Environments::named(["dev"]));
    let mut token = scene.token(grant()).await;
    for generation in 0..4 {
        let request = TokenRequest::new(format!("child {generation}"), grant());
        token = scene
            .vault
            .as_token(&token)
            .tokens()
            .issue(request)
            .await
            .unwrap()
            .token;
    }
    let fifth = scene
        .vault
        .as_token(&token)
        .tokens()
        .issue(TokenRequest::new("fifth", grant()))
        .await;
    assert_eq!(fifth.unwrap_err().code(), Code::Invalid);
}

#[tokio::test]
async fn a_disabled_key_or_version_is_not_served_and_enable_serves_it_again() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("one")).await.unwrap();
    scene.operator().keys().set(&key, secret("two")).await.unwrap();
    let first = key.clone().at_version(Some(1));
    assert_eq!(scene.operator().retrieve(&first).await.unwrap().text().unwrap(), "one");
    scene.operator().keys().disable(&first).await.unwrap();
    assert_eq!(
        scene.operator().retrieve(&first).await.unwrap_err().code(),
        Code::VersionDisabled
    );
    assert_eq!(scene.operator().retrieve(&key).await.unwrap().text().unwrap(), "two");
    scene.operator().keys().disable(&key).await.unwrap();
    assert_eq!(
        scene.operator().retrieve(&key).await.unwrap_err().code(),
        Code::KeyDisabled
    );
    scene.operator().keys().enable(&key).await.unwrap();
    scene.operator().keys().enable(&first).await.unwrap();
    assert_eq!(scene.operator().retrieve(&first).await.unwrap().text().unwrap(), "one");
}

#[tokio::test]
async fn a_removed_key_is_gone_and_its_numbers_are_not_given_again() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("one")).await.unwrap();
    scene.operator().keys().remove(&key).await.unwrap();
    assert_eq!(
        scene.operator().retrieve(&key).await.unwrap_err().code(),
        Code::NotFound
    );
    assert!(
        scene
            .operator()
            .keys()
            .list(None, &Default::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let again = scene.operator().keys().add(&key, secret("two")).await.unwrap();
    assert_eq!((again.version, again.created), (2, true));
}

#[tokio::test]
async fn each_retrieval_is_a_line_and_each_change_is_two() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk-SENTINEL")).await.unwrap();
    let token = scene.token(reading("prod")).await;
    let context = RequestContext::default()
        .request_id("r-1")
        .from_address("::ffff:192.0.2.7".parse().unwrap());
    scene.vault.retrieve(&token, &key, &context).await.unwrap();
    let denied = scene.vault.retrieve(&token, &scene.key("dev/openai"), &context).await;
    assert!(denied.is_err());
    scene
        .vault
        .retrieve(&"garbage".into(), &key, &context)
        .await
        .unwrap_err();
    let lines: Vec<_> = scene
        .vault
        .whole_log("os:test@here")
        .lines(&Filter::default())
        .await
        .unwrap()
        .map(|line| line.unwrap())
        .collect();
    let found = |action: &str, wanted: &str| {
        lines
            .iter()
            .filter(|line| line.entry().action == action)
            .filter(|line| line.text().contains(wanted))
            .count()
    };
    assert_eq!(found("key.set", r#""phase":"intended""#), 1);
    assert_eq!(found("key.set", r#""phase":"done""#), 1);
    assert_eq!(found("key.retrieve", r#""outcome":"allowed""#), 1);
    assert_eq!(found("key.retrieve", r#""ip":"192.0.2.7""#), 2);
    assert_eq!(found("key.retrieve", r#""reason":"environment""#), 1);
    assert_eq!(found("token.use_failed", r#""reason":"malformed""#), 1);
    assert!(
        lines
            .iter()
            .all(|line| !line.text().contains("SENTINEL") && !line.text().contains(token.expose()))
    );
    let report = scene.operator().audit().verify(&[]).await.unwrap();
    assert!(report.ok, "{report:?}");
}

#[tokio::test]
async fn writers_at_once_lose_nothing() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    let writers = (0..16).map(|n| {
        let (operator, key) = (scene.operator(), key.clone());
        tokio::spawn(async move { operator.keys().set(&key, secret(&format!("v{n}"))).await })
    });
    let mut versions = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        versions.push(writer.await.unwrap().unwrap().version);
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=16).collect::<Vec<_>>());
    let shown = scene.operator().keys().show(&key).await.unwrap();
    assert_eq!(
        shown.versions.iter().filter(|v| v.state.as_str() == "current").count(),
        1
    );
    assert_eq!(shown.versions.len(), 16);
}

#[tokio::test]
async fn an_unknown_environment_names_the_nearest() {
    let scene = Scene::new().await;
    let error = scene.operator().retrieve(&scene.key("prdo/openai")).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(error.hint().unwrap(), "did you mean `prod`?");
}

#[tokio::test]
async fn lists_are_complete_over_pages_and_show_only_what_is_allowed() {
    let scene = Scene::new().await;
    for n in 0..25 {
        scene
            .operator()
            .keys()
            .set(&scene.key(&format!("dev/k{n}")), secret("x"))
            .await
            .unwrap();
        scene
            .operator()
            .keys()
            .set(&scene.key(&format!("prod/k{n}")), secret("x"))
            .await
            .unwrap();
    }
    let mut names = std::collections::BTreeSet::new();
    let mut page = ibyok_core::pages::PageRequest::default().limit(7);
    loop {
        let found = scene.operator().keys().list(None, &page).await.unwrap();
        assert!(found.items.len() <= 7);
        names.extend(found.items.into_iter().map(|key| key.reference));
        match found.next {
            Some(next) => page = ibyok_core::pages::PageRequest::after(Some(next)).limit(7),
            None => break,
        }
    }
    assert_eq!(names.len(), 50);
    let mut grant = reading("dev");
    grant.scopes = Scopes::from([Scope::KeysList]);
    grant.keys = Some(vec!["k1*".parse().unwrap()]);
    let session = scene.vault.as_token(&scene.token(grant).await);
    let seen = session.keys().list(None, &Default::default()).await.unwrap();
    assert_eq!(seen.items.len(), 11, "k1 and k10 to k19");
}

#[tokio::test]
async fn the_long_name_of_an_environment_is_the_short_one_in_grants_and_restrictions() {
    let scene = Scene::new().await;
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/openai"), secret("sk"))
        .await
        .unwrap();
    let token = scene.token(reading("production")).await;
    let mut restriction = Restriction::default();
    restriction.environments = Some(["production".to_owned()].into());
    let narrow = scene
        .vault
        .as_token(&ibyok_core::tokens::attenuate(&token, &restriction).unwrap());
    assert!(narrow.retrieve(&scene.key("production/openai")).await.is_ok());
    let me = narrow.whoami().await.unwrap();
    assert_eq!(
        me.environments.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["prod"]
    );
    assert_eq!(me.restrictions, 1);
}

#[tokio::test]
async fn a_token_bound_to_a_network_is_nobody_elsewhere() {
    let scene = Scene::new().await;
    scene
        .operator()
        .keys()
        .set(&scene.key("prod/openai"), secret("sk"))
        .await
        .unwrap();
    let mut grant = reading("prod");
    grant.networks = Some(vec!["10.0.0.0/8".parse().unwrap()]);
    let token = scene.token(grant).await;
    let from = |ip: &str| RequestContext::default().from_address(ip.parse().unwrap());
    let key = scene.key("prod/openai");
    for inside in ["10.1.2.3", "::ffff:10.1.2.3"] {
        assert!(
            scene.vault.retrieve(&token, &key, &from(inside)).await.is_ok(),
            "{inside}"
        );
    }
    for outside in [from("11.1.2.3"), from("::1"), RequestContext::default()] {
        let refused = scene.vault.retrieve(&token, &key, &outside).await;
        assert_eq!(refused.unwrap_err().code(), Code::Denied, "{outside:?}");
    }
    let elsewhere = scene
        .vault
        .as_token(&token)
        .with_context(from("11.1.2.3"))
        .whoami()
        .await;
    assert_eq!(elsewhere.unwrap_err().code(), Code::Denied);
}

#[tokio::test]
async fn a_narrowed_token_cannot_revoke_the_one_that_it_was_made_from() {
    let scene = Scene::new().await;
    let token = scene.token(reading("prod")).await;
    let mut restriction = Restriction::default();
    restriction.networks = Some(vec!["10.0.0.0/8".parse().unwrap()]);
    let narrow = scene
        .vault
        .as_token(&ibyok_core::tokens::attenuate(&token, &restriction).unwrap());
    let id = ibyok_core::tokens::token_id(&token).unwrap().to_string();
    let inside = RequestContext::default().from_address("10.1.1.1".parse().unwrap());
    for session in [narrow.clone(), narrow.with_context(inside)] {
        for which in ["self", id.as_str()] {
            assert_eq!(
                session
                    .tokens()
                    .revoke(which, ibyok_core::tokens::Descendants::Revoke)
                    .await
                    .unwrap_err()
                    .code(),
                Code::Denied
            );
        }
    }
    let whole = scene.vault.as_token(&token);
    assert!(
        whole
            .tokens()
            .revoke("self", ibyok_core::tokens::Descendants::Revoke)
            .await
            .is_ok(),
        "a whole token may end itself"
    );
    assert_eq!(whole.whoami().await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_token_is_valid_from_its_beginning_to_its_end_and_the_clock_set_back_changes_nothing() {
    let clock = scene::SetClock::at("2026-11-24T10:00:00Z");
    let scratch = tempfile::tempdir().unwrap();
    let sink = ibyok_core::FileSink::open(scratch.path().join("audit")).await.unwrap();
    let vault = ibyok_core::Vault::builder()
        .store(ibyok_core::MemoryStore::new())
        .kek(ibyok_core::LocalKek::generate().unwrap())
        .audit(sink)
        .clock(clock.clone())
        .create()
        .await
        .unwrap();
    let key: KeyRef = "prod/openai".parse().unwrap();
    vault.operator("test").keys().set(&key, secret("sk")).await.unwrap();
    let mut grant = reading("prod");
    let time = |text: &str| text.parse::<ibyok_core::jiff::Timestamp>().unwrap();
    (grant.not_before, grant.expires) = (Some(time("2026-11-24T11:00:00Z")), Some(time("2026-11-24T12:00:00Z")));
    let token = vault
        .operator("test")
        .tokens()
        .issue(TokenRequest::new("worker", grant))
        .await
        .unwrap()
        .token;
    let valid = async || vault.retrieve(&token, &key, &RequestContext::default()).await.is_ok();
    for (at, expected) in [
        ("2026-11-24T10:59:59.999999999Z", false),
        ("2026-11-24T11:00:00Z", true),
        ("2026-11-24T11:59:59.9Z", true),
        ("2026-11-24T12:00:00Z", false),
        ("2026-11-24T12:00:00.000000001Z", false),
    ] {
        clock.set(time(at));
        assert_eq!(valid().await, expected, "{at}");
    }
    let expired = vault
        .retrieve(&token, &key, &RequestContext::default())
        .await
        .unwrap_err();
    assert_eq!(expired.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_ninth_restriction_is_refused() {
    let scene = Scene::new().await;
    let mut token = scene.token(reading("prod")).await;
    let mut restriction = Restriction::default();
    restriction.keys = Some(vec!["open*".parse().unwrap()]);
    for _ in 0..8 {
        token = ibyok_core::tokens::attenuate(&token, &restriction).unwrap();
    }
    assert_eq!(
        ibyok_core::tokens::attenuate(&token, &restriction).unwrap_err().code(),
        Code::Invalid
    );
    assert_eq!(scene.vault.as_token(&token).whoami().await.unwrap().restrictions, 8);
}

#[tokio::test]
async fn a_grant_too_long_to_look_at_quickly_is_refused() {
    let scene = Scene::new().await;
    let mut grant = reading("prod");
    grant.keys = Some((0..65).map(|n| format!("key-{n}").parse().unwrap()).collect());
    let refused = scene
        .operator()
        .tokens()
        .issue(TokenRequest::new("worker", grant))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Invalid);
}

#[tokio::test]
async fn a_list_has_each_key_once_however_many_versions_it_has() {
    let scene = Scene::new().await;
    let (key, operator) = (scene.key("dev/often"), scene.operator());
    for _ in 0..40 {
        operator.keys().set(&key, secret("x")).await.unwrap();
    }
    let listed = operator.keys().list(None, &Default::default()).await.unwrap().items;
    let item = serde_json::to_value(&listed[0]).unwrap();
    assert_eq!(
        (&item["version"], &item["versions_count"], &item["state"]),
        (&40.into(), &40.into(), &"current".into())
    );
    assert!(item.get("versions").is_none(), "{item}");
    let shown = operator.keys().show(&key).await.unwrap();
    assert_eq!((shown.versions.len(), shown.versions_count), (40, 40));
}

#[tokio::test]
async fn a_page_is_never_longer_than_can_be_taken() {
    let scene = Scene::new().await;
    let labels = (0..64).map(|n| (format!("{n:064}"), "\"".repeat(256)));
    let labels: std::collections::BTreeMap<_, _> = labels.collect();
    for number in 0..150 {
        let write = ibyok_core::keys::KeyWrite::from(secret("x")).labels(Some(labels.clone()));
        let key = scene.key(&format!("dev/k{number}"));
        scene.operator().keys().set(&key, write).await.unwrap();
    }
    let mut page = ibyok_core::pages::PageRequest::default().limit(1000);
    let mut lengths = Vec::new();
    loop {
        let found = scene.operator().keys().list(None, &page).await.unwrap();
        assert!(serde_json::to_vec(&found).unwrap().len() < 5 << 20);
        lengths.push(found.items.len());
        let Some(next) = found.next else { break };
        page = ibyok_core::pages::PageRequest::after(Some(next)).limit(1000);
    }
    assert!(lengths.len() > 1, "{lengths:?}");
    assert_eq!(lengths.iter().sum::<usize>(), 150);
}

#[tokio::test]
async fn of_a_reference_that_names_a_version_that_one_is_shown() {
    let scene = Scene::new().await;
    let operator = scene.operator();
    for _ in 0..3 {
        operator.keys().set(&scene.key("dev/k"), secret("x")).await.unwrap();
    }
    let shown = operator.keys().show(&scene.key("dev/k?version=2")).await.unwrap();
    let numbers: Vec<u32> = shown.versions.iter().map(|version| version.version).collect();
    assert_eq!((numbers, shown.version, shown.versions_count), (vec![2], Some(3), 3));
    for (reference, code) in [
        ("dev/k?version=99", Code::NotFound),
        ("dev/k?version=pending", Code::NotFound),
        ("dev/k#value", Code::Invalid),
        ("dev/missing?version=1", Code::NotFound),
    ] {
        let error = operator.keys().show(&scene.key(reference)).await.unwrap_err();
        assert_eq!(error.code(), code, "{reference}");
    }
}
