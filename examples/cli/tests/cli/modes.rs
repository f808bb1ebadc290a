//! Live or mock, and who decides; providers that are recognised.

use crate::harness::Place;

fn github() -> String {
    format!("ghp_{}", "EXAMPLE0".repeat(5).split_at(36).0)
}

#[test]
fn an_environment_and_a_key_are_switched_and_shown() {
    let place = Place::with_key("dev/k", "the value");
    let set = place.ibyok(&["--json", "mode", "set", "dev", "mock"]).ok().json();
    assert_eq!((&set["default"], &set["mode"]), (&"mock".into(), &"mock".into()));
    let got = place.ibyok(&["get", "dev/k"]).ok();
    assert!(
        got.out.starts_with("mock-key-") && got.err.contains("a mock"),
        "{got:?}"
    );
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, got.out, "the same each time");
    let run = ["run", "--key", "X=dev/k", "--", "sh", "-c", "echo $X"];
    let ran = place.ibyok(&run).ok();
    assert_eq!(ran.out, got.out);
    assert!(
        ran.err.contains("these values are mocks, not the keys: dev/k"),
        "{ran:?}"
    );
    let shown = place.ibyok(&["--json", "keys", "mode", "dev/k", "live"]).ok().json();
    assert_eq!(shown["mode_source"], "key_override");
    assert!(!place.ibyok(&run).ok().err.contains("mock"));
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, "the value\n");
    let facts = place.ibyok(&["keys", "show", "dev/k"]).ok().out;
    assert!(
        facts.contains("mode          live") && facts.contains("key_override"),
        "{facts}"
    );
    let all = place.ibyok(&["mode", "show"]).ok().out;
    assert!(
        all.contains("dev") && all.contains("staging") && all.contains("prod"),
        "{all}"
    );
    let one = place.ibyok(&["--json", "mode", "show", "dev"]).ok().json();
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    place.ibyok(&["keys", "mode", "dev/k", "inherit"]).ok();
    assert_eq!(place.ibyok(&["get", "dev/k"]).ok().out, got.out);
}

#[test]
fn guardrails_stand_above_and_say_so() {
    let place = Place::with_key("dev/k", "the value");
    let forced = place
        .ibyok(&["mode", "set", "dev", "mock"])
        .env("DEV_MODE_FORCED", "live")
        .ok();
    assert!(forced.err.contains("guardrail"), "{forced:?}");
    assert_eq!(
        place.ibyok(&["get", "dev/k"]).env("DEV_MODE_FORCED", "live").ok().out,
        "the value\n"
    );
    let flag = place
        .ibyok(&["--dev-mode-forced", "live", "--json", "get", "dev/k"])
        .ok()
        .json();
    assert_eq!(flag["mode"], "live");
    let status = place
        .ibyok(&["--json", "status"])
        .env("PROD_MODE_FORCED", "live")
        .ok()
        .json();
    assert_eq!(status["guardrails"]["prod"], "live");
    place.set("prod/k", "the value");
    for refused in [
        &["mode", "set", "prod", "mock"][..],
        &["keys", "mode", "prod/k", "mock"],
    ] {
        let done = place.ibyok(refused).fails(2);
        assert!(done.err.contains("PROD_MOCK_ALLOWED"), "{done:?}");
        place.ibyok(refused).env("PROD_MOCK_ALLOWED", "true").ok();
    }
    assert_eq!(
        place.ibyok(&["get", "prod/k"]).ok().out,
        "the value\n",
        "not where it is not allowed"
    );
}

#[test]
fn what_is_no_mode_key_or_environment_is_refused() {
    let place = Place::with_key("dev/k", "1");
    for (arguments, code) in [
        (&["mode", "set", "dev", "off"][..], 2),
        (&["mode", "set", "dev", "inherit"], 2),
        (&["mode", "set", "Dev", "mock"], 2),
        (&["mode", "set", "dev"], 2),
        (&["mode", "set", "nowhere", "mock"], 4),
        (&["mode", "show", "nowhere"], 4),
        (&["keys", "mode", "dev/k", "MOCK"], 2),
        (&["keys", "mode", "dev/k?version=1", "mock"], 2),
        (&["keys", "mode", "dev/nothing", "mock"], 4),
        (&["keys", "mode", "dev/k"], 2),
        (&["--prod-mock-allowed", "perhaps", "status"], 2),
        (&["--dev-mode-forced", "", "status"], 2),
    ] {
        place.ibyok(arguments).fails(code);
    }
}

#[test]
fn a_provider_is_recognised_and_a_value_that_is_not_its_draws_a_warning() {
    let place = Place::new();
    let set = place.ibyok(&["keys", "add", "dev/one"]).stdin(github()).ok();
    assert!(set.err.contains("recognised as github"), "{set:?}");
    assert!(
        set.out.contains("GITHUB_TOKEN") && !set.out.contains(&github()),
        "{set:?}"
    );
    let warned = place
        .ibyok(&["keys", "add", "dev/two", "--provider", "openai"])
        .stdin(github())
        .ok();
    assert!(
        warned.err.contains("warning:") && warned.err.contains("GitHub"),
        "{warned:?}"
    );
    place.ibyok(&["mode", "set", "dev", "mock"]).ok();
    let mock = place.ibyok(&["get", "-n", "dev/two"]).ok().out;
    assert!(mock.starts_with("sk-mock-openai-"), "{mock}");
    let refused = place.ibyok(&["keys", "set", "dev/one"]).stdin(mock.clone()).fails(2);
    assert!(
        refused.err.contains("mock") && !refused.err.contains(&mock),
        "{refused:?}"
    );
    let file = place.write("env", format!("TOKEN={}\nOTHER=x\n", github()));
    let imported = place.ibyok(&["--json", "import", &file, "--env", "staging"]).ok();
    assert_eq!(imported.json()["items"][0]["provider"], "github");
    assert!(imported.err.contains("TOKEN as github"), "{imported:?}");
    let key = place.ibyok(&["--json", "keys", "show", "staging/TOKEN"]).ok().json();
    assert_eq!(key["variable"], "TOKEN", "the file's own");
}
