//! The same verbs on a server, which is `ibyok serve` itself.

use std::io::{BufRead, BufReader};
use std::process::Child;

use crate::harness::{Call, Place};

/// A server on a free port, ended when it goes out of scope.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(place: &Place) -> Self {
        Self::start_with(place, &[])
    }

    pub(crate) fn start_with(place: &Place, variables: &[(&str, &str)]) -> Self {
        let serve = place.ibyok(&["serve", "--listen", "127.0.0.1:0"]);
        let serve = variables
            .iter()
            .fold(serve, |serve, (name, value)| serve.env(name, value));
        let mut child = serve.spawn();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut url = None;
        for line in lines {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            if line["message"] == "listening" {
                let [scheme, address] = ["scheme", "address"].map(|name| line[name].as_str().unwrap());
                url = Some(format!("{scheme}://{address}"));
                break;
            }
        }
        Server {
            child,
            url: url.unwrap(),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator would.
    fn stop(&mut self) -> bool {
        std::process::Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_server_answers_the_same_verbs_by_token() {
    let place = Place::with_key("dev/k", "1");
    place.set("prod/p", "2");
    let admin = place.token(&["admin", "--env", "dev", "--scope", "admin"]);
    let mut server = Server::start(&place);
    let client = Place::empty();
    let at = |arguments: &[&str], token: &str| -> Call {
        client
            .ibyok(arguments)
            .env("IBYOK_URL", &server.url)
            .env("IBYOK_TOKEN", token)
    };
    assert_eq!(at(&["get", "dev/k"], &admin).ok().out, "1\n");
    let whoami = at(&["whoami", "--json"], &admin).ok().json();
    assert_eq!((&whoami["kind"], &whoami["name"]), (&"token".into(), &"admin".into()));
    assert!(whoami["url"].as_str().unwrap().starts_with(&server.url));

    let written = at(&["keys", "set", "dev/k", "--json", "--provider", "openai"], &admin)
        .stdin(b"\0\xff".to_vec())
        .ok()
        .json();
    assert_eq!((&written["ref"], &written["version"]), (&"dev/k".into(), &2.into()));
    assert_eq!(at(&["get", "-n", "dev/k"], &admin).ok().bytes, b"\0\xff");
    assert_eq!(at(&["get", "dev/k", "--version", "1"], &admin).ok().out, "1\n");
    at(&["keys", "add", "dev/k"], &admin).stdin("x").fails(1);
    at(&["keys", "add", "dev/new", "--var", "NEW_KEY"], &admin)
        .stdin("n")
        .ok();
    let fields = client.write("fields.json", r#"{"value":"sk","org":"o"}"#);
    at(&["keys", "set", "dev/f", "--fields-from", &fields], &admin).ok();
    assert_eq!(at(&["get", "dev/f", "--field", "org"], &admin).ok().out, "o\n");
    assert_eq!(at(&["get", "dev/f"], &admin).ok().out, "sk\n");

    let here = place.ibyok(&["keys", "show", "dev/k", "--json"]).ok().json();
    assert_eq!(at(&["keys", "show", "dev/k", "--json"], &admin).ok().json(), here);
    assert_eq!(
        at(&["get", here["id"].as_str().unwrap(), "-n"], &admin).ok().bytes,
        b"\0\xff"
    );
    let list = at(&["keys", "list", "--json"], &admin).ok().json();
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    let usage = ["usage", "--by", "key", "--key", "dev/k", "--json"];
    let used = at(&usage, &admin).ok().json();
    assert!(used["items"][0]["allowed"].as_u64().unwrap() >= 4, "{used}");
    assert_eq!(place.ibyok(&usage).ok().json()["items"], used["items"]);
    assert!(at(&["usage", "--by", "token"], &admin).ok().out.contains("admin ("));
    at(&["usage", "--by", "user"], &admin).fails(2);
    at(&["usage", "--since", "-1d"], &admin).fails(2);
    at(&["usage", "--env", "prod"], &admin).fails(3);
    at(&["keys", "edit", "dev/k", "--label", "a=b"], &admin).ok();
    at(&["keys", "disable", "dev/new"], &admin).ok();
    at(&["get", "dev/new"], &admin).fails(4);
    at(&["keys", "enable", "dev/new"], &admin).ok();
    assert_eq!(
        at(
            &[
                "run",
                "--env",
                "dev",
                "--only",
                "new",
                "--",
                "sh",
                "-c",
                "echo $NEW_KEY"
            ],
            &admin
        )
        .ok()
        .out,
        "n\n"
    );
    at(&["keys", "remove", "dev/new"], &admin).fails(2);
    at(&["keys", "remove", "dev/new", "--yes"], &admin).ok();
    at(&["get", "dev/new"], &admin).fails(4);

    let issued = at(
        &["tokens", "issue", "child", "--env", "dev", "--key", "f", "--json"],
        &admin,
    )
    .ok()
    .json();
    let child = issued["token"].as_str().unwrap();
    at(&["get", "dev/f"], child).ok();
    at(&["get", "dev/k"], child).fails(3);
    at(&["get", "prod/p"], &admin).fails(3);
    at(&["tokens", "issue", "wider", "--env", "prod"], &admin).fails(3);
    assert_eq!(
        at(&["tokens", "show", "child", "--json"], &admin).ok().json()["id"],
        issued["id"]
    );
    assert!(
        !at(&["tokens", "list", "--json"], &admin).ok().json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    at(&["tokens", "revoke", "child", "--yes"], &admin).ok();
    at(&["get", "dev/f"], child).fails(3);

    // The command line beside the running server: both are right.
    place.set("dev/k", "beside");
    std::thread::sleep(std::time::Duration::from_millis(1000));
    assert_eq!(at(&["get", "dev/k"], &admin).ok().out, "beside\n");
    place.ibyok(&["tokens", "revoke", "admin", "--yes"]).ok();
    std::thread::sleep(std::time::Duration::from_millis(1000));
    at(&["get", "dev/k"], &admin).fails(3);

    assert!(server.stop());
    assert_eq!(place.ibyok(&["audit", "verify", "--json"]).ok().json()["ok"], true);
}

#[test]
fn a_server_is_asked_only_with_a_token_that_is_whole_and_safe() {
    let place = Place::with_key("dev/k", "v");
    let mut server = Server::start(&place);
    let url = server.url.clone();
    place.ibyok(&["get", "dev/k"]).env("IBYOK_URL", &url).fails(3);
    place
        .ibyok(&["get", "dev/k"])
        .env("IBYOK_URL", &url)
        .env("IBYOK_TOKEN", "")
        .fails(3);
    let token = place.token(&["ci", "--env", "dev"]);
    let cut = token.get(..token.len() - 1).unwrap();
    let error = place
        .ibyok(&["get", "dev/k", "--json"])
        .env("IBYOK_URL", &url)
        .env("IBYOK_TOKEN", cut)
        .fails(3)
        .json();
    assert_eq!(error["error"]["code"], "unauthenticated");
    // Over the network without TLS the token would be seen.
    place
        .ibyok(&["--url", "http://192.0.2.1", "get", "dev/k"])
        .env("IBYOK_TOKEN", &token)
        .fails(2);
    place
        .ibyok(&["--url", "nonsense", "get", "dev/k"])
        .env("IBYOK_TOKEN", &token)
        .fails(2);
    place
        .ibyok(&["get", "dev/k"])
        .env("IBYOK_URL", "")
        .env("IBYOK_TOKEN", &token)
        .fails(2);
    assert!(server.stop());
    place
        .ibyok(&["get", "dev/k"])
        .env("IBYOK_URL", &url)
        .env("IBYOK_TOKEN", &token)
        .fails(5);
}

#[test]
fn a_servers_guardrails_bind_whoever_asks_it() {
    let place = Place::with_key("dev/k", "1");
    place.set("prod/k", "2");
    let admin = place.token(&["admin", "--all-envs", "--scope", "admin"]);
    let client = Place::empty();
    let mut rounds = 0;
    for (variables, key, set, served) in [
        (&[][..], "dev/k", "mock", ("mock", "key_override")),
        (&[("DEV_MODE_FORCED", "live")], "dev/k", "mock", ("live", "guardrail")),
        (&[("DEV_MODE_FORCED", "mock")], "dev/k", "live", ("mock", "guardrail")),
        (&[("PROD_MODE_FORCED", "mock")], "prod/k", "live", ("mock", "guardrail")),
        (
            &[("PROD_MOCK_ALLOWED", "true")],
            "prod/k",
            "mock",
            ("mock", "key_override"),
        ),
        (&[], "prod/k", "inherit", ("live", "tenant_setting")),
    ] {
        let mut server = Server::start_with(&place, variables);
        let at = |arguments: &[&str]| {
            let call = client.ibyok(arguments).env("IBYOK_URL", &server.url);
            // The client's own variables are no guardrails of the server.
            call.env("IBYOK_TOKEN", &admin).env("PROD_MODE_FORCED", "live")
        };
        let shown = at(&["--json", "keys", "mode", key, set]).ok().json();
        assert_eq!(
            (&shown["mode"], &shown["mode_source"]),
            (&served.0.into(), &served.1.into()),
            "{variables:?}"
        );
        let got = at(&["--json", "get", key]).ok().json();
        assert_eq!(got["mode"], served.0, "{variables:?}");
        assert_eq!(
            got["value"].as_str().unwrap().starts_with("mock-key-"),
            served.0 == "mock"
        );
        assert!(server.stop());
        rounds += 1;
    }
    assert_eq!(rounds, 6);
}

#[test]
fn a_server_does_not_start_where_it_should_not() {
    let place = Place::new();
    place.ibyok(&["serve", "--listen", "0.0.0.0:0"]).fails(2);
    place.ibyok(&["serve", "--listen", "nonsense"]).fails(2);
    place.ibyok(&["serve"]).env("PROD_MODE_FORCED", "mocked").fails(2);
    Place::empty().ibyok(&["serve"]).fails(4);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    place
        .ibyok(&["serve", "--listen", &taken.local_addr().unwrap().to_string()])
        .fails(1);
}

#[test]
fn an_address_that_no_token_is_sent_to_is_refused_before_a_token_is_asked_for() {
    let place = Place::empty();
    let call = |url: &str| place.ibyok(&["--url", url, "keys", "list"]);
    for without in [
        call("http://vault.example.com"),
        call("ftp://vault.example.com"),
        call("nonsense"),
    ] {
        let refused = without.fails(2);
        assert!(!refused.err.contains("IBYOK_TOKEN"), "{refused:?}");
    }
    let refused = call("http://vault.example.com").fails(2);
    assert!(
        refused
            .err
            .contains("hint: use `https`, or accept the risk with `--insecure-http`"),
        "{refused:?}"
    );
    call("http://vault.example.com")
        .env("IBYOK_TOKEN_COMMAND", "touch asked")
        .fails(2);
    assert!(!place.path("asked").exists());
    let none = call("https://vault.example.com").fails(3);
    assert!(none.err.contains("IBYOK_TOKEN"), "{none:?}");
}
