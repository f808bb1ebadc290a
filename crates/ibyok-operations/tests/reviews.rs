//! Reviews of the audit log through the vault: their views, and their records.
#![expect(clippy::unwrap_used, reason = "a read that fails is a failed test")]

#[path = "../../ibyok-core/tests/scene/mod.rs"]
mod scene;

use ibyok_core::{
    Code, Environments, Grant, RequestContext, Scope, Scopes, Session,
    audit::{Filter, Line},
};
use ibyok_operations::reviews::{Detector, ReviewExt as _, ReviewHabits, ReviewRequest};
use scene::{Scene, reading, secret};

fn habits() -> ReviewHabits {
    ReviewHabits::default().thresholds(scene::at_any_hour())
}

fn week() -> ReviewRequest {
    ReviewRequest::since(None).habits(&habits())
}

fn granted<const N: usize>(scopes: [Scope; N], environments: Environments) -> Grant {
    Grant::new(Scopes::from(scopes), environments)
}

/// A vault in which tokens of two environments asked for keys that they may not have.
async fn used() -> Scene {
    let scene = Scene::new().await;
    for environment in ["dev", "prod"] {
        let key = scene.key(&format!("{environment}/openai"));
        scene.operator().keys().set(&key, secret("sk-1")).await.unwrap();
        let token = scene
            .token_named(&format!("of-{environment}"), reading(environment))
            .await;
        scene
            .vault
            .retrieve(&token, &key, &RequestContext::default())
            .await
            .unwrap();
        let other = scene.key(if environment == "dev" {
            "prod/openai"
        } else {
            "dev/openai"
        });
        let refused = scene.vault.retrieve(&token, &other, &RequestContext::default()).await;
        assert_eq!(refused.unwrap_err().code(), Code::Denied);
    }
    scene
}

async fn lines(session: &Session, action: &str) -> Vec<Line> {
    let lines = session.audit().lines(&Filter::default()).await.unwrap();
    lines
        .map(Result::unwrap)
        .filter(|line| line.entry().action == action)
        .collect()
}

#[tokio::test]
async fn a_finding_is_acknowledged_with_a_reason_and_the_log_tells() {
    let scene = used().await;
    let operator = scene.operator();
    let review = operator.reviews().run(&week()).await.unwrap();
    let mismatch: Vec<_> = review
        .found
        .findings
        .iter()
        .filter(|found| found.detector == Detector::EnvironmentMismatch)
        .collect();
    assert_eq!(
        (mismatch.len(), review.open >= 2),
        (2, true),
        "{:#?}",
        review.found.findings
    );
    let id = mismatch[0].id.to_string();
    let acked = operator
        .reviews()
        .acknowledge(&week(), &id, "a test of ours")
        .await
        .unwrap();
    assert_eq!(acked.acknowledged.as_ref().unwrap().reason, "a test of ours");

    let again = operator.reviews().run(&week()).await.unwrap();
    assert_eq!(again.open, review.open - 1);
    let shown = again
        .found
        .findings
        .iter()
        .find(|found| found.id.as_str() == id)
        .unwrap();
    assert_eq!(shown.acknowledged, acked.acknowledged);
    let said = lines(&operator, "review.ack").await;
    assert_eq!(said.len(), 2, "intended and done");
    assert_eq!(said[0].entry().target.as_ref().unwrap().id, id);
    assert_eq!(said[0].entry().reason.as_deref(), Some("a test of ours"));

    for (bad, code) in [
        ("0123456789abcdef", Code::NotFound),
        ("x", Code::Invalid),
        ("", Code::Invalid),
    ] {
        let error = operator.reviews().acknowledge(&week(), bad, "why").await.unwrap_err();
        assert_eq!(error.code(), code, "{bad}: {error}");
    }
    for reason in ["", "  ", "a\u{1b}[2J", &"x".repeat(513)] {
        let error = operator.reviews().acknowledge(&week(), &id, reason).await.unwrap_err();
        assert_eq!(error.code(), Code::Invalid, "{reason:?}");
    }
}

#[tokio::test]
async fn that_the_log_was_reviewed_is_a_record_with_its_last_line() {
    let scene = used().await;
    let operator = scene.operator();
    assert_eq!(operator.reviews().last().await.unwrap(), None);
    let review = operator
        .reviews()
        .record(&week(), Some("all of it is ours"))
        .await
        .unwrap();
    let done = operator.reviews().last().await.unwrap().unwrap();
    assert_eq!(review.last_done.as_ref(), Some(&done));
    assert_eq!((done.by.as_str(), done.open), ("os:test@here", review.open));
    let until = &done.until[0];
    assert_eq!(
        (until.log.as_str(), until.seq),
        (&*review.found.logs[0].log, review.found.logs[0].until)
    );
    let said = lines(&operator, "review.done").await;
    let reason = said[0].entry().reason.clone().unwrap();
    assert!(
        reason.contains(&format!("up to {}:{}; all of it is ours", until.log, until.seq)),
        "{reason}"
    );
    // It outlives the process.
    let other = scene.another_node().await;
    assert_eq!(
        other.operator("os:other@here").reviews().last().await.unwrap(),
        Some(done)
    );
}

#[tokio::test]
async fn a_token_sees_what_its_grant_covers_and_settles_nothing_for_others() {
    let scene = used().await;
    let audit = |environments| granted([Scope::AuditRead, Scope::IncidentsWrite], environments);
    let dev = scene
        .token_named("dev-auditor", audit(Environments::named(["dev"])))
        .await;
    let all = scene.token_named("auditor", audit(Environments::All)).await;
    let auditor_id = ibyok_core::tokens::token_id(&all).unwrap().to_string();
    let none = scene.token(reading("prod")).await;

    let dev = scene.vault.as_token(&dev);
    let seen = dev.reviews().run(&week()).await.unwrap();
    assert!(
        seen.found
            .findings
            .iter()
            .all(|found| found.subject.name.as_deref() == Some("of-prod")),
        "{seen:#?}"
    );
    assert_eq!(
        seen.found.findings.len(),
        1,
        "dev was asked for by the token of prod: {seen:#?}"
    );
    assert!(seen.found.tokens.iter().all(|row| row.id != auditor_id), "{seen:#?}");
    let id = seen.found.findings[0].id.to_string();
    let refused = dev.reviews().acknowledge(&week(), &id, "mine").await.unwrap_err();
    assert_eq!(refused.code(), Code::Denied);

    let auditor = scene.vault.as_token(&all);
    let seen = auditor.reviews().run(&week()).await.unwrap();
    assert_eq!(
        seen.found.lines,
        scene.operator().reviews().run(&week()).await.unwrap().found.lines - 1
    );
    auditor.reviews().acknowledge(&week(), &id, "looked at").await.unwrap();
    let refused = scene.vault.as_token(&none).reviews().run(&week()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Denied);
}

#[tokio::test]
async fn a_time_to_come_is_refused() {
    let scene = Scene::new().await;
    let tomorrow = ibyok_core::jiff::Timestamp::now() + std::time::Duration::from_secs(86_400);
    let error = scene
        .operator()
        .reviews()
        .run(&ReviewRequest::since(tomorrow))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Invalid);
    let ever = ReviewRequest::since(ibyok_core::jiff::Timestamp::UNIX_EPOCH);
    assert!(scene.operator().reviews().run(&ever).await.unwrap().found.lines > 1);
}
