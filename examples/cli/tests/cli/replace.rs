//! A leak ends with one command.

use crate::harness::{Call, Place};
use crate::remote::Server;

const OLD: &str = "sk-proj-old-value-0815-SENTINEL";
const NEW: &str = "sk-proj-new-value-4711-SENTINEL";

fn leak_ends(place: &Place, ibyok: impl Fn(&[&str]) -> Call) {
    let open = [
        "incident",
        "open",
        "dev/openai",
        "--reason",
        "seen in a gist",
        "--replace",
    ];
    // The same value, with whatever stands around it, and no value at all.
    for (value, exit) in [(OLD, 1), (&format!("{OLD}\n\n"), 1), (&format!(" {OLD}"), 1), ("", 2)] {
        ibyok(&open).stdin(value).fails(exit);
    }
    let shown = ibyok(&["keys", "show", "dev/openai", "--json"]).ok().json();
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1);
    assert_eq!(shown["versions"][0]["marks"], serde_json::json!([]));
    assert_eq!(
        ibyok(&["incident", "list", "--json"]).ok().json()["items"],
        serde_json::json!([])
    );
    let opened = ibyok(&open).stdin(format!("{NEW}\n")).ok();
    assert!(opened.out.starts_with("inc_"), "{opened:?}");
    for said in [
        "version 1 is marked compromised",
        "version 2 is current",
        "https://platform.openai.com/",
    ] {
        assert!(opened.err.contains(said), "{said}: {opened:?}");
    }
    assert!(
        !opened.err.contains("SENTINEL") && !opened.err.contains("replace the leaked value with a new value"),
        "{opened:?}"
    );
    assert_eq!(ibyok(&["get", "dev/openai"]).ok().out, format!("{NEW}\n"));
    ibyok(&["get", "dev/openai", "--version", "1"]).fails(4);
    let report = ibyok(&["incident", "report", "dev/openai"]).ok().out;
    for said in [
        "marked: version 1 is marked compromised",
        "replaced: version 2 is current",
        "key.set",
        "incident.open",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
    let page = place.path("report.html");
    let page = page.to_str().unwrap();
    ibyok(&["incident", "report", "dev/openai", "--html", page]).ok();
    assert!(place.read("report.html").contains("replaced: version 2 is current"));
    ibyok(&[
        "incident",
        "close",
        "dev/openai",
        "--cause",
        "a gist",
        "--prevention",
        "training",
    ])
    .ok();
}

#[test]
fn the_old_version_is_marked_and_the_new_value_is_current_in_one_step() {
    let place = Place::with_key("dev/openai", OLD);
    leak_ends(&place, |arguments| place.ibyok(arguments));
}

#[test]
fn the_same_through_a_server() {
    let place = Place::with_key("dev/openai", OLD);
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    leak_ends(&place, |arguments| {
        place
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", &admin)
    });
}

#[test]
fn readers_are_revoked_in_the_same_step_where_asked() {
    let place = Place::with_key("dev/openai", OLD);
    let read = place.token(&["read", "--env", "dev"]);
    let idle = place.token(&["idle", "--env", "dev"]);
    place.ibyok(&["get", "dev/openai"]).env("IBYOK_TOKEN", &read).ok();
    place.write("new", NEW);
    let open = [
        "incident",
        "open",
        "dev/openai",
        "--reason",
        "a gist",
        "--replace",
        "--from-file",
        "new",
    ];
    let revoking: Vec<&str> = open.iter().copied().chain(["--revoke-readers", "1d"]).collect();
    place.ibyok(&revoking).fails(2);
    let sure: Vec<&str> = revoking.iter().copied().chain(["--yes", "--json"]).collect();
    let opened = place.ibyok(&sure).ok().json();
    assert_eq!(opened["revoked"].as_array().unwrap().len(), 1);
    assert_eq!(opened["replaced"]["version"], 2);
    place.ibyok(&["get", "dev/openai"]).env("IBYOK_TOKEN", &read).fails(3);
    let still = place.ibyok(&["get", "dev/openai"]).env("IBYOK_TOKEN", &idle).ok();
    assert_eq!(still.out, format!("{NEW}\n"));
}

#[test]
fn a_key_is_frozen_or_gets_a_new_value_and_a_value_goes_with_replace() {
    let place = Place::with_key("dev/openai", OLD);
    place.write("new", NEW);
    for wrong in [
        &["--replace", "--freeze", "--yes"][..],
        &["--from-file", "new"],
        &["--field", "value"],
    ] {
        let arguments: Vec<&str> = ["incident", "open", "dev/openai", "--reason", "a gist"]
            .iter()
            .chain(wrong)
            .copied()
            .collect();
        place.ibyok(&arguments).stdin(NEW).fails(2);
    }
    assert_eq!(place.ibyok(&["get", "dev/openai"]).ok().out, format!("{OLD}\n"));
    let frozen = [
        "incident",
        "open",
        "dev/openai",
        "--reason",
        "a gist",
        "--freeze",
        "--yes",
    ];
    let frozen = place.ibyok(&frozen).ok();
    assert!(frozen.err.contains("frozen: the key is disabled"), "{frozen:?}");
    place.ibyok(&["get", "dev/openai"]).fails(4);
    // The new value comes later: the rest is done by the same command.
    let replace = ["incident", "open", "dev/openai", "--reason", "a gist", "--replace"];
    let replaced = place.ibyok(&replace).stdin(NEW).ok();
    assert!(replaced.err.contains("ibyok keys enable dev/openai"), "{replaced:?}");
    place.ibyok(&["keys", "enable", "dev/openai"]).ok();
    assert_eq!(place.ibyok(&["get", "dev/openai"]).ok().out, format!("{NEW}\n"));
}

#[test]
fn copies_of_the_leaked_value_are_marked_and_named_and_each_is_replaced_by_itself() {
    for by_server in [false, true] {
        let place = Place::with_key("dev/openai", OLD);
        for (key, value) in [
            ("dev/backup", OLD),
            ("dev/third", OLD),
            ("dev/clean", "another value"),
            ("prod/openai", OLD),
        ] {
            place.set(key, value);
        }
        let admin = place.token(&["admin", "--env", "dev", "--scope", "admin"]);
        let server = by_server.then(|| Server::start(&place));
        let ibyok = |arguments: &[&str]| {
            let call = place.ibyok(arguments);
            match &server {
                Some(server) => call.env("IBYOK_URL", &server.url).env("IBYOK_TOKEN", &admin),
                None => call,
            }
        };
        let open = |key: &str, value: &str| {
            ibyok(&["incident", "open", key, "--reason", "a gist", "--replace", "--json"])
                .stdin(value)
                .ok()
        };
        let opened = open("dev/openai", NEW);
        for said in [
            "version 1 of dev/backup holds the same value",
            "replace the same value of `dev/third`",
        ] {
            assert!(opened.err.contains(said), "{opened:?}");
        }
        let document = opened.json();
        assert_eq!(document["replaced"]["version"], 2);
        assert!(document["not_replaced"].is_null());
        let copies = document["copies"].as_array().unwrap();
        let mut named: Vec<&str> = copies.iter().map(|copy| copy["ref"].as_str().unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, ["dev/backup", "dev/third"]);
        for copy in copies {
            assert_eq!(
                (&copy["marked"], &copy["versions"]),
                (&true.into(), &serde_json::json!([1]))
            );
            assert!(copy["incident"].as_str().unwrap().starts_with("inc_"));
        }
        // The new value went to the key that was named, and to no copy.
        for (key, value) in [("dev/openai", NEW), ("dev/backup", OLD), ("dev/third", OLD)] {
            assert_eq!(ibyok(&["get", "-n", key]).ok().out, value, "{key}");
        }
        let marks = |key: &str| ibyok(&["keys", "show", key, "--json"]).ok().json()["versions"][0]["marks"].clone();
        for key in ["dev/openai", "dev/backup", "dev/third"] {
            assert_eq!(marks(key), serde_json::json!(["compromised"]), "{key}");
        }
        assert_eq!(marks("dev/clean"), serde_json::json!([]));
        // The leaked value takes no place again, whichever copy it is offered to.
        ibyok(&["incident", "open", "dev/backup", "--reason", "a gist", "--replace"])
            .stdin(OLD)
            .fails(1);
        let next = open("dev/backup", "sk-proj-third-value-1234-SENTINEL").json();
        assert_eq!(next["replaced"]["version"], 2);
        assert_eq!(next["was_open"], true);
        let left: Vec<&str> = next["copies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|copy| copy["ref"].as_str().unwrap())
            .collect();
        assert_eq!(left, ["dev/third"]);
        let report = ibyok(&["incident", "report", "dev/openai"]).ok().out;
        assert!(
            report.contains("`dev/third`") && !report.contains("`dev/backup`"),
            "{report}"
        );
    }
}

/// Gives the command twice, and the second time names no version.
fn given_twice(ibyok: impl Fn(&[&str]) -> Call) {
    let open = |reference: &str, more: &[&str]| {
        let base = ["incident", "open", reference, "--reason", "seen in a gist"];
        ibyok(&[&base[..], more].concat())
    };
    let versions = || ibyok(&["keys", "show", "dev/openai", "--json"]).ok().json()["versions"].clone();
    // Half done: the incident is open and nothing has been replaced. The same command does the rest.
    open("dev/openai", &[]).ok();
    open("dev/openai", &["--replace"]).stdin(NEW).ok();
    let before = versions();
    assert_eq!(before.as_array().unwrap().len(), 2);
    for (value, more) in [
        (Some(NEW), &["--replace"][..]),
        (Some("sk-proj-third-value-0007-SENTINEL"), &["--replace"]),
        (None, &["--freeze", "--yes"]),
        (None, &["--revoke-readers", "7d", "--yes"]),
        (None, &[]),
    ] {
        let again = open("dev/openai", more);
        let again = match value {
            Some(value) => again.stdin(value),
            None => again,
        };
        let refused = again.fails(1);
        assert!(
            refused.err.contains("version 2 replaced the leaked version"),
            "{more:?}: {refused:?}"
        );
        assert!(refused.err.contains("dev/openai?version=2"), "{more:?}: {refused:?}");
        assert!(!refused.err.contains("SENTINEL"), "{refused:?}");
        assert_eq!(versions(), before, "{more:?}");
    }
    assert_eq!(ibyok(&["get", "dev/openai"]).ok().out, format!("{NEW}\n"));
    // Named, the older version is added to, and the newer one is what leaked.
    open("dev/openai?version=1", &[]).ok();
    assert_eq!(versions(), before);
    open("dev/openai?version=2", &["--replace"])
        .stdin("sk-proj-third-value-0007-SENTINEL")
        .ok();
    assert_eq!(versions()[1]["marks"], serde_json::json!(["compromised"]));
    assert_eq!(versions().as_array().unwrap().len(), 3);
}

#[test]
fn a_second_replacement_without_a_version_takes_no_new_value_for_the_leaked_one() {
    let place = Place::with_key("dev/openai", OLD);
    given_twice(|arguments| place.ibyok(arguments));
}

#[test]
fn nor_does_it_through_a_server() {
    let place = Place::with_key("dev/openai", OLD);
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    given_twice(|arguments| {
        let call = place.ibyok(arguments).env("IBYOK_URL", &server.url);
        call.env("IBYOK_TOKEN", &admin)
    });
}

#[test]
fn a_new_value_that_was_set_by_hand_is_not_taken_for_the_leaked_one_either() {
    let place = Place::with_key("dev/openai", OLD);
    let open = ["incident", "open", "dev/openai", "--reason", "seen in a gist"];
    place.ibyok(&open).ok();
    place.ibyok(&["keys", "set", "dev/openai"]).stdin(NEW).ok();
    let replace = [&open[..], &["--replace"]].concat();
    let refused = place
        .ibyok(&replace)
        .stdin("sk-proj-third-value-0007-SENTINEL")
        .fails(1);
    assert!(
        refused.err.contains("version 2 replaced the leaked version"),
        "{refused:?}"
    );
    assert_eq!(place.ibyok(&["get", "dev/openai"]).ok().out, format!("{NEW}\n"));
}

#[test]
fn of_two_that_replace_at_once_one_is_answered_that_its_value_is_not_stored() {
    let place = Place::new();
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let server = Server::start(&place);
    let mut not_replaced = 0;
    for round in 0..60 {
        let key = format!("dev/k{round}");
        place.set(&key, &format!("{OLD}-{round}"));
        // Whoever names no version means the current one, which a late caller would take for the new one.
        let leaked = format!("ibyok://{key}?version=1");
        let value = |number: usize| format!("{NEW}-{round}-{number}");
        let calls: Vec<_> = (0..4)
            .map(|number| {
                let file = place.write(&format!("new-{number}"), value(number));
                place
                    .ibyok(&[
                        "incident",
                        "open",
                        &leaked,
                        "--reason",
                        "a gist",
                        "--replace",
                        "--json",
                        "--from-file",
                        &file,
                    ])
                    .env("IBYOK_URL", &server.url)
                    .env("IBYOK_TOKEN", &admin)
                    .spawn()
            })
            .collect();
        let mut winners = Vec::new();
        for (number, call) in calls.into_iter().enumerate() {
            let output = call.wait_with_output().unwrap();
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                !said.contains("SENTINEL") && !document.to_string().contains("SENTINEL"),
                "{document}"
            );
            match (output.status.code().unwrap(), document["not_replaced"].as_str()) {
                (0, None) => winners.push(number),
                (1, Some(why)) => {
                    assert!(why.contains("the vault did not store the new value"), "{why}");
                    assert!(said.contains("NOT replaced"), "{said}");
                    not_replaced += 1;
                }
                // A caller that came after the others finds that the version that leaked is not the current one.
                (1 | 2, None) => assert!(document["error"].is_object(), "{document}"),
                other => panic!("{other:?} {document} {said}"),
            }
        }
        let [winner] = winners[..] else { panic!("{winners:?}") };
        assert_eq!(place.ibyok(&["get", "-n", &key]).ok().out, value(winner));
        let shown = place.ibyok(&["keys", "show", &key, "--json"]).ok().json();
        assert_eq!(shown["versions"].as_array().unwrap().len(), 2, "{shown}");
        if not_replaced > 0 && round >= 2 {
            return;
        }
    }
    panic!("nobody lost the race in any round");
}
