//! Reviews and proofs, by the programs: here and through a server, with hostile names.

use std::fs;
use std::os::unix::fs::MetadataExt;

use ibyok_tests::{Home, Request};
use serde_json::{Value, json};

use crate::home_with_vault;

const HOSTILE: &str = "x\"><script src=http://127.0.0.1:9/></script><img src=x onerror=alert(1)>";

/// A vault in which a token asked for another environment, from a program with a hostile name.
pub(crate) fn used() -> (Home, String) {
    let home = home_with_vault();
    home.set("dev/openai", "sk-1");
    home.set("prod/openai", "sk-2");
    let token = home.token(&["ci", "--env", "dev"]);
    let auditor = home.token(&[
        "auditor",
        "--all-envs",
        "--scope",
        "audit:read",
        "--scope",
        "incidents:write",
    ]);
    let server = home.serve();
    for key in ["dev", "prod"] {
        let path = format!("/api/v1/keys/{key}/openai/value");
        let asked = Request::get(&path).bearer(&token).header("User-Agent", HOSTILE);
        let answer = server.send(&asked);
        assert_eq!(answer.status, if key == "dev" { 200 } else { 403 });
    }
    assert!(server.stop().success());
    (home, auditor)
}

fn finding(review: &Value) -> &Value {
    let findings = review["findings"].as_array().unwrap().iter();
    let mut of = findings.filter(|found| found["detector"] == "environment_mismatch");
    of.next().unwrap()
}

#[test]
fn a_finding_is_seen_acknowledged_and_gone_from_the_exit_code() {
    let (home, _) = used();
    let review = home.ibyok(["--json", "audit", "review"]).run().exits(10).json();
    let id = finding(&review)["id"].as_str().unwrap().to_owned();
    for found in review["findings"].as_array().unwrap() {
        let id = found["id"].as_str().unwrap();
        home.ibyok(["audit", "review", "--ack", id, "--reason", "ours"])
            .run()
            .done();
    }
    let done = home
        .ibyok(["--json", "audit", "review", "--done", "--reason", "\u{202e}fine"])
        .run()
        .done()
        .json();
    assert_eq!(
        (&done["open"], &finding(&done)["acknowledged"]["reason"]),
        (&json!(0), &json!("ours"))
    );
    assert_eq!(done["last_done"]["open"], 0);
    let shown = home.ibyok(["audit", "review"]).run().done();
    assert!(shown.text().contains(&id) && shown.text().contains("ours"));
    assert!(shown.said().contains("last reviewed on"));
}

#[test]
fn a_server_says_the_same_as_the_vault_here() {
    let (home, auditor) = used();
    let server = home.serve();
    let remote = |args: &[&str]| {
        home.ibyok(args)
            .without("IBYOK_VAULT")
            .env("IBYOK_URL", format!("http://{}", server.address))
            .env("IBYOK_TOKEN", &auditor)
            .run()
    };
    let there = remote(&["--json", "audit", "review"]).exits(10).json();
    let here = home.ibyok(["--json", "audit", "review"]).run().exits(10).json();
    assert_eq!(finding(&there), finding(&here));
    let id = finding(&there)["id"].as_str().unwrap();
    remote(&["audit", "review", "--ack", id, "--reason", "seen"]).done();
    let here = home.ibyok(["--json", "audit", "review"]).run().json();
    assert_eq!(finding(&here)["acknowledged"]["reason"], "seen");
    remote(&["audit", "review", "--ack", "0123456789abcdef", "--reason", "x"]).exits(4);
    remote(&["audit", "review", "--ack", "zz", "--reason", "x"]).exits(2);
    let done = remote(&["--json", "audit", "review", "--done"]).json();
    let until = done["last_done"]["until"].as_array().unwrap();
    assert!(until.iter().any(|log| log["seq"].as_u64().unwrap() > 10), "{until:?}");
    remote(&["audit", "prove", "3"]).exits(2);
    let reader = home.token(&["reader", "--env", "dev"]);
    server
        .send(&Request::get("/api/v1/audit/review").bearer(&reader))
        .is_problem(403, "denied");
    server
        .send(&Request::get("/api/v1/audit/review?since=x").bearer(&auditor))
        .is_problem(400, "invalid");
    assert!(server.stop().success());
}

#[test]
fn the_page_is_one_private_file_without_markup_from_outside() {
    let (home, _) = used();
    let page = home.path("review.html");
    home.ibyok(["audit", "review", "--html", page.to_str().unwrap()])
        .run()
        .exits(10);
    assert_eq!(fs::metadata(&page).unwrap().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("default-src 'none'") && !text.contains("<script") && !text.contains("<img"));
}

#[test]
fn a_proof_is_checked_without_the_vault() {
    let (home, _) = used();
    let (proof, keys) = (home.path("line.tlog-proof"), home.path("keys"));
    let (proof, keys) = (proof.to_str().unwrap(), keys.to_str().unwrap());
    home.ibyok(["audit", "prove", "5", "--output", proof]).run().done();
    fs::write(keys, home.ibyok(["audit", "keys"]).run().done().text()).unwrap();
    let stranger = Home::empty(crate::PROGRAMS);
    let check = |file: &str| {
        stranger
            .ibyok(["--json", "audit", "verify", "--proof", file, "--key", keys])
            .run()
    };
    let proven = check(proof).done().json();
    assert_eq!((&proven["ok"], &proven["seq"]), (&json!(true), &json!(5)));
    let log = proven["log"].as_str().unwrap();
    home.ibyok(["audit", "prove", &format!("{log}:5")]).run().done();
    let text = fs::read_to_string(proof).unwrap();
    let forged = home.input("forged", text.replace("index 4", "index 5"));
    let forged = check(forged.to_str().unwrap()).exits(10).json();
    assert_eq!(forged["ok"], false);
    check(keys).exits(2);
    for line in ["0", "x", "-1", "99999999999999999999", "other:"] {
        home.ibyok(["audit", "prove", "--", line]).run().exits(2);
    }
    home.ibyok(["audit", "prove", "99999"]).run().exits(4);
}
