//! Tenants of one vault stay apart: what a session, a reference or a token of one does with the things of another.
#![expect(clippy::unwrap_used, reason = "what cannot be set up here is a failed test")]

mod scene;

use ibyok_core::{
    Class, Code, Environments, FileSink, Grant, KeyRef, LocalKek, MemoryStore, Namespace, Scope, Scopes, Session,
    TokenRequest, Vault,
};
use scene::{Scene, secret};

fn namespace(name: &str) -> Namespace {
    name.parse().unwrap()
}

/// A namespace with `prod/openai` in it, and the sessions of its operator and of a token that may do everything there.
async fn tenant(scene: &Scene, name: &str) -> (Session, Session) {
    let operator = scene.operator().in_namespace(namespace(name)).unwrap();
    operator
        .add_environment("prod".parse().unwrap(), Class::Prod)
        .await
        .unwrap();
    let key = scene.key("prod/openai");
    operator.set_key(&key, secret(&format!("sk-{name}"))).await.unwrap();
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let issued = operator.issue_token(TokenRequest::new("admin", grant)).await.unwrap();
    (operator, scene.vault.as_token(issued.token))
}

#[tokio::test]
async fn a_session_refuses_a_reference_to_another_namespace_whether_or_not_it_exists() {
    let scene = Scene::new().await;
    let (operator, token) = tenant(&scene, "acme").await;
    tenant(&scene, "globex").await;
    for session in [operator, token] {
        let mut answers = Vec::new();
        for other in ["globex", "default", "nobody"] {
            for key in ["prod/openai", "prod/nothing", "nowhere/openai"] {
                let key: KeyRef = format!("ibyok://{other}/{key}").parse().unwrap();
                let refused = session.retrieve(&key).await.unwrap_err();
                assert_eq!(refused.code(), Code::Denied, "{key}");
                answers.push(refused.to_string());
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        let own = "ibyok://acme/prod/openai".parse().unwrap();
        assert_eq!(session.retrieve(&own).await.unwrap().text().unwrap(), "sk-acme");
    }
}

#[tokio::test]
async fn a_refused_reference_is_on_the_log_of_the_caller_and_of_no_other_tenant() {
    let scene = Scene::new().await;
    let (operator, _) = tenant(&scene, "acme").await;
    let (..) = tenant(&scene, "globex").await;
    let key: KeyRef = "ibyok://globex/prod/openai".parse().unwrap();
    operator.retrieve(&key).await.unwrap_err();
    let text = scene.log_text().await;
    let line = text
        .lines()
        .find(|line| line.contains("ibyok://globex/prod/openai"))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (
            &line["namespace"],
            &line["outcome"],
            &line["reason"],
            &line["key"],
            &line["environment"]
        ),
        (
            &"acme".into(),
            &"denied".into(),
            &"namespace".into(),
            &serde_json::Value::Null,
            &serde_json::Value::Null
        ),
        "{line}"
    );
}

#[tokio::test]
async fn parts_of_a_hostile_path_never_reach_another_namespace() {
    let scene = Scene::new().await;
    let (operator, token) = tenant(&scene, "acme").await;
    tenant(&scene, "globex").await;
    let parts = [
        "globex/prod",
        "ibyok://globex/prod",
        "ibyok:/",
        "ibyok:",
        "globex%2Fprod",
        "..",
        "prod",
        "",
        " prod",
        "ibyok://globex",
        "/globex/prod",
    ];
    let names = [
        "openai",
        "/globex/prod/openai",
        "globex/prod/openai",
        "../globex/prod/openai",
        "prod/openai",
        "",
        "openai#value",
        "openai?version=1",
    ];
    for session in [operator, token] {
        for environment in parts {
            for name in names {
                let text = format!("{environment}/{name}");
                for key in [text.parse::<KeyRef>(), KeyRef::from_parts(environment, name)]
                    .into_iter()
                    .flatten()
                {
                    if let Ok(released) = session.retrieve(&key).await {
                        assert_eq!(released.text().unwrap(), "sk-acme", "{text}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_operator_without_a_name_of_its_own_may_do_nothing() {
    let scene = Scene::new().await;
    scene
        .operator()
        .set_key(&scene.key("prod/openai"), secret("sk"))
        .await
        .unwrap();
    let long = "x".repeat(257);
    let token_id = scene
        .operator()
        .issue_token(TokenRequest::new("t", scene::reading("prod")))
        .await
        .unwrap()
        .info
        .id;
    for name in ["", " ", "a\nb", "\u{7}", long.as_str(), &token_id.to_string()] {
        let session = scene.vault.operator(name);
        let refused = session.retrieve(&scene.key("prod/openai")).await.unwrap_err();
        assert_eq!(refused.code(), Code::Invalid, "{name:?}");
        assert_eq!(session.whoami().await.unwrap_err().code(), Code::Invalid, "{name:?}");
    }
    let text = scene.log_text().await;
    assert!(
        !text
            .lines()
            .any(|line| line.contains("key.retrieve") && line.contains("\"allowed\"")),
        "{text}"
    );
}

#[tokio::test]
async fn a_token_is_in_the_namespace_that_issued_it_and_is_put_in_no_other() {
    let scene = Scene::new().await;
    let (_, token) = tenant(&scene, "acme").await;
    for other in ["globex", "default", "acme"] {
        let refused = token.clone().in_namespace(namespace(other)).unwrap_err();
        assert_eq!(refused.code(), Code::Invalid, "{other}");
    }
}

#[tokio::test]
async fn a_vault_whose_home_is_a_tenant_acts_in_it() {
    let scratch = tempfile::tempdir().unwrap();
    let builder = Vault::builder()
        .store(MemoryStore::new())
        .kek(LocalKek::generate().unwrap());
    let sink = FileSink::open(scratch.path().join("audit")).await.unwrap();
    let vault = builder.audit(sink).home(namespace("acme")).create().await.unwrap();
    let operator = vault.operator("test");
    assert_eq!(operator.whoami().await.unwrap().namespace, namespace("acme"));
    let names: Vec<String> = operator
        .environments()
        .await
        .unwrap()
        .iter()
        .map(|e| e.name.to_string())
        .collect();
    assert_eq!(names, ["dev", "prod", "staging"]);
    assert_eq!(vault.status().await.unwrap().environments.len(), 3);
    let key: KeyRef = "ibyok://acme/dev/openai".parse().unwrap();
    let written = operator.set_key(&key, secret("sk-acme")).await.unwrap();
    assert_eq!(written.reference, "dev/openai");
    assert_eq!(
        operator
            .retrieve(&"dev/openai".parse().unwrap())
            .await
            .unwrap()
            .text()
            .unwrap(),
        "sk-acme"
    );
    let default: KeyRef = "ibyok://default/dev/openai".parse().unwrap();
    assert_eq!(operator.retrieve(&default).await.unwrap_err().code(), Code::Denied);
}

#[tokio::test]
async fn results_and_errors_name_the_namespace_that_is_not_the_home() {
    let scene = Scene::new().await;
    let (operator, token) = tenant(&scene, "acme").await;
    let key = scene.key("prod/openai");
    let full = "ibyok://acme/prod/openai";
    for session in [&operator, &token] {
        assert_eq!(session.show_key(&key).await.unwrap().reference, full);
        let released = session.retrieve(&key).await.unwrap();
        assert_eq!(
            (released.info().reference.as_str(), released.info().namespace.as_str()),
            (full, "acme")
        );
        let listed = session.list_keys(None, &Default::default()).await.unwrap();
        assert_eq!(listed.items[0].reference, full);
        for missing in ["prod/nothing", "prod/openai?version=9"] {
            let error = session.retrieve(&scene.key(missing)).await.unwrap_err().to_string();
            assert!(error.contains("ibyok://acme/prod/"), "{error}");
        }
    }
    let error = operator
        .retrieve(&scene.key("test/openai"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("`acme`"), "{error}");
    scene.operator().set_key(&key, secret("sk")).await.unwrap();
    assert_eq!(scene.operator().show_key(&key).await.unwrap().reference, "prod/openai");
}
