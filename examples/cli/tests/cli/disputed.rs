//! Values that readers of `.env` files read in different ways: refused with their line, and never read as something else.

use crate::harness::Place;

/// Values on line 2 of a file, with a word of the reason for which they are refused.
const REFUSED: [(&str, &str); 12] = [
    ("{\"a\": \"b # c\"}", "comment"),
    ("{'a': 'b # c'}", "comment"),
    ("`a`", "backticks"),
    ("`a\nb`", "backticks"),
    ("\"a`id`\"", "backticks"),
    ("\"a\r\nb\"", "CRLF"),
    ("'a\r\nb'", "CRLF"),
    ("\"a\rb\"", "carriage return"),
    ("a\\", "backslash"),
    ("\"a\\tb\"", "backslash"),
    ("'a\\\\b'", "backslash"),
    ("a\u{c}", "white space"),
];

#[test]
fn a_disputed_value_is_refused_with_its_line_and_reason_and_stores_nothing() {
    let place = Place::new();
    for (value, reason) in REFUSED {
        let file = place.write("x.env", format!("FIRST=1\nA={value}\nLAST=2\n"));
        let imported = place.ibyok(&["import", &file, "--env", "dev"]).fails(2);
        let run = place.ibyok(&["run", "--env-file", &file, "--", "true"]).fails(125);
        for refused in [&imported, &run] {
            assert!(
                refused.err.contains("line 2: ") && refused.err.contains(reason),
                "{value:?} {refused:?}"
            );
            assert!(refused.err.contains("\nhint: "), "{refused:?}");
        }
        if reason != "carriage return" {
            // What is left out is not judged.
            place
                .ibyok(&["import", &file, "--env", "dev", "--skip", "A", "--dry-run"])
                .ok();
        }
    }
    let keys = place.ibyok(&["keys", "list", "--json"]).ok().json();
    assert_eq!(keys["items"], serde_json::json!([]));
}

#[test]
fn what_every_library_reads_alike_is_read_and_what_people_should_know_is_said() {
    let place = Place::new();
    for (line, value, said) in [
        ("A={\"a\": \"b\"} # c\n", "{\"a\": \"b\"}", ""),
        ("A='{\"a\": \"b # c\"}'\n", "{\"a\": \"b # c\"}", ""),
        ("A='a`b`'\n", "a`b`", ""),
        ("A=\"a\\nb\"\n", "a\nb", ""),
        ("A=it's # mine\n", "it's", ""),
        ("A=\"a\r\nb\"\r\n", "a\nb", "line feeds"),
        ("A=a#b\n", "a#b", "Node.js"),
        ("A=\"{\\\"a\\\": 1}\"\n", "{\"a\": 1}", "Node.js keeps"),
        ("A=\"C:\\\\b\"\n", "C:\\b", "Node.js keeps"),
        ("A=\ta\t# b\n", "a", "a tab"),
        ("A='${b}'\n", "${b}", "does not expand"),
        ("A=a\u{a0}\n", "a\u{a0}", "looks like a space"),
    ] {
        let file = place.write("x.env", line);
        let run = place.ibyok(&["run", "--env-file", &file, "--", "printenv", "A"]).ok();
        assert_eq!(run.out, format!("{value}\n"), "{line:?}");
        let imported = place.ibyok(&["import", &file, "--env", "dev", "--update"]).ok();
        assert_eq!(place.ibyok(&["get", "-n", "dev/A"]).ok().out, value, "{line:?}");
        for told in [&run.err, &imported.err] {
            assert_eq!(told.contains("A (line 1)"), !said.is_empty(), "{line:?} {told}");
            assert!(told.contains(said), "{line:?} {told}");
        }
    }
}
