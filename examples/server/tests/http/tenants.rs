//! Tokens of two namespaces on one server: every route is asked for the other's objects.

use std::collections::BTreeSet;

use ibyok_core::{
    Environments, Grant, Scope, Scopes, Secret, Session, TokenRequest, environments::Class, incidents::IncidentRequest,
    keys::KeyWrite,
};
use serde_json::Value;

use crate::world::{Answer, World};

/// Routes without another namespace's objects in them. They would end the token that asks, or only do the caller's
/// own work.
const OWN: [&str; 6] = [
    "DELETE /api/v1/tokens/self",
    "POST /api/v1/tokens/self/rotate",
    "POST /api/v1/audit/review/done",
    "GET /healthz",
    "GET /readyz",
    "GET /openapi.json",
];

/// Texts that must appear in no answer, and are in no request either.
const MARKS: [&str; 4] = ["sk-of-globex", "label-of-globex", "reason-of-globex", "host-of-globex"];

struct Tenant {
    operator: Session,
    token: String,
    token_id: String,
}

async fn tenant(world: &World, name: &str, environments: &[&str]) -> Tenant {
    let environments: Vec<_> = environments
        .iter()
        .map(|name| (name.parse().unwrap(), Class::Prod))
        .collect();
    let namespaces = world.vault.namespaces("host");
    namespaces
        .create_with(&name.parse().unwrap(), &environments)
        .await
        .unwrap();
    let operator = world
        .vault
        .operator(format!("host-of-{name}"))
        .in_namespace(name.parse().unwrap())
        .unwrap();
    let labels = [("owner".to_owned(), format!("label-of-{name}"))].into();
    for value in ["first", &format!("sk-of-{name}")] {
        let write = KeyWrite::from(Secret::copy_of(value.as_bytes())).labels(Some(Clone::clone(&labels)));
        operator
            .keys()
            .set(&"prod/openai".parse().unwrap(), write)
            .await
            .unwrap();
    }
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let issued = operator
        .tokens()
        .issue(TokenRequest::new("admin", grant))
        .await
        .unwrap();
    Tenant {
        operator,
        token: issued.token.expose().to_owned(),
        token_id: issued.info.id.to_string(),
    }
}

/// Another tenant's values for a parameter of a path or query.
struct Theirs {
    key_id: String,
    token: String,
    incident: String,
    finding: String,
}

impl Theirs {
    /// The values of one path's parameters that name something of theirs.
    fn paths(&self, path: &str) -> Vec<String> {
        let reference = "ibyok:%2F%2Fglobex%2Fprod%2Fopenai";
        let keys = [
            ("globex%2Fprod", "openai"),
            ("ibyok:%2F%2Fglobex%2Fprod", "openai"),
            ("ibyok:%2F", "globex%2Fprod%2Fopenai"),
            ("prod", "..%2F..%2Fglobex%2Fprod%2Fopenai"),
            ("prod", reference),
            ("prod", self.key_id.as_str()),
            ("live", "openai"),
            ("_", self.key_id.as_str()),
        ];
        let ids: Vec<&str> = match path.contains("/incidents/") {
            true => vec![&self.incident, reference],
            false => vec![&self.token],
        };
        if path.contains("{id}") {
            return ids.iter().map(|id| path.replace("{id}", id)).collect();
        }
        // Where no environment is named, the name alone is the caller's own.
        let foreign = keys
            .iter()
            .filter(|(_, name)| path.contains("{env}") || *name != "openai");
        let of = foreign.map(|(env, name)| path.replace("{env}", env).replace("{name}", name));
        of.collect()
    }

    /// Returns the body of a request: one that would be right for the caller's own objects.
    fn body(&self, method: &str, path: &str) -> String {
        let last = path.rsplit('/').next().unwrap_or_default();
        match (method, last) {
            ("PUT", "modes") => r#"{"environment":"live","mode":"mock"}"#.to_owned(),
            ("PUT", "limits") => r#"{"environment":"live","limit":"1/day"}"#.to_owned(),
            ("PUT", _) | ("POST", "stage") => r#"{"value":"theirs no more"}"#.to_owned(),
            ("PATCH", _) => r#"{"labels":{"owner":"acme"}}"#.to_owned(),
            ("POST", "mode") => r#"{"mode":"mock"}"#.to_owned(),
            ("POST", "copy") => r#"{"to":"prod/stolen","replace":true}"#.to_owned(),
            ("POST", "retire") => r#"{"force":true,"reason":"a test"}"#.to_owned(),
            ("POST", "destroy") => r#"{"version":1,"force":true,"reason":"a test"}"#.to_owned(),
            ("POST", "tokens") => r#"{"name":"x","scopes":["keys:read"],"environments":["live"]}"#.to_owned(),
            ("POST", "incidents") => {
                r#"{"ref":"ibyok://globex/prod/openai","reason":"a test","freeze":true}"#.to_owned()
            }
            ("POST", "close") => r#"{"cause":"a cause","prevention":"a test","force":true}"#.to_owned(),
            ("POST", "notes") => r#"{"text":"a note"}"#.to_owned(),
            ("POST", "acks") => format!(r#"{{"id":"{}","reason":"a test"}}"#, self.finding),
            ("POST", "rotate") => r#"{"grace_seconds":0}"#.to_owned(),
            _ => String::new(),
        }
    }

    /// Queries of a route that name something of theirs.
    fn queries(&self, operation: &Value) -> Vec<String> {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let of_query = parameters.iter().filter(|one| one["in"] == "query");
        let queries = of_query.filter_map(|one| match one["name"].as_str()? {
            "env" => Some(vec!["env=live".to_owned(), "env=globex%2Fprod".to_owned()]),
            "key" => Some(vec![
                "key=ibyok:%2F%2Fglobex%2Fprod%2Fopenai".to_owned(),
                format!("key=ibyok:%2F%2Fglobex%2Fprod%2F{}", self.key_id),
                format!("key=prod%2F{}", self.key_id),
            ]),
            _ => None,
        });
        queries.flatten().collect()
    }
}

/// Everything of a tenant that its own token sees.
async fn state(world: &World, token: &str) -> Vec<Value> {
    let mut state = Vec::new();
    for path in [
        "keys",
        "keys/prod/openai",
        "keys/prod/openai/value",
        "tokens",
        "incidents?all=true",
        "modes",
        "limits",
    ] {
        let answer = world.ask("GET", &format!("/api/v1/{path}"), token).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        state.push(answer.json());
    }
    state
}

async fn asked(world: &World, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let answer = match body {
        "" => world.ask(method, path, token).await,
        body => world.tell(method, path, token, body).await,
    };
    let told = answer.text();
    let mark = MARKS.iter().find(|mark| told.contains(*mark));
    assert_eq!(mark, None, "{method} {path}: {told}");
    answer
}

#[tokio::test]
async fn no_route_reaches_what_belongs_to_another_tenant() {
    let world = World::new().await;
    let acme = tenant(&world, "acme", &["prod", "test"]).await;
    let globex = tenant(&world, "globex", &["prod", "live"]).await;
    let key = "prod/openai".parse().unwrap();
    let opened = globex
        .operator
        .incidents()
        .open(&key, IncidentRequest::new("reason-of-globex"))
        .await
        .unwrap();
    // A finding at any hour of the day: a token that fails again and again.
    let limited = world
        .vault
        .operator("host")
        .in_namespace("globex".parse().unwrap())
        .unwrap();
    let grant = Grant::new([Scope::KeysList].into_iter().collect(), Environments::All);
    let limited = limited
        .tokens()
        .issue(TokenRequest::new("limited", grant))
        .await
        .unwrap();
    for _ in 0..30 {
        let refused = world
            .ask("GET", "/api/v1/keys/prod/openai/value", limited.token.expose())
            .await;
        assert!([403, 429].contains(&refused.status), "{}", refused.status);
    }
    let review = world.ask("GET", "/api/v1/audit/review", &globex.token).await.json();
    let theirs = Theirs {
        key_id: globex.operator.keys().show(&key).await.unwrap().id.to_string(),
        token: globex.token_id.clone(),
        incident: opened.incident.id.to_string(),
        finding: review["findings"][0]["id"].as_str().unwrap().to_owned(),
    };
    let before = state(&world, &globex.token).await;
    let interface = world.ask("GET", "/openapi.json", &acme.token).await.json();
    let mut tried = BTreeSet::new();
    for (path, operations) in interface["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = method.to_uppercase();
            if method == "PARAMETERS" || OWN.contains(&format!("{method} {path}").as_str()) {
                continue;
            }
            tried.insert(format!("{method} {path}"));
            let body = theirs.body(&method, path);
            let foreign: Vec<String> = match path.contains('{') {
                true => theirs.paths(path),
                false => theirs
                    .queries(operation)
                    .iter()
                    .map(|query| format!("{path}?{query}"))
                    .collect(),
            };
            for foreign in foreign {
                let answer = asked(&world, &method, &foreign, &acme.token, &body).await;
                // What has the form of one's own is refused for whose it is, and not for its form.
                let by_id = [&theirs.key_id, &theirs.token, &theirs.incident];
                let formed = by_id.iter().any(|id| foreign.contains(id.as_str()));
                assert!(!formed || answer.status != 400, "{method} {foreign}: {}", answer.text());
                assert!(
                    [400, 403, 404].contains(&answer.status),
                    "{method} {foreign}: {} {}",
                    answer.status,
                    answer.text()
                );
            }
            if !path.contains('{') {
                let answer = asked(&world, &method, path, &acme.token, &body).await;
                let fine = method == "GET" || [400, 403, 404].contains(&answer.status);
                assert!(fine, "{method} {path}: {} {}", answer.status, answer.text());
            }
        }
    }
    assert!(tried.len() > 30, "{tried:?}");
    assert_eq!(state(&world, &globex.token).await, before);
    let lines = world.log().await;
    let by_acme = lines
        .iter()
        .filter(|line| line["principal"]["id"] == acme.token_id.as_str());
    assert!(by_acme.clone().count() > 30);
    by_acme.for_each(|line| assert_eq!(line["namespace"], "acme", "{line}"));
}

#[tokio::test]
async fn a_reference_in_an_answer_names_the_namespace_and_is_good_for_asking_again() {
    let world = World::new().await;
    let acme = tenant(&world, "acme", &["prod"]).await;
    let listed = world.ask("GET", "/api/v1/keys", &acme.token).await.json();
    assert_eq!(listed["items"][0]["ref"], "ibyok://acme/prod/openai");
    let usage = "/api/v1/usage?key=ibyok:%2F%2Facme%2Fprod%2Fopenai";
    assert_eq!(world.ask("GET", usage, &acme.token).await.status, 200);
    let home = world.admin().await;
    let shown = world.ask("GET", "/api/v1/keys/prod/openai", &home).await.json();
    assert_eq!(shown["ref"], "prod/openai");
}
