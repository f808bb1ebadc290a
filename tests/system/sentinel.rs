//! A secret goes in by every door, right ones and wrong ones. The test then searches for it in everything that the
//! programs print and write, in any encoding.

use std::fs;
use std::path::Path;

use ibyok_tests::{Answer, Finding, Finished, Home, Request, Sentinel, Server, ServerOptions};

use crate::home_with_vault;

/// The outputs of the programs, in which no secret may appear.
#[derive(Default)]
struct Heard(Vec<(String, Vec<u8>)>);

impl Heard {
    /// A program's output: standard error always, standard output unless it is what was asked for.
    fn program(&mut self, what: &str, ended: Finished) {
        self.0.push((format!("{what}: stderr"), ended.stderr));
        self.0.push((format!("{what}: stdout"), ended.stdout));
    }

    fn answer(&mut self, what: &str, answer: Answer) {
        self.0.push((what.to_owned(), answer.raw));
    }

    fn search(&self, sentinels: &[Sentinel]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (what, bytes) in &self.0 {
            findings.extend(
                sentinels
                    .iter()
                    .filter_map(|sentinel| Finding::of(sentinel, what, bytes)),
            );
        }
        findings
    }
}

fn search_everywhere(home: &Home, heard: &Heard, sentinels: &[Sentinel]) {
    let mut findings = heard.search(sentinels);
    for sentinel in sentinels {
        findings.extend(sentinel.find_below(&home.path("home")));
        findings.extend(sentinel.find_below(&home.path("logs")));
    }
    println!(
        "{} secrets looked for in {} answers and every file: {} findings",
        sentinels.len(),
        heard.0.len(),
        findings.len()
    );
    assert!(findings.is_empty(), "{findings:#?}");
}

fn loud_server(home: &Home) -> Server {
    home.serve_with(
        ServerOptions::default()
            .own_program()
            .flag("--log=trace")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full"),
    )
}

/// The verbs that show things, none of which shows a secret.
const SHOWING: [&[&str]; 10] = [
    &["status"],
    &["whoami"],
    &["envs", "list"],
    &["keys", "list"],
    &["tokens", "list"],
    &["audit", "tail", "-n", "500"],
    &["audit", "verify"],
    &["audit", "export"],
    &["audit", "keys"],
    &["import", "again.env", "--env", "staging", "--dry-run"],
];

#[test]
fn a_value_that_came_in_by_a_right_door_stands_nowhere_in_clear() {
    let home = home_with_vault();
    let (mut all, mut heard) = (Vec::new(), Heard::default());
    let mut new = |door| {
        let sentinel = Sentinel::new(door);
        all.push(sentinel.clone());
        sentinel.secret
    };
    heard.program(
        "set",
        home.ibyok(["--json", "keys", "set", "prod/stdin"])
            .input(new("stdin"))
            .run()
            .done(),
    );
    let file = home.input("value", new("from file"));
    heard.program(
        "from-file",
        home.ibyok(["keys", "add", "prod/file", "--from-file"])
            .arg(file)
            .run()
            .done(),
    );
    let fields = format!(
        r#"{{"value":"{}","base_url":"https://x.invalid/{}"}}"#,
        new("fields value"),
        new("fields other")
    );
    let fields = home.input("fields.json", fields);
    heard.program(
        "fields-from",
        home.ibyok(["keys", "add", "prod/fields", "--fields-from"])
            .arg(fields)
            .run()
            .done(),
    );
    let dotenv = format!(
        "A_KEY={}\nexport B='{}'\nC=\"{}\\n\"\n",
        new("env plain"),
        new("env single"),
        new("env double")
    );
    home.input("again.env", &dotenv);
    heard.program(
        "import",
        home.ibyok(["import", "again.env", "--env", "staging"]).run().done(),
    );
    home.set("prod/twice", new("older version"));
    home.set("prod/twice", new("newer version"));

    let token = home.token(&[
        "writer",
        "--env",
        "prod",
        "--scope",
        "keys:read",
        "--scope",
        "keys:write",
        "--scope",
        "keys:list",
    ]);
    let server = loud_server(&home);
    let put = |name: &str, body: String| {
        server
            .send(
                &Request::new("PUT", &format!("/api/v1/keys/prod/{name}"))
                    .bearer(&token)
                    .json(body),
            )
            .is(201)
    };
    heard.answer(
        "PUT value",
        put("http", format!(r#"{{"value":"{}"}}"#, new("http value"))),
    );
    let bytes = data_encoding::BASE64.encode(new("http base64").as_bytes());
    heard.answer(
        "PUT value_base64",
        put("http64", format!(r#"{{"value_base64":"{bytes}"}}"#)),
    );
    heard.answer(
        "PUT fields",
        put(
            "http-fields",
            format!(
                r#"{{"fields":{{"value":"{}","org_id":"{}"}}}}"#,
                new("http field"),
                new("http field 2")
            ),
        ),
    );
    for reference in [
        "prod/stdin",
        "prod/file",
        "prod/fields",
        "prod/http",
        "prod/http64",
        "prod/http-fields",
    ] {
        server.retrieve(&token, reference).is(200);
        heard.program("show", home.ibyok(["--json", "keys", "show", reference]).run().done());
    }
    heard.answer(
        "list",
        server
            .send(&Request::get("/api/v1/keys?env=prod").bearer(&token))
            .is(200),
    );
    heard.answer(
        "external list",
        server
            .send(&Request::get("/external/keys?env=prod").bearer(&token))
            .is(200),
    );

    // What is given out on purpose is given out to whoever asked, and leaves no trace beside it.
    let got = home.ibyok(["get", "prod/stdin"]).run().done();
    heard.0.push(("get: stderr".to_owned(), got.stderr));
    let given = home
        .ibyok([
            "run",
            "--env",
            "staging",
            "--",
            "sh",
            "-c",
            "test -n \"$A_KEY\" && echo ran",
        ])
        .run()
        .done();
    assert_eq!(given.text(), "ran");
    heard.program("run", given);
    let exported = home.path("inputs").join("exported.env");
    heard.program(
        "export",
        home.ibyok(["export", "--env", "staging", "-o"])
            .arg(&exported)
            .run()
            .done(),
    );
    heard.program(
        "rewrite",
        home.ibyok(["import", "again.env", "--env", "staging", "--rewrite"])
            .run()
            .done(),
    );
    heard.0.push((
        "the file that was rewritten".to_owned(),
        fs::read(home.path("inputs").join("again.env")).unwrap(),
    ));

    show_everything(&home, &mut heard);
    look_at_the_process(&server, &mut heard);
    all.push(Sentinel::of("token", &token));
    all.push(Sentinel::of("token's secret", &token[token.len() - 60..]));
    // While it runs (the log of what is not checkpointed yet) and after its end.
    search_everywhere(&home, &heard, &all);
    assert!(server.stop().success());
    search_everywhere(&home, &heard, &all);
}

fn show_everything(home: &Home, heard: &mut Heard) {
    for args in SHOWING {
        for json in [&[][..], &["--json"]] {
            let ended = home.ibyok(json.iter().chain(args)).run();
            heard.program(&args.join(" "), ended);
        }
    }
}

/// Adds the data about a process that the kernel shows to its neighbours.
fn look_at_the_process(server: &Server, heard: &mut Heard) {
    let of = |name: &str| Path::new("/proc").join(server.pid().to_string()).join(name);
    for name in ["cmdline", "environ"] {
        heard
            .0
            .push((format!("the server's {name}"), fs::read(of(name)).unwrap()));
    }
    let limits = fs::read_to_string(of("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn what_is_sent_to_a_wrong_place_does_not_come_back() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&[
        "writer",
        "--env",
        "prod",
        "--scope",
        "keys:read",
        "--scope",
        "keys:write",
        "--scope",
        "tokens:issue",
    ]);
    let server = loud_server(&home);
    let (mut all, mut heard) = (Vec::new(), Heard::default());
    let mut new = |door| {
        let sentinel = Sentinel::new(door);
        all.push(sentinel.clone());
        sentinel.secret
    };
    let key = "/api/v1/keys/prod/new";
    let s = new("body of the wrong shape");
    let bodies = [
        format!(r#"{{"value":{{"x":"{s}"}}}}"#),
        format!(r#"{{"value":["{s}"]}}"#),
        format!(r#"{{"value":"{s}""#),
        format!(r#"{{"value":"{s}"}} x"#),
        format!(r#"{{"{s}":"value"}}"#),
        format!(r#"{{"value":"v","{s}":1}}"#),
        format!(r#"{{"value":"v","provider":"{s} {s}"}}"#),
        format!(r#"{{"value_base64":"{s}"}}"#),
        format!(r#"{{"value":"{s}","value":"{s}"}}"#),
        format!(r#"{{"value":"{s}","value_base64":"eA=="}}"#),
        format!(r#"{{"fields":{{"{s} ":"x"}}}}"#),
        format!(r#"{{"fields":{{"a":"{s}","a":"{s}"}}}}"#),
        format!(r#"{{"value":"v","variable":"{s} x"}}"#),
        format!(r#"{{"value":"v","labels":{{"a":{{"b":"{s}"}}}}}}"#),
        format!(r#""{s}""#),
        s.clone(),
        format!(r#"[{{"value":"{s}"}}]"#),
        format!("{{\"value\":\"{s}\u{1}\"}}"),
        format!(r#"{{"value":"{s}\ud800"}}"#),
        format!(r#"{{"value":"{s}","value_base64":null,"x":1}}"#),
    ];
    for body in &bodies {
        let answer = server.send(&Request::new("PUT", key).bearer(&token).json(body.as_bytes()));
        assert_eq!(
            answer.status / 100,
            4,
            "{body}: {}",
            String::from_utf8_lossy(&answer.raw)
        );
        heard.answer(body.get(..20).unwrap_or("short"), answer);
        let issue = Request::new("POST", "/api/v1/tokens")
            .bearer(&token)
            .json(body.as_bytes());
        let answer = server.send(&issue);
        assert_eq!(answer.status / 100, 4, "{body}");
        heard.answer("POST tokens", answer);
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let request = Request::new("PUT", key)
            .bearer(&token)
            .header("Content-Type", kind)
            .body(format!("value={}", new("other media")));
        heard.answer(kind, server.send(&request).is_problem(415, "unsupported_media"));
    }
    let large = format!(r#"{{"value":"{}{}"}}"#, new("large body"), "x".repeat(2 << 20));
    heard.answer(
        "large",
        server
            .send(&Request::new("PUT", key).bearer(&token).json(large))
            .is_problem(413, "too_large"),
    );
    let over = format!(
        r#"{{"value":"{}{}"}}"#,
        new("value over the limit"),
        "x".repeat(64 << 10)
    );
    heard.answer(
        "over",
        server
            .send(&Request::new("PUT", key).bearer(&token).json(over))
            .is_problem(413, "too_large"),
    );
    wrong_places_of_a_request(&server, &token, &mut new, &mut heard);
    wrong_places_of_a_command(&home, &mut new, &mut heard);
    show_everything(&home, &mut heard);
    assert!(server.stop().success());
    all.push(Sentinel::of("token", &token));
    search_everywhere(&home, &heard, &all);
}

fn wrong_places_of_a_request(
    server: &Server,
    token: &str,
    new: &mut impl FnMut(&'static str) -> String,
    heard: &mut Heard,
) {
    let value = "/api/v1/keys/prod/key/value";
    let mut send = |what: &str, request: Request| heard.answer(what, server.send(&request));
    send(
        "query",
        Request::get(&format!("{value}?token={}", new("query"))).bearer(token),
    );
    send(
        "query name",
        Request::get(&format!("{value}?{}=1", new("query name"))).bearer(token),
    );
    send(
        "version",
        Request::get(&format!("{value}?version={}", new("version"))).bearer(token),
    );
    send(
        "no token",
        Request::get(value).header("Authorization", &format!("Bearer {}", new("bearer"))),
    );
    send(
        "vault token",
        Request::get(value).header("X-Vault-Token", &new("vault token")),
    );
    send(
        "two tokens",
        Request::get(value)
            .bearer(token)
            .header("X-Vault-Token", &new("second token")),
    );
    send(
        "basic",
        Request::get(value).header("Authorization", &format!("Basic {}", new("basic"))),
    );
    send(
        "unused header",
        Request::get(value)
            .bearer(token)
            .header("X-Api-Key", &new("unused header")),
    );
    send(
        "cookie",
        Request::get(value)
            .bearer(token)
            .header("Cookie", &format!("a={}", new("cookie"))),
    );
    send(
        "path",
        Request::get(&format!("/api/v1/{}", new("unknown path"))).bearer(token),
    );
    send(
        "path escaped",
        Request::get(&format!("/api/v1/keys/prod/{}%00/value", new("path escaped"))).bearer(token),
    );
    send(
        "method",
        Request::new(&new("method").replace("sk-", "SK"), value).bearer(token),
    );
    send(
        "request id",
        Request::get(value)
            .bearer(token)
            .header("If-None-Match", &new("if none match")),
    );
    send(
        "token as a token's name",
        Request::get(&format!("/api/v1/tokens/{token}")).bearer(token),
    );
    send(
        "token as an environment",
        Request::get(&format!("/api/v1/keys/{token}/key/value")).bearer(token),
    );
}

fn wrong_places_of_a_command(home: &Home, new: &mut impl FnMut(&'static str) -> String, heard: &mut Heard) {
    let mut run = |what: &str, args: &[&str], input: &[u8], exit: i32| {
        heard.program(
            what,
            home.ibyok(["--json"].iter().chain(args)).input(input).run().exits(exit),
        );
    };
    let s = new("dotenv with a mistake");
    for (name, content) in [
        ("unclosed.env", format!("A=\"{s}\nB=1\n")),
        ("nothing.env", format!("{s}\n")),
        ("twice.env", format!("A={s}\nA={s}2\n")),
        ("name.env", format!("A B={s}\n")),
    ] {
        home.input(name, content);
        run(name, &["import", name, "--env", "dev"], b"", 2);
    }
    let fields = new("fields with a mistake");
    for (name, content) in [
        ("deep.json", format!(r#"{{"value":{{"x":"{fields}"}}}}"#)),
        ("cut.json", format!(r#"{{"value":"{fields}""#)),
        ("twice.json", format!(r#"{{"value":"{fields}","value":"{fields}"}}"#)),
    ] {
        home.input(name, content);
        run(name, &["keys", "set", "dev/x", "--fields-from", name], b"", 2);
    }
    let large = format!("{}{}", new("value too large"), "x".repeat(64 << 10));
    run("too large", &["keys", "set", "dev/x"], large.as_bytes(), 2);
    run(
        "attenuate",
        &["tokens", "attenuate", "--env", "dev"],
        new("attenuate what is no token").as_bytes(),
        2,
    );
    for (name, value) in [
        ("IBYOK_TOKEN", new("token by variable")),
        (
            "IBYOK_TOKEN_FILE",
            home.input("token", new("token by file")).display().to_string(),
        ),
        (
            "IBYOK_TOKEN_COMMAND",
            format!("cat {}", home.input("token2", new("token by command")).display()),
        ),
    ] {
        let ended = home
            .ibyok(["--json", "get", "prod/key"])
            .env(name, value)
            .run()
            .exits(3);
        heard.program(name, ended);
    }
    let file = home.input(
        "run.env",
        format!("KEY=ibyok://prod/nothing\nPLAIN={}\n", new("run's file")),
    );
    let ended = home
        .ibyok(["--json", "run", "--env-file"])
        .arg(file)
        .args(["--", "true"])
        .run()
        .exits(125);
    heard.program("run", ended);
}

#[test]
fn a_token_where_a_name_belongs_is_not_kept() {
    let home = home_with_vault();
    let token = home.token(&["app", "--env", "prod", "--scope", "admin"]);
    let server = loud_server(&home);
    let mut heard = Heard::default();
    let mut send = |what: &str, request: Request| heard.answer(what, server.send(&request.bearer(&token)));
    send("key", Request::get(&format!("/api/v1/keys/prod/{token}/value")));
    send(
        "key of the published interface",
        Request::get(&format!("/external/keys/{token}/value?env=prod")),
    );
    send("environment", Request::get(&format!("/api/v1/keys/{token}/key/value")));
    send("token's name", Request::get(&format!("/api/v1/tokens/{token}")));
    send(
        "revoked by itself",
        Request::new("DELETE", &format!("/api/v1/tokens/{token}")),
    );
    let issue = format!(r#"{{"name":"{token}","scopes":["keys:read"],"environments":["prod"]}}"#);
    send(
        "name of a new token",
        Request::new("POST", "/api/v1/tokens").json(issue),
    );
    for args in [&["get"][..], &["keys", "show"], &["keys", "set"]] {
        let reference = format!("prod/{token}");
        heard.program(
            &args.join(" "),
            home.ibyok(args).arg(&reference).input("x").run().exits(2),
        );
    }
    heard.program(
        "issue",
        home.ibyok(["tokens", "issue", &token, "--env", "prod"]).run().exits(2),
    );
    heard.program("tokens show", home.ibyok(["tokens", "show", &token]).run());
    show_everything(&home, &mut heard);
    assert!(server.stop().success());
    search_everywhere(&home, &heard, &[Sentinel::of("token", &token)]);
}
