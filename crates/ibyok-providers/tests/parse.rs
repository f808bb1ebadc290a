//! The errors for a catalogue that cannot be used: every fault names the entry and the field.
#![expect(clippy::panic, reason = "helpers of tests are tests")]

use ibyok_providers::{Catalogue, Error, Matched};
use proptest::prelude::*;

/// An entry without fault; each case changes one thing in it.
const ENTRY: &str = r#"
[[provider]]
id = "acme"
name = "Acme"
category = "cloud"
variables = ["ACME_KEY", "ACME_TOKEN"]
mock = "acme-mock-"
create = "https://acme.example/keys"
revoke = "https://acme.example/keys"
note = "Two keys at a time."
can = ["create", "probe"]
shapes = [{ pattern = 'acme-[a-z]{20}', example = "acme-{20:letters}" }]
"#;

/// A second entry of a catalogue.
const OTHER: &str = r#"
[[provider]]
id = "other"
name = "Other"
category = "data"
variables = ["OTHER_KEY"]
mock = "other-mock-"
create = "https://other.example"
revoke = "https://other.example"
can = []
shapes = [{ pattern = 'other-[a-z]{20}', example = "other-{20:letters}" }]
"#;

fn fault(text: &str) -> Error {
    Catalogue::parse(text)
        .map(|catalogue| panic!("accepted: {catalogue:?}"))
        .unwrap_err()
}

/// The entry with `from` replaced by `to`.
fn with(from: &str, to: &str) -> String {
    assert!(ENTRY.contains(from), "{from}");
    ENTRY.replacen(from, to, 1)
}

#[test]
fn an_entry_without_fault_is_read_whole() {
    let catalogue = Catalogue::parse(&format!("{ENTRY}{OTHER}")).unwrap();
    let acme = catalogue.get("acme").unwrap();
    assert_eq!(
        (acme.name(), acme.variable(), acme.variables().len()),
        ("Acme", "ACME_KEY", 2)
    );
    assert_eq!(
        (acme.note(), acme.category().as_str()),
        (Some("Two keys at a time."), "cloud")
    );
    assert_eq!(
        acme.capabilities().map(|can| can.as_str()).collect::<Vec<_>>(),
        ["create", "probe"]
    );
    assert_eq!(acme.matches(b"acme-exampleexampleexampl"), Matched::Yes);
    assert_eq!(
        catalogue
            .recognise(b"other-exampleexampleexampl")
            .map(|other| other.id()),
        Some("other")
    );
    assert_eq!(
        catalogue.iter().map(|provider| provider.id()).collect::<Vec<_>>(),
        ["acme", "other"]
    );
}

#[test]
fn a_field_that_is_missing_is_named() {
    for field in [
        "id",
        "name",
        "category",
        "variables",
        "mock",
        "create",
        "revoke",
        "can",
        "shapes",
    ] {
        let line = ENTRY
            .lines()
            .find(|line| line.starts_with(&format!("{field} =")))
            .unwrap();
        let entry = if field == "id" { "#1" } else { "acme" };
        assert_eq!(
            fault(&with(line, "")),
            Error::Missing {
                entry: entry.into(),
                field: field.into()
            }
        );
    }
    let missing = |field: &str| Error::Missing {
        entry: "acme".into(),
        field: field.into(),
    };
    assert_eq!(
        fault(&with("pattern = 'acme-[a-z]{20}', ", "")),
        missing("shapes[0].pattern")
    );
    assert_eq!(
        fault(&with(", example = \"acme-{20:letters}\"", "")),
        missing("shapes[0].example")
    );
}

#[test]
fn every_fault_says_which_entry_which_field_and_why() {
    let long_url = format!("https://acme.example/{}", "x".repeat(200));
    let shapes = ENTRY.lines().last().unwrap();
    let url = "create = \"https://acme.example/keys\"";
    let cases: &[(&str, &str, &str, &str)] = &[
        // What is replaced, by what, the field, and a part of the message.
        ("name = \"Acme\"", "name = 7", "name", "not a text"),
        ("name = \"Acme\"", "name = \"\"", "name", "one line"),
        ("name = \"Acme\"", "name = \" Acme\"", "name", "one line"),
        ("name = \"Acme\"", "name = \"A\\ncme\"", "name", "one line"),
        ("id = \"acme\"", "id = \"acme\"\nurl = \"x\"", "url", "not a field"),
        (
            "\"cloud\"",
            "\"clod\"",
            "category",
            "not a category: there are llm, search, cloud",
        ),
        (
            "[\"ACME_KEY\", \"ACME_TOKEN\"]",
            "\"ACME_KEY\"",
            "variables",
            "not a list",
        ),
        ("[\"ACME_KEY\", \"ACME_TOKEN\"]", "[]", "variables", "empty"),
        (
            "[\"ACME_KEY\", \"ACME_TOKEN\"]",
            "[1]",
            "variables",
            "not a list of texts",
        ),
        ("\"ACME_TOKEN\"", "\"acme_token\"", "variables", "A-Z"),
        ("\"ACME_TOKEN\"", "\"9ACME\"", "variables", "A-Z"),
        ("\"ACME_TOKEN\"", "\"ACME=X\"", "variables", "A-Z"),
        ("\"ACME_TOKEN\"", "\"ACME_KEY\"", "variables", "`ACME_KEY`"),
        ("\"acme-mock-\"", "\"acme-\"", "mock", "ends in `mock`"),
        ("\"acme-mock-\"", "\"acme-mock\"", "mock", "end in"),
        ("\"acme-mock-\"", "\"acme mock-\"", "mock", "ends in `mock`"),
        ("\"acme-mock-\"", "\"\"", "mock", "ends in `mock`"),
        ("\"acme-mock-\"", "\"mock-key-\"", "mock", "no provider"),
        (url, "create = \"http://acme.example\"", "create", "https://"),
        (url, "create = \"https://\"", "create", "https://"),
        (url, "create = \"https://acme\"", "create", "https://"),
        (url, "create = \"https://user@acme.example\"", "create", "https://"),
        (url, "create = \"https://acme.example/a b\"", "create", "https://"),
        (url, "create = \"javascript:alert(1)\"", "create", "https://"),
        (url, &format!("create = \"{long_url}\""), "create", "https://"),
        ("note = \"Two keys at a time.\"", "note = \"\"", "note", "one line"),
        ("note = \"Two keys at a time.\"", "note = true", "note", "not a text"),
        (
            "\"probe\"",
            "\"prob\"",
            "can",
            "create, deactivate, delete, report_usage, probe",
        ),
        (shapes, "shapes = \"acme-\"", "shapes", "not a list"),
        (
            "{ pattern = 'acme-[a-z]{20}', example = \"acme-{20:letters}\" }",
            "1",
            "shapes[0]",
            "not a table",
        ),
        (
            "'acme-[a-z]{20}'",
            "'acme-[a-z{20}'",
            "shapes[0].pattern",
            "regular expression",
        ),
        ("'acme-[a-z]{20}'", "'a)|(b'", "shapes[0].pattern", "regular expression"),
        (
            "'acme-[a-z]{20}'",
            "'(?=a)b'",
            "shapes[0].pattern",
            "regular expression",
        ),
        (
            "'acme-[a-z]{20}'",
            r"'\p{Greek}+'",
            "shapes[0].pattern",
            "regular expression",
        ),
        (
            "'acme-[a-z]{20}'",
            "'((a{100}){100}){100}'",
            "shapes[0].pattern",
            "memory",
        ),
        ("'acme-[a-z]{20}'", "'[a-z]*'", "shapes[0].pattern", "empty"),
        (
            "'acme-[a-z]{20}'",
            "'acme-[a-z]{21}'",
            "shapes[0].example",
            "does not fit",
        ),
        ("{20:letters}", "{20:letter}", "shapes[0].example", "placeholder"),
        ("{20:letters}", "{20", "shapes[0].example", "placeholder"),
        (
            "{20:letters}",
            "qwertyuiopasdfghjklz",
            "shapes[0].example",
            "taken for a key",
        ),
        (
            "{20:letters}\"",
            "{20:letters}\", context_only = 1",
            "shapes[0].context_only",
            "neither",
        ),
        (
            "{20:letters}\"",
            "{20:letters}\", documented = false",
            "shapes[0].documented",
            "context_only",
        ),
        (
            "{20:letters}\"",
            "{20:letters}\", strong = true",
            "shapes[0].strong",
            "not a field",
        ),
    ];
    for (from, to, field, message) in cases {
        let error = fault(&with(from, to));
        assert_eq!(
            (error.entry(), error.field()),
            (Some("acme"), Some(*field)),
            "{to}: {error}"
        );
        assert!(error.to_string().contains(message), "{to}: {error}");
        assert!(
            error.to_string().contains("acme") && error.to_string().contains(field),
            "{error}"
        );
    }
}

#[test]
fn an_id_is_of_small_letters_digits_and_hyphens() {
    for id in ["", "-acme", "Acme", "ac me", "acme/x", "äcme", &"a".repeat(64)] {
        let error = fault(&with("\"acme\"", &format!("\"{id}\"")));
        assert_eq!(error.field(), Some("id"), "{id}: {error}");
    }
}

#[test]
fn two_providers_cannot_claim_the_same() {
    for (from, to, field) in [
        ("\"other\"", "\"acme\"", "id"),
        ("\"OTHER_KEY\"", "\"ACME_TOKEN\"", "variables"),
        ("\"other-mock-\"", "\"acme-mock-\"", "mock"),
        ("\"other-mock-\"", "\"acme-mock-2-\"", "mock"),
    ] {
        let error = fault(&format!("{ENTRY}{}", OTHER.replacen(from, to, 1)));
        let claimed =
            matches!(&error, Error::Duplicate { field: named, other, .. } if named == field && other == "acme");
        assert!(claimed, "{error}");
    }
}

#[test]
fn a_value_cannot_be_the_key_of_two_providers() {
    let ambiguous = OTHER
        .replace("other-[a-z]{20}", "[a-z]{4}-[a-z]{20}")
        .replace("\"other-{20", "\"acme-{20");
    let error = fault(&format!("{ENTRY}{ambiguous}"));
    assert!(matches!(&error, Error::Ambiguous { .. }), "{error}");
    assert_eq!(
        (error.entry(), error.field()),
        (Some("acme"), Some("shapes[0].example"))
    );

    // What only says something where the provider is known may be the same.
    let context = ambiguous.replace("letters}\" }", "letters}\", context_only = true }");
    Catalogue::parse(&format!("{ENTRY}{context}")).unwrap();
}

#[test]
fn a_value_that_two_shapes_fit_is_recognised_as_neither() {
    let acme = with("acme-[a-z]{20}", "key-[a-z]{20}").replace("\"acme-{20", "\"key-{20");
    let other = OTHER
        .replace("other-[a-z]{20}", "key-[0-9a-f]{20}")
        .replace("\"other-{20:letters", "\"key-{20:zeros");
    let catalogue = Catalogue::parse(&format!("{acme}{other}")).unwrap();
    let owner = |value: &str| {
        catalogue
            .recognise(value.as_bytes())
            .map(|provider| provider.id().to_owned())
    };
    assert_eq!(owner("key-zzzzzzzzzzzzzzzzzzzz").as_deref(), Some("acme"));
    assert_eq!(owner("key-11111111111111111111").as_deref(), Some("other"));
    assert_eq!(owner("key-aaaaaaaaaaaaaaaaaaaa"), None);
}

#[test]
fn a_mock_cannot_fit_a_shape() {
    let error = fault(&with("'acme-[a-z]{20}'", "'acme-[a-z0-9A-Z-]{20,99}'"));
    assert_eq!((error.entry(), error.field()), (Some("acme"), Some("mock")));
    assert!(error.to_string().contains("use another prefix"), "{error}");
}

#[test]
fn a_text_that_is_no_catalogue_is_refused_with_its_line() {
    assert_eq!(fault(""), Error::Empty);
    assert_eq!(fault("provider = []"), Error::Empty);
    assert!(matches!(fault("provider = 1"), Error::Invalid { .. }));
    assert!(matches!(fault("provider = [1]"), Error::Invalid { entry, .. } if entry == "#1"));
    assert!(matches!(fault(&format!("version = 1\n{ENTRY}")), Error::Unknown { field, .. } if field == "version"));
    assert!(matches!(fault("\n\nprovider = ["), Error::Syntax { line, .. } if line >= 3));
    assert!(matches!(fault("a = 1\na = 2"), Error::Syntax { line: 2, .. }));
    assert!(matches!(
        fault(&"#".repeat(Catalogue::MAX_LEN + 1)),
        Error::TooLong { .. }
    ));
}

#[test]
fn there_are_at_most_a_thousand_providers_and_32_shapes_of_one() {
    let provider = |number: usize| {
        format!(
            "[[provider]]\nid = \"p{number}\"\nname = \"P\"\ncategory = \"data\"\nvariables = [\"P{number}\"]\n\
             mock = \"mock-p{number}-\"\ncreate = \"https://p.example\"\nrevoke = \"https://p.example\"\n\
             can = []\nshapes = []\n"
        )
    };
    let many: String = (0..=1000).map(provider).collect();
    assert_eq!(fault(&many).entry(), Some("p1000"));

    let shape = "{ pattern = 'acme-[a-z]{20}', example = \"acme-{20:letters}\" }";
    assert_eq!(fault(&with(shape, &vec![shape; 33].join(", "))).field(), Some("shapes"));
}

#[test]
fn an_entry_without_an_id_is_named_by_its_place() {
    let error = fault(&format!("{ENTRY}{}", OTHER.replace("id = \"other\"", "")));
    assert_eq!(error.entry(), Some("#2"));
}

#[test]
fn messages_are_one_line() {
    for text in [
        "a = \"\n",
        "[[provider]]\nid = \"a\\nb\"",
        "[[provider]]\n\"\\n\" = 1",
        "x",
        "provider = {",
    ] {
        let message = fault(text).to_string();
        assert!(!message.contains('\n') && !message.ends_with('.'), "{message:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        prop_assert!(Catalogue::parse(&text).is_err());
    }

    #[test]
    fn no_change_of_an_entry_makes_it_panic(at: prop::sample::Index, to in "\\PC{0,3}") {
        let at = at.index(ENTRY.len());
        if let (Some(before), Some(after)) = (ENTRY.get(..at), ENTRY.get(at + 1..)) {
            let read = Catalogue::parse(&format!("{before}{to}{after}"));
            prop_assert!(read.is_err() || read.is_ok_and(|catalogue| catalogue.iter().len() == 1));
        }
    }
}
