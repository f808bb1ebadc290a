//! Tenants of a vault on the command line.

use crate::harness::Place;

/// A vault in which `acme` has a key and a token.
fn with_tenant() -> (Place, String) {
    let place = Place::with_key("dev/k", "default's");
    place.ibyok(&["namespaces", "add", "acme"]).ok();
    let set = ["--namespace", "acme", "keys", "set", "dev/k"];
    place.ibyok(&set).stdin("acme's").ok();
    let issue = ["--namespace", "acme", "tokens", "issue", "t", "--env", "dev"];
    let token = place.ibyok(&issue).ok().out.trim().to_owned();
    (place, token)
}

#[test]
fn a_namespace_is_added_with_the_usual_environments_or_with_named_ones() {
    let place = Place::new();
    let acme = place.ibyok(&["namespaces", "add", "acme", "--json"]).ok().json();
    assert_eq!(acme["name"], "acme");
    assert_eq!(acme["environments"], serde_json::json!(["dev", "prod", "staging"]));
    let add = [
        "namespaces",
        "add",
        "globex",
        "--env",
        "live",
        "--env",
        "qa=staging",
        "--json",
    ];
    assert_eq!(
        place.ibyok(&add).ok().json()["environments"],
        serde_json::json!(["live", "qa"])
    );
    let environments = place
        .ibyok(&["--namespace", "globex", "envs", "list", "--json"])
        .ok()
        .json();
    let classes: Vec<_> = environments["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["class"].clone())
        .collect();
    assert_eq!(classes, ["prod", "staging"]);
    let listed = place.ibyok(&["namespaces", "list", "--json"]).ok().json();
    let names: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["acme", "default", "globex"]);
    assert_eq!(listed["next"], serde_json::Value::Null);
    assert!(place.ibyok(&["namespaces", "list"]).ok().out.contains("globex"));
    for existing in ["acme", "default"] {
        place.ibyok(&["namespaces", "add", existing]).fails(1);
    }
    for bad in ["Acme", "a/b", "whole", "self", ""] {
        place.ibyok(&["namespaces", "add", bad]).fails(2);
    }
    place.ibyok(&["namespaces", "add", "x", "--env", "qa=odd"]).fails(2);
    place.ibyok(&["namespaces", "add", "x", "--env", "a/b"]).fails(2);
}

#[test]
fn a_namespace_is_removed_with_a_yes_and_with_its_contents_only_by_its_name() {
    let (place, token) = with_tenant();
    let get = ["get", "dev/k"];
    assert_eq!(place.ibyok(&get).env("IBYOK_TOKEN", &token).ok().out, "acme's\n");
    place.ibyok(&["namespaces", "remove", "acme"]).fails(2);
    let refused = place
        .ibyok(&["--yes", "--json", "namespaces", "remove", "acme"])
        .fails(1);
    assert!(
        refused.out.contains("in_use") && refused.out.contains("--force"),
        "{refused:?}"
    );
    place
        .ibyok(&["--yes", "namespaces", "remove", "acme", "--force", "default"])
        .fails(2);
    place
        .ibyok(&["--yes", "namespaces", "remove", "default", "--force", "default"])
        .fails(1);
    place.ibyok(&["--yes", "namespaces", "remove", "nobody"]).fails(4);
    assert_eq!(place.ibyok(&get).env("IBYOK_TOKEN", &token).ok().out, "acme's\n");
    let remove = ["--yes", "--json", "namespaces", "remove", "acme", "--force", "acme"];
    let removed = place.ibyok(&remove).ok().json();
    assert_eq!((&removed["keys"], &removed["tokens"]), (&1.into(), &1.into()));
    place.ibyok(&get).env("IBYOK_TOKEN", &token).fails(3);
    place.ibyok(&["--namespace", "acme", "get", "dev/k"]).fails(4);
    place.ibyok(&["namespaces", "add", "acme"]).ok();
    place.ibyok(&["--namespace", "acme", "get", "dev/k"]).fails(4);
    assert_eq!(place.ibyok(&get).ok().out, "default's\n");
    let log = place.ibyok(&["audit", "tail", "--json"]).ok().out;
    for action in ["namespace.create", "namespace.remove"] {
        assert!(log.contains(action), "{action} in {log}");
    }
    place.ibyok(&["audit", "verify"]).ok();
}

#[test]
fn an_empty_namespace_is_removed_with_a_yes() {
    let place = Place::new();
    place.ibyok(&["namespaces", "add", "acme"]).ok();
    let removed = place.ibyok(&["--yes", "namespaces", "remove", "acme"]).ok();
    assert!(removed.err.contains("removed the namespace `acme`"), "{removed:?}");
}

#[test]
fn namespaces_are_the_operators_here() {
    let (place, token) = with_tenant();
    for verb in [
        vec!["list"],
        vec!["add", "globex"],
        vec!["--yes", "remove", "acme", "--force", "acme"],
    ] {
        let arguments = [vec!["namespaces"], verb].concat();
        place.ibyok(&arguments).env("IBYOK_TOKEN", &token).fails(3);
        place.ibyok(&arguments).env("IBYOK_TOKEN", "").fails(3);
        place.ibyok(&arguments).env("IBYOK_URL", "http://127.0.0.1:1").fails(2);
    }
    let listed = place.ibyok(&["namespaces", "list", "--json"]).ok().json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}
