//! Names that are not allowed: refused before anything is looked up, with exit code 2.

use crate::harness::Place;

#[test]
fn a_key_that_no_key_can_be_called_is_wrong_input() {
    let place = Place::new();
    let long = format!("dev/{}", "a".repeat(129));
    let id = format!("dev/key_{}x", "a".repeat(21));
    for name in [
        "",
        "../x",
        "dev/../x",
        "a/b/c/d",
        "dev/%00",
        "dev/a\nb",
        "dev/оpenai",
        "dev/*",
        "Prod/x",
        "dev",
        "dev/",
        "/x",
        &long,
    ] {
        place.ibyok(&["get", "--", name]).fails(2);
        place.ibyok(&["keys", "set", "--", name]).stdin("v").fails(2);
        place.ibyok(&["keys", "show", "--", name]).fails(2);
    }
    place.ibyok(&["keys", "set", &id]).stdin("v").fails(2);
    for word in ["self", "admin", "root", "whole", "data", "metadata"] {
        place.ibyok(&["get", &format!("{word}/x")]).fails(2);
        place.ibyok(&["envs", "add", word]).fails(2);
        place.ibyok(&["--namespace", word, "keys", "list"]).fails(2);
        place.set(&format!("dev/{word}"), "a name of a key may be any of the words");
    }
    assert_eq!(
        place.ibyok(&["keys", "list", "--json"]).ok().json()["items"]
            .as_array()
            .unwrap()
            .len(),
        6
    );
}

#[test]
fn an_environment_that_is_not_there_is_told_with_the_nearest() {
    let place = Place::new();
    let done = place.ibyok(&["get", "prdo/x"]).fails(4);
    assert!(
        done.err.contains("there is no environment `prdo`") && done.err.contains("`prod`"),
        "{done:?}"
    );
}

#[test]
fn what_was_typed_is_shown_without_acting_on_the_terminal() {
    let place = Place::new();
    for arguments in [
        vec!["get", "dev/\u{1b}[31mx"],
        vec!["\u{1b}[31m"],
        vec!["tokens", "show", "\u{1b}]0;x\u{7}"],
    ] {
        let done = place.ibyok(&arguments).call();
        assert!(!done.err.contains(['\u{1b}', '\u{7}']), "{done:?}");
    }
}

#[test]
fn long_names_of_environments_mean_the_short_ones() {
    let place = Place::with_key("production/x", "v");
    assert_eq!(place.ibyok(&["get", "prod/x"]).ok().out, "v\n");
}
