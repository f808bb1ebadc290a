//! Damaged environments that may be whole, or that the caller may not see: no command takes one away, and none leaves
//! anything out in silence.

use ibyok_tests::Request;

use crate::damaged_environments::{ENVIRONMENT, NAME, flip, home, record_of};

#[test]
fn an_environment_that_a_newer_program_may_have_written_is_not_given_up() {
    let home = home();
    let id = record_of(&home, ENVIRONMENT, "prod");
    let whole = home.behind().bytes(id);
    flip(&home, id, 4);
    for which in ["prod", &id.to_string()] {
        let refused = home
            .ibyok(["--json", "--yes", "envs", "remove", "--damaged", which])
            .run();
        let error = refused.fails(2, "invalid").json()["error"].clone();
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("newer version") && hint.contains("backup"), "{error}");
    }
    let error = home
        .ibyok(["--json", "get", "prod/one"])
        .run()
        .fails(5, "integrity")
        .json();
    let hint = error["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("newer version") && !hint.contains("--damaged"), "{hint}");
    home.behind().put(id, &whole);
    assert_eq!(home.get("prod/one"), b"value of prod");
}

/// A damaged record of a name hides the environment to which it belongs: a token learns that something is missing,
/// but not its name.
#[test]
fn a_token_that_revokes_by_name_is_told_that_not_everything_was_searched() {
    let home = home();
    let revoker = |name, more: &[&str]| {
        let scopes = ["--scope", "tokens:revoke", "--scope", "keys:read"];
        home.token(&[&[name][..], more, &scopes].concat())
    };
    let wide = revoker("wide", &["--all-envs"]);
    let limited = revoker("limited", &["--all-envs", "--key", "one*"]);
    let narrow = revoker("narrow", &["--env", "dev"]);
    home.token(&["lost", "--env", "prod", "--key", "one", "--scope", "keys:read"]);
    for name in ["a", "b", "c"] {
        home.token(&[name, "--env", "dev", "--key", "one", "--scope", "keys:read"]);
    }
    let id = record_of(&home, NAME, "prod");
    home.behind().put(id, b"{\"garbage");
    let revoke = |token: &str, name: &str| {
        let run = home.ibyok(["--json", "--yes", "tokens", "revoke", name]);
        run.env("IBYOK_TOKEN", token).run()
    };
    for token in [&wide, &limited] {
        for name in ["lost", "nobody"] {
            let error = revoke(token, name).fails(5, "integrity").json()["error"].clone();
            let said = error.to_string();
            assert!(said.contains("the search was incomplete"), "{said}");
            assert!(!said.contains("`prod`") && !said.contains(&id.to_string()), "{said}");
        }
    }
    // Its own environment was searched as a whole.
    revoke(&narrow, "lost").fails(3, "denied");
    for (token, name, incomplete) in [(&wide, "a", true), (&limited, "b", true), (&narrow, "c", false)] {
        let revoked = revoke(token, name).done();
        let document = revoked.json();
        assert_eq!(document["search_incomplete"] == true, incomplete, "{document}");
        assert_eq!(
            revoked.said().contains("the search was incomplete"),
            incomplete,
            "{}",
            revoked.said()
        );
        assert!(!document.to_string().contains(&id.to_string()), "{document}");
    }
    let server = home.serve();
    let lost = Request::new("DELETE", "/api/v1/tokens/_?name=lost");
    let refused = server.send(&lost.bearer(&wide)).is(500).json();
    assert_eq!(refused["code"], "integrity", "{refused}");
}
