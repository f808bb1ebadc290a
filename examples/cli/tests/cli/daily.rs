//! Small things that a person meets every day: pages of providers, ends of tokens, ignore files.

use std::fs;

use crate::harness::Place;

#[test]
fn the_catalogue_is_listed_and_shown() {
    let place = Place::empty();
    let list = place.ibyok(&["--json", "providers", "list"]).ok().json();
    let items = list["items"].as_array().unwrap();
    assert!(items.len() > 100, "{}", items.len());
    assert!(
        items
            .iter()
            .all(|one| one["revoke_url"].as_str().unwrap().starts_with("https://"))
    );
    for name in ["openai", "OpenAI", "OPENAI"] {
        let shown = place.ibyok(&["--json", "providers", "show", name]).ok().json();
        assert_eq!(shown["id"], "openai");
        assert_eq!(shown["variable"], "OPENAI_API_KEY");
        assert!(!shown["shapes"].as_array().unwrap().is_empty());
    }
    let text = place.ibyok(&["providers", "show", "openai"]).ok().out;
    assert!(
        text.contains("create a key") && text.contains("https://") && text.contains("shape"),
        "{text}"
    );
    let unknown = place.ibyok(&["--json", "providers", "show", "opnai"]).fails(4).json();
    assert!(
        unknown["error"]["hint"].as_str().unwrap().contains("`openai`"),
        "{unknown}"
    );
}

#[test]
fn a_rotation_names_the_pages_of_the_provider() {
    let place = Place::new();
    place
        .ibyok(&["keys", "set", "prod/openai", "--provider", "openai"])
        .stdin("sk-one")
        .ok();
    place.set("prod/unknown", "one");
    let pages = |err: &str| err.contains("https://platform.openai.com/");
    assert!(pages(
        &place
            .ibyok(&["rotate", "stage", "prod/openai"])
            .stdin("sk-two")
            .ok()
            .err
    ));
    assert!(pages(&place.ibyok(&["rotate", "promote", "prod/openai"]).ok().err));
    let destroy = [
        "--yes",
        "rotate",
        "destroy",
        "prod/openai",
        "--version",
        "1",
        "--force",
        "--reason",
        "a test",
    ];
    assert!(pages(&place.ibyok(&destroy).ok().err));
    place.ibyok(&["keys", "edit", "prod/openai", "--expires", "20d"]).ok();
    let due = place.ibyok(&["rotate", "due"]).call();
    assert!(pages(&due.err), "{due:?}");
    let due = place.ibyok(&["--json", "rotate", "due"]).call().json();
    assert_eq!(due["items"][0]["provider"], "openai");
    // Nobody knows the pages of others.
    let staged = place.ibyok(&["rotate", "stage", "prod/unknown"]).stdin("two").ok();
    assert!(!staged.err.contains("https://"), "{staged:?}");
}

#[test]
fn a_token_says_which_end_it_got_and_whether_that_suits_it() {
    let place = Place::new();
    let issue = |arguments: &[&str]| {
        let all = ["tokens", "issue", "t", "--env", "prod"].iter().chain(arguments);
        place.ibyok(&all.copied().collect::<Vec<_>>()).ok().err
    };
    assert!(issue(&[]).contains("(the default;"));
    assert!(!issue(&["--expires", "3d"]).contains("(the default;"));
    for (arguments, warns) in [
        (&["--preset", "ci"][..], false),
        (&["--preset", "ci", "--expires", "30d"], false),
        (&["--preset", "ci", "--expires", "60d"], true),
        (&["--preset", "ci", "--no-expiry"], true),
        (&["--preset", "production"], false),
        (&["--preset", "production", "--expires", "2y"], true),
        (&["--preset", "production", "--no-expiry"], true),
        (&["--preset", "local", "--expires", "1y"], true),
    ] {
        let said = issue(arguments);
        assert_eq!(said.contains("warning: this token for"), warns, "{arguments:?}: {said}");
    }
    assert!(
        issue(&["--expires", "3d"]).contains("IBYOK_TOKEN_FILE"),
        "it says where a token lives"
    );
}

#[test]
fn the_checklist_adds_what_git_has_to_ignore() {
    let place = Place::new();
    fs::create_dir_all(place.path("code/.git")).unwrap();
    fs::write(place.path("code/.gitignore"), "target\n*.pem").unwrap();
    let item = |done: &serde_json::Value| {
        let items = done["items"].as_array().unwrap();
        items.iter().find(|item| item["id"] == "ignore-files").unwrap()["ok"].clone()
    };
    assert_eq!(
        item(&place.ibyok(&["--json", "checklist", "code"]).call().json()),
        false
    );
    let fixed = place.ibyok(&["--json", "checklist", "code", "--fix"]).call();
    assert_eq!(item(&fixed.json()), true);
    assert!(fixed.err.contains("  .env.*.local"), "the lines are shown: {fixed:?}");
    let text = fs::read_to_string(place.path("code/.gitignore")).unwrap();
    assert_eq!(
        text,
        "target\n*.pem\n.env\n.env.local\n.env.*.local\ncredentials.json\n"
    );
    // Nothing is added twice.
    place.ibyok(&["checklist", "code", "--fix"]).call();
    assert_eq!(fs::read_to_string(place.path("code/.gitignore")).unwrap(), text);
    // Through a link it would be another file.
    fs::rename(place.path("code/.gitignore"), place.path("elsewhere")).unwrap();
    fs::write(place.path("elsewhere"), "").unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("code/.gitignore")).unwrap();
    place.ibyok(&["checklist", "code", "--fix"]).fails(2);
    assert_eq!(fs::read_to_string(place.path("elsewhere")).unwrap(), "");
}

#[test]
fn the_page_lists_the_items_of_the_checklist_in_its_order() {
    let place = Place::new();
    fs::create_dir(place.path("code")).unwrap();
    let list = place.ibyok(&["checklist", "code", "--json"]).call().json();
    let items = list["items"].as_array().unwrap().iter();
    let items: Vec<&str> = items.map(|item| item["id"].as_str().unwrap()).collect();
    let page = include_str!("../../../../docs/checklist.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    assert_eq!(items, rows.map(|(id, _)| id).collect::<Vec<_>>());
    let days = format!("within {} days", reviewed_within(&place));
    assert!(page.contains(&days), "{days}");
}

/// The default of `--reviewed-within`, as help shows it.
fn reviewed_within(place: &Place) -> String {
    let help = place.ibyok(&["checklist", "--help"]).ok().out;
    let flag = help.split("--reviewed-within").nth(1).unwrap();
    let default = flag.split("[default: ").nth(1).unwrap();
    default.split(']').next().unwrap().to_owned()
}

fn item(place: &Place, id: &str) -> (bool, String) {
    let list = place.ibyok(&["checklist", "code", "--json"]).call().json();
    let found = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["id"] == id)
        .unwrap()
        .clone();
    (found["ok"] == true, found["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_plan_is_one_once_it_is_filled_in() {
    let place = Place::with_key("dev/openai", "v");
    std::fs::create_dir(place.path("code")).unwrap();
    assert!(!item(&place, "incident-plan").0);
    place.ibyok(&["incident", "plan", "-o", "code/INCIDENTS.md"]).ok();
    let (ok, detail) = item(&place, "incident-plan");
    assert!(!ok && detail.contains("not filled in"), "{detail}");
    let template = place.read("code/INCIDENTS.md");
    let filled = template
        .replace(": …", ": Ana, else Ben")
        .replace("(find out, and write it here)", "https://example.com");
    place.write("code/INCIDENTS.md", &filled);
    assert!(item(&place, "incident-plan").0, "{filled}");
    for unfilled in ["", "\n", "# Plan\nTODO", "- Who decides: ...", "- Who decides:"] {
        place.write("code/INCIDENTS.md", unfilled);
        assert!(!item(&place, "incident-plan").0, "{unfilled:?}");
    }
    // A plan that is kept elsewhere is attested.
    place
        .ibyok(&["checklist", "attest", "incident-plan", "--note", "in the wiki"])
        .ok();
    assert!(item(&place, "incident-plan").0);
}

#[test]
fn the_point_on_reviews_names_the_number_of_open_findings() {
    let place = Place::with_key("dev/k", "v");
    std::fs::create_dir(place.path("code")).unwrap();
    let token = place.token(&["ci", "--env", "dev", "--key", "other"]);
    for _ in 0..30 {
        place.ibyok(&["get", "dev/k"]).env("IBYOK_TOKEN", &token).fails(3);
    }
    let review = place
        .ibyok(&["audit", "review", "--since", "30d", "--json"])
        .call()
        .json();
    let open = review["open"].as_u64().unwrap();
    assert!(open > 0, "{review}");
    let said = if open == 1 {
        "1 finding is open".to_owned()
    } else {
        format!("{open} findings are open")
    };
    let (ok, detail) = item(&place, "log-reviewed");
    assert!(!ok && detail.contains(&said), "{detail}");
    place
        .ibyok(&["audit", "review", "--done", "--reason", "looked at"])
        .call();
    let (_, detail) = item(&place, "log-reviewed");
    assert!(detail.contains(&said), "{detail}");
}
