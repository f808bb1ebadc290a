//! Environments and tenants that were removed: no older copy of their records brings them back. Those that exist do not vanish
//! unnoticed.

use ibyok_storage::RecordId;
use ibyok_tests::Home;

use crate::damaged_environments::{ENVIRONMENT, NAME, flip, home, record_of};

const ACCEPT: [&str; 5] = ["--yes", "audit", "floors", "rebuild", "--accept-rollback"];

fn kind(id: RecordId) -> u8 {
    id.collection().kind().as_u8()
}

/// The records that an environment or a tenant lives by: keys and names of realms, and everything sealed under them.
fn of_realms(records: &[(RecordId, Vec<u8>)]) -> impl Iterator<Item = &(RecordId, Vec<u8>)> {
    records.iter().filter(|(id, _)| (1..=5).contains(&kind(*id)))
}

fn remove_dev(home: &Home) {
    flip(home, record_of(home, ENVIRONMENT, "dev"), 100);
    home.ibyok(["--yes", "envs", "remove", "--damaged", "dev"]).run().done();
}

/// Checks that every door to `dev` answers that its key is damaged in this way, and that `prod` is served.
#[track_caller]
fn dev_is_refused(home: &Home, token: &str, key: RecordId, damage: &str) {
    for verb in [
        &["get", "dev/one"][..],
        &["keys", "show", "dev/one"],
        &["keys", "list", "--env", "dev"],
        &["export", "--env", "dev"],
        &["envs", "add", "dev"],
        &["tokens", "issue", "late", "--env", "dev"],
    ] {
        let refused = home.ibyok(["--json"].iter().chain(verb)).run().fails(5, "integrity");
        let message = refused.json()["error"]["message"].to_string();
        assert!(message.contains(&key.to_string()), "{verb:?}: {message}");
    }
    let run = home
        .ibyok(["run", "--env", "dev", "--", "echo", "started"])
        .run()
        .exits(5);
    assert!(run.stdout.is_empty());
    let read = home.ibyok(["get", "dev/one"]).env("IBYOK_TOKEN", token).run();
    assert!([3, 5].contains(&read.code()), "{}", read.said());
    assert!(read.stdout.is_empty());
    for list in ["keys", "tokens", "envs"] {
        let listed = home.ibyok(["--json", list, "list"]).run().done().json();
        let damaged = &listed["damaged"][0];
        assert_eq!(damaged["record"], key.to_string(), "{list}: {listed}");
        assert_eq!(damaged["environment"], "dev", "{list}: {listed}");
        assert_eq!(damaged["damaged"], damage, "{list}: {listed}");
    }
    let status = home.ibyok(["--json", "status"]).run().json();
    assert_eq!(status["records"]["damaged"], 1, "{status}");
    assert_eq!(home.get("prod/one"), b"value of prod");
}

#[test]
fn a_removed_environment_that_is_put_back_serves_nothing() {
    let home = home();
    let token = home.token(&["app", "--env", "dev"]);
    let key = record_of(&home, ENVIRONMENT, "dev");
    let before = home.behind().snapshot();
    remove_dev(&home);
    home.ibyok(["get", "dev/one"]).run().exits(4);
    for lost_floors in [false, true] {
        let copy = home.copy();
        copy.behind().put_back(of_realms(&before));
        if lost_floors {
            // They are made again from the log, which says that the environment was removed.
            std::fs::remove_file(copy.vault().join("audit/floors")).expect("a file");
        }
        dev_is_refused(&copy, &token, key, "older");
        // It is removed once more, and its name is free again.
        copy.ibyok(["--yes", "envs", "remove", "--damaged", "dev"]).run().done();
        copy.ibyok(["envs", "add", "dev"]).run().done();
        copy.set("dev/one", "made anew");
        assert_eq!(copy.get("dev/one"), b"made anew");
        copy.behind().put_back(of_realms(&before));
        dev_is_refused(&copy, &token, key, "older");
    }
}

#[test]
fn an_older_environment_key_over_the_one_of_an_environment_that_was_made_again_is_refused() {
    let home = home();
    let token = home.token(&["app", "--env", "dev"]);
    let key = record_of(&home, ENVIRONMENT, "dev");
    let before = home.behind().snapshot();
    remove_dev(&home);
    home.ibyok(["envs", "add", "dev"]).run().done();
    home.set("dev/new", "made anew");
    let after = home.behind().snapshot();
    home.behind().put_back(before.iter().filter(|(id, _)| *id == key));
    dev_is_refused(&home, &token, key, "older");
    home.behind().put_back(after.iter().filter(|(id, _)| *id == key));
    assert_eq!(home.get("dev/new"), b"made anew");
    let status = home.ibyok(["--json", "status"]).run().done().json();
    assert_eq!(status["records"]["damaged"], 0, "{status}");
}

#[test]
fn an_environment_that_was_deleted_from_the_store_is_missing_and_not_unknown() {
    let home = home();
    let token = home.token(&["app", "--env", "dev"]);
    let (key, name) = (record_of(&home, ENVIRONMENT, "dev"), record_of(&home, NAME, "dev"));
    let tag = name.id()[..8].to_vec();
    for everything in [false, true] {
        for lost_floors in [false, true] {
            let copy = home.copy();
            for id in copy.behind().records() {
                if id == key || id == name || (everything && id.collection().realm()[..] == tag[..]) {
                    copy.behind().delete(id);
                }
            }
            if lost_floors {
                std::fs::remove_file(copy.vault().join("audit/floors")).expect("a file");
            }
            dev_is_refused(&copy, &token, key, "missing");
            // An operator who gives it up may make it again.
            copy.ibyok(["--yes", "envs", "remove", "--damaged", "dev"]).run().done();
            copy.ibyok(["get", "dev/one"]).run().exits(4);
            let status = copy.ibyok(["--json", "status"]).run().done().json();
            assert_eq!(status["records"]["damaged"], 0, "{status}");
            copy.ibyok(["envs", "add", "dev"]).run().done();
            copy.set("dev/one", "made anew");
            assert_eq!(copy.get("dev/one"), b"made anew");
        }
    }
}

#[test]
fn an_environment_that_nobody_has_used_yet_is_missed_as_well() {
    let home = crate::home_with_vault();
    let key = record_of(&home, ENVIRONMENT, "staging");
    for id in [key, record_of(&home, NAME, "staging")] {
        home.behind().delete(id);
    }
    let listed = home.ibyok(["--json", "envs", "list"]).run().done().json();
    assert_eq!(listed["damaged"][0]["environment"], "staging", "{listed}");
    assert_eq!(listed["damaged"][0]["damaged"], "missing", "{listed}");
    home.ibyok(["--json", "envs", "add", "staging"])
        .run()
        .fails(5, "integrity");
}

#[test]
fn a_running_server_refuses_an_environment_that_is_put_back_and_misses_one_that_is_deleted() {
    let home = home();
    let token = home.token(&["app", "--env", "dev"]);
    let wide = home.token(&["wide", "--all-envs", "--scope", "admin"]);
    let (key, name) = (record_of(&home, ENVIRONMENT, "dev"), record_of(&home, NAME, "dev"));
    let before = home.behind().snapshot();
    let server = home.serve();
    let get = |path: &str, token: &str| server.send(&ibyok_tests::Request::get(path).bearer(token));
    get("/api/v1/keys/dev/one/value", &token).is(200);
    for id in [key, name] {
        home.behind().delete(id);
    }
    let is_refused = || {
        let list = get("/api/v1/keys", &wide).is(200).json();
        list["incomplete"] == true && get("/api/v1/keys/dev/one/value", &wide).status == 500
    };
    ibyok_tests::wait_until("the loss is noticed", std::time::Duration::from_secs(10), is_refused);
    home.behind()
        .put_back(before.iter().filter(|(id, _)| [key, name].contains(id)));
    let is_served = || get("/api/v1/keys/dev/one/value", &token).status == 200;
    ibyok_tests::wait_until("it is served again", std::time::Duration::from_secs(10), is_served);
    flip(&home, key, 100);
    home.ibyok(["--yes", "envs", "remove", "--damaged", "dev"]).run().done();
    home.behind().put_back(of_realms(&before));
    std::thread::sleep(std::time::Duration::from_secs(2));
    for token in [&token, &wide] {
        let refused = get("/api/v1/keys/dev/one/value", token);
        assert!([401, 500].contains(&refused.status), "{}", refused.status);
    }
    let ready = server.send(&ibyok_tests::Request::get("/readyz")).json();
    assert_eq!(ready["damaged_records"], 1, "{ready}");
}

#[test]
fn a_removed_tenant_that_is_put_back_serves_nothing_and_hides_no_new_one() {
    let home = home();
    let acme = |rest: &[&str]| home.ibyok(["--namespace", "acme"].iter().chain(rest)).run();
    let set = |key: &str, value: &str| {
        let set = home.ibyok(["--namespace", "acme", "keys", "set", key]).input(value);
        set.run().done();
    };
    home.ibyok(["namespaces", "add", "acme"]).run().done();
    set("prod/one", "value of acme");
    let token = acme(&["tokens", "issue", "app", "--env", "prod"]).done().text();
    let token = token.trim();
    let before = home.behind().snapshot();
    let keys: Vec<_> = before.iter().filter(|(id, _)| kind(*id) == ENVIRONMENT).collect();
    let remove = ["--yes", "namespaces", "remove", "acme", "--force", "acme"];
    let reads = || {
        let read = home.ibyok(["get", "prod/one"]).env("IBYOK_TOKEN", token).run();
        assert!([3, 5].contains(&read.code()), "{}", read.said());
        read.stdout
    };

    home.ibyok(remove).run().done();
    home.behind().put_back(of_realms(&before));
    assert!(reads().is_empty());
    acme(&["get", "prod/one"]).exits(5);
    acme(&["export", "--env", "prod"]).exits(5);
    assert!(home.ibyok(["namespaces", "list"]).run().done().text().contains("acme"));
    home.ibyok(remove).run().done();
    assert!(!home.ibyok(["namespaces", "list"]).run().done().text().contains("acme"));

    home.ibyok(["namespaces", "add", "acme"]).run().done();
    set("prod/new", "made anew");
    home.behind().put_back(keys.iter().copied().filter(|(_, bytes)| {
        let mut parts = bytes.windows(4);
        parts.any(|part| part == b"acme")
    }));
    assert!(reads().is_empty());
    for verb in [
        &["get", "prod/new"][..],
        &["export", "--env", "prod"],
        &["run", "--env", "prod", "--", "true"],
    ] {
        acme(verb).exits(5);
    }
    assert_eq!(home.get("prod/one"), b"value of prod");
}

#[test]
fn a_tenant_that_was_deleted_from_the_store_is_listed_and_its_name_is_not_free() {
    let home = home();
    home.ibyok(["namespaces", "add", "acme"]).run().done();
    let set = home.ibyok(["--namespace", "acme", "keys", "set", "prod/one"]);
    set.input("value of acme").run().done();
    for (id, bytes) in home.behind().snapshot() {
        if [ENVIRONMENT, NAME].contains(&kind(id)) && bytes.windows(4).any(|part| part == b"acme") {
            home.behind().delete(id);
        }
    }
    assert!(home.ibyok(["namespaces", "list"]).run().done().text().contains("acme"));
    home.ibyok(["--json", "namespaces", "add", "acme"])
        .run()
        .fails(5, "integrity");
    home.ibyok(["--namespace", "acme", "get", "prod/one"]).run().exits(5);
    // Nobody else misses anything.
    let list = home.ibyok(["--json", "keys", "list"]).run().done().json();
    assert_eq!(list["incomplete"], serde_json::Value::Null, "{list}");
    home.ibyok(["--yes", "namespaces", "remove", "acme", "--force", "acme"])
        .run()
        .done();
    home.ibyok(["namespaces", "add", "acme"]).run().done();
}

#[test]
fn a_restore_of_an_older_store_is_accepted_environment_by_environment() {
    let home = home();
    let before = home.behind().snapshot();
    remove_dev(&home);
    home.ibyok(["envs", "add", "late"]).run().done();
    home.set("late/one", "value of late");
    let made = [record_of(&home, ENVIRONMENT, "late"), record_of(&home, NAME, "late")];
    home.behind().put_back(of_realms(&before));
    for id in made {
        home.behind().delete(id);
    }
    home.ibyok(["get", "dev/one"]).run().exits(5);
    home.ibyok(["get", "late/one"]).run().exits(5);
    let shown = home
        .ibyok(["audit", "floors", "rebuild", "--accept-rollback"])
        .run()
        .exits(2);
    for name in ["dev", "late", "leaked value"] {
        assert!(
            (shown.text() + &shown.said()).contains(name),
            "{}{}",
            shown.text(),
            shown.said()
        );
    }
    home.ibyok(ACCEPT).run().done();
    assert_eq!(home.get("dev/one"), b"value of dev");
    home.ibyok(["get", "late/one"]).run().exits(4);
    let status = home.ibyok(["--json", "status"]).run().done().json();
    assert_eq!(status["records"]["damaged"], 0, "{status}");
    // The accepted record was written again: another copy from before is older than it.
    home.behind()
        .put_back(of_realms(&before).filter(|(id, _)| kind(*id) == ENVIRONMENT));
    home.ibyok(["get", "dev/one"]).run().exits(5);
}

#[test]
fn a_removal_that_was_cut_short_is_completed_by_the_same_command() {
    let home = home();
    let before = home.behind().snapshot();
    let name = record_of(&home, NAME, "dev");
    let tag = name.id()[..8].to_vec();
    remove_dev(&home);
    // As a kill leaves it: the environment's key is gone, and its marked tag and the records under it are still there.
    let marked = String::from_utf8(before.iter().find(|(id, _)| *id == name).expect("a tag").1.clone()).expect("text");
    let marked = marked.replace('}', ",\"unfinished\":true}");
    let left = before.iter().filter(|(id, _)| id.collection().realm()[..] == tag[..]);
    home.behind().put_back(left);
    home.behind().put_back(&[(name, marked.into_bytes())]);
    home.ibyok(["get", "dev/one"]).run().exits(4);
    home.ibyok(["--yes", "envs", "remove", "--damaged", "dev"]).run().done();
    let rest = home.behind().records();
    assert!(
        !rest
            .iter()
            .any(|id| *id == name || id.collection().realm()[..] == tag[..]),
        "{rest:?}"
    );
    home.ibyok(["--json", "--yes", "envs", "remove", "--damaged", "dev"])
        .run()
        .fails(4, "not_found");
    home.ibyok(["envs", "add", "dev"]).run().done();
}
