//! Help: a verb's own options first, and the settings of the vault where they are asked for.

use crate::harness::Place;

const VERBS: [&str; 20] = [
    "keys set",
    "keys list",
    "rotate stage",
    "rotate due",
    "get",
    "run",
    "import",
    "tokens issue",
    "tokens list",
    "audit tail",
    "audit verify",
    "audit archive",
    "incident open",
    "scan",
    "checklist",
    "backup",
    "restore",
    "copy",
    "kek rotate",
    "kek export",
];

const SETTINGS: [&str; 13] = [
    "--store",
    "--kek ",
    "--also-kek",
    "--kek-file",
    "--passphrase-file",
    "--audit <DIR>",
    "--key-cache-ttl",
    "--durability",
    "--geoip",
    "--dev-mode-forced",
    "--staging-mode-forced",
    "--prod-mode-forced",
    "--prod-mock-allowed",
];

const TOKENS: [&str; 3] = ["IBYOK_TOKEN ", "IBYOK_TOKEN_FILE", "IBYOK_TOKEN_COMMAND"];

fn help(verb: &str, flag: &str) -> String {
    let place = Place::empty();
    let arguments: Vec<&str> = verb.split(' ').filter(|word| !word.is_empty()).chain([flag]).collect();
    place.ibyok(&arguments).ok().out
}

#[test]
fn a_verbs_own_options_come_first_and_the_settings_of_the_vault_only_where_they_are_asked_for() {
    for verb in VERBS {
        for flag in ["--help", "-h"] {
            let text = help(verb, flag);
            let own = text.find("Options:").unwrap();
            let global = text.find("Global options:").unwrap();
            assert!(
                own < global && global > text.find("Usage:").unwrap(),
                "{verb} {flag}: {text}"
            );
            let options = text.split("Access tokens:").next().unwrap();
            for setting in SETTINGS {
                assert!(!options.contains(setting), "{verb} {flag} {setting}: {text}");
            }
            for variable in TOKENS {
                assert!(text.contains(variable), "{verb} {flag} {variable}");
            }
            assert!(text.contains("--help-all"), "{verb} {flag}");
        }
        let all = help(verb, "--help-all");
        for setting in SETTINGS {
            assert!(all.contains(setting), "{verb} {setting}: {all}");
        }
        assert!(all.find("Global options:").unwrap() < all.find("Settings of the vault:").unwrap());
    }
}

#[test]
fn the_same_of_the_program_itself_and_init_and_attach_show_what_they_write_down() {
    for flag in ["--help", "-h"] {
        let text = help("", flag);
        assert!(!text.contains("--kek-file") && text.contains("--help-all"), "{text}");
        TOKENS
            .iter()
            .for_each(|variable| assert!(text.contains(variable), "{variable}"));
    }
    let all = help("", "--help-all");
    SETTINGS
        .iter()
        .for_each(|setting| assert!(all.contains(setting), "{setting}"));
    for verb in ["init", "attach"] {
        let text = help(verb, "--help");
        SETTINGS
            .iter()
            .for_each(|setting| assert!(text.contains(setting), "{verb} {setting}"));
    }
}

#[test]
fn the_manual_has_everything_and_a_setting_that_is_not_shown_still_works() {
    let place = Place::new();
    for page in [&["man"][..], &["man", "keys", "set"]] {
        let page = place.ibyok(page).ok().out.replace('\\', "");
        for word in ["--kek-file", "--prod-mock-allowed", "IBYOK_TOKEN_COMMAND", "--help-all"] {
            assert!(page.contains(word), "{word}: {page}");
        }
    }
    let script = place.ibyok(&["completions", "bash"]).ok().out;
    for word in ["--kek-file", "--help-all", "--if-version", "--replace", "--include-own"] {
        assert!(script.contains(word), "{word}");
    }
    place.ibyok(&["keys", "list", "--durability", "written"]).ok();
    place.ibyok(&["keys", "list", "--durability", "odd"]).fails(2);
    // What follows `--` is the program's.
    let ran = place.ibyok(&["run", "--env", "dev", "--", "echo", "--help-all"]).ok();
    assert_eq!(ran.out, "--help-all\n");
}
