use ibyok_core::Scope;

use crate::world::World;

const KEY: &str = "/api/v1/keys/prod/openai";

#[tokio::test]
async fn a_version_is_staged_tried_promoted_and_rolled_back() {
    let world = World::new().await;
    let admin = world.admin().await;
    let step = async |step: &str, body: &str| world.tell("POST", &format!("{KEY}/{step}"), &admin, body).await;
    let staged = step("stage", r#"{"value":"sk-2"}"#).await;
    assert_eq!(staged.status, 200, "{}", staged.text());
    assert_eq!(
        (&staged.json()["version"], &staged.json()["state"]),
        (&2.into(), &"pending".into())
    );
    let value = async |query: &str| world.ask("GET", &format!("{KEY}/value{query}"), &admin).await;
    assert_eq!(value("").await.json()["version"], 1);
    let pending = value("?version=pending").await;
    assert_eq!(
        (&pending.json()["version"], &pending.json()["value"]),
        (&2.into(), &"sk-2".into())
    );
    let promoted = step("promote", "{}").await.json();
    assert_eq!(
        (&promoted["version"], &promoted["versions"][0]["state"]),
        (&2.into(), &"retiring".into())
    );
    assert_eq!(value("?version=pending").await.status, 404);
    assert_eq!(value("?version=1").await.status, 200);
    assert_eq!(step("promote", "{}").await.status, 404);
    assert_eq!(step("rollback", "").await.json()["version"], 1);
    for (name, body) in [
        ("stage", "{}"),
        ("stage", r#"{"value":""}"#),
        ("stage", r#"{"value":"v","provider":"another"}"#),
        ("promote", r#"{"version":2}"#),
        ("rollback", "[]"),
    ] {
        assert_eq!(step(name, body).await.status, 400, "{name} {body}");
    }
    for version in ["current", "Pending", "0", "latest", ""] {
        assert_eq!(value(&format!("?version={version}")).await.status, 400, "{version}");
    }
}

#[tokio::test]
async fn each_step_needs_its_scope_whether_or_not_the_key_exists() {
    let world = World::new().await;
    let scopes = [Scope::KeysWrite, Scope::KeysRead, Scope::KeysList];
    let writer = world.token(&scopes, &["prod"], &["*"]).await;
    for key in [KEY, "/api/v1/keys/prod/absent"] {
        for (step, body) in [("stage", r#"{"value":"v"}"#), ("promote", ""), ("rollback", "")] {
            let answer = world.tell("POST", &format!("{key}/{step}"), &writer, body).await;
            assert_eq!((answer.status, answer.code()), (403, "denied".to_owned()), "{step}");
        }
    }
}
