//! Records of environments and of their names that are damaged or missing: every list shows the other environments and says what it
//! lacks, every other environment is served, and tokens can be revoked.

use ibyok_storage::RecordId;
use ibyok_tests::{Home, Request};
use serde_json::Value;

use crate::home_with_vault;

pub(crate) const ENVIRONMENT: u8 = 1;
pub(crate) const NAME: u8 = 2;

fn kind(id: RecordId) -> u8 {
    id.collection().kind().as_u8()
}

/// A vault with keys, a token and an incident in two environments, and a token that spans both.
pub(crate) fn home() -> Home {
    let home = home_with_vault();
    for environment in ["dev", "prod"] {
        home.set(&format!("{environment}/one"), format!("value of {environment}"));
        home.ibyok(["limits", "set", environment, "1000/min"]).run().done();
        home.token(&[&format!("of-{environment}"), "--env", environment]);
    }
    let opened = ["--yes", "incident", "open", "dev/one", "--reason", "pasted"];
    home.ibyok(opened).run().done();
    home
}

/// The record of a kind that holds the name of an environment in the clear.
pub(crate) fn record_of(home: &Home, of_kind: u8, environment: &str) -> RecordId {
    let holds = |bytes: Vec<u8>| {
        bytes
            .windows(environment.len())
            .any(|part| part == environment.as_bytes())
    };
    let mut found = home.behind().records().into_iter().filter(|id| kind(*id) == of_kind);
    found.find(|id| holds(home.behind().bytes(*id))).expect("a record")
}

pub(crate) fn flip(home: &Home, id: RecordId, at: usize) {
    let mut bytes = home.behind().bytes(id);
    bytes[at] ^= 1;
    home.behind().put(id, &bytes);
}

/// Every list over all environments on the command line, with the number of items that it has beside the damaged environment.
const LISTS: [(&[&str], i32, Option<usize>); 8] = [
    (&["keys", "list"], 0, Some(1)),
    (&["tokens", "list"], 0, Some(1)),
    (&["envs", "list"], 0, Some(2)),
    (&["limits", "show"], 0, Some(2)),
    (&["mode", "show"], 0, None),
    (&["incident", "list", "--all"], 0, None),
    (&["rotate", "due"], 10, None),
    (&["tokens", "review"], 10, None),
];

/// Checks that every list shows the rest and names the damaged record, and warns; and that `dev` is served.
#[track_caller]
fn the_rest_is_shown(home: &Home, id: RecordId, reason: &str) {
    for (list, exit, items) in LISTS {
        let ended = home.ibyok(["--json"].iter().chain(list)).run().exits(exit);
        let document = ended.json();
        if let Some(items) = items {
            assert_eq!(
                document["items"].as_array().unwrap().len(),
                items,
                "{list:?}: {document}"
            );
        }
        // Incidents are in a record of their own, which spans environments.
        if list[0] != "incident" {
            let damaged = &document["damaged"][0];
            assert_eq!(damaged["record"], id.to_string(), "{list:?}: {document}");
            assert_eq!(damaged["damaged"], reason, "{list:?}: {document}");
            assert_eq!(document["incomplete"], true, "{list:?}: {document}");
            assert!(ended.said().contains("warning"), "{list:?}: {}", ended.said());
        }
        let text = home.ibyok(list).run().exits(exit);
        if list[0] != "incident" {
            let shown = text.text() + &text.said();
            assert!(shown.contains("damaged"), "{list:?}: {shown}");
        }
    }
    let usage = home.ibyok(["--json", "usage"]).run().done();
    assert_eq!(usage.json()["incomplete"], true, "{}", usage.text());
    assert!(usage.said().contains("warning"), "{}", usage.said());
    home.ibyok(["incident", "report", "dev/one"]).run().done();
    assert_eq!(home.get("dev/one"), b"value of dev");
    home.ibyok(["export", "--env", "dev"]).run().done();
    home.ibyok(["run", "--env", "dev", "--", "true"]).run().done();
    home.set("dev/two", "another value");
    home.ibyok(["--yes", "keys", "remove", "dev/two"]).run().done();
}

/// Checks that nothing of `prod` is handed out, printed or started.
#[track_caller]
fn prod_is_refused(home: &Home, id: RecordId) {
    for verb in [
        &["get", "prod/one"][..],
        &["export", "--env", "prod"],
        &["keys", "list", "--env", "prod"],
        &["keys", "show", "prod/one"],
        &["keys", "disable", "prod/one"],
        &["limits", "show", "prod"],
        &["usage", "--env", "prod"],
        &["rotate", "due", "--env", "prod"],
        &["tokens", "issue", "late", "--env", "prod"],
    ] {
        let ended = home.ibyok(["--json"].iter().chain(verb)).run().fails(5, "integrity");
        let error = ended.json()["error"].clone();
        assert!(
            error["message"].as_str().unwrap().contains(&id.to_string()),
            "{verb:?}: {error}"
        );
    }
    let run = home
        .ibyok(["run", "--env", "prod", "--", "echo", "started"])
        .run()
        .exits(5);
    assert!(run.stdout.is_empty());
}

#[track_caller]
fn it_is_counted(home: &Home, id: RecordId) {
    let status = home.ibyok(["--json", "status"]).run();
    let records = status.json()["records"].clone();
    assert_eq!(records["damaged"], 1, "{records}");
    assert_eq!(records["records"][0]["record"], id.to_string(), "{records}");
    let open = home.ibyok(["--json", "checklist"]).run().exits(10).json();
    let items = open["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == "records-whole").unwrap();
    assert_eq!(item["ok"], false, "{item}");
    assert!(item["detail"].as_str().unwrap().contains(&id.to_string()), "{item}");
}

#[test]
fn a_damaged_environment_hides_no_other_in_any_list() {
    let home = home();
    let id = record_of(&home, ENVIRONMENT, "prod");
    let length = home.behind().bytes(id).len();
    // Magic, format version, vault, tag, name, wrapped key, and the sealed body from end to end.
    for (at, reason) in [
        (0, "does_not_open"),
        (4, "unknown_format"),
        (6, "does_not_open"),
        (22, "does_not_open"),
        (45, "does_not_open"),
        (100, "does_not_open"),
        (length / 2, "does_not_open"),
        (length - 1, "does_not_open"),
    ] {
        let copy = home.copy();
        flip(&copy, id, at);
        the_rest_is_shown(&copy, id, reason);
        prod_is_refused(&copy, id);
        it_is_counted(&copy, id);
    }
}

#[test]
fn an_environment_whose_record_is_cut_or_missing_is_damaged_and_not_unknown() {
    let home = home();
    let id = record_of(&home, ENVIRONMENT, "prod");
    for (bytes, reason) in [
        (Some(&b""[..]), "does_not_open"),
        (Some(b"IBYE"), "does_not_open"),
        (None, "missing"),
    ] {
        let copy = home.copy();
        match bytes {
            Some(bytes) => copy.behind().put(id, bytes),
            None => copy.behind().delete(id),
        }
        the_rest_is_shown(&copy, id, reason);
        prod_is_refused(&copy, id);
        it_is_counted(&copy, id);
    }
}

#[test]
fn a_record_of_an_environments_name_that_is_damaged_or_missing_is_said_by_every_list() {
    let home = home();
    let (name, key) = (record_of(&home, NAME, "prod"), record_of(&home, ENVIRONMENT, "prod"));
    // A name that cannot be read, another name, and none: then the record of the environment's key is the one that nobody names.
    let copy = home.copy();
    flip(&copy, name, 0);
    the_rest_is_shown(&copy, name, "does_not_open");
    it_is_counted(&copy, name);
    copy.ibyok(["--json", "get", "prod/one"]).run().fails(5, "integrity");
    let copy = home.copy();
    copy.behind().delete(name);
    the_rest_is_shown(&copy, key, "does_not_open");
    it_is_counted(&copy, key);
    copy.ibyok(["--json", "get", "prod/one"]).run().fails(5, "integrity");
    let copy = home.copy();
    let other = String::from_utf8(copy.behind().bytes(name))
        .unwrap()
        .replace("prod", "pqod");
    copy.behind().put(name, other.as_bytes());
    // The name that stands there now is nobody's, and no list shows it as an environment.
    the_rest_is_shown(&copy, name, "does_not_open");
    it_is_counted(&copy, name);
    let list = copy.ibyok(["--json", "envs", "list"]).run().done().json();
    assert!(!list["items"].to_string().contains("pqod"), "{list}");
    for key in ["prod/one", "pqod/one"] {
        copy.ibyok(["--json", "get", key]).run().fails(5, "integrity");
    }
}

#[test]
fn a_server_lists_the_rest_and_counts_the_damaged_environment() {
    for of_kind in [ENVIRONMENT, NAME] {
        let home = home();
        let token = home.token(&["wide", "--all-envs", "--scope", "admin"]);
        let of_dev = home.token(&["narrow", "--env", "dev", "--scope", "admin"]);
        let id = record_of(&home, of_kind, "prod");
        flip(&home, id, 0);
        let server = home.serve();
        let get = |path: &str, token: &str| server.send(&Request::get(path).bearer(token));
        for path in [
            "/api/v1/keys",
            "/external/keys",
            "/api/v1/tokens",
            "/api/v1/limits",
            "/api/v1/modes",
            "/api/v1/rotations/due",
            "/api/v1/tokens/review",
            "/api/v1/usage",
        ] {
            let list = get(path, &token).is(200).json();
            assert_eq!(list["incomplete"], true, "{path}: {list}");
            let damaged = if path.ends_with("usage") {
                "damaged_environments"
            } else {
                "damaged"
            };
            if of_kind == ENVIRONMENT {
                assert_eq!(list[damaged][0]["record"], id.to_string(), "{path}: {list}");
                assert_eq!(list[damaged][0]["environment"], "prod", "{path}: {list}");
            }
            // It has nothing to do with `prod`.
            let list = get(path, &of_dev).is(200).json();
            assert_eq!(
                (&list["incomplete"], &list[damaged]),
                (&Value::Null, &Value::Null),
                "{path}: {list}"
            );
        }
        assert_eq!(
            get("/api/v1/keys/dev/one/value", &token).is(200).json()["value"],
            "value of dev"
        );
        let refused = get("/api/v1/keys/prod/one/value", &token).is(500).json();
        assert_eq!(refused["code"], "integrity", "{refused}");
        let ready = server.send(&Request::get("/readyz")).is(200).json();
        assert_eq!(ready["damaged_records"], 1, "{ready}");
    }
}

#[test]
fn a_token_is_revoked_by_name_although_an_environment_is_damaged() {
    for of_kind in [ENVIRONMENT, NAME] {
        let home = home();
        let token = home.token(&["app", "--env", "dev"]);
        let wide = home.token(&["wide", "--all-envs"]);
        let id = record_of(&home, of_kind, "prod");
        flip(&home, id, 0);
        for (name, token) in [("app", &token), ("wide", &wide)] {
            home.ibyok(["get", "dev/one"]).env("IBYOK_TOKEN", token).run().done();
            let revoked = home.ibyok(["--json", "--yes", "tokens", "revoke", name]).run().done();
            assert_eq!(
                revoked.json()["not_searched"][0]["record"],
                id.to_string(),
                "{}",
                revoked.text()
            );
            assert!(
                revoked.said().contains("may exist in a place that was not searched"),
                "{}",
                revoked.said()
            );
            home.ibyok(["get", "dev/one"]).env("IBYOK_TOKEN", token).run().exits(3);
            // It may have been another one of this name that was meant.
            let again = home.ibyok(["--json", "--yes", "tokens", "revoke", name]).run();
            again.fails(5, "integrity");
        }
        let unknown = home.ibyok(["--json", "--yes", "tokens", "revoke", "of-prod"]).run();
        let error = unknown.fails(5, "integrity").json()["error"].clone();
        assert!(error["message"].as_str().unwrap().contains(&id.to_string()), "{error}");
        home.ibyok(["--yes", "tokens", "revoke", "--name", "of-*"]).run().done();
        // A new secret goes to the very token that is meant, or to none.
        let rotated = home.ibyok(["--json", "tokens", "rotate", "of-dev"]).run();
        assert!([1, 5].contains(&rotated.code()), "{}", rotated.text());
    }
}

#[test]
fn a_token_is_revoked_by_name_over_http_although_an_environment_is_damaged() {
    let home = home();
    let admin = home.token(&["admin", "--all-envs", "--scope", "admin"]);
    home.token(&["app", "--env", "dev"]);
    let id = record_of(&home, ENVIRONMENT, "prod");
    flip(&home, id, 0);
    let server = home.serve();
    let delete = |path: &str| server.send(&Request::new("DELETE", path).bearer(&admin));
    let revoked = delete("/api/v1/tokens/_?name=app").is(200).json();
    assert_eq!(revoked["state"], "revoked", "{revoked}");
    assert_eq!(revoked["not_searched"][0]["environment"], "prod", "{revoked}");
    let refused = delete("/api/v1/tokens/_?name=nobody").is(500).json();
    assert_eq!(refused["code"], "integrity", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("`prod`"), "{refused}");
}

#[test]
fn a_damaged_environment_is_given_up_and_made_anew() {
    let home = home();
    let token = home.token(&["app", "--env", "prod"]);
    let id = record_of(&home, ENVIRONMENT, "prod");
    home.ibyok(["--json", "--yes", "envs", "remove", "--damaged", "prod"])
        .run()
        .fails(2, "invalid");
    for (which, missing) in [("prod".to_owned(), false), (id.to_string(), true)] {
        let copy = home.copy();
        match missing {
            false => flip(&copy, id, 100),
            true => copy.behind().delete(id),
        }
        let hint = copy
            .ibyok(["--json", "get", "prod/one"])
            .run()
            .fails(5, "integrity")
            .json();
        assert!(
            hint["error"]["hint"]
                .as_str()
                .unwrap()
                .contains("envs remove --damaged"),
            "{hint}"
        );
        copy.ibyok(["envs", "remove", "--damaged", &which]).run().exits(2);
        copy.ibyok(["--json", "--yes", "envs", "remove", "--damaged", "dev"])
            .run()
            .fails(2, "invalid");
        copy.ibyok(["--json", "--yes", "envs", "remove", "--damaged", "nowhere"])
            .run()
            .fails(4, "not_found");
        copy.ibyok(["--yes", "envs", "remove", "--damaged", &which])
            .run()
            .done();
        let list = copy.ibyok(["--json", "keys", "list"]).run().done();
        assert_eq!(list.json()["incomplete"], Value::Null, "{}", list.text());
        copy.ibyok(["--json", "get", "prod/one"]).run().fails(4, "not_found");
        copy.ibyok(["get", "prod/one"])
            .env("IBYOK_TOKEN", &token)
            .run()
            .exits(3);
        let status = copy.ibyok(["--json", "status"]).run().done().json();
        assert_eq!(status["records"]["damaged"], 0, "{status}");
        let lines = ibyok_tests::audit_lines(&copy.vault().join("audit"));
        let about = lines.iter().filter(|line| line.text("action") == "env.remove");
        let done = about.filter(|line| line.text("phase") == "done");
        assert_eq!(
            done.map(|line| line.text("environment").to_owned()).collect::<Vec<_>>(),
            ["prod"]
        );
        copy.ibyok(["audit", "verify"]).run().done();
        copy.ibyok(["envs", "add", "prod"]).run().done();
        copy.set("prod/one", "made anew");
        assert_eq!(copy.get("prod/one"), b"made anew");
    }
}

#[test]
fn a_record_that_was_deleted_is_missing_and_not_unknown() {
    let home = home();
    let token = home.token(&["app", "--env", "prod"]);
    let records = home.behind().records();
    let of = |of_kind: u8| records.iter().copied().filter(move |id| kind(*id) == of_kind);
    for id in of(3).chain(of(4)).chain(of(8)) {
        let copy = home.copy();
        copy.behind().delete(id);
        let (list, show): (&[&str], Vec<&[&str]>) = match kind(id) {
            3 => (
                &["keys", "list"],
                vec![
                    &["keys", "show", "prod/one"],
                    &["keys", "show", "dev/one"],
                    &["get", "prod/one"],
                    &["get", "dev/one"],
                ],
            ),
            4 => (
                &["tokens", "list"],
                vec![
                    &["tokens", "show", "of-dev"],
                    &["tokens", "show", "of-prod"],
                    &["tokens", "show", "app"],
                ],
            ),
            _ => (&["incident", "list"], vec![&["incident", "report", "dev/one"]]),
        };
        let shown = copy.ibyok(["--json"].iter().chain(list)).run().done().json();
        assert_eq!(shown["damaged"][0]["damaged"], "missing", "{id}: {shown}");
        let codes: Vec<i32> = show.iter().map(|show| copy.ibyok(*show).run().code()).collect();
        assert!(
            codes.contains(&5) && codes.iter().all(|code| [0, 5].contains(code)),
            "{id}: {codes:?}"
        );
        let status = copy.ibyok(["--json", "status"]).run().json();
        assert_eq!(status["records"]["records"][0]["record"], id.to_string(), "{status}");
    }
    // Its holder is not told that it is unknown.
    let copy = home.copy();
    let app = of(4).find(|id| {
        let copy = home.copy();
        copy.behind().delete(*id);
        copy.ibyok(["get", "prod/one"]).env("IBYOK_TOKEN", &token).run().code() == 5
    });
    copy.behind().delete(app.expect("the record of the token"));
    copy.ibyok(["get", "prod/one"])
        .env("IBYOK_TOKEN", &token)
        .run()
        .exits(5);
}
