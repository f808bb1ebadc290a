//! The promises of the built-in catalogue about each of its entries.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    collections::HashSet,
    env, fs,
    time::{Duration, Instant},
};

use ibyok_providers::{Capability, Catalogue, Category, Matched, Provider, Shape, is_mock, mock};

const DATA: &str = include_str!("../providers.toml");

fn catalogue() -> &'static Catalogue {
    Catalogue::builtin()
}

fn provider(id: &str) -> &'static Provider {
    catalogue().get(id).unwrap_or_else(|| panic!("no provider {id}"))
}

/// Every shape that is recognised, with its provider.
fn strong() -> impl Iterator<Item = (&'static Provider, &'static Shape)> {
    let shapes = catalogue()
        .iter()
        .flat_map(|provider| provider.shapes().iter().map(move |shape| (provider, shape)));
    shapes.filter(|(_, shape)| !shape.is_context_only())
}

const COMPILED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/providers.json");

/// The JSON form of `providers.toml`: one provider a line, so that a change of one is a change of one line.
fn as_json(providers: &serde_json::Value) -> String {
    let lines: Vec<_> = providers["provider"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry.to_string())
        .collect();
    format!("{{\"provider\": [\n{}\n]}}\n", lines.join(",\n"))
}

#[test]
fn the_data_that_is_compiled_in_is_the_file_that_people_edit() {
    let edited: serde_json::Value = toml::from_str(DATA).unwrap();
    if env::var_os("UPDATE_CATALOGUE").is_some() {
        fs::write(COMPILED_IN, as_json(&edited)).unwrap();
    }
    let compiled_in: serde_json::Value = serde_json::from_str(&fs::read_to_string(COMPILED_IN).unwrap()).unwrap();
    assert!(
        compiled_in == edited,
        "providers.json is stale: run this test with UPDATE_CATALOGUE=1"
    );
}

#[test]
fn it_keeps_to_every_rule() {
    let parsed = Catalogue::parse(DATA).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parsed.iter().len(), catalogue().iter().len());
}

#[test]
fn it_has_more_than_sixty_providers_and_some_of_every_category() {
    assert!(catalogue().iter().len() >= 60);
    for category in Category::ALL {
        let count = catalogue()
            .iter()
            .filter(|provider| provider.category() == category)
            .count();
        assert!(count >= 4, "{category:?} has {count}");
    }
}

#[test]
fn it_has_every_provider_that_is_promised_by_name() {
    for (id, variable) in [
        ("openai", "OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("gemini", "GEMINI_API_KEY"),
        ("groq", "GROQ_API_KEY"),
        ("stripe", "STRIPE_SECRET_KEY"),
        ("github", "GITHUB_TOKEN"),
        ("slack", "SLACK_BOT_TOKEN"),
        ("sendgrid", "SENDGRID_API_KEY"),
    ] {
        assert_eq!(provider(id).variable(), variable);
        assert_eq!(catalogue().by_variable(variable).map(Provider::id), Some(id));
    }
}

#[test]
fn no_two_providers_share_an_id_a_variable_or_a_mock() {
    let mut seen = HashSet::new();
    for provider in catalogue().iter() {
        assert!(seen.insert(format!("id {}", provider.id())), "{}", provider.id());
        assert!(
            seen.insert(format!("mock {}", provider.mock_prefix())),
            "{}",
            provider.mock_prefix()
        );
        for variable in provider.variables() {
            assert!(seen.insert(format!("variable {variable}")), "{variable}");
            assert_eq!(catalogue().by_variable(variable).map(Provider::id), Some(provider.id()));
        }
    }
}

#[test]
fn a_variable_is_found_exactly_or_not_at_all() {
    for variable in [
        "",
        "openai_api_key",
        "OPENAI_API_KEY ",
        "OPENAI",
        "MY_OPENAI_API_KEY",
        "API_KEY",
        "SECRET",
    ] {
        assert!(catalogue().by_variable(variable).is_none(), "{variable}");
    }
}

#[test]
fn addresses_are_https() {
    for provider in catalogue().iter() {
        assert!(provider.create_url().starts_with("https://"), "{}", provider.id());
        assert!(provider.revoke_url().starts_with("https://"), "{}", provider.id());
    }
}

#[test]
fn the_example_of_a_recognised_shape_is_recognised_as_its_provider() {
    for (provider, shape) in strong() {
        let found = catalogue().recognise(shape.example().as_bytes()).map(Provider::id);
        assert_eq!(found, Some(provider.id()), "{}", shape.pattern());
    }
}

#[test]
fn the_example_of_a_documented_shape_matches_its_provider() {
    for provider in catalogue().iter() {
        for shape in provider.shapes() {
            let expected = if shape.is_documented() {
                Matched::Yes
            } else {
                Matched::Unknown
            };
            assert_eq!(
                provider.matches(shape.example().as_bytes()),
                expected,
                "{}: {}",
                provider.id(),
                shape.pattern()
            );
        }
    }
}

#[test]
fn an_example_with_something_before_or_after_it_is_not_recognised() {
    for (provider, shape) in strong().filter(|(provider, _)| provider.id() != "google-cloud") {
        for around in [
            ("x", ""),
            ("", "\n"),
            (" ", ""),
            ("", "\0"),
            ("\"", "\""),
            ("", " # comment"),
        ] {
            let value = format!("{}{}{}", around.0, shape.example(), around.1);
            let found = catalogue().recognise(value.as_bytes());
            assert!(found.is_none(), "{}: {:?}", provider.id(), around);
        }
    }
}

#[test]
fn no_example_is_anyones_key() {
    for provider in catalogue().iter() {
        for shape in provider.shapes() {
            let example = shape.example();
            let says_so = example.to_ascii_lowercase().contains("example") || example.contains("00000000");
            assert!(says_so, "{}: {example}", provider.id());
        }
    }
}

#[test]
fn the_file_itself_holds_nothing_that_would_be_taken_for_a_key() {
    let separators = |c: char| c.is_ascii_whitespace() || "\"'`,={}[]".contains(c);
    for word in DATA.split(separators).filter(|word| word.len() >= 16) {
        assert!(catalogue().recognise(word.as_bytes()).is_none(), "{word}");
    }
}

#[test]
fn what_everything_looks_like_is_recognised_as_nothing() {
    let zeros = |count: usize| "0".repeat(count);
    let uuid = format!("{}-{}-{}-{}-{}", zeros(8), zeros(4), zeros(4), zeros(4), zeros(12));
    let mut common = vec![
        String::new(),
        "secret".into(),
        "changeme".into(),
        "true".into(),
        "postgres://user:password@localhost:5432/database".into(),
        "https://example.com/callback".into(),
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n".into(),
        format!("eyJ{0}.eyJ{0}.{1}", "hbGciOiJIUzI1NiJ9", "A".repeat(43)),
        "{\"type\": \"user\"}".into(),
        "sk-".into(),
        "1.2.3.4".into(),
        uuid,
    ];
    for length in [8, 16, 20, 24, 30, 32, 36, 40, 44, 48, 60, 64, 84, 128] {
        common.extend(["0", "f", "Z", "z", "-", "_"].map(|c| c.repeat(length)));
    }
    for value in common {
        assert!(catalogue().recognise(value.as_bytes()).is_none(), "{value}");
    }
}

#[test]
fn a_wrong_key_draws_a_warning_only_where_the_provider_says_what_its_keys_look_like() {
    let value = b"certainly not a key";
    assert_eq!(provider("openai").matches(value), Matched::No);
    assert_eq!(provider("github").matches(value), Matched::No);
    assert_eq!(provider("mistral").matches(value), Matched::No);
    assert_eq!(provider("weaviate").matches(value), Matched::Unknown);
    assert_eq!(provider("upstash").matches(value), Matched::Unknown);
}

#[test]
fn an_empty_or_enormous_value_matches_nothing() {
    for provider in catalogue().iter() {
        assert_eq!(provider.matches(b""), Matched::No, "{}", provider.id());
        assert_eq!(provider.matches(&[b'a'; 4097]), Matched::No, "{}", provider.id());
    }
    assert!(catalogue().recognise(b"").is_none());
}

#[test]
fn recognising_takes_little_time_whatever_the_value() {
    let slow = [
        vec![b'a'; 65_536],
        b"sk-".repeat(21_845),
        vec![b'0'; 4096],
        b"eyJ".repeat(1365),
        b"sl.".repeat(1365),
    ];
    assert!(catalogue().recognise(b"warm").is_none());
    for value in slow {
        let start = Instant::now();
        assert!(catalogue().recognise(&value).is_none());
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    }
}

#[test]
fn capabilities_are_listed_once_and_agree_with_can() {
    for provider in catalogue().iter() {
        let listed: Vec<_> = provider.capabilities().collect();
        let asked: Vec<_> = Capability::ALL
            .into_iter()
            .filter(|capability| provider.can(*capability))
            .collect();
        assert_eq!(listed, asked, "{}", provider.id());
    }
    // What public documentation says of three that are rotated by program.
    assert!(provider("openai").can(Capability::Create));
    assert!(!provider("anthropic").can(Capability::Create) && !provider("anthropic").can(Capability::Delete));
    assert!(provider("anthropic").can(Capability::Deactivate));
}

#[test]
fn the_four_published_mocks_have_their_published_form() {
    for (id, prefix) in [
        ("openai", "sk-mock-openai-"),
        ("anthropic", "sk-ant-mock-"),
        ("gemini", "AIzaMock-"),
        ("groq", "gsk-mock-"),
    ] {
        assert!(mock(Some(provider(id)), &[1; 32]).starts_with(prefix));
    }
}

#[test]
fn a_mock_is_known_says_so_and_is_nobodys_key() {
    for provider in catalogue().iter() {
        for seed in [[0; 32], [255; 32], [b'a'; 32], [61; 32]] {
            let mock = mock(Some(provider), &seed);
            assert!(is_mock(mock.as_bytes()), "{mock}");
            assert!(mock.to_ascii_lowercase().contains("mock"), "{mock}");
            assert!(catalogue().recognise(mock.as_bytes()).is_none(), "{mock}");
            for other in catalogue().iter() {
                assert_eq!(other.matches(mock.as_bytes()), Matched::No, "{mock}: {}", other.id());
            }
        }
    }
}

#[test]
fn no_example_is_a_mock() {
    for provider in catalogue().iter() {
        for shape in provider.shapes() {
            assert!(!is_mock(shape.example().as_bytes()), "{}", shape.example());
        }
    }
}

#[test]
fn debug_shows_the_entry_and_no_more() {
    let shown = format!("{:?}", provider("openrouter"));
    assert!(shown.contains("OpenRouter") && shown.len() < 2000, "{shown}");
}
