//! The rules of mock mode: the tier that decides, the value that is served, and that no live value comes out past it.
#![expect(clippy::unwrap_used, reason = "a read that fails is a failed test")]

mod scene;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ibyok_core::{
    Code, Environments, Grant, KeyRef, Released, RequestContext, Scope, Scopes, Session,
    audit::Filter,
    environments::Class,
    keys::KeyWrite,
    modes::{Guardrails, Mode, ModeSource},
};
use ibyok_providers::{Catalogue, Matched, is_mock};
use ibyok_storage::Store;
use scene::{Scene, reading, secret};

const LIVE: &str = "sk-LIVE-SENTINEL";

/// A scene with one key in `dev` and one in `prod`.
async fn scene_with_keys() -> Scene {
    let scene = Scene::new().await;
    for key in ["dev/openai", "prod/openai"] {
        let write = KeyWrite::from(secret(LIVE)).provider(Some("openai".to_owned()));
        scene.operator().keys().set(&scene.key(key), write).await.unwrap();
    }
    scene
}

async fn served(session: &Session, key: &KeyRef) -> (String, Mode, ModeSource) {
    told(&session.retrieve(key).await.unwrap())
}

fn told(released: &Released) -> (String, Mode, ModeSource) {
    let info = released.info();
    (released.text().unwrap().to_owned(), info.mode, info.mode_source)
}

fn settings(environments: Environments) -> Grant {
    let scopes = [Scope::SettingsWrite, Scope::KeysRead, Scope::KeysList];
    Grant::new(Scopes::from(scopes), environments)
}

#[tokio::test]
async fn the_tiers_decide_one_after_the_other() {
    let scene = scene_with_keys().await;
    let (operator, key, dev) = (scene.operator(), scene.key("dev/openai"), "dev".parse().unwrap());
    let forced = scene
        .node_with(Guardrails::default().force(Class::Dev, Mode::Live))
        .await
        .operator("test");
    assert_eq!(
        served(&operator, &key).await,
        (LIVE.to_owned(), Mode::Live, ModeSource::TenantSetting)
    );
    operator.modes().set(&dev, Mode::Mock).await.unwrap();
    let (value, mode, source) = served(&operator, &key).await;
    assert_eq!((mode, source), (Mode::Mock, ModeSource::TenantSetting));
    assert!(value.starts_with("sk-mock-openai-"), "{value}");
    operator.modes().set_of_key(&key, Some(Mode::Live)).await.unwrap();
    let (_, mode, source) = served(&operator, &key).await;
    assert_eq!((mode, source), (Mode::Live, ModeSource::KeyOverride));
    let shown = operator.modes().set_of_key(&key, None).await.unwrap();
    assert_eq!((shown.mode_override, shown.mode), (None, Some(Mode::Mock)));
    operator.modes().set(&dev, Mode::Live).await.unwrap();
    operator.modes().set_of_key(&key, Some(Mode::Mock)).await.unwrap();
    let (_, mode, source) = served(&operator, &key).await;
    assert_eq!((mode, source), (Mode::Mock, ModeSource::KeyOverride));
    let (_, mode, source) = served(&forced, &key).await;
    assert_eq!((mode, source), (Mode::Live, ModeSource::Guardrail));
    let listed = operator.keys().list(Some(&dev), &Default::default()).await.unwrap();
    assert_eq!(listed.items[0].mode, Some(Mode::Mock));
}

#[tokio::test]
async fn an_environment_of_no_known_class_is_bound_as_production() {
    let scene = Scene::new().await;
    let name: ibyok_core::EnvironmentName = "qa".parse().unwrap();
    let operator = scene.operator();
    operator
        .environments()
        .add(name.clone(), Class::of(&name))
        .await
        .unwrap();
    operator.keys().set(&scene.key("qa/k"), secret(LIVE)).await.unwrap();
    let refused = operator.modes().set(&name, Mode::Mock).await.unwrap_err();
    assert_eq!(refused.code(), Code::Invalid);
    let forced = scene
        .node_with(Guardrails::default().force(Class::Prod, Mode::Mock))
        .await
        .operator("test");
    let (_, mode, source) = served(&forced, &scene.key("qa/k")).await;
    assert_eq!((mode, source), (Mode::Mock, ModeSource::Guardrail));
}

#[tokio::test]
async fn production_is_set_to_mock_only_where_a_node_allows_it_and_serves_live_where_it_does_not() {
    let scene = scene_with_keys().await;
    let (key, prod) = (scene.key("prod/openai"), "prod".parse().unwrap());
    let operator = scene.operator();
    for refused in [
        operator.modes().set_of_key(&key, Some(Mode::Mock)).await.err(),
        operator.modes().set(&prod, Mode::Mock).await.err(),
    ] {
        let refused = refused.unwrap();
        assert_eq!(refused.code(), Code::Invalid, "{refused}");
        assert!(refused.hint().unwrap().contains("PROD_MOCK_ALLOWED"));
        let told = refused.to_string();
        assert!(
            !told.contains('`'),
            "what stands in backticks is not told over HTTP: {told}"
        );
    }
    let allowing = scene.node_with(Guardrails::default().allow_prod_mock(true)).await;
    let allowing = allowing.operator("test");
    allowing.modes().set_of_key(&key, Some(Mode::Mock)).await.unwrap();
    assert_eq!(served(&allowing, &key).await.1, Mode::Mock);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        served(&operator, &key).await,
        (LIVE.to_owned(), Mode::Live, ModeSource::Guardrail)
    );
    operator.modes().set_of_key(&key, None).await.unwrap();
}

#[tokio::test]
async fn a_mock_is_recognisable_stable_and_of_its_key_and_environment_alone() {
    let scene = scene_with_keys().await;
    let operator = scene.operator();
    let mut seen = std::collections::BTreeSet::new();
    let every = Guardrails::default()
        .force(Class::Dev, Mode::Mock)
        .force(Class::Prod, Mode::Mock);
    let node = scene.node_with(every).await;
    for provider in Catalogue::builtin()
        .iter()
        .map(|provider| Some(provider.id()))
        .chain([None])
    {
        for environment in ["dev", "prod"] {
            let name = provider.unwrap_or("none");
            let key = scene.key(&format!("{environment}/{name}"));
            let write = KeyWrite::from(secret(LIVE)).provider(provider.map(str::to_owned));
            operator.keys().set(&key, write).await.unwrap();
            let (value, mode, _) = served(&node.operator("test"), &key).await;
            assert_eq!(mode, Mode::Mock);
            assert!(
                is_mock(value.as_bytes()) && value.to_ascii_lowercase().contains("mock"),
                "{value}"
            );
            assert!(
                Catalogue::builtin()
                    .iter()
                    .all(|p| p.matches(value.as_bytes()) != Matched::Yes),
                "{value}"
            );
            operator.keys().set(&key, secret("sk-another-SENTINEL")).await.unwrap();
            tokio::task::yield_now().await;
            let again = scene.node_with(every).await;
            assert_eq!(
                served(&again.operator("test"), &key).await.0,
                value,
                "the same over versions and restarts"
            );
            again.close().await.unwrap();
            assert_eq!(
                operator
                    .keys()
                    .add(&scene.key("dev/m"), secret(&value))
                    .await
                    .unwrap_err()
                    .code(),
                Code::Invalid
            );
            assert!(seen.insert(value));
        }
        if seen.len() > 20 {
            break;
        }
    }
}

#[tokio::test]
async fn fields_that_come_along_are_mocks_too() {
    let scene = Scene::new().await;
    let (operator, key) = (scene.operator(), scene.key("dev/ours"));
    let fields = [("value", LIVE), ("base_url", LIVE), ("org_id", LIVE), ("host", LIVE)];
    let fields = fields.map(|(name, value)| (name.parse().unwrap(), secret(value)));
    operator.keys().set(&key, KeyWrite::new(fields.into())).await.unwrap();
    operator.modes().set_of_key(&key, Some(Mode::Mock)).await.unwrap();
    let released = operator.retrieve(&key).await.unwrap();
    let text = |field: &str| released.fields()[&field.parse().unwrap()].text().unwrap().to_owned();
    assert_eq!(text("base_url"), "https://mock.invalid");
    assert_eq!(text("host"), "mock.invalid");
    assert!(text("value").starts_with("mock-key-"));
    assert!(text("org_id").starts_with("mock-org_id-") && is_mock(text("org_id").as_bytes()));
    let one = operator
        .retrieve(&key.clone().with_field(Some("org_id".parse().unwrap())))
        .await
        .unwrap();
    assert_eq!(one.text().unwrap(), text("org_id"));
    let none = operator
        .retrieve(&key.with_field(Some("nothing".parse().unwrap())))
        .await;
    let none = none.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
    assert_eq!(none.to_string(), "there is no field `nothing` of key `dev/ours`");
}

#[tokio::test]
async fn a_key_that_is_not_served_is_not_mocked_either() {
    let scene = scene_with_keys().await;
    let (operator, key) = (scene.operator(), scene.key("dev/openai"));
    operator.modes().set_of_key(&key, Some(Mode::Mock)).await.unwrap();
    operator.keys().disable(&key).await.unwrap();
    assert_eq!(operator.retrieve(&key).await.unwrap_err().code(), Code::KeyDisabled);
}

#[tokio::test]
async fn settings_that_do_not_open_refuse_every_key_and_are_no_obstacle_to_seeing_it() {
    let scene = scene_with_keys().await;
    let (operator, key) = (scene.operator(), scene.key("dev/openai"));
    operator.modes().set(&"dev".parse().unwrap(), Mode::Mock).await.unwrap();
    let live = scene.key("dev/live");
    operator.keys().set(&live, secret(LIVE)).await.unwrap();
    operator.modes().set_of_key(&live, Some(Mode::Live)).await.unwrap();
    let record = scene.record_of_kind(5).await;
    let stored = scene.store.get(&record).await.unwrap().unwrap();
    let mut bytes = stored.bytes.clone();
    *bytes.last_mut().unwrap() ^= 1;
    scene
        .store
        .put(&record, &bytes, ibyok_storage::Expect::Revision(stored.revision))
        .await
        .unwrap();
    let other = scene.another_node().await.operator("test");
    for key in [&key, &live] {
        assert_eq!(other.retrieve(key).await.unwrap_err().code(), Code::Integrity);
        assert_eq!(other.keys().show(key).await.unwrap().mode, None);
    }
    let modes = other.modes().list().await.unwrap();
    assert_eq!(modes.iter().filter(|mode| mode.problem.is_some()).count(), 1);
    assert!(other.retrieve(&scene.key("prod/openai")).await.is_ok());
}

#[tokio::test]
async fn an_older_record_does_not_bring_live_values_back() {
    let scene = scene_with_keys().await;
    let (operator, dev, key) = (scene.operator(), "dev".parse().unwrap(), scene.key("dev/openai"));
    operator.modes().set(&dev, Mode::Live).await.unwrap();
    let record = scene.record_of_kind(5).await;
    let before = scene.store.get(&record).await.unwrap().unwrap();
    operator.modes().set(&dev, Mode::Mock).await.unwrap();
    let now = scene.store.get(&record).await.unwrap().unwrap();
    let expect = ibyok_storage::Expect::Revision(now.revision);
    scene.store.put(&record, &before.bytes, expect).await.unwrap();
    let beside = scene.process_beside().await.operator("test");
    assert_eq!(beside.retrieve(&key).await.unwrap_err().code(), Code::Integrity);
    let older = scene.store.get(&record).await.unwrap().unwrap();
    scene.store.delete(&record, older.revision).await.unwrap();
    let gone = beside.retrieve(&key).await.unwrap_err();
    assert_eq!(gone.code(), Code::Integrity, "nor does its absence");
}

#[tokio::test]
async fn modes_are_set_with_the_scope_in_the_environment_and_for_the_key_that_a_token_has() {
    let scene = scene_with_keys().await;
    let (dev, prod) = ("dev".parse().unwrap(), "prod".parse().unwrap());
    let of_dev = scene.token_named("dev", settings(Environments::named(["dev"]))).await;
    let mut narrow = settings(Environments::All);
    narrow.keys = Some(vec!["stripe*".parse().unwrap()]);
    let of_stripe = scene.token_named("stripe", narrow).await;
    let reader = scene.token_named("reader", reading("dev")).await;
    let [of_dev, of_stripe, reader] = [of_dev, of_stripe, reader].map(|token| scene.vault.as_token(&token));
    assert!(of_dev.modes().set(&dev, Mode::Mock).await.is_ok());
    assert!(
        of_dev
            .modes()
            .set_of_key(&scene.key("dev/openai"), Some(Mode::Live))
            .await
            .is_ok()
    );
    assert_eq!(of_dev.modes().list().await.unwrap().len(), 1);
    for refused in [
        of_dev.modes().set(&prod, Mode::Live).await.err(),
        of_dev.modes().set_of_key(&scene.key("prod/openai"), None).await.err(),
        of_dev.modes().set_of_key(&scene.key("prod/nothing"), None).await.err(),
        of_dev.modes().set(&"nowhere".parse().unwrap(), Mode::Live).await.err(),
        of_stripe.modes().set(&dev, Mode::Mock).await.err(),
        of_stripe.modes().set_of_key(&scene.key("dev/openai"), None).await.err(),
        reader.modes().set(&dev, Mode::Live).await.err(),
        reader.modes().set_of_key(&scene.key("dev/openai"), None).await.err(),
        reader.modes().list().await.err(),
    ] {
        assert_eq!(refused.unwrap().code(), Code::Denied);
    }
    let operator = scene.operator();
    let nothing = operator.modes().set_of_key(&scene.key("dev/nothing"), None).await;
    assert_eq!(nothing.unwrap_err().code(), Code::NotFound);
    let version = operator
        .modes()
        .set_of_key(&scene.key("dev/openai?version=1"), None)
        .await;
    assert_eq!(version.unwrap_err().code(), Code::Invalid);
    let nowhere = operator.modes().set(&"nowhere".parse().unwrap(), Mode::Mock).await;
    assert_eq!(nowhere.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_log_says_which_mode_a_value_was_served_in_and_why_and_who_switched_it() {
    let scene = scene_with_keys().await;
    let (operator, key) = (scene.operator(), scene.key("dev/openai"));
    operator.retrieve(&key).await.unwrap();
    operator.modes().set_of_key(&key, Some(Mode::Mock)).await.unwrap();
    operator.retrieve(&key).await.unwrap();
    operator.modes().set(&"dev".parse().unwrap(), Mode::Mock).await.unwrap();
    let lines = operator.audit().lines(&Filter::default()).await.unwrap();
    let mut said = Vec::new();
    for line in lines {
        let line = line.unwrap();
        let entry = line.entry();
        let of_mode = ["key.retrieve", "key.mode", "settings.change"].contains(&entry.action.as_str());
        if of_mode && entry.phase.is_none_or(|phase| phase.as_str() == "intended") {
            let (mode, source) = (entry.mode.clone(), entry.mode_source.clone());
            said.push((
                entry.action.clone(),
                mode.unwrap_or_default(),
                source.unwrap_or_default(),
            ));
        }
    }
    let said: Vec<_> = said
        .iter()
        .map(|(a, m, s)| (a.as_str(), m.as_str(), s.as_str()))
        .collect();
    assert!(
        said.starts_with(&[
            ("key.retrieve", "live", "tenant_setting"),
            ("key.mode", "mock", ""),
            ("key.retrieve", "mock", "key_override"),
        ]),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_live_value_is_released_once_the_switch_has_returned() {
    let scene = scene_with_keys().await;
    let key = scene.key("dev/openai");
    let token = Arc::new(scene.token(reading("dev")).await);
    for round in 0..4 {
        let switched = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let (vault, key, token) = (scene.vault.clone(), key.clone(), Arc::clone(&token));
                let (switched, stop) = (Arc::clone(&switched), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut mocks = 0;
                    while !stop.load(Ordering::Acquire) {
                        let before = switched.load(Ordering::Acquire);
                        let released = vault.retrieve(&token, &key, &RequestContext::default()).await.unwrap();
                        let (value, mode, _) = told(&released);
                        assert_eq!(value == LIVE, mode == Mode::Live);
                        assert!(!before || mode == Mode::Mock, "a live value after the switch");
                        mocks += usize::from(mode == Mode::Mock);
                    }
                    mocks
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(30)).await;
        match round % 2 {
            0 => drop(
                scene
                    .operator()
                    .modes()
                    .set_of_key(&key, Some(Mode::Mock))
                    .await
                    .unwrap(),
            ),
            _ => drop(
                scene
                    .operator()
                    .modes()
                    .set(&"dev".parse().unwrap(), Mode::Mock)
                    .await
                    .unwrap(),
            ),
        }
        switched.store(true, Ordering::Release);
        tokio::time::sleep(Duration::from_millis(30)).await;
        stop.store(true, Ordering::Release);
        for worker in workers {
            assert!(worker.await.unwrap() > 0);
        }
        scene.operator().modes().set_of_key(&key, None).await.unwrap();
        scene
            .operator()
            .modes()
            .set(&"dev".parse().unwrap(), Mode::Live)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_switch_holds_on_every_node_within_a_second() {
    let scene = scene_with_keys().await;
    let key = scene.key("dev/openai");
    let other = scene.another_node().await.operator("test");
    assert_eq!(served(&other, &key).await.1, Mode::Live);
    scene
        .operator()
        .modes()
        .set(&"dev".parse().unwrap(), Mode::Mock)
        .await
        .unwrap();
    let switched = Instant::now();
    while served(&other, &key).await.1 == Mode::Live {
        assert!(switched.elapsed() < Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
