//! The whole path, once: what every other test takes for granted.

use std::fs;
use std::time::{Duration, Instant};

use ibyok_tests::{Home, Oracle, Request, ServerOptions};

use crate::{PROGRAMS, home_with_vault};

#[test]
fn a_value_goes_in_by_one_program_and_comes_out_by_the_others() {
    let home = home_with_vault();
    home.set("prod/openai", "sk-journey");
    assert_eq!(home.get("prod/openai"), b"sk-journey");
    let token = home.token(&["app", "--env", "prod"]);

    let mut oracle = Oracle::new();
    for options in [ServerOptions::default(), ServerOptions::default().own_program()] {
        let server = home.serve_with(options);
        let answer = server.retrieve(&token, "prod/openai").is(200);
        oracle.answered(&answer);
        assert_eq!(answer.json()["value"], "sk-journey");
        let answer = server
            .send(&Request::get("/external/keys/openai/value").bearer(&token))
            .is(200);
        oracle.answered(&answer);
        assert_eq!(answer.json()["value"], "sk-journey");
        server.retrieve(&token, "dev/openai").is_problem(403, "denied");
        assert!(server.stop().success());
    }
    oracle.acknowledge("prod/openai", "sk-journey");
    oracle.check(&home);
    assert_eq!(oracle.values(), 4);
}

#[test]
fn the_demonstration_shows_all_of_it_and_leaves_nothing_behind() {
    let home = Home::empty(PROGRAMS);
    let temporary = home.path("home/tmp");
    fs::create_dir(&temporary).unwrap();
    let begun = Instant::now();
    let shown = home
        .ibyok(["--json", "demo"])
        .env("TMPDIR", &temporary)
        .without("IBYOK_VAULT")
        .run()
        .done()
        .json();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(shown["ok"], true, "{shown}");
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let home_files: Vec<_> = fs::read_dir(home.path("home"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(home_files, ["tmp"]);
}
