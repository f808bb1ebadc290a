//! A program with keys in its environment.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Place;

fn sh(script: &str) -> Vec<&str> {
    vec!["--", "sh", "-c", script]
}

fn run<'a>(flags: &[&'a str], program: Vec<&'a str>) -> Vec<&'a str> {
    ["run"].iter().chain(flags).copied().chain(program).collect()
}

#[test]
fn the_program_has_the_keys_of_the_environment_under_their_variables() {
    let place = Place::with_key("dev/openai", "sk 1\n2");
    place.ibyok(&["keys", "set", "dev/x", "--var", "MY_x"]).stdin("y").ok();
    place.set("prod/openai", "not this one");
    let done = place
        .ibyok(&run(
            &["--env", "dev"],
            sh("printf '%s|%s' \"$OPENAI_API_KEY\" \"$MY_x\""),
        ))
        .ok();
    assert_eq!(done.out, "sk 1\n2|y");
}

#[test]
fn the_exit_code_is_the_programs_own() {
    let place = Place::with_key("dev/k", "v");
    for code in [0, 1, 3, 77, 125] {
        let script = format!("exit {code}");
        assert_eq!(place.ibyok(&run(&["--env", "dev"], sh(&script))).call().code, code);
    }
    assert_eq!(
        place.ibyok(&run(&["--env", "dev"], sh("kill -9 $$"))).call().code,
        128 + 9
    );
    assert_eq!(
        place.ibyok(&run(&["--env", "dev"], sh("kill -TERM $$"))).call().code,
        128 + 15
    );
}

#[test]
fn what_cannot_be_started_has_the_codes_of_docker() {
    let place = Place::with_key("dev/k", "v");
    place
        .ibyok(&run(&["--env", "dev"], vec!["--", "no-such-program"]))
        .fails(127);
    place
        .ibyok(&run(&["--env", "dev"], vec!["--", "/no/such/program"]))
        .fails(127);
    let script = place.write("script", "#!/bin/sh\n");
    place.ibyok(&run(&["--env", "dev"], vec!["--", &script])).fails(126);
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    place.ibyok(&run(&["--env", "dev"], vec!["--", &script])).ok();
    place.ibyok(&run(&["--env", "dev"], vec!["--", "/"])).fails(126);
}

#[test]
fn one_key_that_fails_starts_nothing() {
    let place = Place::with_key("dev/k", "v");
    let flags = |key| run(&["--env", "dev", "--key", key], vec!["--", "touch", "started"]);
    for key in [
        "A=dev/none",
        "A=nope/k",
        "A=",
        "=dev/k",
        "dev/k",
        "A=dev/k?version=9",
        "A=../x",
    ] {
        let done = place.ibyok(&flags(key)).fails(125);
        assert_eq!(done.out, "", "{key}");
    }
    place
        .ibyok(&run(&["--env", "nope"], vec!["--", "touch", "started"]))
        .fails(125);
    place
        .ibyok(&run(&["--env", "dev"], vec!["--", "touch", "started"]))
        .env("IBYOK_TOKEN", "")
        .fails(125);
    place.ibyok(&["keys", "set", "dev/nul"]).stdin(b"a\0b".to_vec()).ok();
    place
        .ibyok(&run(&["--env", "dev"], vec!["--", "touch", "started"]))
        .fails(125);
    assert!(!place.path("started").exists());
}

#[test]
fn later_sources_win() {
    let place = Place::with_key("dev/A", "environment");
    place.set("dev/B", "environment");
    place.set("dev/C", "environment");
    place.set("dev/D", "environment");
    place.set("prod/other", "single");
    let file = place.write("x.env", "B=file\nC=file\nD=file\nE=ibyok://prod/other\nF='$literal'\n");
    let flags = ["--env", "dev", "--env-file", &file, "--key", "D=prod/other"];
    let script = sh("echo $A $B $C $D $E $F");
    let done = place.ibyok(&run(&flags, script)).env("C", "own").env("D", "own").ok();
    assert_eq!(done.out, "environment file own single single $literal\n");
}

#[test]
fn a_file_that_sets_one_of_our_variables_is_refused_naming_it() {
    let place = Place::new();
    let file = place.write("x.env", "A=b\nIBYOK_TOKEN=ibyok_SENTINEL\n");
    let done = place.ibyok(&run(&["--env-file", &file], sh("echo $A"))).fails(125);
    assert!(done.out.is_empty() && done.err.contains("`IBYOK_TOKEN`"), "{done:?}");
    assert!(!done.err.contains("SENTINEL"), "{done:?}");
}

#[test]
fn our_own_variables_that_are_references_are_resolved() {
    let place = Place::with_key("dev/k", "v");
    place.set("dev/k", "w");
    let call = place.ibyok(&run(&[], sh("echo $A $B $C")));
    let call = call
        .env("A", "ibyok://dev/k")
        .env("B", "ibyok://dev/k?version=1")
        .env("C", "plain");
    assert_eq!(call.ok().out, "w v plain\n");
    place
        .ibyok(&run(&[], sh("true")))
        .env("A", "ibyok://dev/none")
        .fails(125);
    let done = place
        .ibyok(&run(&[], sh("true")))
        .env("A", "ibyok://nonsense")
        .fails(125);
    assert!(done.err.contains('A'), "{done:?}");
}

#[test]
fn the_program_takes_our_place_and_inherits_nothing_else_of_us() {
    let place = Place::with_key("dev/k", "v");
    let child = place.ibyok(&run(&["--env", "dev"], sh("echo $$"))).spawn();
    let id = child.id().to_string();
    assert_eq!(
        String::from_utf8(child.wait_with_output().unwrap().stdout)
            .unwrap()
            .trim(),
        id
    );
    let count = "ls /proc/self/fd | wc -l";
    let direct = std::process::Command::new("sh")
        .args(["-c", count])
        .stdin(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(
        place.ibyok(&run(&["--env", "dev"], sh(count))).ok().bytes,
        direct.stdout
    );
}

#[test]
fn the_program_has_our_environment_without_what_is_ours() {
    let place = Place::with_key("dev/k", "v");
    let token = place.token(&["ci", "--env", "dev"]);
    let call = |flags: &[&'static str]| {
        let flags: Vec<&str> = ["--env", "dev"].iter().chain(flags).copied().collect();
        let mut call = place
            .ibyok(&run(&flags, vec!["--", "env"]))
            .env("IBYOK_TOKEN", &token)
            .env("IBYOK_OTHER", "x");
        call = call.env("KEPT", "as is");
        call.command.env("BYTES", std::ffi::OsStr::from_bytes(b"\xff\xfe"));
        call.ok()
    };
    let done = call(&[]);
    assert!(
        done.out.contains("KEPT=as is") && !done.out.contains("IBYOK_"),
        "{done:?}"
    );
    assert!(
        done.bytes.windows(9).any(|bytes| bytes == b"BYTES=\xff\xfe\n"),
        "{done:?}"
    );
    let done = call(&["--keep-token"]);
    assert!(
        done.out.contains(&format!("IBYOK_TOKEN={token}")) && !done.out.contains("IBYOK_OTHER"),
        "{done:?}"
    );
}

#[test]
fn only_takes_some_of_an_environment() {
    let place = Place::with_key("dev/OPENAI_A", "1");
    place.set("dev/STRIPE", "2");
    let done = place
        .ibyok(&run(
            &["--env", "dev", "--only", "OPENAI*"],
            sh("echo $OPENAI_A-$STRIPE"),
        ))
        .ok();
    assert_eq!(done.out, "1-\n");
}

#[test]
fn two_keys_of_one_variable_are_refused() {
    let place = Place::with_key("dev/a-b", "1");
    place.set("dev/a.b", "2");
    let done = place.ibyok(&run(&["--env", "dev"], sh("true"))).fails(125);
    assert!(
        done.err.contains("dev/a-b") && done.err.contains("dev/a.b") && done.err.contains("A_B"),
        "{done:?}"
    );
}

#[test]
fn a_disabled_key_is_left_out_and_said() {
    let place = Place::with_key("dev/a", "1");
    place.set("dev/b", "2");
    place.ibyok(&["keys", "disable", "dev/a"]).ok();
    let done = place.ibyok(&run(&["--env", "dev"], sh("echo $A-$B"))).ok();
    assert_eq!(done.out, "-2\n");
    assert!(done.err.contains("dev/a"), "{done:?}");
}

#[test]
fn a_projects_file_says_which_keys() {
    let place = Place::with_key("dev/k", "v");
    place.set("prod/p", "w");
    place.write(
        "project/.ibyok.toml",
        "env = \"dev\"\n[keys]\nEXTRA_KEY = \"ibyok://prod/p\"\n",
    );
    place.write("project/src/x", "");
    let done = place
        .ibyok(&run(&[], sh("echo $K $EXTRA_KEY")))
        .within(&place.path("project/src"))
        .ok();
    assert_eq!(done.out, "v w\n");
    assert!(done.err.contains(".ibyok.toml"), "{done:?}");
    assert!(done.err.contains("EXTRA_KEY (prod/p), K (dev/k)"), "{done:?}");
    // Flags say it instead.
    let done = place
        .ibyok(&run(&["--key", "Z=prod/p"], sh("echo $K-$Z")))
        .within(&place.path("project/src"))
        .ok();
    assert_eq!(done.out, "-w\n");
    place.ibyok(&run(&[], sh("true"))).fails(125);
}

#[test]
fn a_hostile_projects_file_is_wrong_input_and_starts_nothing() {
    let place = Place::with_key("dev/k", "v");
    for hostile in [
        "url = \"http://127.0.0.1:1\"",
        "store = \"/tmp/x\"",
        "token_command = \"touch started\"",
        "env = \"dev\"\ncommand = \"x\"",
        "[keys]\nPATH = \"ibyok://dev/k\"",
        "[keys]\nMAKEFILES = \"ibyok://dev/k\"",
        "[keys]\nIBYOK_TOKEN_COMMAND = \"ibyok://dev/k\"",
        "[keys]\nhttps_proxy = \"ibyok://dev/k\"",
        "[keys]\nA = \"sk-plain\"",
        "[keys]\nA = \"ibyok://../../etc/passwd\"",
        "\u{0}",
        "env = 1",
    ] {
        place.write("project/.ibyok.toml", hostile);
        place
            .ibyok(&run(&[], vec!["--", "touch", "started"]))
            .within(&place.path("project"))
            .fails(2);
    }
    std::fs::remove_file(place.path("project/.ibyok.toml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place.path("project/.ibyok.toml")).unwrap();
    place
        .ibyok(&run(&[], vec!["--", "touch", "started"]))
        .within(&place.path("project"))
        .fails(2);
    assert!(!place.path("project/started").exists());
}

#[test]
fn a_projects_file_is_believed_only_if_nobody_else_can_have_written_it() {
    let place = Place::with_key("dev/k", "v");
    let file = place.write("project/.ibyok.toml", "env = \"dev\"\n");
    let started = || {
        let call = place.ibyok(&run(&[], sh("echo $K"))).within(&place.path("project"));
        call.call()
    };
    assert_eq!(started().out, "v\n");
    for mode in [0o664, 0o646, 0o666] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let done = started();
        assert!(done.code == 2 && done.out.is_empty(), "{done:?}");
        assert!(done.err.contains("can write to it"), "{done:?}");
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Only root can give a file to somebody else: as whoever else this is the end of the test.
    if std::os::unix::fs::chown(&file, Some(54_321), None).is_ok() {
        let done = started();
        assert!(done.code == 2 && done.err.contains("user 54321"), "{done:?}");
        std::fs::create_dir(place.path("other")).unwrap();
        std::os::unix::fs::symlink(&file, place.path("other/.ibyok.toml")).unwrap();
        place.ibyok(&run(&[], sh("true"))).within(&place.path("other")).fails(2);
    }
}

#[test]
fn a_projects_file_above_the_home_directory_is_nobodys() {
    let place = Place::with_key("dev/k", "v");
    place.write(".ibyok.toml", "env = \"dev\"\n");
    place.write("home/project/x", "");
    let at = |home: &str| {
        let call = place
            .ibyok(&run(&[], sh("echo $K")))
            .within(&place.path("home/project"));
        call.env("HOME", place.path(home)).call()
    };
    assert_eq!((at("home").code, at("home").out.as_str()), (125, ""));
    assert_eq!(at("nowhere").out, "v\n");
}

#[test]
fn every_value_is_on_the_log_before_the_program_runs() {
    let place = Place::with_key("dev/k", "v");
    place.ibyok(&run(&["--env", "dev"], vec!["--", "true"])).ok();
    let log = place
        .ibyok(&["audit", "tail", "--key", "dev/k", "-n", "1", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&log["action"], &log["outcome"]),
        (&"key.retrieve".into(), &"allowed".into())
    );
    assert_eq!(place.ibyok(&["audit", "verify", "--json"]).ok().json()["ok"], true);
}

#[test]
fn a_programs_core_dumps_are_its_own_affair() {
    let place = Place::with_key("dev/k", "v");
    let limit = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let ours = limit("sh", &["-c", "ulimit -c"]);
    assert_eq!(place.ibyok(&run(&["--env", "dev"], sh("ulimit -c"))).ok().out, ours);
}
