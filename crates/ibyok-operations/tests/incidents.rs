//! The effects of an incident, and the steps that remain.
#![expect(clippy::unwrap_used, reason = "a read that fails is a failed test")]

#[path = "../../ibyok-core/tests/scene/mod.rs"]
mod scene;

use ibyok_core::jiff::SignedDuration;
use ibyok_core::{
    Code, Environments, Error, Grant, RequestContext, Scope, Scopes, Session,
    incidents::{IncidentOpened, IncidentRequest, ReaderSource},
    jiff::Timestamp,
    keys::VersionMark,
};
use ibyok_operations::incidents::{IncidentReport, IncidentReportExt as _, Step, StepKind, remaining};
use ibyok_operations::reviews::ReviewHabits;
use scene::{Scene, reading, secret};

/// The steps that remain after an incident was opened.
fn steps(opened: &IncidentOpened) -> Vec<Step> {
    remaining(&opened.incident, &opened.key, &opened.copies)
}

/// The report about the key of the scene.
async fn reported(session: &Session) -> Result<IncidentReport, Error> {
    let habits = ReviewHabits::default();
    session.incidents().report("prod/openai", None, &habits).await
}

fn leaked() -> IncidentRequest {
    IncidentRequest::new("found on a paste site")
}

async fn scene_with_key() -> Scene {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk-one")).await.unwrap();
    scene
}

#[tokio::test]
async fn the_leaked_version_is_marked_and_gets_no_grace_when_it_is_replaced() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let opened = scene.operator().incidents().open(&key, leaked()).await.unwrap();
    assert_eq!((opened.incident.state.as_str(), opened.was_open), ("open", false));
    assert_eq!(opened.incident.versions, [1]);
    let info = scene.operator().keys().show(&key).await.unwrap();
    assert_eq!(info.versions.first().unwrap().marks, [VersionMark::Compromised]);
    assert!(
        scene.operator().retrieve(&key).await.is_ok(),
        "it is served until it is replaced, unless frozen"
    );

    scene.operator().keys().set(&key, secret("sk-two")).await.unwrap();
    let old = scene.operator().retrieve(&scene.key("prod/openai?version=1")).await;
    assert_eq!(old.unwrap_err().code(), Code::VersionDisabled);
}

#[tokio::test]
async fn freezing_stops_the_key_for_everybody() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let token = scene.token(reading("prod")).await;
    scene
        .operator()
        .incidents()
        .open(&key, leaked().freeze(true))
        .await
        .unwrap();
    let refused = scene.vault.retrieve(&token, &key, &RequestContext::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::KeyDisabled);
}

#[tokio::test]
async fn those_who_read_the_key_are_revoked_and_others_are_not() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let before = Timestamp::now();
    let read = scene.token_named("read", reading("prod")).await;
    let idle = scene.token_named("idle", reading("prod")).await;
    scene
        .vault
        .retrieve(&read, &key, &RequestContext::default())
        .await
        .unwrap();
    let request = leaked().revoke_readers(Some(before));
    let opened = scene.operator().incidents().open(&key, request).await.unwrap();
    assert_eq!(opened.incident.revoked.len(), 1);
    assert!(opened.not_revoked.is_empty());
    let context = RequestContext::default();
    assert_eq!(
        scene.vault.retrieve(&read, &key, &context).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    assert!(scene.vault.retrieve(&idle, &key, &context).await.is_ok());
}

#[tokio::test]
async fn opening_twice_adds_to_the_one_incident() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let first = scene.operator().incidents().open(&key, leaked()).await.unwrap();
    let more = IncidentRequest::new("seen in use").freeze(true);
    let second = scene.operator().incidents().open(&key, more).await.unwrap();
    assert_eq!((first.incident.id, true), (second.incident.id, second.was_open));
    assert_eq!(second.incident.reason, "found on a paste site");
    assert_eq!(second.incident.notes.first().unwrap().text, "seen in use");
    assert!(second.incident.frozen);
    assert_eq!(
        scene
            .operator()
            .incidents()
            .list(ibyok_core::incidents::IncidentsShown::All)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn two_that_are_opened_at_once_are_one() {
    let scene = scene_with_key().await;
    let other = scene.another_node().await.operator("os:other@there");
    let key = scene.key("prod/openai");
    let operator = scene.operator();
    let (one, two) = tokio::join!(
        operator.incidents().open(&key, leaked()),
        other.incidents().open(&key, leaked())
    );
    assert_eq!(one.unwrap().incident.id, two.unwrap().incident.id);
}

#[tokio::test]
async fn it_is_closed_with_cause_and_prevention_once_nothing_leaked_is_served() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let operator = scene.operator();
    let id = operator
        .incidents()
        .open(&key, leaked())
        .await
        .unwrap()
        .incident
        .id
        .to_string();
    let early = operator
        .incidents()
        .close(
            &id,
            "pasted by hand",
            "training",
            ibyok_core::incidents::IfStillServed::Refuse,
        )
        .await;
    assert_eq!(early.unwrap_err().code(), Code::Conflict);
    operator.keys().set(&key, secret("sk-two")).await.unwrap();
    assert_eq!(
        operator
            .incidents()
            .close(&id, " ", "x", ibyok_core::incidents::IfStillServed::Refuse)
            .await
            .unwrap_err()
            .code(),
        Code::Invalid
    );
    let closed = operator
        .incidents()
        .close(
            &id,
            "pasted by hand",
            "training",
            ibyok_core::incidents::IfStillServed::Refuse,
        )
        .await
        .unwrap();
    assert_eq!(closed.closed.unwrap().prevention, "training");
    assert!(
        operator
            .incidents()
            .list(ibyok_core::incidents::IncidentsShown::Open)
            .await
            .unwrap()
            .is_empty()
    );
    let again = operator
        .incidents()
        .close(
            &id,
            "pasted by hand",
            "training",
            ibyok_core::incidents::IfStillServed::Refuse,
        )
        .await;
    assert_eq!(again.unwrap_err().code(), Code::Conflict);
    let next = operator.incidents().open(&key, leaked()).await.unwrap();
    assert_ne!(next.incident.id.to_string(), id);
}

#[tokio::test]
async fn an_incident_needs_a_key_a_reason_and_the_scope() {
    let scene = scene_with_key().await;
    let operator = scene.operator();
    let key = scene.key("prod/openai");
    let missing = operator.incidents().open(&scene.key("prod/none"), leaked()).await;
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
    let version = operator
        .incidents()
        .open(&scene.key("prod/openai?version=9"), leaked())
        .await;
    assert_eq!(version.unwrap_err().code(), Code::NotFound);
    let empty = operator.incidents().open(&key, IncidentRequest::new("")).await;
    assert_eq!(empty.unwrap_err().code(), Code::Invalid);
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let future = operator.incidents().open(&key, leaked().since(Some(later))).await;
    assert_eq!(future.unwrap_err().code(), Code::Invalid);
    assert!(
        operator
            .incidents()
            .list(ibyok_core::incidents::IncidentsShown::All)
            .await
            .unwrap()
            .is_empty()
    );

    let reader = scene.vault.as_token(&scene.token(reading("prod")).await);
    assert_eq!(
        reader.incidents().open(&key, leaked()).await.unwrap_err().code(),
        Code::Denied
    );
    let dev = Grant::new(Scopes::from([Scope::IncidentsWrite]), Environments::named(["dev"]));
    let dev = scene.vault.as_token(&scene.token(dev).await);
    assert_eq!(
        dev.incidents().open(&key, leaked()).await.unwrap_err().code(),
        Code::Denied
    );
}

#[tokio::test]
async fn a_token_sees_the_incidents_of_its_own_keys_only() {
    let scene = scene_with_key().await;
    let dev_key = scene.key("dev/openai");
    scene.operator().keys().set(&dev_key, secret("sk-dev")).await.unwrap();
    let prod = scene
        .operator()
        .incidents()
        .open(&scene.key("prod/openai"), leaked())
        .await
        .unwrap();
    let grant = Grant::new(Scopes::from([Scope::IncidentsWrite]), Environments::named(["dev"]));
    let dev = scene.vault.as_token(&scene.token(grant).await);
    assert!(
        dev.incidents()
            .list(ibyok_core::incidents::IncidentsShown::All)
            .await
            .unwrap()
            .is_empty()
    );
    let id = prod.incident.id.to_string();
    let unknown = "inc_0000000000000000000000";
    for which in [id.as_str(), unknown] {
        let refused = dev
            .incidents()
            .close(which, "a", "b", ibyok_core::incidents::IfStillServed::Close)
            .await
            .unwrap_err();
        assert_eq!(
            refused.code(),
            Code::Denied,
            "what is there and what is not are one answer"
        );
    }
    assert!(dev.incidents().open(&dev_key, leaked()).await.is_ok());
}

#[tokio::test]
async fn a_report_tells_who_read_the_key_what_else_they_could_read_and_did() {
    let scene = scene_with_key().await;
    let operator = scene.operator();
    let (key, other) = (scene.key("prod/openai"), scene.key("prod/stripe"));
    operator.keys().set(&other, secret("sk-other")).await.unwrap();
    operator
        .keys()
        .set(&scene.key("dev/openai"), secret("sk-dev"))
        .await
        .unwrap();
    let worker = scene.token_named("worker", reading("prod")).await;
    let from = RequestContext::default()
        .from_address("192.0.2.7".parse().unwrap())
        .user_agent("worker/1.0");
    for _ in 0..3 {
        scene.vault.retrieve(&worker, &key, &from).await.unwrap();
    }
    scene.vault.retrieve(&worker, &other, &from).await.unwrap();
    operator.incidents().open(&key, leaked()).await.unwrap();
    scene.vault.retrieve(&worker, &key, &from).await.unwrap();

    let report = reported(&operator).await.unwrap();
    let reader = report.facts.readers.first().unwrap();
    assert_eq!((reader.name.as_deref(), reader.count), (Some("worker"), 4));
    assert!(reader.addresses.contains(&"192.0.2.7".parse().unwrap()));
    assert!(reader.user_agents.contains("worker/1.0"));
    assert_eq!(report.facts.released_after, 1, "only what was released after the leak");
    let reach = report.facts.reach.first().unwrap();
    assert_eq!(reach.could_read, ["prod/openai", "prod/stripe"], "and nothing of dev");
    let did: Vec<_> = reach
        .did_read
        .iter()
        .map(|did| (did.reference.as_str(), did.count))
        .collect();
    assert_eq!(did, [("prod/openai", 4), ("prod/stripe", 1)]);
    assert!(report.facts.timeline.iter().any(|line| line.action == "incident.open"));
    let steps: Vec<_> = report.remaining.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps, ["replace", "provider", "review", "close"]);

    let only_incidents = Grant::new(Scopes::from([Scope::IncidentsWrite]), Environments::named(["prod"]));
    let token = scene.vault.as_token(&scene.token(only_incidents).await);
    assert_eq!(reported(&token).await.unwrap_err().code(), Code::Denied);
}

#[tokio::test]
async fn who_read_here_and_elsewhere_is_told_with_every_version() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let both = scene.token_named("both", reading("prod")).await;
    scene
        .vault
        .retrieve(&both, &key, &RequestContext::default())
        .await
        .unwrap();
    scene.operator().keys().set(&key, secret("sk-two")).await.unwrap();
    let here = Timestamp::now();
    let other = scene.another_node().await;
    other.retrieve(&both, &key, &RequestContext::default()).await.unwrap();
    other.close().await.unwrap();
    scene.operator().incidents().open(&key, leaked()).await.unwrap();
    let report = reported(&scene.operator()).await.unwrap();
    let reader = report.facts.readers.first().unwrap();
    assert_eq!(
        (reader.name.as_deref(), reader.source),
        (Some("both"), ReaderSource::Log)
    );
    assert!(reader.versions.iter().eq(&[1, 2]), "{:?}", reader.versions);
    assert!(reader.last >= here);
}

#[tokio::test]
async fn who_read_the_key_on_another_node_is_known_and_revoked_as_well() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let before = Timestamp::now();
    let away = scene.token_named("away", reading("prod")).await;
    let other = scene.another_node().await;
    other.retrieve(&away, &key, &RequestContext::default()).await.unwrap();
    other.close().await.unwrap();
    let request = leaked().revoke_readers(Some(before));
    let opened = scene.operator().incidents().open(&key, request).await.unwrap();
    assert_eq!(opened.incident.revoked.len(), 1);
    let report = reported(&scene.operator()).await.unwrap();
    let reader = report.facts.readers.first().unwrap();
    assert_eq!(
        (reader.name.as_deref(), reader.source),
        (Some("away"), ReaderSource::Usage)
    );
}

#[tokio::test]
async fn no_account_keeps_a_value_of_the_key() {
    let scene = scene_with_key().await;
    let operator = scene.operator();
    let key = scene.key("prod/openai");
    let value = "a-long-value-without-any-shape-0815";
    operator.keys().set(&key, secret(value)).await.unwrap();
    for text in [
        value.to_owned(),
        format!("pasted \"{value}\", in a gist"),
        format!("KEY={value}"),
    ] {
        let refused = operator.incidents().open(&key, IncidentRequest::new(&text)).await;
        assert_eq!(refused.unwrap_err().code(), Code::Invalid, "{text}");
    }
    operator.incidents().open(&key, leaked()).await.unwrap();
    let noted = operator
        .incidents()
        .note("prod/openai", &format!("it was {value}"))
        .await;
    assert_eq!(noted.unwrap_err().code(), Code::Invalid);
    let closed = operator
        .incidents()
        .close(
            "prod/openai",
            &format!("({value})"),
            "training",
            ibyok_core::incidents::IfStillServed::Close,
        )
        .await;
    assert_eq!(closed.unwrap_err().code(), Code::Invalid);
    assert!(!scene.log_text().await.contains(value));
}

#[tokio::test]
async fn what_a_call_that_came_to_no_end_revoked_is_kept_by_the_next() {
    let scene = scene_with_key().await;
    let operator = scene.operator();
    let key = scene.key("prod/openai");
    let before = Timestamp::now();
    let token = scene.token_named("read", reading("prod")).await;
    let context = RequestContext::default();
    scene.vault.retrieve(&token, &key, &context).await.unwrap();
    operator.incidents().open(&key, leaked()).await.unwrap();
    // As after a crash between the revocation and its being written into the incident.
    let id = ibyok_core::tokens::token_id(&token).unwrap();
    operator
        .tokens()
        .revoke(&id.to_string(), ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    let request = leaked().revoke_readers(Some(before));
    let again = operator.incidents().open(&key, request).await.unwrap();
    assert_eq!(again.incident.revoked, [id]);
}

#[tokio::test]
async fn many_refusals_push_no_release_out_of_a_report() {
    let scene = scene_with_key().await;
    let operator = scene.operator();
    let key = scene.key("prod/openai");
    operator.incidents().open(&key, leaked()).await.unwrap();
    for _ in 0..120 {
        let refused = operator.incidents().open(&key, IncidentRequest::new("")).await;
        assert!(refused.is_err());
    }
    let token = scene.token(reading("prod")).await;
    scene
        .vault
        .retrieve(&token, &key, &RequestContext::default())
        .await
        .unwrap();
    let report = reported(&operator).await.unwrap();
    assert!(report.facts.further_lines >= 20);
    assert!(report.facts.timeline.iter().any(|line| line.action == "key.retrieve"));
}

#[tokio::test]
async fn a_report_shows_the_grants_of_readers_to_those_alone_who_may_read_the_whole_log() {
    let scene = scene_with_key().await;
    let operator = scene.operator();
    let key = scene.key("prod/openai");
    let token = scene.token(reading("prod")).await;
    scene
        .vault
        .retrieve(&token, &key, &RequestContext::default())
        .await
        .unwrap();
    operator.incidents().open(&key, leaked()).await.unwrap();
    let whole = reported(&operator).await.unwrap();
    assert!(whole.facts.reach.first().unwrap().grant.is_some());
    let scopes = Scopes::from([Scope::IncidentsWrite, Scope::AuditRead]);
    let prod = Grant::new(scopes, Environments::named(["prod"]));
    let prod = scene.vault.as_token(&scene.token(prod).await);
    let part = reported(&prod).await.unwrap();
    assert!(part.facts.reach.first().is_none_or(|reach| reach.grant.is_none()));
}

#[tokio::test]
async fn a_new_value_takes_the_place_of_the_leaked_one_in_the_same_step() {
    let scene = scene_with_key().await;
    let (key, operator) = (scene.key("prod/openai"), scene.operator());
    let token = scene.token(reading("prod")).await;
    let opened = operator
        .incidents()
        .open(&key, leaked().replace(secret("sk-two")))
        .await;
    let opened = opened.unwrap();
    assert_eq!(opened.incident.versions, [1]);
    assert_eq!(opened.incident.replaced.as_ref().unwrap().version, 2);
    assert!(opened.not_replaced.is_none());
    assert!(!opened.incident.frozen);
    assert!(
        steps(&opened).iter().all(|step| step.id != StepKind::Replace),
        "{:?}",
        steps(&opened)
    );
    let read = scene
        .vault
        .retrieve(&token, &key, &RequestContext::default())
        .await
        .unwrap();
    assert_eq!(read.text().unwrap(), "sk-two");
    let old = operator.retrieve(&scene.key("prod/openai?version=1")).await;
    assert_eq!(old.unwrap_err().code(), Code::VersionDisabled);
    let report = reported(&operator).await.unwrap();
    assert_eq!(report.facts.incident.replaced.unwrap().version, 2);
    let told: Vec<&str> = report.facts.timeline.iter().map(|line| line.action.as_str()).collect();
    assert!(told.contains(&"incident.open") && told.contains(&"key.set"), "{told:?}");
    // The same request once more is about the new value, which is refused as such: nothing is marked by it.
    let again = operator
        .incidents()
        .open(&key, leaked().replace(secret("sk-two")))
        .await;
    assert_eq!(again.unwrap_err().code(), Code::Conflict);
    assert!(
        operator
            .keys()
            .show(&key)
            .await
            .unwrap()
            .versions
            .last()
            .unwrap()
            .marks
            .is_empty()
    );
}

/// Values that cannot replace one that leaked.
#[tokio::test]
async fn what_is_no_new_value_is_refused_before_anything_is_marked() {
    let scene = scene_with_key().await;
    let (key, operator) = (scene.key("prod/openai"), scene.operator());
    let ask = || IncidentRequest::new("sk-three was pasted");
    let renamed = ibyok_core::keys::KeyWrite::from(secret("sk-two")).variable(Some("OTHER_KEY".to_owned()));
    let forced = ibyok_core::keys::KeyWrite::from(secret("sk-two")).force(Some("an outage".to_owned()));
    for (what, request, code) in [
        ("the leaked value", leaked().replace(secret("sk-one")), Code::Conflict),
        (
            "the leaked value with a line end",
            leaked().replace(secret("sk-one\n")),
            Code::Conflict,
        ),
        ("nothing", leaked().replace(secret("")), Code::Invalid),
        (
            "a mock",
            leaked().replace(secret("sk-mock-openai-abcdefgh")),
            Code::Invalid,
        ),
        (
            "a frozen key",
            leaked().freeze(true).replace(secret("sk-two")),
            Code::Invalid,
        ),
        (
            "a value that stands in the reason",
            ask().replace(secret("sk-three")),
            Code::Invalid,
        ),
        ("another variable", leaked().replace(renamed), Code::Invalid),
        ("force", leaked().replace(forced), Code::Invalid),
        (
            "too much",
            leaked().replace(secret(&"x".repeat(70_000))),
            Code::TooLarge,
        ),
    ] {
        let refused = operator.incidents().open(&key, request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{what}: {refused}");
        let info = operator.keys().show(&key).await.unwrap();
        assert!(info.versions.iter().all(|version| version.marks.is_empty()), "{what}");
        assert_eq!(info.versions.len(), 1, "{what}");
        assert!(
            operator
                .incidents()
                .list(ibyok_core::incidents::IncidentsShown::All)
                .await
                .unwrap()
                .is_empty(),
            "{what}"
        );
    }
    // A value that leaked earlier, from another key of the environment.
    let other = scene.key("prod/other");
    operator.keys().set(&other, secret("sk-earlier")).await.unwrap();
    operator.incidents().open(&other, leaked()).await.unwrap();
    let refused = operator
        .incidents()
        .open(&key, leaked().replace(secret("sk-earlier")))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Conflict);
    // An older version leaked: the current value stays.
    operator.keys().set(&key, secret("sk-two")).await.unwrap();
    let old = scene.key("prod/openai?version=1");
    let refused = operator
        .incidents()
        .open(&old, leaked().replace(secret("sk-next")))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Invalid);
    assert!(
        operator
            .keys()
            .show(&key)
            .await
            .unwrap()
            .versions
            .iter()
            .all(|v| v.marks.is_empty())
    );
}

#[tokio::test]
async fn a_token_replaces_a_value_if_it_may_write_or_rotate_the_key() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let session = async |scopes: &[Scope]| {
        let grant = Grant::new(
            scopes.iter().copied().collect::<Scopes>(),
            Environments::named(["prod"]),
        );
        scene.vault.as_token(&scene.token(grant).await)
    };
    let alone = session(&[Scope::IncidentsWrite]).await;
    let refused = alone.incidents().open(&key, leaked().replace(secret("sk-two"))).await;
    assert_eq!(refused.unwrap_err().code(), Code::Denied);
    assert!(
        scene
            .operator()
            .incidents()
            .list(ibyok_core::incidents::IncidentsShown::All)
            .await
            .unwrap()
            .is_empty()
    );
    for (scope, value, leaks) in [
        (Scope::KeysRotate, "sk-two", "prod/openai"),
        (Scope::KeysWrite, "sk-three", "prod/openai?version=2"),
    ] {
        let session = session(&[Scope::IncidentsWrite, scope]).await;
        let opened = session
            .incidents()
            .open(&scene.key(leaks), leaked().replace(secret(value)))
            .await
            .unwrap();
        assert!(opened.incident.replaced.is_some(), "{scope:?}");
        let read = scene.operator().retrieve(&key).await.unwrap();
        assert_eq!(read.text().unwrap(), value);
    }
    // Whoever may not read finds out by guessing no faster than by `keys set`.
    let guessing = session(&[Scope::IncidentsWrite, Scope::KeysWrite]).await;
    let (mut limited, newest) = (0, scene.key("prod/openai?version=3"));
    for _ in 0..8 {
        let refused = guessing
            .incidents()
            .open(&newest, leaked().replace(secret("sk-three")))
            .await;
        limited += usize::from(refused.unwrap_err().code() == Code::Limited);
    }
    assert!(limited >= 3, "{limited}");
}

#[tokio::test]
async fn of_two_new_values_at_once_one_is_stored_and_the_other_is_told() {
    let scene = scene_with_key().await;
    let key = scene.key("prod/openai");
    let (operator, other) = (scene.operator(), scene.another_node().await.operator("os:other@there"));
    let (one, two) = tokio::join!(
        operator.incidents().open(&key, leaked().replace(secret("sk-two"))),
        other.incidents().open(&key, leaked().replace(secret("sk-three")))
    );
    let stored = [&one, &two]
        .into_iter()
        .flatten()
        .filter(|opened| opened.not_replaced.is_none());
    assert!(stored.count() >= 1, "{one:?} {two:?}");
    let mut info = operator.keys().show(&key).await.unwrap();
    let begun = std::time::Instant::now();
    // A node hears of the other's changes within a second.
    while info.versions.first().is_some_and(|version| version.marks.is_empty()) {
        assert!(
            begun.elapsed().as_secs() < 2,
            "the leaked value is not marked: {info:?} {one:?} {two:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        info = operator.keys().show(&key).await.unwrap();
    }
    let current = info
        .versions
        .iter()
        .find(|version| Some(version.version) == info.version)
        .unwrap();
    assert!(current.marks.is_empty(), "{info:?}");
}

#[tokio::test]
async fn without_the_new_value_the_rest_is_as_after_opening_alone_and_is_done_later() {
    let scene = scene_with_key().await;
    let (key, operator) = (scene.key("prod/openai"), scene.operator());
    // As a process leaves it that ends between the mark and the new version.
    operator.incidents().open(&key, leaked()).await.unwrap();
    let opened = operator
        .incidents()
        .open(&key, leaked().replace(secret("sk-two")))
        .await
        .unwrap();
    assert!(opened.was_open);
    assert_eq!(opened.incident.replaced.unwrap().version, 2);
    // The same where the key was frozen until there was a new value: it stays so until it is enabled.
    let (frozen, value) = (scene.key("prod/frozen"), "sk-four");
    operator.keys().set(&frozen, secret("sk-three")).await.unwrap();
    operator.incidents().open(&frozen, leaked().freeze(true)).await.unwrap();
    let opened = operator
        .incidents()
        .open(&frozen, leaked().replace(secret(value)))
        .await
        .unwrap();
    assert!(
        steps(&opened).iter().any(|step| step.id == StepKind::Unfreeze),
        "{:?}",
        steps(&opened)
    );
    assert_eq!(operator.retrieve(&frozen).await.unwrap_err().code(), Code::KeyDisabled);
    operator.keys().enable(&frozen).await.unwrap();
    assert_eq!(operator.retrieve(&frozen).await.unwrap().text().unwrap(), value);
}
