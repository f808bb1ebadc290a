//! The command line says the same of a server as of the vault here: answers, error codes and exit codes, step by step.

use ibyok_tests::{Finished, Home, Oracle, Run};
use serde_json::Value;

use crate::home_with_vault;

/// The fields that may differ between two runs of the same step: times, the way by which it was done, and the words
/// for people.
const VOLATILE: [&str; 17] = [
    "older_secret_until",
    "last",
    "last_used",
    "created",
    "created_by",
    "by",
    "at",
    "time",
    "expires_at",
    "not_before",
    "url",
    "vault",
    "why",
    "message",
    "hint",
    "how",
    "token",
];

fn without_volatile(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for field in VOLATILE {
                object.remove(field);
            }
            object.values_mut().for_each(without_volatile);
        }
        Value::Array(array) => array.iter_mut().for_each(without_volatile),
        _ => {}
    }
}

fn said(ended: &Finished) -> Value {
    // What is no JSON is an answer as it is.
    let mut value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| Value::String(ended.text()));
    without_volatile(&mut value);
    value
}

/// An id that no key has.
const UNKNOWN: &str = "key_0000000000000000000001";
const UNKNOWN_AS_A: &str = "A=key_0000000000000000000001";

/// The steps: arguments, and the text on standard input. They build on each other.
const STEPS: &[(&[&str], &str)] = &[
    (&["whoami"], ""),
    (&["keys", "list"], ""),
    (
        &["keys", "add", "prod/new", "--provider", "openai", "--label", "team=a"],
        "one",
    ),
    (&["keys", "add", "prod/new"], "two"),
    (&["keys", "set", "prod/new", "--var", "OTHER"], "two"),
    (&["keys", "show", "prod/new"], ""),
    (
        &["keys", "edit", "prod/new", "--label", "team=", "--provider", "stripe"],
        "",
    ),
    (&["keys", "edit", "prod/new", "--provider", "Not A Provider"], ""),
    (&["keys", "show", "ibyok://prod/new"], ""),
    (&["get", "prod/new"], ""),
    (&["get", "prod/new", "--version", "1"], ""),
    (&["get", "prod/new", "--version", "9"], ""),
    (&["get", "prod/new", "--field", "nothing"], ""),
    (&["get", "prod/nothing"], ""),
    (&["get", "production/key"], ""),
    (&["get", "dev/key"], ""),
    (&["get", "nowhere/key"], ""),
    (&["get", "prod/a b"], ""),
    (&["keys", "set", "dev/new"], "x"),
    (&["keys", "disable", "prod/new", "--version", "1"], ""),
    (&["get", "prod/new", "--version", "1"], ""),
    (&["keys", "enable", "prod/new", "--version", "1"], ""),
    (&["keys", "disable", "prod/new"], ""),
    (&["get", "prod/new"], ""),
    (&["keys", "enable", "prod/new"], ""),
    (&["mode", "show"], ""),
    (&["mode", "show", "dev"], ""),
    (&["mode", "set", "prod", "live"], ""),
    (&["mode", "set", "prod", "mock"], ""),
    (&["mode", "set", "dev", "mock"], ""),
    (&["keys", "mode", "prod/new", "live"], ""),
    (&["keys", "mode", "prod/new", "mock"], ""),
    (&["keys", "mode", "prod/new", "inherit"], ""),
    (&["keys", "mode", "prod/new", "off"], ""),
    (&["keys", "mode", "dev/key", "mock"], ""),
    (&["keys", "mode", "prod/nothing", "live"], ""),
    (
        &["keys", "set", "prod/new"],
        "sk-mock-openai-00000000000000000000000000000000",
    ),
    (&["keys", "remove", "prod/new"], ""),
    (&["--yes", "keys", "remove", "prod/new"], ""),
    (&["--yes", "keys", "remove", "prod/new"], ""),
    (&["keys", "show", "prod/new"], ""),
    (&["keys", "list", "--env", "prod"], ""),
    (&["keys", "list", "--env", "dev"], ""),
    (&["tokens", "list"], ""),
    (&["tokens", "issue", "too wide", "--env", "dev"], ""),
    (&["tokens", "issue", "too long", "--env", "prod", "--no-expiry"], ""),
    (&["tokens", "show", "nothing"], ""),
    (&["tokens", "show", "self"], ""),
    (&["tokens", "show", "ci/deploy"], ""),
    (&["tokens", "show", "no/thing"], ""),
    (&["tokens", "show", ".."], ""),
    (&["keys", "show", "prod/key?version=1"], ""),
    (&["keys", "show", "prod/key?version=99"], ""),
    (&["keys", "show", "prod/key#value"], ""),
    (&["keys", "show", UNKNOWN], ""),
    (&["get", UNKNOWN], ""),
    (&["run", "--key", UNKNOWN_AS_A, "--", "true"], ""),
    (&["--yes", "tokens", "revoke", "nothing"], ""),
    (&["run", "--env", "dev", "--", "true"], ""),
    (&["run", "--key", "A=prod/key", "--", "sh", "-c", "echo $A; exit 7"], ""),
    (&["tokens", "rotate", "nothing"], ""),
    (&["tokens", "rotate", "self", "--grace", "91d"], ""),
    (&["tokens", "rotate", "self", "--grace", "0"], ""),
    (&["tokens", "rotate", "self", "--grace", "1h"], ""),
    (&["tokens", "rotate", "self"], ""),
    (&["tokens", "review"], ""),
    (&["tokens", "revoke", "--name", "nobody-*"], ""),
    (&["--yes", "tokens", "revoke", "self"], ""),
];

/// The steps of an incident.
const INCIDENT: &[(&[&str], &str)] = &[
    (&["incident", "open", "prod/key"], ""),
    (&["incident", "open", "prod/key", "--reason", ""], ""),
    (&["incident", "open", "prod/nothing", "--reason", "leaked"], ""),
    (&["incident", "open", "dev/key", "--reason", "leaked"], ""),
    (&["incident", "open", "prod/key?version=7", "--reason", "leaked"], ""),
    (&["incident", "open", "prod/key", "--reason", "leaked"], ""),
    (
        &["incident", "open", "prod/key", "--reason", "seen again", "--freeze"],
        "",
    ),
    (
        &[
            "--yes",
            "incident",
            "open",
            "prod/key",
            "--reason",
            "seen again",
            "--freeze",
        ],
        "",
    ),
    (&["get", "prod/key"], ""),
    (&["incident", "list"], ""),
    (
        &["incident", "note", "prod/key", "--text", "revoked at the provider"],
        "",
    ),
    (&["incident", "report", "prod/nothing"], ""),
    (&["incident", "report", "inc_0000000000000000000000"], ""),
    (&["incident", "close", "prod/key"], ""),
    (&["keys", "enable", "prod/key"], ""),
    (
        &[
            "keys",
            "enable",
            "prod/key",
            "--force",
            "--reason",
            "served until it is replaced",
        ],
        "",
    ),
    (
        &[
            "incident",
            "close",
            "prod/key",
            "--cause",
            "pasted",
            "--prevention",
            "scan",
        ],
        "",
    ),
    (&["keys", "set", "prod/key"], "another"),
    (&["get", "prod/key", "--version", "1"], ""),
    (
        &[
            "incident",
            "close",
            "prod/key",
            "--cause",
            "pasted",
            "--prevention",
            "scan",
        ],
        "",
    ),
    (
        &[
            "incident",
            "close",
            "prod/key",
            "--cause",
            "pasted",
            "--prevention",
            "scan",
        ],
        "",
    ),
    (&["incident", "list"], ""),
    (&["incident", "list", "--all"], ""),
    (&["incident", "plan"], ""),
];

/// Does each step on a vault here, and on a server of its twin, as the holder of a token of these scopes.
fn the_same_here_and_there(scopes: &[&str], steps: &[(&[&str], &str)], then_in_prod: &str) {
    let home = home_with_vault();
    home.set("prod/key", "value");
    home.set("dev/key", "value");
    let flags: Vec<&str> = scopes.iter().flat_map(|scope| ["--scope", scope]).collect();
    let token = home.token(&[&["holder", "--env", "prod"], &flags[..]].concat());
    home.token(&["ci/deploy", "--env", "prod"]);
    let twin = home.copy();
    let server = twin.serve();
    let url = format!("http://{}", server.address);
    let here = |run: Run| run.env("IBYOK_TOKEN", &token).run();
    let there = |run: Run| {
        run.env("IBYOK_TOKEN", &token)
            .env("IBYOK_URL", &url)
            .without("IBYOK_VAULT")
            .run()
    };
    let mut differences = Vec::new();
    for (args, input) in steps {
        let json = |home: &Home| home.ibyok(["--json"].iter().chain(*args)).input(*input);
        let (local, remote) = (here(json(&home)), there(json(&twin)));
        let (one, other) = (said(&local), said(&remote));
        if local.code() != remote.code() || one != other {
            differences.push(format!(
                "{}:\n  here  {}: {one}\n  there {}: {other}",
                args.join(" "),
                local.code(),
                remote.code()
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(server.stop().success());
    for home in [&home, &twin] {
        let mut oracle = Oracle::new();
        oracle.acknowledge("prod/key", then_in_prod);
        oracle.check(home);
    }
    println!("{} steps, the same here and on a server", steps.len());
}

#[test]
fn a_server_and_the_vault_here_give_the_same_answers() {
    let scopes = [
        "keys:read",
        "keys:list",
        "keys:write",
        "keys:destroy",
        "tokens:issue",
        "tokens:revoke",
        "settings:write",
    ];
    the_same_here_and_there(&scopes, STEPS, "value");
}

#[test]
fn an_incident_is_the_same_here_and_on_a_server() {
    let scopes = ["keys:read", "keys:list", "keys:write", "incidents:write", "audit:read"];
    the_same_here_and_there(&scopes, INCIDENT, "another");
}

#[test]
fn a_key_is_found_by_its_id_whichever_scope_the_token_has() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let shown = home.ibyok(["--json", "keys", "show", "prod/key"]).run();
    let id = serde_json::from_slice::<Value>(&shown.stdout).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let server = home.serve();
    let url = format!("http://{}", server.address);
    let ways: [&[&str]; 3] = [
        &["get", &id],
        &["run", "--key", &format!("A={id}"), "--", "sh", "-c", "echo $A"],
        &["keys", "show", &id],
    ];
    for (scope, codes) in [("keys:read", [0, 0, 3]), ("keys:list", [3, 125, 0])] {
        let token = home.token(&[scope, "--env", "prod", "--scope", scope]);
        for (args, code) in ways.iter().zip(codes) {
            let run = || home.ibyok(*args).env("IBYOK_TOKEN", &token);
            let (here, there) = (run().run(), run().without("IBYOK_VAULT").env("IBYOK_URL", &url).run());
            assert_eq!(
                (here.code(), there.code()),
                (code, code),
                "{scope}: {args:?}: {}",
                there.text()
            );
            assert_eq!(here.stdout, there.stdout, "{scope}: {args:?}");
        }
    }
    assert!(server.stop().success());
}

#[test]
fn what_works_on_the_vault_only_says_so() {
    let home = home_with_vault();
    let token = home.token(&["app", "--env", "prod"]);
    let server = home.serve();
    for args in [
        &["init"][..],
        &["serve"],
        &["status"],
        &["envs", "list"],
        &["audit", "verify"],
        &["audit", "tail"],
    ] {
        let run = home.ibyok(
            ["--json", "--url", &format!("http://{}", server.address)]
                .iter()
                .map(|arg| (*arg).to_owned()),
        );
        run.without("IBYOK_VAULT")
            .args(args)
            .env("IBYOK_TOKEN", &token)
            .run()
            .fails(2, "invalid");
    }
}

#[test]
fn without_a_server_or_a_token_nothing_happens() {
    let home = home_with_vault();
    let token = home.token(&["app", "--env", "prod"]);
    let nobody = format!("http://127.0.0.1:{}", ibyok_tests::free_port());
    let there = |url: &str| {
        home.ibyok(["--json", "get", "prod/key"])
            .without("IBYOK_VAULT")
            .env("IBYOK_URL", url)
    };
    there(&nobody).env("IBYOK_TOKEN", &token).run().fails(5, "unavailable");
    there(&nobody).run().fails(3, "unauthenticated");
    for url in [
        "",
        "http://",
        "ftp://127.0.0.1",
        "http://example.invalid:8420",
        "not a url",
    ] {
        let refused = there(url).env("IBYOK_TOKEN", &token).run();
        assert!(
            matches!(refused.code(), 2 | 5),
            "{url}: {}: {}",
            refused.code(),
            refused.text()
        );
    }
}
