//! Values in and out, exactly; the descriptions of keys; destruction only on request.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::harness::Place;

#[test]
fn a_value_comes_back_as_it_went_in() {
    let place = Place::new();
    let full = vec![b'x'; 64 * 1024];
    let values: [&[u8]; 7] = [
        b"sk-1",
        b" a b ",
        b"a\nb",
        b"\n\n",
        b"\0\xff\xfe\n\0",
        "grüße".as_bytes(),
        &full,
    ];
    for value in values {
        place
            .ibyok(&["keys", "set", "dev/k"])
            .stdin([value, b"\n"].concat())
            .ok();
        assert_eq!(place.ibyok(&["get", "-n", "dev/k"]).ok().bytes, value);
        let file = place.write("value", value);
        place.ibyok(&["keys", "set", "dev/f", "--from-file", &file]).ok();
        assert_eq!(place.ibyok(&["get", "dev/f"]).ok().bytes, [value, b"\n"].concat());
    }
}

#[test]
fn a_value_that_is_empty_or_over_the_limit_is_refused_and_nothing_is_lost() {
    let place = Place::with_key("dev/k", "kept");
    place.ibyok(&["keys", "set", "dev/k"]).stdin("").fails(2);
    place.ibyok(&["keys", "set", "dev/k"]).stdin("\n").fails(2);
    let over = vec![b'x'; 64 * 1024 + 1];
    let done = place.ibyok(&["keys", "set", "dev/k"]).stdin(over.clone()).fails(2);
    assert!(done.err.contains("65536 bytes"), "{done:?}");
    let file = place.write("over", &over);
    place.ibyok(&["keys", "set", "dev/k", "--from-file", &file]).fails(2);
    place
        .ibyok(&["keys", "set", "dev/k", "--from-file", "/nowhere"])
        .fails(2);
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "kept\n");
}

#[test]
fn a_copy_serves_the_same_value_under_another_name_and_replaces_nothing_unasked() {
    let place = Place::with_key("dev/k", "the value");
    let copy = place.ibyok(&["keys", "copy", "dev/k", "prod/k", "--json"]).ok().json();
    assert_eq!((&copy["ref"], &copy["version"]), (&"prod/k".into(), &1.into()));
    assert_eq!(place.ibyok(&["get", "prod/k"]).ok().out, "the value\n");
    place.ibyok(&["keys", "copy", "dev/k", "prod/k"]).fails(1);
    place.ibyok(&["keys", "copy", "dev/k", "prod/k", "--replace"]).ok();
    place.ibyok(&["keys", "copy", "dev/nothing", "prod/x"]).fails(4);
    place.ibyok(&["keys", "copy", "dev/k", "nowhere/k"]).fails(4);
    place.ibyok(&["keys", "copy", "dev/k"]).fails(2);
}

#[test]
fn set_makes_a_new_version_and_add_refuses_what_exists() {
    let place = Place::new();
    let first = place.ibyok(&["keys", "add", "dev/k", "--json"]).stdin("1").ok().json();
    assert_eq!(
        (&first["ref"], &first["version"], &first["state"]),
        (&"dev/k".into(), &1.into(), &"current".into())
    );
    place.ibyok(&["keys", "add", "dev/k"]).stdin("2").fails(1);
    let second = place.ibyok(&["keys", "set", "dev/k", "--json"]).stdin("2").ok().json();
    assert_eq!((&second["id"], &second["version"]), (&first["id"], &2.into()));
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "2\n");
    assert_eq!(place.ibyok(&["get", "dev/k", "--version", "1"]).ok().out, "1\n");
    assert_eq!(place.ibyok(&["get", "ibyok://dev/k?version=1"]).ok().out, "1\n");
    place.ibyok(&["get", "dev/k", "--version", "3"]).fails(4);
}

#[test]
fn a_key_is_found_by_its_id() {
    let place = Place::with_key("dev/k", "v");
    let id = place.ibyok(&["keys", "show", "dev/k", "--json"]).ok().json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(place.ibyok(&["get", &id]).ok().out, "v\n");
    assert_eq!(place.ibyok(&["get", &format!("dev/{id}")]).ok().out, "v\n");
    place.ibyok(&["get", "key_0000000000000000000000"]).fails(4);
}

#[test]
fn fields_come_from_a_file_and_are_asked_for_by_name() {
    let place = Place::new();
    let file = place.write("fields.json", r#"{"value":"sk","org_id":"o\n1"}"#);
    place.ibyok(&["keys", "set", "dev/k", "--fields-from", &file]).ok();
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "sk\n");
    assert_eq!(
        place.ibyok(&["get", "-n", "dev/k", "--field", "org_id"]).ok().out,
        "o\n1"
    );
    assert_eq!(place.ibyok(&["get", "-n", "ibyok://dev/k#org_id"]).ok().out, "o\n1");
    place.ibyok(&["get", "dev/k", "--field", "none"]).fails(4);
    place
        .ibyok(&["keys", "set", "dev/k", "--field", "value", "--field", "org_id"])
        .stdin("x")
        .fails(2);
    let bad = place.write("bad.json", r#"{"value":{"x":"SENTINEL"}}"#);
    assert!(
        !place
            .ibyok(&["keys", "set", "dev/k", "--fields-from", &bad])
            .fails(2)
            .err
            .contains("SENTINEL")
    );
}

#[test]
fn what_is_known_about_a_key_is_shown_and_changed() {
    let place = Place::new();
    place
        .ibyok(&[
            "keys",
            "set",
            "dev/open-ai",
            "--provider",
            "openai",
            "--label",
            "team=a",
        ])
        .stdin("v")
        .ok();
    let shown = place.ibyok(&["keys", "show", "dev/open-ai", "--json"]).ok().json();
    assert_eq!(
        (&shown["provider"], &shown["variable"], &shown["labels"]["team"]),
        (&"openai".into(), &"OPENAI_API_KEY".into(), &"a".into())
    );
    assert_eq!(shown["versions"][0]["state"], "current");
    let edit = [
        "keys",
        "edit",
        "dev/open-ai",
        "--var",
        "KEY",
        "--label",
        "team=",
        "--label",
        "x=y",
        "--provider",
        "",
        "--json",
    ];
    let edited = place.ibyok(&edit).ok().json();
    assert_eq!(edited["variable"], "KEY");
    assert_eq!(edited["labels"], serde_json::json!({"x": "y"}));
    assert!(edited["provider"].is_null());
    place.ibyok(&["keys", "edit", "dev/open-ai"]).fails(2);
    place
        .ibyok(&["keys", "edit", "dev/open-ai", "--label", "nothing"])
        .fails(2);
    place
        .ibyok(&["keys", "edit", "dev/open-ai", "--var", "NOT A VARIABLE"])
        .fails(2);
}

#[test]
fn a_disabled_key_is_not_served_and_an_enabled_one_is() {
    let place = Place::with_key("dev/k", "1");
    place.set("dev/k", "2");
    place.ibyok(&["keys", "disable", "dev/k", "--version", "1"]).ok();
    place.ibyok(&["get", "dev/k", "--version", "1"]).fails(4);
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "2\n");
    place.ibyok(&["keys", "disable", "dev/k"]).ok();
    let error = place.ibyok(&["get", "dev/k", "--json"]).fails(4).json();
    assert_eq!(error["error"]["code"], "key_disabled");
    place.ibyok(&["keys", "enable", "dev/k"]).ok();
    place.ibyok(&["get", "dev/k"]).ok();
}

#[test]
fn a_key_is_removed_only_with_a_yes() {
    let place = Place::with_key("dev/k", "v");
    place.ibyok(&["keys", "remove", "dev/k"]).fails(2);
    place.ibyok(&["get", "dev/k"]).ok();
    place.ibyok(&["keys", "remove", "dev/k", "--yes"]).ok();
    place.ibyok(&["get", "dev/k"]).fails(4);
    place.ibyok(&["keys", "remove", "dev/k", "--yes"]).fails(4);
}

#[test]
fn get_writes_a_file_for_its_owner_alone_and_follows_no_link() {
    let place = Place::with_key("dev/k", "v");
    let path = place.write("out", "old");
    place.ibyok(&["get", "dev/k", "-n", "-o", &path]).ok();
    assert_eq!(place.read("out"), "v");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    symlink(&path, place.path("link")).unwrap();
    place.ibyok(&["get", "dev/k", "-o", "link"]).fails(2);
    assert_eq!(place.read("out"), "v");
    place.ibyok(&["get", "dev/k", "-o", "no/such/directory"]).fails(1);
}

#[test]
fn get_says_as_json_what_it_gives() {
    let place = Place::with_key("dev/k", "a\"b");
    let text = place.ibyok(&["get", "dev/k", "--json"]).ok().json();
    assert_eq!(
        text,
        serde_json::json!({"ref": "dev/k", "version": 1, "mode": "live", "value": "a\"b"})
    );
    place.ibyok(&["keys", "set", "dev/b"]).stdin(b"\0\xff".to_vec()).ok();
    let bytes = place.ibyok(&["get", "dev/b", "--json"]).ok().json();
    assert_eq!(
        bytes,
        serde_json::json!({"ref": "dev/b", "version": 1, "mode": "live", "value_base64": "AP8="})
    );
}

#[test]
fn a_list_is_complete_and_holds_no_value() {
    let place = Place::new();
    let file: String = (0..1050).map(|n| format!("K{n}=SENTINEL{n}\n")).collect();
    let file = place.write("many.env", file);
    place.ibyok(&["import", &file, "--env", "dev"]).ok();
    place.set("prod/other", "SENTINEL");
    let all = place.ibyok(&["keys", "list", "--json"]).ok();
    assert!(!all.out.contains("SENTINEL"));
    let all = all.json();
    assert_eq!(
        (all["items"].as_array().unwrap().len(), &all["next"]),
        (1051, &serde_json::Value::Null)
    );
    let some = place.ibyok(&["keys", "list", "--env", "prod", "--json"]).ok().json();
    assert_eq!(some["items"][0]["ref"], "prod/other");
    assert_eq!(some["items"].as_array().unwrap().len(), 1);
}
