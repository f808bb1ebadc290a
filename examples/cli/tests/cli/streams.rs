//! Answers on standard output and nothing else there; everything that is said to people on standard error.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::harness::Place;

#[test]
fn with_json_every_answer_is_one_document_errors_included() {
    let place = Place::with_key("dev/k", "v");
    for (arguments, code) in [
        (vec!["status"], 0),
        (vec!["whoami"], 0),
        (vec!["envs", "list"], 0),
        (vec!["keys", "list"], 0),
        (vec!["keys", "show", "dev/k"], 0),
        (vec!["get", "dev/k"], 0),
        (vec!["tokens", "list"], 0),
        (vec!["audit", "verify"], 0),
        (vec!["audit", "keys"], 0),
        (vec!["export", "--env", "dev"], 0),
        (vec!["get", "dev/none"], 4),
        (vec!["get"], 2),
        (vec!["bogus"], 2),
        (vec!["keys", "remove", "dev/k"], 2),
        (vec!["init"], 1),
    ] {
        let arguments: Vec<&str> = ["--json"].into_iter().chain(arguments).collect();
        let done = place.ibyok(&arguments).call();
        assert_eq!(done.code, code, "{arguments:?} {done:?}");
        let document = done.json();
        assert_eq!(document["error"].is_object(), code != 0, "{arguments:?}");
        if code != 0 {
            for field in ["code", "message", "hint"] {
                assert!(
                    document["error"][field].as_str().is_some_and(|text| !text.is_empty()),
                    "{arguments:?} {document}"
                );
            }
            assert_eq!(done.err, "", "{arguments:?}");
        }
    }
}

#[test]
fn without_a_terminal_nothing_is_coloured() {
    let place = Place::with_key("dev/k", "v");
    for arguments in [
        vec!["keys", "list"],
        vec!["status"],
        vec!["--help"],
        vec!["bogus"],
        vec!["audit", "tail"],
    ] {
        let done = place.ibyok(&arguments).call();
        assert!(
            !done.out.contains('\u{1b}') && !done.err.contains('\u{1b}'),
            "{arguments:?}"
        );
    }
}

#[test]
fn quiet_leaves_answers_and_errors() {
    let place = Place::empty();
    let done = place.ibyok(&["-q", "init"]).ok();
    assert_eq!((done.out.lines().count(), done.err.as_str()), (1, ""));
    assert!(
        place
            .ibyok(&["-q", "get", "dev/none"])
            .fails(4)
            .err
            .starts_with("error: ")
    );
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let place = Place::with_key("dev/k", "v");
    for arguments in [
        vec!["get", "dev/k"],
        vec!["keys", "list", "--json"],
        vec!["audit", "export"],
        vec!["--help"],
    ] {
        let mut call = place.ibyok(&arguments);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = call
            .command
            .stdin(Stdio::null())
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("\nhint: "),
            "{arguments:?}"
        );
    }
}

#[test]
fn without_a_reader_every_verb_ends_as_the_signal_would_end_it_and_says_nothing() {
    let place = Place::with_key("dev/k", "v");
    for arguments in [
        &["audit", "export"][..],
        &["audit", "tail"],
        &["get", "dev/k"],
        &["keys", "list"],
        &["--json", "keys", "show", "dev/k"],
        &["export", "--env", "dev"],
        &["status"],
        &["whoami"],
        &["envs", "list"],
        &["tokens", "list"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["--json", "get", "dev/none"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut call = place.ibyok(arguments);
        let output = call.command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let output = output.output().unwrap();
        // A refusal stays one: what went wrong counts more than who reads it.
        let refused = arguments.contains(&"dev/none");
        let code = if refused { 4 } else { 141 };
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(refused || output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn every_verb_has_help_and_what_is_not_built_does_not_parse() {
    let place = Place::empty();
    for verb in [
        "init",
        "status",
        "whoami",
        "envs",
        "envs add",
        "namespaces",
        "namespaces list",
        "namespaces add",
        "namespaces remove",
        "keys",
        "keys set",
        "keys add",
        "keys list",
        "keys show",
        "keys edit",
        "keys disable",
        "keys enable",
        "keys remove",
        "get",
        "run",
        "import",
        "export",
        "tokens",
        "tokens issue",
        "tokens list",
        "tokens show",
        "tokens revoke",
        "tokens attenuate",
        "keys mode",
        "mode",
        "mode show",
        "mode set",
        "audit",
        "audit tail",
        "audit verify",
        "audit export",
        "audit keys",
        "backup",
        "restore",
        "copy",
        "serve",
        "demo",
        "completions",
        "man",
    ] {
        let arguments: Vec<&str> = verb.split(' ').chain(["--help"]).collect();
        assert!(place.ibyok(&arguments).ok().out.contains("Usage: ibyok"), "{verb}");
    }
    place.ibyok(&["run", "--watch", "--", "true"]).fails(2);
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            place.ibyok(&["completions", shell]).ok().out.contains("attenuate"),
            "{shell}"
        );
    }
    let script = place.ibyok(&["completions", "bash"]).ok().out;
    let checked = std::process::Command::new("bash").args(["-n", "-c", &script]).status();
    assert!(checked.map_or(true, |status| status.success()));
    assert!(place.ibyok(&["man"]).ok().out.contains(".TH ibyok 1"));
    assert!(place.ibyok(&["man", "tokens", "issue"]).ok().out.contains("cidr"));
    place.ibyok(&["man", "nothing"]).fails(2);
    place.ibyok(&["completions", "csh"]).fails(2);
}
