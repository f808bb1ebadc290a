//! Tenants of one vault stay apart: sessions, references and tokens of one cannot reach the things of another.
#![expect(clippy::unwrap_used, reason = "a setup that fails is a failed test")]

mod scene;

use ibyok_core::{
    Code, Environments, FileSink, Grant, KeyRef, LocalKek, MemoryStore, Namespace, Scope, Scopes, Session,
    TokenRequest, Vault, audit::Filter, environments::Class,
};
use scene::{Scene, secret};

fn namespace(name: &str) -> Namespace {
    name.parse().unwrap()
}

/// A namespace with `prod/openai` in it, and the sessions of its operator and of a token that may do everything there.
async fn tenant(scene: &Scene, name: &str) -> (Session, Session) {
    let operator = scene.operator().in_namespace(namespace(name)).unwrap();
    operator
        .environments()
        .add("prod".parse().unwrap(), Class::Prod)
        .await
        .unwrap();
    let key = scene.key("prod/openai");
    operator.keys().set(&key, secret(&format!("sk-{name}"))).await.unwrap();
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let issued = operator
        .tokens()
        .issue(TokenRequest::new("admin", grant))
        .await
        .unwrap();
    (operator, scene.vault.as_token(&issued.token))
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
        .keys()
        .set(&scene.key("prod/openai"), secret("sk"))
        .await
        .unwrap();
    let long = "x".repeat(257);
    let token_id = scene
        .operator()
        .tokens()
        .issue(TokenRequest::new("t", scene::reading("prod")))
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
        .list()
        .await
        .unwrap()
        .iter()
        .map(|e| e.name.to_string())
        .collect();
    assert_eq!(names, ["dev", "prod", "staging"]);
    assert_eq!(vault.status().await.unwrap().environments.len(), 3);
    let key: KeyRef = "ibyok://acme/dev/openai".parse().unwrap();
    let written = operator.keys().set(&key, secret("sk-acme")).await.unwrap();
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

/// The lines that a session reads of the log, from now or from the beginning.
async fn lines(session: &Session) -> Vec<ibyok_core::audit::Line> {
    let lines = session.audit().lines(&Filter::default()).await.unwrap();
    lines.map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_session_reads_the_lines_of_its_namespace_and_the_whole_log_is_a_verb_of_the_vault() {
    let scene = Scene::new().await;
    let (acme, token) = tenant(&scene, "acme").await;
    let (globex, _) = tenant(&scene, "globex").await;
    let follow = acme.audit().follow(&Filter::default()).await;
    token.retrieve(&scene.key("prod/openai")).await.unwrap();
    globex.retrieve(&scene.key("prod/openai")).await.unwrap();
    for session in [&acme, &globex] {
        let own = session.whoami().await.unwrap().namespace.to_string();
        let lines = lines(session).await;
        assert!(
            lines.iter().any(|line| line.entry().action == "key.retrieve"),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .all(|line| line.entry().namespace.as_deref() == Some(own.as_str())),
            "{lines:?}"
        );
    }
    let mut follow = follow.unwrap();
    let followed = follow.poll().await.unwrap();
    assert!(
        followed.iter().any(|line| line.entry().action == "key.retrieve"),
        "{followed:?}"
    );
    assert!(
        followed
            .iter()
            .all(|line| line.entry().namespace.as_deref() == Some("acme")),
        "{followed:?}"
    );
    let mut filter = Filter::default();
    filter.namespace = Some("globex".to_owned());
    assert_eq!(acme.audit().lines(&filter).await.err().unwrap().code(), Code::Denied);
    assert_eq!(acme.audit().follow(&filter).await.err().unwrap().code(), Code::Denied);
    let whole = scene.vault.whole_log("host").lines(&Filter::default()).await.unwrap();
    let whole: Vec<_> = whole.map(|line| line.unwrap().entry().clone()).collect();
    assert!(
        whole
            .iter()
            .any(|entry| entry.action == "log.open" && entry.namespace.is_none())
    );
    for name in ["acme", "globex", "default"] {
        assert!(
            name == "default" || whole.iter().any(|entry| entry.namespace.as_deref() == Some(name)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_proof_of_another_tenants_line_is_as_if_there_were_no_such_line() {
    let scene = Scene::new().await;
    let (acme, _) = tenant(&scene, "acme").await;
    let (globex, _) = tenant(&scene, "globex").await;
    let theirs = lines(&globex).await.remove(0);
    let (log, seq) = (theirs.entry().log.clone(), theirs.entry().seq);
    let refused = acme.audit().prove(Some(&log), seq).await.unwrap_err();
    let missing = acme.audit().prove(Some(&log), 1_000_000).await.unwrap_err();
    assert_eq!((refused.code(), missing.code()), (Code::NotFound, Code::NotFound));
    assert_eq!(
        refused.to_string(),
        missing.to_string().replace("1000000", &seq.to_string())
    );
    assert_eq!(acme.audit().prove(None, seq).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(
        globex.audit().prove(Some(&log), seq).await.unwrap().line(),
        theirs.text()
    );
    assert_eq!(
        scene
            .vault
            .whole_log("host")
            .prove(Some(&log), seq)
            .await
            .unwrap()
            .line(),
        theirs.text()
    );
}

#[tokio::test]
async fn a_review_is_of_one_namespace_and_strangers_are_the_hosts() {
    let scene = Scene::new().await;
    let (acme, token) = tenant(&scene, "acme").await;
    let (_, other) = tenant(&scene, "globex").await;
    let key = scene.key("prod/openai");
    for session in [&token, &other] {
        session.retrieve(&key).await.unwrap();
    }
    let (own, theirs) = (token.whoami().await.unwrap().id, other.whoami().await.unwrap().id);
    scene
        .vault
        .retrieve(&"garbage".into(), &key, &Default::default())
        .await
        .unwrap_err();
    for session in [&acme, &token] {
        let review = session.audit().examine(scene::reviewer()).await.unwrap();
        let told = serde_json::to_string(&review.found).unwrap();
        assert!(
            told.contains(&own) && !told.contains(&theirs) && !told.contains("globex"),
            "{told}"
        );
    }
    let (home, whole) = (scene.operator(), scene.vault.whole_log("host"));
    let seen = home.audit().examine(scene::reviewer()).await.unwrap();
    let told = serde_json::to_string(&seen.found).unwrap();
    assert!(!told.contains(&own) && !told.contains(&theirs), "{told}");
    let all = whole.audit().examine(scene::reviewer()).await.unwrap();
    let told = serde_json::to_string(&all.found).unwrap();
    assert!(told.contains(&own) && told.contains(&theirs), "{told}");
    assert!(seen.found.lines < all.found.lines);
}

#[tokio::test]
async fn results_and_errors_name_the_namespace_that_is_not_the_home() {
    let scene = Scene::new().await;
    let (operator, token) = tenant(&scene, "acme").await;
    let key = scene.key("prod/openai");
    let full = "ibyok://acme/prod/openai";
    for session in [&operator, &token] {
        assert_eq!(session.keys().show(&key).await.unwrap().reference, full);
        let released = session.retrieve(&key).await.unwrap();
        assert_eq!(
            (released.info().reference.as_str(), released.info().namespace.as_str()),
            (full, "acme")
        );
        let listed = session.keys().list(None, &Default::default()).await.unwrap();
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
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    assert_eq!(
        scene.operator().keys().show(&key).await.unwrap().reference,
        "prod/openai"
    );
}
