//! `.env` files go in, and references stay behind.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::harness::Place;

/// The constructs of people's real files, in one file.
const REAL: &str = "\u{feff}# keys\r
export OPENAI_API_KEY=sk-proj-1 # mine\r
STRIPE='sk_live # not a comment'\r
URL=postgres://u:p@h/d?a=b&c=d==\r
EMPTY=\r
PRICE=\"\\$5 and $HOME\"\r
GREETING=grüße-東京\r
PEM=\"-----BEGIN KEY-----\r
MIIB=\r
-----END KEY-----\r
\"\r
_PRIVATE=p\r
";

#[test]
fn what_files_really_hold_goes_in_as_it_is_meant() {
    let place = Place::new();
    let file = place.write(".env", REAL);
    let done = place.ibyok(&["import", &file, "--env", "dev", "--json"]).ok();
    for said in ["EMPTY (line 5)", "PRICE (line 6)", "_PRIVATE (line 12)"] {
        assert!(done.err.contains(said), "{done:?}");
    }
    let items = done.json()["items"].clone();
    assert_eq!(
        items[0],
        serde_json::json!({
            "variable": "OPENAI_API_KEY", "line": 2, "ref": "dev/OPENAI_API_KEY", "outcome": "created", "provider": "openai"
        })
    );
    for (key, value) in [
        ("OPENAI_API_KEY", "sk-proj-1"),
        ("STRIPE", "sk_live # not a comment"),
        ("URL", "postgres://u:p@h/d?a=b&c=d=="),
        ("PRICE", "$5 and $HOME"),
        ("GREETING", "grüße-東京"),
        ("PEM", "-----BEGIN KEY-----\nMIIB=\n-----END KEY-----\n"),
        ("PRIVATE", "p"),
    ] {
        assert_eq!(
            place.ibyok(&["get", "-n", &format!("dev/{key}")]).ok().out,
            value,
            "{key}"
        );
    }
    place.ibyok(&["get", "dev/EMPTY"]).fails(4);
    let shown = place.ibyok(&["keys", "show", "dev/PRIVATE", "--json"]).ok().json();
    assert_eq!(shown["variable"], "_PRIVATE");
}

#[test]
fn a_file_that_is_rewritten_runs_as_before() {
    let place = Place::new();
    let file = place.write(".env", REAL);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let done = place.ibyok(&["import", &file, "--env", "dev", "--rewrite"]).ok();
    assert!(done.err.contains("git"), "{done:?}");
    let written = place.read(".env");
    assert!(
        written.starts_with("\u{feff}# keys\r\nexport OPENAI_API_KEY=\"ibyok://dev/OPENAI_API_KEY\" # mine\r\n"),
        "{written}"
    );
    assert!(written.contains("\r\nEMPTY=\r\n"));
    for secret in ["sk-proj-1", "sk_live", "postgres", "MIIB", "$5"] {
        assert!(!written.contains(secret), "{written}");
    }
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
    let others: Vec<_> = fs::read_dir(place.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        others
            .iter()
            .all(|name| [".env", "data", "config"].iter().any(|known| name == known)),
        "{others:?}"
    );
    let run = [
        "run",
        "--env-file",
        &file,
        "--",
        "sh",
        "-c",
        "printf '%s|%s|%s' \"$STRIPE\" \"$PRICE\" \"$_PRIVATE\"",
    ];
    assert_eq!(place.ibyok(&run).ok().out, "sk_live # not a comment|$5 and $HOME|p");
    // A second time there is nothing left to do.
    let again = place
        .ibyok(&["import", &file, "--env", "dev", "--rewrite", "--json"])
        .ok()
        .json();
    assert!(
        again["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["ref"].is_null())
    );
    assert_eq!(place.read(".env"), written);
}

#[test]
fn a_key_that_has_another_value_is_refused_unless_it_is_to_be_updated() {
    let place = Place::with_key("dev/A", "old");
    place.set("dev/B", "same");
    let file = place.write("x.env", "A=new\nB=same\nC=more\n");
    let done = place.ibyok(&["import", &file, "--env", "dev", "--rewrite"]).fails(1);
    assert!(
        done.out.contains("refused") && done.out.contains("unchanged") && done.out.contains("created"),
        "{done:?}"
    );
    assert_eq!(place.read("x.env"), "A=new\nB=same\nC=more\n");
    assert_eq!(place.ibyok(&["get", "dev/A"]).ok().out, "old\n");
    place.ibyok(&["import", &file, "--env", "dev", "--update"]).ok();
    assert_eq!(place.ibyok(&["get", "dev/A"]).ok().out, "new\n");
    assert_eq!(
        place.ibyok(&["keys", "show", "dev/B", "--json"]).ok().json()["version"],
        1
    );
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let place = Place::with_key("dev/A", "old");
    place.set("dev/B", "same");
    let text = "A=new\nB=same\nC=more\n";
    let file = place.write("x.env", text);
    let outcomes = |flags: &[&str]| {
        let arguments: Vec<&str> = ["import", &file, "--env", "dev", "--dry-run", "--json"]
            .iter()
            .chain(flags)
            .copied()
            .collect();
        let items = place.ibyok(&arguments).ok().json()["items"].clone();
        items
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["outcome"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&[]), ["refused", "unchanged", "created"]);
    assert_eq!(outcomes(&["--update"]), ["updated", "unchanged", "created"]);
    assert_eq!(
        outcomes(&["--only", "B*", "--skip", "C"]),
        ["skipped", "unchanged", "skipped"]
    );
    place.ibyok(&["get", "dev/C"]).fails(4);
    assert_eq!(place.ibyok(&["get", "dev/A"]).ok().out, "old\n");
    assert_eq!(place.read("x.env"), text);
    place
        .ibyok(&["import", &file, "--env", "dev", "--dry-run", "--rewrite"])
        .fails(2);
}

#[test]
fn a_file_that_is_wrong_stores_nothing_and_names_the_line() {
    let place = Place::new();
    let long = format!("A=1\nB={}\n", "x".repeat(64 * 1024 + 1));
    for (text, said) in [
        ("A=1\nB=2\n\nA=3\n", "line 1 and on line 4"),
        ("A=1\nhello world\n", "line 2"),
        ("A=1\nB=\"x\n", "line 2"),
        ("A=1\nB='x\\'\nC='#y'\n", "line 2"),
        ("A=1\nB=\"x\"#y\n", "line 2"),
        ("A=1\n_A=2\n", "line 1"),
        (long.as_str(), "line 2"),
    ] {
        let file = place.write("x.env", text);
        let done = place.ibyok(&["import", &file, "--env", "dev"]).fails(2);
        assert!(done.err.contains(said), "{done:?}");
    }
    let file = place.write("x.env", b"A=1\nB=\xff\n");
    assert!(
        place
            .ibyok(&["import", &file, "--env", "dev"])
            .fails(2)
            .err
            .contains("line 2")
    );
    place.ibyok(&["import", "/nowhere", "--env", "dev"]).fails(2);
    place.ibyok(&["import", "/", "--env", "dev"]).fails(2);
    place.ibyok(&["import", &file, "--env", "nope"]).fails(2);
    assert_eq!(
        place.ibyok(&["keys", "list", "--json"]).ok().json()["items"],
        serde_json::json!([])
    );
}

#[test]
fn an_environment_that_does_not_exist_is_refused_whatever_the_file_holds() {
    let place = Place::with_key("dev/A", "1");
    let token = place.token(&["ci", "--env", "dev", "--scope", "keys:write"]);
    for text in ["", "# a comment\n", "A=\n", "A=ibyok://dev/A\n", "A=1\n"] {
        let file = place.write("x.env", text);
        for flags in [&[][..], &["--dry-run"], &["--rewrite"], &["--only", "NONE"]] {
            let arguments = [&["import", &file, "--env", "nope"], flags].concat();
            let done = place.ibyok(&arguments).fails(4);
            assert!(done.err.contains("`nope`"), "{done:?}");
            // A token is not told which environments there are.
            place.ibyok(&arguments).env("IBYOK_TOKEN", &token).fails(3);
        }
        assert_eq!(place.read("x.env"), text);
    }
    place.ibyok(&["import", "/dev/null", "--env", "nope"]).fails(4);
    place.ibyok(&["import", "/dev/null", "--env", "dev"]).ok();
    let empty = place
        .ibyok(&["import", "/dev/null", "--env", "dev"])
        .env("IBYOK_TOKEN", &token);
    empty.ok();
}

#[test]
fn an_import_that_fails_answers_with_one_document() {
    let place = Place::with_key("dev/A", "old");
    let file = place.write("x.env", "A=new\nB=more\n");
    let refused = place.ibyok(&["import", &file, "--env", "dev", "--json"]).fails(1);
    let document = refused.json();
    assert_eq!(document["items"][0]["outcome"], "refused");
    assert_eq!(document["items"][1]["outcome"], "created");
    assert_eq!(document["error"]["code"], "conflict");
    for field in ["message", "hint"] {
        assert!(document["error"][field].as_str().is_some_and(|text| !text.is_empty()));
    }
    // A value that the vault refuses, beside one that it takes.
    let file = place.write("x.env", "C=sk-mock-openai-1234567890\nD=1\n");
    let failed = place.ibyok(&["import", &file, "--env", "dev", "--json"]).call();
    assert_ne!(failed.code, 0, "{failed:?}");
    let document = failed.json();
    assert_eq!(document["items"][0]["outcome"], "failed");
    assert!(document["error"]["code"].is_string());
    let done = place
        .ibyok(&["import", &file, "--env", "dev", "--json", "--skip", "C"])
        .ok();
    assert!(done.json().get("error").is_none());
}

#[test]
fn standard_input_is_a_file_too_but_cannot_be_rewritten() {
    let place = Place::new();
    place.ibyok(&["import", "-", "--env", "dev"]).stdin("A=1\n").ok();
    assert_eq!(place.ibyok(&["get", "dev/A"]).ok().out, "1\n");
    place
        .ibyok(&["import", "-", "--env", "dev", "--rewrite"])
        .stdin("A=1\n")
        .fails(2);
}

#[test]
fn references_name_the_namespace_that_is_not_the_default() {
    let place = Place::new();
    place.ibyok(&["--namespace", "acme", "envs", "add", "dev"]).ok();
    let file = place.write("x.env", "A=1\n");
    place
        .ibyok(&["--namespace", "acme", "import", &file, "--env", "dev", "--rewrite"])
        .ok();
    assert_eq!(place.read("x.env"), "A=\"ibyok://acme/dev/A\"\n");
    let run = ["run", "--env-file", &file, "--", "sh", "-c", "echo $A"];
    let acme = [["--namespace", "acme"].as_slice(), &run].concat();
    assert_eq!(place.ibyok(&acme).ok().out, "1\n");
    let refused = place.ibyok(&run).fails(125);
    assert!(refused.err.contains("--namespace"), "{refused:?}");
}

#[test]
fn what_is_exported_is_imported_again_as_it_was() {
    let place = Place::new();
    let file = place.write(".env", REAL);
    place.ibyok(&["import", &file, "--env", "dev"]).ok();
    place.ibyok(&["export", "--env", "dev", "-o", "out.env"]).ok();
    assert_eq!(fs::metadata(place.path("out.env")).unwrap().mode() & 0o777, 0o600);
    let again = place
        .ibyok(&["import", "out.env", "--env", "dev", "--json"])
        .ok()
        .json();
    assert!(
        again["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["outcome"] == "unchanged"),
        "{again}"
    );
    let json = place
        .ibyok(&["export", "--env", "dev", "--format", "json", "--only", "P*"])
        .ok()
        .json();
    assert_eq!(json["PRICE"], "$5 and $HOME");
    assert_eq!(json.as_object().unwrap().len(), 3);
    place.ibyok(&["export", "--env", "dev", "--format", "docker"]).fails(2);
    let shell = place.ibyok(&["export", "--env", "dev", "--format", "shell"]).ok().out;
    let script = format!("{shell}printf '%s' \"$PEM\"");
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "-----BEGIN KEY-----\nMIIB=\n-----END KEY-----\n"
    );
    let log = place.ibyok(&["audit", "export"]).ok().out;
    assert!(log.contains("\"action\":\"key.export\"") && !log.contains("sk-proj-1"));
}

#[test]
fn a_hash_directly_after_the_equals_sign_belongs_to_the_value() {
    let place = Place::new();
    let file = place.write(
        "x.env",
        "PASS=#s3cret\nCOLOR=#FF0000 # red\nEMPTY= # nothing\nHALF=pass #word\n",
    );
    let done = place.ibyok(&["import", &file, "--env", "dev", "--rewrite"]).ok();
    assert_eq!(place.ibyok(&["get", "dev/PASS"]).ok().out, "#s3cret\n");
    assert_eq!(place.ibyok(&["get", "dev/COLOR"]).ok().out, "#FF0000\n");
    place.ibyok(&["get", "dev/EMPTY"]).fails(4);
    assert!(
        done.err.contains("comment") && done.err.contains("HALF (line 4)"),
        "{done:?}"
    );
    assert!(!place.read("x.env").contains("s3cret"));
}

#[test]
fn a_name_that_no_variable_can_have_is_listed_and_left() {
    let place = Place::new();
    let text = "A=1\ngo-version=1.22\nspring.datasource.password=x\nPATH=/opt/bin\nhttps_proxy=http://p\n9A=2\n";
    let file = place.write("x.env", text);
    let done = place.ibyok(&["import", &file, "--env", "dev", "--json"]).ok();
    for said in ["line 2", "line 3", "line 4", "`PATH`", "line 5", "line 6"] {
        assert!(done.err.contains(said), "{said}: {done:?}");
    }
    let outcomes: Vec<String> = done.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["outcome"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(outcomes, ["created", "left", "left", "left", "left", "left"]);
    let done = place.ibyok(&["import", &file, "--env", "dev", "--rewrite"]).ok();
    assert!(
        done.err.contains("line 2 (go-version)") && done.err.contains("line 3 (spring.datasource.password)"),
        "{done:?}"
    );
    assert!(
        place
            .read("x.env")
            .starts_with("A=\"ibyok://dev/A\"\ngo-version=1.22\n")
    );
}

#[test]
fn nothing_is_wrong_with_what_a_filter_leaves_out() {
    let place = Place::new();
    let file = place.write(
        "x.env",
        format!("A=1\ngo-version=2\nB=3\nB=4\nBIG={}\n", "x".repeat(70_000)),
    );
    place.ibyok(&["import", &file, "--env", "dev", "--only", "A"]).ok();
    place
        .ibyok(&["import", &file, "--env", "dev", "--skip", "B*", "--skip", "go-*"])
        .ok();
    assert!(
        place
            .ibyok(&["import", &file, "--env", "dev"])
            .fails(2)
            .err
            .contains("line 4")
    );
}

#[test]
fn a_rewritten_file_says_which_lines_still_hold_something() {
    let place = Place::new();
    let file = place.write("x.env", "# was sk-12345678\nA=sk-12345678\nB=other\n");
    let done = place
        .ibyok(&["import", &file, "--env", "dev", "--rewrite", "--skip", "B"])
        .ok();
    assert!(!done.err.contains("the command kept no copy"), "{done:?}");
    assert!(
        done.err.contains("line 1 (the value of A)") && done.err.contains("line 3 (B)"),
        "{done:?}"
    );
    assert!(!done.err.contains("12345678"), "{done:?}");
}

#[test]
fn a_file_with_a_second_name_is_not_rewritten_since_that_would_keep_the_values() {
    let place = Place::new();
    let file = place.write("x.env", "A=1\n");
    fs::hard_link(&file, place.path("y.env")).unwrap();
    place.ibyok(&["import", &file, "--env", "dev", "--rewrite"]).fails(2);
    place.ibyok(&["get", "dev/A"]).fails(4);
    assert_eq!(place.read("x.env"), "A=1\n");
}

#[test]
fn a_value_that_does_not_fit_its_variable_is_warned_about_as_keys_set_does() {
    let place = Place::new();
    let github = format!("ghp_{}", "EXAMPLE0".repeat(5).split_at(36).0);
    let text = format!(
        "OPENAI_API_KEY=sk-proj-1\u{a0}\nANTHROPIC_API_KEY={github}\nGROQ_API_KEY=sk-xxxx\nGITHUB_TOKEN=hello\nGH_TOKEN={github}\n"
    );
    let file = place.write("x.env", &text);
    let done = place.ibyok(&["import", &file, "--env", "dev", "--json"]).ok();
    for said in [
        "OPENAI_API_KEY (line 1): the value contains an invisible character (U+00A0)",
        "OPENAI_API_KEY (line 1): the value does not look like a key of OpenAI",
        "ANTHROPIC_API_KEY (line 2): the value looks like a key of GitHub, not of Anthropic",
        "GROQ_API_KEY (line 3): the value looks like a placeholder",
        "GITHUB_TOKEN (line 4): the value does not look like a key of GitHub",
    ] {
        assert!(done.err.contains(said), "{said}: {done:?}");
    }
    assert!(!done.err.contains("GH_TOKEN (line"), "{done:?}");
    assert_eq!(done.json()["items"][3]["provider"], "github");
    // Every door says the same.
    let said = "the value does not look like a key of GitHub";
    let set = place.ibyok(&["keys", "set", "prod/github"]).stdin("hello").ok();
    assert!(set.err.contains(said), "{set:?}");
    assert_eq!(
        place.ibyok(&["keys", "show", "prod/github", "--json"]).ok().json()["provider"],
        "github"
    );
    let staged = place.ibyok(&["rotate", "stage", "prod/github"]).stdin("hello2").ok();
    assert!(staged.err.contains(said), "{staged:?}");
}

#[test]
fn a_variable_that_build_tools_send_to_browsers_is_warned_about() {
    let place = Place::new();
    let names = [
        "NEXT_PUBLIC_A_KEY",
        "VITE_KEY",
        "REACT_APP_KEY",
        "EXPO_PUBLIC_KEY",
        "PUBLIC_KEY_ID",
        "NUXT_PUBLIC_KEY",
    ];
    let text: String = names.iter().map(|name| format!("{name}=value\n")).collect();
    let file = place.write("x.env", &text);
    let done = place.ibyok(&["import", &file, "--env", "dev"]).ok();
    for name in names {
        assert!(
            done.err.contains(&format!("`{name}`")) && done.err.contains("browsers"),
            "{done:?}"
        );
    }
    let set = place
        .ibyok(&["keys", "set", "dev/x", "--var", "VITE_X"])
        .stdin("v")
        .ok();
    assert!(set.err.contains("browsers"), "{set:?}");
    let run = place
        .ibyok(&["run", "--env", "dev", "--only", "VITE_KEY", "--", "true"])
        .ok();
    assert!(run.err.contains("VITE_KEY") && run.err.contains("browsers"), "{run:?}");
}
