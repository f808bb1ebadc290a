//! No operation shows one tenant what belongs to another, and none changes it.
#![expect(clippy::unwrap_used, reason = "a setup that fails is a failed test")]

#[path = "../../ibyok-core/tests/scene/mod.rs"]
mod scene;

use ibyok_core::audit::Filter;
use ibyok_core::environments::Class;
use ibyok_core::incidents::IncidentRequest;
use ibyok_core::keys::{Interval, KeyWrite};
use ibyok_core::tokens::Expiry;
use ibyok_core::{Code, Environments, Grant, Scope, Scopes, Session, TokenRequest};
use ibyok_operations::incidents::IncidentReportExt as _;
use ibyok_operations::reviews::{ReviewExt as _, ReviewHabits, ReviewRequest};
use ibyok_operations::rotation::DueExt as _;
use ibyok_operations::tokens::TokenReviewExt as _;
use scene::{Scene, secret};

/// A tenant with a key that is due, an incident, and a token that read the key and never expires. Returns its operator and the token.
async fn tenant(scene: &Scene, name: &str) -> (Session, Session) {
    let operator = scene.vault.operator(format!("host-of-{name}"));
    let operator = operator.in_namespace(name.parse().unwrap()).unwrap();
    let environment = format!("{name}-prod");
    operator
        .environments()
        .add(environment.parse().unwrap(), Class::Prod)
        .await
        .unwrap();
    let key = scene.key(&format!("{environment}/{name}-key"));
    let every: Interval = "1s".parse().unwrap();
    let write = KeyWrite::from(secret(name)).rotate_every(Some(Some(every)));
    operator.keys().set(&key, write).await.unwrap();
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let request = TokenRequest::new(format!("{name}-admin"), grant).expiry(Expiry::Never);
    let token = operator.tokens().issue(request).await.unwrap().token;
    let token = scene.vault.as_token(&token);
    token.retrieve(&key).await.unwrap();
    operator
        .incidents()
        .open(&key, IncidentRequest::new("it leaked"))
        .await
        .unwrap();
    (operator, token)
}

/// Everything that the operations tell a session.
async fn told(session: &Session) -> String {
    let review = session.reviews().run(&ReviewRequest::default()).await.unwrap();
    let due = session.rotation().due(None).await.unwrap();
    let tokens = session.tokens().review().await.unwrap();
    let recorded = session.reviews().record(&ReviewRequest::default(), None).await.unwrap();
    format!("{review:?} {due:?} {tokens:?} {recorded:?}")
}

#[tokio::test]
async fn no_operation_tells_a_tenant_of_another() {
    let scene = Scene::new().await;
    let (acme, acmes_token) = tenant(&scene, "acme").await;
    let (globex, _) = tenant(&scene, "globex").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    for session in [&acme, &acmes_token] {
        let told = told(session).await;
        for own in ["acme-key", "acme-admin"] {
            assert!(told.contains(own), "{told}");
        }
        assert!(!told.contains("globex"), "{told}");
    }
    assert_eq!(globex.reviews().last().await.unwrap(), None);
    assert!(acme.reviews().last().await.unwrap().is_some());
    let whole = scene.vault.whole_log("host");
    let all = whole.reviews().run(&ReviewRequest::default()).await.unwrap();
    let all = serde_json::to_string(&all).unwrap();
    assert!(all.contains("acme-admin") && all.contains("globex-admin"), "{all}");
}

#[tokio::test]
async fn an_operation_on_a_thing_of_another_tenant_is_refused() {
    let scene = Scene::new().await;
    let (acme, acmes_token) = tenant(&scene, "acme").await;
    let (globex, _) = tenant(&scene, "globex").await;
    let incidents = globex.incidents().list(ibyok_core::incidents::IncidentsShown::All);
    let incident = incidents.await.unwrap().first().unwrap().id.to_string();
    let findings = globex.reviews().run(&ReviewRequest::default()).await.unwrap().found;
    let finding = findings.findings.first().unwrap().id.to_string();
    let theirs = "globex-prod".parse().unwrap();
    for session in [&acme, &acmes_token] {
        let (habits, mut refused) = (ReviewHabits::default(), Vec::new());
        for which in [incident.as_str(), "ibyok://globex/globex-prod/globex-key"] {
            let report = session.incidents().report(which, None, &habits);
            refused.push(report.await.map(|_| ()));
        }
        let request = ReviewRequest::default();
        let acknowledged = session.reviews().acknowledge(&request, &finding, "a test").await;
        refused.push(acknowledged.map(|_| ()));
        refused.push(session.rotation().due(Some(&theirs)).await.map(|_| ()));
        for outcome in refused {
            let code = outcome.unwrap_err().code();
            assert!(matches!(code, Code::Denied | Code::NotFound), "{code}");
        }
    }
    let now = globex.reviews().run(&ReviewRequest::default()).await.unwrap().found;
    assert!(now.findings.iter().all(|finding| finding.acknowledged.is_none()));
}

#[tokio::test]
async fn each_operation_is_one_line_of_the_log_and_a_refusal_is_one_too() {
    let scene = Scene::new().await;
    let (operator, token) = tenant(&scene, "acme").await;
    let lines = async || {
        let lines = operator.audit().lines(&Filter::default()).await.unwrap();
        let entries = lines.map(|line| line.unwrap().entry().clone());
        let by_token = entries.filter(|entry| entry.principal.name.as_deref() == Some("acme-admin"));
        by_token
            .map(|entry| (entry.action, entry.outcome.as_str()))
            .collect::<Vec<_>>()
    };
    let before = lines().await.len();
    token.reviews().run(&ReviewRequest::default()).await.unwrap();
    token.reviews().last().await.unwrap();
    token.tokens().review().await.unwrap();
    let key = "acme-prod/acme-key";
    let habits = ReviewHabits::default();
    token.incidents().report(key, None, &habits).await.unwrap();
    token.reviews().record(&ReviewRequest::default(), None).await.unwrap();
    let tomorrow = token.now() + std::time::Duration::from_secs(24 * 60 * 60);
    let early = token.reviews().run(&ReviewRequest::since(tomorrow)).await;
    assert_eq!(early.unwrap_err().code(), Code::Invalid);
    let found: Vec<(String, &str)> = lines().await.split_off(before);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(action, outcome)| (action.as_str(), *outcome))
        .collect();
    assert_eq!(
        found,
        [
            ("audit.read", "allowed"),
            ("audit.read", "allowed"),
            ("token.list", "allowed"),
            ("audit.read", "allowed"),
            ("review.done", "allowed"),
            ("review.done", "allowed"),
            ("audit.read", "failed"),
        ]
    );
}
