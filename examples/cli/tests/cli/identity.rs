//! Operator or token, here or on a server: never the wider one by mistake.

use crate::harness::Place;

#[test]
fn whoever_can_open_the_vault_is_its_operator() {
    let place = Place::new();
    let whoami = place.ibyok(&["whoami", "--json"]).ok().json();
    assert_eq!(whoami["kind"], "operator");
    assert!(whoami["id"].as_str().unwrap().starts_with("os:"));
    assert_eq!(whoami["vault"].as_str().unwrap().len(), 22);
}

#[test]
fn a_token_that_is_announced_is_what_counts_and_this_is_said() {
    let place = Place::with_key("dev/k", "v");
    place.set("prod/k", "w");
    let token = place.token(&["ci", "--env", "dev"]);
    let done = place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).ok();
    assert!(done.err.contains("IBYOK_TOKEN"), "{done:?}");
    assert_eq!(
        place
            .ibyok(&["--quiet", "get", "dev/k"])
            .env("IBYOK_TOKEN", &token)
            .ok()
            .err,
        ""
    );
    place.ibyok(&["get", "prod/k"]).env("IBYOK_TOKEN", &token).fails(3);
    place
        .ibyok(&["--operator", "get", "prod/k"])
        .env("IBYOK_TOKEN", &token)
        .ok();
    let file = place.write("token", format!("{token}\n"));
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN_FILE", &file).ok();
    place
        .ibyok(&["get", "dev/k"])
        .env("IBYOK_TOKEN_COMMAND", format!("cat '{file}'"))
        .ok();
    let whoami = place
        .ibyok(&["whoami", "--json"])
        .env("IBYOK_TOKEN", &token)
        .ok()
        .json();
    assert_eq!((&whoami["kind"], &whoami["name"]), (&"token".into(), &"ci".into()));
}

#[test]
fn an_empty_or_failed_token_is_a_refusal_and_never_the_operator() {
    let place = Place::with_key("dev/k", "v");
    for (variable, value) in [
        ("IBYOK_TOKEN", ""),
        ("IBYOK_TOKEN", " \n"),
        ("IBYOK_TOKEN_FILE", ""),
        ("IBYOK_TOKEN_FILE", "/nowhere"),
        ("IBYOK_TOKEN_FILE", "/dev/null"),
        ("IBYOK_TOKEN_FILE", "/"),
        ("IBYOK_TOKEN_COMMAND", ""),
        ("IBYOK_TOKEN_COMMAND", "false"),
        ("IBYOK_TOKEN_COMMAND", "no-such-program"),
        ("IBYOK_TOKEN_COMMAND", "sh -c 'echo x; exit 3'"),
        ("IBYOK_TOKENS", "x"),
    ] {
        let done = place.ibyok(&["get", "dev/k"]).env(variable, value).fails(3);
        assert_eq!(done.out, "", "{variable}={value}");
    }
}

#[test]
fn a_token_that_is_not_whole_is_refused_with_one_and_the_same_answer() {
    let place = Place::with_key("dev/k", "v");
    let token = place.token(&["ci", "--env", "dev"]);
    let other = Place::with_key("dev/k", "v").token(&["ci", "--env", "dev"]);
    let mut changed = token.clone().into_bytes();
    let at = changed.len() / 2;
    changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
    let revoked = place.token(&["old", "--env", "dev"]);
    place.ibyok(&["tokens", "revoke", "old", "--yes"]).ok();
    let mut answers = std::collections::BTreeSet::new();
    for bad in [
        token.get(..token.len() - 1).unwrap().to_owned(),
        token.get(..20).unwrap().to_owned(),
        String::from_utf8(changed).unwrap(),
        other,
        revoked,
        token.to_lowercase(),
        format!("{token}{token}"),
        "ibyok_".to_owned(),
        "x'; DROP TABLE records; --".to_owned(),
    ] {
        answers.insert(
            place
                .ibyok(&["get", "dev/k", "--json", "-q"])
                .env("IBYOK_TOKEN", &bad)
                .fails(3)
                .out,
        );
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let huge = place.write("huge", "a".repeat(1 << 20));
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN_FILE", huge).fails(3);
}

#[test]
fn a_token_ends_when_it_says() {
    let place = Place::with_key("dev/k", "v");
    let token = place.token(&["short", "--env", "dev", "--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).fails(3);
    let shown = place.ibyok(&["tokens", "show", "short", "--json"]).ok().json();
    assert_eq!(shown["state"], "expired");
}

#[test]
fn two_places_at_once_are_wrong_usage() {
    let place = Place::new();
    place
        .ibyok(&["--url", "http://127.0.0.1:1", "--vault", "v", "whoami"])
        .fails(2);
    place
        .ibyok(&["--url", "http://127.0.0.1:1", "--operator", "whoami"])
        .fails(2);
    place
        .ibyok(&["--operator", "whoami"])
        .env("IBYOK_URL", "http://127.0.0.1:1")
        .fails(2);
    let vault = place.vault().display().to_string();
    place
        .ibyok(&["--vault", &vault, "whoami"])
        .env("IBYOK_URL", "http://127.0.0.1:1")
        .ok();
}

#[test]
fn what_works_only_here_says_so() {
    let place = Place::new();
    let file = place.write("x.env", "A=1");
    for verb in [
        vec!["init"],
        vec!["status"],
        vec!["envs", "list"],
        vec!["import", &file, "--env", "dev"],
        vec!["export", "--env", "dev"],
        vec!["audit", "tail"],
        vec!["audit", "verify"],
        vec!["serve"],
    ] {
        let done = place.ibyok(&verb).env("IBYOK_URL", "http://127.0.0.1:1").fails(2);
        assert!(done.err.contains("IBYOK_URL"), "{done:?}");
    }
}

#[test]
fn a_token_stays_in_its_namespace() {
    let place = Place::with_key("dev/k", "default's");
    place.ibyok(&["--namespace", "acme", "envs", "add", "dev"]).ok();
    place
        .ibyok(&["--namespace", "acme", "keys", "set", "dev/k"])
        .stdin("acme's")
        .ok();
    let own = ["--namespace", "acme", "get", "ibyok://acme/dev/k"];
    assert_eq!(place.ibyok(&own).ok().out, "acme's\n");
    let token = place.token(&["t", "--env", "dev"]);
    assert_eq!(
        place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).ok().out,
        "default's\n"
    );
    for arguments in [
        vec!["get", "ibyok://acme/dev/k"],
        vec!["--namespace", "acme", "get", "dev/k"],
    ] {
        assert_eq!(
            place.ibyok(&arguments).env("IBYOK_TOKEN", &token).fails(3).out,
            "",
            "{arguments:?}"
        );
    }
}

#[test]
fn the_log_of_a_namespace_is_shown_alone_and_the_whole_log_without_one() {
    let place = Place::with_key("dev/k", "default's");
    place.ibyok(&["--namespace", "acme", "envs", "add", "dev"]).ok();
    let set = ["--namespace", "acme", "keys", "set", "dev/k"];
    place.ibyok(&set).stdin("acme's").ok();
    let tail = ["audit", "tail", "--json"];
    let of_acme = place
        .ibyok(&[["--namespace", "acme"].as_slice(), &tail].concat())
        .ok()
        .out;
    assert!(
        of_acme.contains("key.set") && !of_acme.contains("log.open"),
        "{of_acme}"
    );
    for line in of_acme.lines() {
        assert!(line.contains(r#""namespace":"acme""#), "{line}");
    }
    let whole = place.ibyok(&tail).ok().out;
    for wanted in ["log.open", r#""namespace":"acme""#, r#""namespace":"default""#] {
        assert!(whole.contains(wanted), "{wanted} in {whole}");
    }
    let refused = ["--namespace", "acme", "audit", "tail", "--key", "ibyok://default/dev/k"];
    place.ibyok(&refused).fails(3);
}

#[test]
fn an_operator_without_a_name_in_the_user_database_is_known_by_number() {
    let place = Place::empty();
    // Only root can become somebody else: for everybody else their own name is what there is to see.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_root {
        std::os::unix::fs::chown(place.path(""), Some(54_321), Some(54_321)).unwrap();
    }
    let ibyok = |arguments: &[&str]| {
        let mut call = place.ibyok(arguments);
        if is_root {
            std::os::unix::process::CommandExt::uid(&mut call.command, 54_321);
            std::os::unix::process::CommandExt::gid(&mut call.command, 54_321);
        }
        call.ok()
    };
    ibyok(&["init"]);
    let log = ibyok(&["audit", "tail", "--json"]).out;
    assert!(log.contains(if is_root { "\"os:54321@" } else { "\"os:" }), "{log}");
    assert!(!log.contains("os:unknown"), "{log}");
}

#[test]
fn a_client_speaks_plain_http_to_another_machine_only_where_it_is_told_to() {
    let place = Place::empty();
    let token = "ibyok_x";
    let call = |flags: &[&str], variable: &str| {
        let arguments = [&["keys", "list", "--url", "http://ibyok.invalid:8420"], flags].concat();
        let call = place.ibyok(&arguments).env("IBYOK_TOKEN", token);
        call.env("IBYOK_INSECURE_HTTP", variable).call()
    };
    for variable in ["", "false", "0"] {
        let refused = call(&[], variable);
        assert!(
            refused.code == 2 && refused.err.contains("--insecure-http"),
            "{refused:?}"
        );
    }
    assert_eq!(call(&[], "maybe").code, 2);
    for allowed in [call(&["--insecure-http"], ""), call(&[], "true"), call(&[], "1")] {
        // It gets as far as looking for the machine, which there is not.
        assert_eq!(allowed.code, 5, "{allowed:?}");
    }
}
