//! A token that may write keys plants no variable that steers a program.

use crate::harness::{Call, Place};
use crate::remote::Server;

/// Variables by which another person's programs could be made to run code or to send their data elsewhere.
const STEERING: [&str; 40] = [
    "IBYOK_TOKEN_COMMAND",
    "ibyok_url",
    "https_proxy",
    "ALL_PROXY",
    "npm_config_https_proxy",
    "MAKEFILES",
    "GNUMAKEFLAGS",
    "MAKEFLAGS",
    "TAR_OPTIONS",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "ANSIBLE_CONFIG",
    "ANSIBLE_VAULT_PASSWORD_FILE",
    "PSQLRC",
    "SSLKEYLOGFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL",
    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",
    "PIP_INDEX_URL",
    "DOCKER_HOST",
    "GIT_SSH_COMMAND",
    "GIT_CONFIG_KEY_0",
    "LD_PRELOAD",
    "LD_AUDIT",
    "NODE_OPTIONS",
    "PYTHONSTARTUP",
    "PERL5OPT",
    "RUBYOPT",
    "BASH_ENV",
    "ENV",
    "PROMPT_COMMAND",
    "PAGER",
    "EDITOR",
    "SHELL",
    "HOME",
    "USER",
    "PATH",
    "TMPDIR",
    "JAVA_TOOL_OPTIONS",
];

fn by(place: &Place, token: &str, arguments: &[&str]) -> Call {
    place.ibyok(arguments).env("IBYOK_TOKEN", token)
}

fn writer(place: &Place) -> String {
    let scopes = ["keys:write", "keys:read", "keys:list"]
        .map(|scope| ["--scope", scope])
        .concat();
    place.token(&[&["writer", "--env", "dev"], scopes.as_slice()].concat())
}

#[test]
fn a_token_writes_no_variable_that_may_steer_a_program() {
    let place = Place::with_key("dev/k", "v");
    let token = writer(&place);
    for variable in STEERING {
        let done = by(&place, &token, &["keys", "set", "dev/x", "--var", variable])
            .stdin("touch planted")
            .fails(2);
        assert!(done.err.contains("variable"), "{variable}: {done:?}");
        by(&place, &token, &["keys", "edit", "dev/k", "--var", variable]).fails(2);
    }
    place.ibyok(&["get", "dev/x"]).fails(4);
    for variable in [
        "OPENAI_API_KEY",
        "DATABASE_URL",
        "DB_HOST",
        "SMTP_PASSWORD",
        "SENTRY_DSN",
        "SLACK_WEBHOOK_URL",
    ] {
        by(&place, &token, &["keys", "set", "dev/x", "--var", variable])
            .stdin("v")
            .ok();
    }
}

#[test]
fn a_server_refuses_the_same() {
    let place = Place::with_key("dev/k", "v");
    let token = writer(&place);
    let server = Server::start(&place);
    for variable in STEERING {
        let arguments = ["keys", "set", "dev/x", "--url", &server.url, "--var", variable];
        by(&place, &token, &arguments).stdin("touch planted").fails(2);
    }
    place.ibyok(&["get", "dev/x"]).fails(4);
}

#[test]
fn a_key_whose_name_is_such_a_variable_is_handed_out_only_by_name() {
    let place = Place::with_key("dev/fine", "v");
    let token = writer(&place);
    let written = by(&place, &token, &["keys", "set", "dev/MAKEFILES"])
        .stdin("planted")
        .ok();
    assert!(written.err.contains("MAKEFILES"), "{written:?}");
    let env = ["run", "--env", "dev", "--", "env"];
    for done in [
        place.ibyok(&env).ok(),
        by(&place, &token, &env).ok(),
        place.ibyok(&["export", "--env", "dev"]).ok(),
        place.ibyok(&["export", "--env", "dev", "--format", "shell"]).ok(),
        place.ibyok(&["export", "--env", "dev", "--format", "json"]).ok(),
    ] {
        assert!(!done.out.contains("planted") && done.out.contains("FINE"), "{done:?}");
        assert!(done.err.contains("skipped `dev/MAKEFILES`"), "{done:?}");
    }
    let named = ["run", "--key", "MAKEFILES=dev/MAKEFILES", "--", "env"];
    assert!(place.ibyok(&named).ok().out.contains("MAKEFILES=planted"));
    // An operator who names it knows what it is.
    place
        .ibyok(&["keys", "edit", "dev/MAKEFILES", "--var", "MAKEFILES"])
        .ok();
    assert!(place.ibyok(&env).ok().out.contains("MAKEFILES=planted"));
    // And a token that writes a new value changes nothing about that.
    by(&place, &token, &["keys", "set", "dev/MAKEFILES"])
        .stdin("again")
        .ok();
    assert!(place.ibyok(&env).ok().out.contains("MAKEFILES=again"));
}

#[test]
fn nobody_writes_what_is_ours_or_decides_where_requests_go() {
    let place = Place::with_key("dev/k", "v");
    for variable in [
        "IBYOK_TOKEN_COMMAND",
        "ibyok_url",
        "HTTP_PROXY",
        "no_proxy",
        "LD_PRELOAD",
        "PATH",
    ] {
        place
            .ibyok(&["keys", "set", "dev/x", "--var", variable])
            .stdin("v")
            .fails(2);
        place.ibyok(&["keys", "edit", "dev/k", "--var", variable]).fails(2);
        place
            .ibyok(&["keys", "set", &format!("dev/{variable}")])
            .stdin("v")
            .fails(2);
    }
    place
        .ibyok(&["keys", "set", "dev/x", "--var", "LOG_LEVEL"])
        .stdin("v")
        .ok();
    assert!(
        place
            .ibyok(&["run", "--env", "dev", "--", "env"])
            .ok()
            .out
            .contains("LOG_LEVEL=v")
    );
}

#[test]
fn a_tokens_import_leaves_such_variables_where_they_are() {
    let place = Place::new();
    let token = writer(&place);
    let file = place.write("x.env", "API_KEY=v\nMAKEFILES=planted\nLOG_LEVEL=debug\n");
    let done = by(&place, &token, &["import", &file, "--env", "dev"]).ok();
    assert!(done.err.contains("line 2: did not import `MAKEFILES`"), "{done:?}");
    assert!(!place.ibyok(&["keys", "list"]).ok().out.contains("MAKEFILES"));
    assert!(place.ibyok(&["get", "dev/API_KEY"]).ok().out.contains('v'));
}

#[test]
fn an_exported_file_runs_no_code_when_it_is_sourced() {
    let place = Place::new();
    let values = [
        "$(touch planted)",
        "`touch planted`",
        "'; touch planted; '",
        "\"; touch planted; \"",
        "x\ntouch planted\n",
        "\\'; touch planted #",
        "$((a[$(touch planted)]))",
        "~/x; touch planted",
        "a && touch planted",
        "<(touch planted)",
        "\r\ntouch planted\r\n",
        "\\",
        "x'\n touch planted\n'",
    ];
    for value in values {
        // One line break at the end is the input's, and not the value's.
        place.set("dev/API_KEY", &format!("{value}\n"));
        for format in ["dotenv", "shell"] {
            let exported = place.ibyok(&["export", "--env", "dev", "--format", format]).call();
            // A value that one reader would take otherwise is refused: then there is nothing to source.
            assert!(
                exported.code == 0 || (exported.code == 2 && exported.out.is_empty()),
                "{exported:?}"
            );
            assert!(format == "dotenv" || exported.code == 0, "{exported:?}");
            place.write("exported", &exported.out);
            for shell in crate::harness::shells() {
                let script = ". ./exported\nprintf %s \"$API_KEY\"";
                let output = std::process::Command::new(shell)
                    .args(["-c", script])
                    .current_dir(place.path(""))
                    .output()
                    .unwrap();
                assert!(!place.path("planted").exists(), "{shell} {format} {value:?}");
                if exported.code == 0 {
                    assert_eq!(String::from_utf8_lossy(&output.stdout), value, "{shell} {format}");
                }
            }
        }
    }
}
