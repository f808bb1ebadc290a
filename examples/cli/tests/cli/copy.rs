//! A vault moves from one store to another: the old store serves no more, and names the new one.

use std::fs;

use crate::harness::Place;

#[test]
fn a_vault_moves_to_another_file_and_back_and_the_old_store_serves_no_more() {
    let place = Place::with_key("prod/openai", "sk-1");
    let token = place.token(&["ci", "--env", "prod"]);
    let old = fs::read(place.vault().join("vault.toml")).unwrap();
    let url = format!("file:{}", place.path("other.db").display());
    place.ibyok(&["copy", "--to", &url]).fails(2);
    place.ibyok(&["get", "prod/openai"]).ok();
    let moved = place.ibyok(&["copy", "--to", &url, "--yes", "--json"]).ok().json();
    assert!(moved["records"].as_u64().unwrap() > 8, "{moved}");
    let settings = place.vault().join("vault.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains("other.db"), "{text}");
    let get = |reference: &str| place.ibyok(&["get", reference]).env("IBYOK_TOKEN", &token).ok().out;
    assert_eq!(get("prod/openai").trim(), "sk-1");
    place.set("prod/stripe", "sk-2");
    // A process that still uses the old store.
    let new = fs::read(&settings).unwrap();
    fs::write(&settings, &old).unwrap();
    for command in [&["get", "prod/openai"][..], &["tokens", "revoke", "ci", "--yes"]] {
        let refused = place.ibyok(command).fails(5);
        assert!(refused.err.contains("other.db"), "{}", refused.err);
    }
    place.ibyok(&["keys", "set", "prod/openai"]).stdin("sk-9").fails(5);
    // Once more is no harm: the settings come last.
    place.ibyok(&["copy", "--to", &url, "--yes"]).ok();
    assert_eq!(get("prod/stripe").trim(), "sk-2");
    assert_eq!(fs::read(&settings).unwrap(), new);
    let third = format!("file:{}", place.path("third.db").display());
    place.ibyok(&["copy", "--to", &third, "--yes"]).ok();
    assert_eq!(get("prod/stripe").trim(), "sk-2");
    assert_eq!(get("prod/openai").trim(), "sk-1");
    place.ibyok(&["audit", "verify"]).ok();
}

#[test]
fn a_copy_to_a_wrong_store_is_refused_and_changes_nothing() {
    let place = Place::with_key("prod/openai", "sk-1");
    let before = fs::read(place.vault().join("vault.toml")).unwrap();
    let other = Place::with_key("prod/openai", "sk-2");
    let of_other = format!("file:{}", other.vault().join("vault.db").display());
    let itself = format!("file:{}", place.vault().join("vault.db").display());
    for (to, code, words) in [
        ("file", 1, "holds this vault already"),
        (itself.as_str(), 1, "holds this vault already"),
        (of_other.as_str(), 2, "another vault"),
        ("postgres://u:SENTINEL@h/db", 2, "password"),
        ("postgres://h/db?user=u&password=SENTINEL", 2, "password"),
        ("ftp://host", 2, "store"),
        ("memory:", 2, "memory"),
    ] {
        let refused = place.ibyok(&["copy", "--to", to, "--yes"]).fails(code);
        assert!(
            refused.err.contains(words) && !refused.err.contains("SENTINEL"),
            "{to}: {}",
            refused.err
        );
    }
    place.ibyok(&["copy", "--yes"]).fails(2);
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
    assert_eq!(other.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-2");
    assert_eq!(fs::read(place.vault().join("vault.toml")).unwrap(), before);
    // The store can be given in a file or a variable.
    let url = place.write("url", format!("file:{}\n", place.path("other.db").display()));
    place.ibyok(&["copy", "--to-file", &url, "--yes"]).ok();
    let third = format!("file:{}", place.path("third.db").display());
    place.ibyok(&["copy", "--yes"]).env("IBYOK_COPY_TO", &third).ok();
    assert_eq!(place.ibyok(&["get", "prod/openai"]).ok().out.trim(), "sk-1");
}
