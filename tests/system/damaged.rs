//! Records that are damaged, swapped, cut or missing, and databases that are cut: every command works, or names the
//! damage.

use std::fs;
use std::time::Duration;

use ibyok_storage::RecordId;
use ibyok_tests::{Finished, Home, Request, wait_until};
use serde_json::Value;

use crate::home_with_vault;

const PROD: [&str; 3] = ["prod/one", "prod/two", "prod/three"];

/// A vault with a record of every kind.
fn home_with_everything() -> Home {
    let home = home_with_vault();
    for key in PROD.iter().chain(["dev/one"].iter()) {
        home.set(key, format!("value of {key}"));
    }
    home.ibyok(["limits", "set", "prod", "1000/min"]).run().done();
    home.ibyok(["tokens", "issue", "app", "--env", "prod"]).run().done();
    home.ibyok(["tokens", "issue", "wide", "--all-envs"]).run().done();
    home.ibyok(["get", "prod/one"]).run().done();
    let opened = ["--yes", "incident", "open", "prod/three", "--reason", "pasted"];
    home.ibyok(opened).run().done();
    home.ibyok(["checklist", "attest", "training"]).run();
    let reviewed = ["audit", "review", "--done", "--reason", "looked at"];
    home.ibyok(reviewed).run();
    home
}

fn kind(id: RecordId) -> u8 {
    id.collection().kind().as_u8()
}

/// The `items` of a list, and whether it says that some are damaged.
fn list(home: &Home, args: &[&str]) -> Option<(Vec<Value>, Vec<Value>, bool)> {
    let ended = home.ibyok(["--json"].iter().chain(args)).run();
    documented(&ended);
    if ended.code() != 0 {
        return None;
    }
    let warned = ended.said().contains("warning");
    let list = ended.json();
    let of = |name: &str| list[name].as_array().cloned().unwrap_or_default();
    let incomplete = list["incomplete"] == true;
    assert_eq!(incomplete, warned, "a list that lacks something is a warning: {list}");
    Some((of("items"), of("damaged"), incomplete))
}

#[track_caller]
fn documented(ended: &Finished) {
    let code = ended.code();
    let fine = (0..=5).contains(&code) || code == 10;
    assert!(fine && !ended.said().contains("panicked"), "{code}: {}", ended.said());
}

/// Exports an environment: all of it, or nothing with exit 5.
#[track_caller]
fn all_or_nothing(home: &Home, what: &str) -> bool {
    let exported = home.ibyok(["export", "--env", "prod"]).run();
    documented(&exported);
    let marker = home.path("inputs/started");
    fs::remove_file(&marker).unwrap_or_default();
    let ran = home
        .ibyok(["run", "--env", "prod", "--", "touch", marker.to_str().unwrap()])
        .run();
    if exported.code() == 0 {
        let lines = exported.text();
        for key in PROD {
            assert!(
                lines.contains(&format!("value of {key}")),
                "{what}: {key} is missing: {lines}"
            );
        }
        assert!(ran.code() == 0 && marker.exists(), "{what}: {}", ran.said());
        return true;
    }
    assert!(exported.stdout.is_empty(), "{what}: printed a part");
    assert!(matches!(exported.code(), 4 | 5), "{what}: {}", exported.said());
    assert!(!marker.exists(), "{what}: started");
    assert!(matches!(ran.code(), 5 | 125), "{what}: {}", ran.code());
    false
}

#[test]
fn a_flipped_byte_in_any_record_is_said_and_hides_nothing() {
    let home = home_with_everything();
    let records = home.behind().records();
    let kinds: std::collections::BTreeSet<u8> = records.iter().map(|id| kind(*id)).collect();
    assert!(
        [0, 1, 2, 3, 4, 5, 6, 8].iter().all(|kind| kinds.contains(kind)),
        "{kinds:?}"
    );
    for id in &records {
        let (copy, id) = (home.copy(), *id);
        let mut bytes = copy.behind().bytes(id);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        copy.behind().put(id, &bytes);
        let what = format!("{id}");
        let status = copy.ibyok(["--json", "status"]).run();
        documented(&status);
        let whole = all_or_nothing(&copy, &what);
        let keys = list(&copy, &["keys", "list"]);
        let tokens = list(&copy, &["tokens", "list"]);
        let incidents = list(&copy, &["incident", "list", "--all"]);
        if let Some((items, _, false)) = &keys {
            assert_eq!(items.len(), 4, "{what}: keys are left out");
        }
        if let Some((items, _, false)) = &tokens {
            assert_eq!(items.len(), 2, "{what}: tokens are left out");
        }
        if let Some((items, _, false)) = &incidents {
            assert_eq!(items.len(), 1, "{what}: incidents are left out");
        }
        documented(&copy.ibyok(["usage"]).run());
        documented(&copy.ibyok(["rotate", "due"]).run());
        documented(&copy.ibyok(["tokens", "review"]).run());
        // Counts are not protected, and a letter in the clear may be another good one.
        if (3..=9).contains(&kind(id)) {
            let counted = status.code() == 5 || status.json()["records"]["damaged"].as_u64() > Some(0);
            assert!(counted, "{what}: status counts nothing: {}", status.text());
        }
        if kind(id) == 3 {
            let (items, damaged, incomplete) = keys.expect("the others are listed");
            assert!(items.len() == 3 && damaged.len() == 1 && incomplete, "{what}");
            assert_eq!(damaged[0]["damaged"], "does_not_open", "{what}");
            let of_prod = damaged[0]["environment"] == "prod";
            assert_eq!(whole, !of_prod, "{what}");
            // A key that is named is all that matters.
            let readable = items.iter().find(|key| key["environment"] == "prod").unwrap();
            let named = format!("K={}", readable["ref"].as_str().unwrap());
            copy.ibyok(["run", "--key", &named, "--", "true"]).run().done();
        }
    }
    println!("records with a flipped byte: {}, left out in silence: 0", records.len());
}

#[test]
fn a_record_that_is_cut_swapped_or_missing_is_shown_and_can_be_given_up() {
    let home = home_with_vault();
    home.set("prod/one", "value one");
    let one = home.behind().newest();
    home.set("prod/two", "value two");
    let two = home.behind().newest();
    // A change that takes something away is remembered on every version of the floors.
    home.ibyok(["keys", "disable", "prod/one"]).run().done();
    home.ibyok(["keys", "enable", "prod/one"]).run().done();
    let whole = home.behind().bytes(one);
    let other = home.behind().bytes(two);
    let cases: [(&str, Option<Vec<u8>>, &str); 4] = [
        ("cut", Some(whole[..whole.len() / 2].to_vec()), "does_not_open"),
        ("emptied", Some(Vec::new()), "does_not_open"),
        ("swapped", Some(other), "does_not_open"),
        ("missing", None, "missing"),
    ];
    for (what, bytes, reason) in cases {
        let copy = home.copy();
        match &bytes {
            Some(bytes) => copy.behind().put(one, bytes),
            None => copy.behind().delete(one),
        }
        let (items, damaged, _) = list(&copy, &["keys", "list"]).expect("a list");
        assert_eq!((items.len(), damaged.len()), (1, 1), "{what}");
        assert_eq!(damaged[0]["damaged"], reason, "{what}");
        let id = damaged[0]["id"].as_str().unwrap().to_owned();
        copy.ibyok(["export", "--env", "prod"]).run().exits(5);
        let text = copy.ibyok(["keys", "list"]).run().done();
        assert!(
            text.text().contains(&id) && text.said().contains("warning"),
            "{}",
            text.text()
        );
        let open = copy.ibyok(["--json", "checklist"]).run().exits(10).json();
        let item = open["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["id"] == "records-whole");
        assert_eq!(item.unwrap()["ok"], false, "{what}: {open}");

        copy.ibyok(["keys", "remove", "--damaged", &id]).run().exits(2);
        copy.ibyok(["--yes", "keys", "remove", "--damaged", &id]).run().done();
        let (items, damaged, incomplete) = list(&copy, &["keys", "list"]).expect("a list");
        assert_eq!((items.len(), damaged.len(), incomplete), (1, 0, false), "{what}");
        copy.ibyok(["export", "--env", "prod"]).run().done();
        copy.ibyok(["--json", "get", "prod/one"]).run().fails(4, "not_found");
        // It is on the log from both ends, and the log is whole.
        let lines = ibyok_tests::audit_lines(&copy.vault().join("audit"));
        let about = lines
            .iter()
            .filter(|line| line.text("action") == "key.remove" && line.text("reason") == "damaged");
        let phases: Vec<String> = about.map(|line| line.text("phase").to_owned()).collect();
        assert_eq!(phases, ["intended", "done"], "{what}");
        copy.ibyok(["audit", "verify"]).run().done();
        // The name is free, and its versions go on.
        copy.set("prod/one", "another");
        assert_eq!(copy.get("prod/one"), b"another", "{what}");
        copy.ibyok(["--yes", "keys", "remove", "--damaged", &id]).run().exits(2);
        // The record that was damaged does not come back in its old shape.
        copy.behind().put(one, &whole);
        copy.ibyok(["--json", "get", "prod/one"]).run().fails(5, "integrity");
    }
}

/// A record of another format may be a newer program's.
#[test]
fn a_key_that_may_be_whole_is_given_up_by_force_alone() {
    let home = home_with_vault();
    home.set("prod/one", "value one");
    let id = home.behind().newest();
    let whole = home.behind().bytes(id);
    let mut newer = whole.clone();
    newer[4] ^= 0x40;
    home.behind().put(id, &newer);
    let (_, damaged, _) = list(&home, &["keys", "list"]).expect("a list");
    assert_eq!(damaged[0]["damaged"], "unknown_format");
    let key = damaged[0]["id"].as_str().unwrap();
    let remove = ["--json", "--yes", "keys", "remove", "--damaged", key];
    let error = home.ibyok(remove).run().fails(2, "invalid").json()["error"].clone();
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("newer version") && hint.contains("--force"), "{error}");
    let get = home.ibyok(["--json", "get", "prod/one"]).run().fails(5, "integrity");
    let hint = get.json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("--damaged ID --force"), "{hint}");
    let copy = home.copy();
    home.behind().put(id, &whole);
    assert_eq!(home.get("prod/one"), b"value one");
    // Where no program wrote it, the operator may say so.
    copy.ibyok(["--yes", "keys", "remove", "--force", "prod/one"])
        .run()
        .exits(2);
    copy.ibyok([&remove[..], &["--force"]].concat()).run().done();
    copy.ibyok(["export", "--env", "prod"]).run().done();
    copy.set("prod/one", "another");
    assert_eq!(copy.get("prod/one"), b"another");
}

#[test]
fn a_damaged_token_is_listed_and_can_be_revoked() {
    let home = home_with_vault();
    home.set("prod/one", "value");
    let token = home.token(&["app", "--env", "prod"]);
    let record = home.behind().newest();
    home.token(&["other", "--env", "prod"]);
    home.behind().put(record, b"damaged");
    let (items, damaged, _) = list(&home, &["tokens", "list"]).expect("a list");
    assert_eq!((items.len(), damaged.len()), (1, 1));
    home.ibyok(["--json", "--yes", "tokens", "revoke", "app"])
        .run()
        .fails(5, "integrity");
    let review = home.ibyok(["--json", "tokens", "review"]).run().exits(10).json();
    assert!(
        review["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["finding"] == "damaged"),
        "{review}"
    );
    home.ibyok(["get", "prod/one"])
        .env("IBYOK_TOKEN", &token)
        .run()
        .exits(5);
    let id = damaged[0]["id"].as_str().unwrap();
    home.ibyok(["--yes", "tokens", "revoke", "--damaged", id]).run().done();
    home.ibyok(["get", "prod/one"])
        .env("IBYOK_TOKEN", &token)
        .run()
        .exits(3);
    let (items, damaged, incomplete) = list(&home, &["tokens", "list"]).expect("a list");
    assert_eq!((items.len(), damaged.len(), incomplete), (2, 0, false));
}

#[test]
fn a_token_learns_of_damage_only_where_it_may_see() {
    let home = home_with_vault();
    home.set("prod/openai", "value");
    let record = home.behind().newest();
    home.set("prod/stripe", "value");
    let whole = home.token(&["whole", "--env", "prod"]);
    let pattern = home.token(&["pattern", "--env", "prod", "--key", "str*"]);
    let literal = home.token(&["literal", "--env", "prod", "--key", "stripe"]);
    let its_own = home.token(&["its-own", "--env", "prod", "--key", "openai"]);
    let elsewhere = home.token(&["elsewhere", "--env", "dev"]);
    home.behind().put(record, b"damaged");
    let server = home.serve();
    let listed = |token: &str| server.send(&Request::get("/api/v1/keys").bearer(token)).is(200).json();
    let full = listed(&whole);
    assert_eq!(full["items"].as_array().unwrap().len(), 1, "{full}");
    assert_eq!(full["damaged"][0]["damaged"], "does_not_open", "{full}");
    assert_eq!(full["incomplete"], true, "{full}");
    let vague = listed(&pattern);
    assert_eq!(
        (&vague["damaged"], &vague["incomplete"]),
        (&Value::Null, &Value::Bool(true)),
        "{vague}"
    );
    for (token, incomplete) in [
        (&literal, Value::Null),
        (&elsewhere, Value::Null),
        (&its_own, Value::Bool(true)),
    ] {
        assert_eq!(listed(token)["incomplete"], incomplete);
    }
    // A program whose list may lack a key is not started, here and by a server.
    let url = format!("http://{}", server.address);
    let run = |token: &str| {
        let run = home.ibyok(["run", "--env", "prod", "--", "echo", "started"]);
        run.without("IBYOK_VAULT")
            .env("IBYOK_URL", &url)
            .env("IBYOK_TOKEN", token)
            .run()
    };
    assert!(run(&whole).exits(5).stdout.is_empty());
    assert!(run(&pattern).exits(5).stdout.is_empty());
    assert_eq!(run(&literal).exits(0).text(), "started");
    let ready = server.send(&Request::get("/readyz")).is(200).json();
    assert_eq!(ready["damaged_records"], 1, "{ready}");
}

#[test]
fn a_database_that_is_cut_gives_all_or_says_so() {
    let home = home_with_everything();
    home.behind().settle();
    let file = home.vault().join("vault.db");
    // SQLite removes it when the last handle is closed, which is a moment later.
    let beside = home.vault().join("vault.db-wal");
    wait_until("the store is closed", Duration::from_secs(10), || !beside.exists());
    let length = fs::metadata(&file).unwrap().len();
    for eighth in 0..8 {
        let copy = home.copy();
        let what = format!("{eighth}/8");
        let cut = fs::File::options()
            .write(true)
            .open(copy.vault().join("vault.db"))
            .unwrap();
        cut.set_len(length * eighth / 8).unwrap();
        drop(cut);
        assert!(!all_or_nothing(&copy, &what), "{what}");
        if let Some((items, _, incomplete)) = list(&copy, &["keys", "list"]) {
            assert!(items.len() == 4 || incomplete, "{what}: {} keys", items.len());
        }
        let status = copy.ibyok(["--json", "status"]).run();
        documented(&status);
        assert!(
            status.code() != 0 || status.json()["records"]["damaged"] != 0,
            "{what}: {}",
            status.text()
        );
    }
}
