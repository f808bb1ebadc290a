//! The whole of it, and nothing left behind.

use std::time::{Duration, Instant};

use crate::harness::Place;

#[test]
fn the_demo_shows_the_whole_of_it_and_leaves_nothing_behind() {
    let place = Place::empty();
    let temporary = place.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let begun = Instant::now();
    // What the environment says of vaults and tokens is not the demo's.
    let call = place
        .ibyok(&["demo"])
        .env("TMPDIR", &temporary)
        .env("IBYOK_URL", "http://x")
        .env("IBYOK_TOKEN", "");
    let done = call.env("IBYOK_VAULT", place.path("mine")).ok();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    for shown in [
        "$ ibyok init",
        "$ ibyok import .env --env dev",
        "$ ibyok tokens issue demo",
        "$ ibyok serve",
        "$ curl ",
        "\"value\":\"sk-sample-0001\"",
        "403 ",
        "$ ibyok --operator audit tail",
        "denied  key.retrieve",
        "$ ibyok --operator audit verify",
        "no line was changed",
    ] {
        assert!(done.out.contains(shown), "{shown}: {}", done.out);
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 1);
}

#[test]
fn the_demo_that_is_interrupted_leaves_nothing_behind_either() {
    for milliseconds in [5, 10, 20, 40, 80, 160, 320] {
        let place = Place::empty();
        let mut child = place.ibyok(&["demo"]).env("TMPDIR", place.path("")).spawn();
        std::thread::sleep(Duration::from_millis(milliseconds));
        std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        child.wait().unwrap();
        assert_eq!(
            std::fs::read_dir(place.path("")).unwrap().count(),
            0,
            "interrupted after {milliseconds} ms"
        );
    }
}

#[test]
fn the_demo_as_json_is_its_steps() {
    let steps = Place::empty().ibyok(&["demo", "--json"]).ok().json()["steps"].clone();
    let steps = steps.as_array().unwrap();
    assert!(steps.len() >= 8 && steps.iter().all(|step| step["command"].is_string()));
}
