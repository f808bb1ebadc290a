//! Names, refused in the same way by every door: nothing that is no name reaches store or log.

use std::fs;

use ibyok_tests::{Request, audit_lines};

use super::{all_is_well, get, home_with_a_key};

/// Texts that are no key's name: as typed, and as in a path.
const NO_NAMES: [(&str, &str); 16] = [
    ("", ""),
    ("../x", "..%2fx"),
    ("..", ".."),
    ("a/b/c/d", "a%2fb%2fc%2fd"),
    ("a\nb", "a%0ab"),
    ("a\r\nSet-Cookie: x", "a%0d%0aSet-Cookie:%20x"),
    ("\u{0}", "%00"),
    ("op\u{435}nai", "op%D0%B5nai"),
    ("ope\u{200b}nai", "ope%E2%80%8Bnai"),
    ("\u{ff4f}penai", "%EF%BD%8Fpenai"),
    ("*", "*"),
    ("open?i", "open%3Fi"),
    ("open ai", "open%20ai"),
    (".openai", ".openai"),
    ("-openai", "-openai"),
    ("'; DROP TABLE records; --", "'%3B%20DROP%20TABLE%20records%3B%20--"),
];

#[test]
fn what_is_no_name_is_refused_by_every_door() {
    let home = home_with_a_key();
    let token = home.token(&["app", "--env", "prod", "--scope", "admin"]);
    let server = home.serve();
    let long = "x".repeat(129);
    let names = NO_NAMES.into_iter().chain([(long.as_str(), long.as_str())]);
    for (typed, escaped) in names {
        // No program can be given an argument with a NUL in it.
        if !typed.contains('\0') {
            let reference = format!("prod/{typed}");
            for args in [&["get"][..], &["keys", "set"], &["keys", "show"], &["keys", "disable"]] {
                let refused = home
                    .ibyok(["--json"].iter().chain(args))
                    .arg(&reference)
                    .input("x")
                    .run();
                assert_eq!(
                    refused.json()["error"]["code"],
                    "invalid",
                    "{args:?} {typed:?}: {}",
                    refused.text()
                );
                assert_eq!(refused.code(), 2, "{typed:?}");
            }
        }
        for path in [
            format!("/api/v1/keys/prod/{escaped}/value"),
            format!("/external/keys/{escaped}/value?env=prod"),
            format!("/api/v1/keys/prod/{escaped}"),
        ] {
            let answer = server.send(&Request::get(&path).bearer(&token));
            assert!(
                matches!(answer.status, 400 | 404),
                "{path}: {}",
                String::from_utf8_lossy(&answer.raw)
            );
            assert_eq!(answer.headers.get("set-cookie"), None);
        }
        let put = Request::new("PUT", &format!("/api/v1/keys/prod/{escaped}"));
        let answer = server.send(&put.bearer(&token).json(r#"{"value":"x"}"#));
        assert!(
            matches!(answer.status, 400 | 404 | 405),
            "{escaped}: {}",
            String::from_utf8_lossy(&answer.raw)
        );
    }
    assert!(server.stop().success());
    let stored = home.ibyok(["--json", "keys", "list"]).run().done().json();
    assert_eq!(stored["items"].as_array().unwrap().len(), 1, "{stored}");
    all_is_well(&home);
}

#[test]
fn what_is_no_environment_is_refused_and_the_nearest_one_named() {
    let home = home_with_a_key();
    let token = home.token(&["all", "--all-envs", "--scope", "admin"]);
    let server = home.serve();
    for name in [
        "",
        "Prod",
        "self",
        "admin",
        "root",
        "whole",
        "data",
        "metadata",
        "-prod",
        "pr od",
        "prod\u{200b}",
    ] {
        home.ibyok(["--json", "get", &format!("{name}/key")])
            .run()
            .fails(2, "invalid");
        home.ibyok(["--json", "envs", "add", "--", name])
            .run()
            .fails(2, "invalid");
        let answer = server
            .send(&Request::get(&format!("/external/keys/key/value?env={}", name.replace(' ', "%20"))).bearer(&token));
        assert!(
            matches!(answer.status, 400 | 404),
            "{name}: {}",
            String::from_utf8_lossy(&answer.raw)
        );
    }
    let near = home.ibyok(["--json", "get", "prd/key"]).run().fails(4, "not_found");
    assert!(near.text().contains("prod"), "{}", near.text());
    let long = home.ibyok(["get", "-n", "production/key"]).run().done();
    assert_eq!(long.stdout, b"value");
    all_is_well(&home);
}

#[test]
fn a_name_is_exact_to_the_letter() {
    let home = home_with_a_key();
    let token = home.token(&["app", "--env", "prod"]);
    let server = home.serve();
    for name in ["Key", "KEY", "ke", "keys", "key.", "key_", "k-e-y"] {
        home.ibyok(["--json", "get", &format!("prod/{name}")])
            .run()
            .fails(4, "not_found");
        server
            .retrieve(&token, &format!("prod/{name}"))
            .is_problem(404, "not_found");
    }
    let narrow = home.token(&["narrow", "--env", "prod", "--key", "ke"]);
    server.retrieve(&narrow, "prod/key").is_problem(403, "denied");
    server.retrieve(&narrow, "prod/nothing").is_problem(403, "denied");
    server.retrieve(&narrow, "prod/ke").is_problem(404, "not_found");
}

#[test]
fn a_projects_file_can_name_keys_and_nothing_else() {
    let home = home_with_a_key();
    for hostile in [
        "url = \"https://evil.invalid\"\n",
        "env = \"prod\"\nvault = \"/tmp\"\n",
        "command = \"touch pwned\"\n",
        "token = \"x\"\n",
        "[keys]\nA = \"prod/key\"\n[store]\nx = 1\n",
        "[keys]\nA = \"$(touch pwned)\"\n",
        "[keys]\nA = \"ibyok://prod/../key\"\n",
        "env = [\"prod\"]\n",
        "\u{0}",
    ] {
        home.input(".ibyok.toml", hostile);
        let refused = home.ibyok(["--json", "run", "--", "touch", "started"]).run();
        assert!(
            matches!(refused.code(), 2),
            "{hostile}: {}: {}",
            refused.code(),
            refused.text()
        );
        assert_eq!(
            refused.json()["error"]["code"],
            "invalid",
            "{hostile}: {}",
            refused.text()
        );
    }
    let made: Vec<_> = fs::read_dir(home.path("inputs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(made, [".ibyok.toml"]);
    all_is_well(&home);
}

#[test]
fn what_a_client_says_of_itself_is_one_harmless_line_of_the_log() {
    let home = home_with_a_key();
    let token = home.token(&["app\u{202e}\u{2028}", "--env", "prod"]);
    let server = home.serve();
    let agents = [
        "plain",
        "a\"b\\c",
        "tab\tstop",
        "{\"v\":1}",
        "esc[31m",
        &"x".repeat(20_000),
    ];
    for (number, agent) in agents.iter().enumerate() {
        let request = Request::get("/api/v1/keys/prod/key/value")
            .bearer(&token)
            .header("User-Agent", agent);
        server.send(&request.id(&format!("agent-{number}"))).is(200);
    }
    for id in ["a b", "a\tb", "\"", &"x".repeat(129), "<script>"] {
        let answer = server
            .send(&Request::get("/api/v1/keys/prod/key/value").bearer(&token).id(id))
            .is(200);
        assert_ne!(answer.request_id(), id);
    }
    assert!(server.stop().success());
    let lines = audit_lines(&home.vault().join("audit"));
    for number in 0..agents.len() {
        let id = format!("agent-{number}");
        assert_eq!(lines.iter().filter(|line| line.text("request_id") == id).count(), 1);
    }
    for args in [&["audit", "tail", "-n", "100"][..], &["tokens", "list"]] {
        let shown = home.ibyok(args).run().done();
        let odd =
            |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}'));
        assert!(!shown.text().contains(odd), "{args:?}: {:?}", shown.text());
    }
    get(&home).run().done();
    all_is_well(&home);
}
