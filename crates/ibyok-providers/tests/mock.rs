//! The promises of a mock.

use ibyok_providers::{Catalogue, is_mock, mock};
use proptest::prelude::*;

#[test]
fn a_mock_is_the_same_for_the_same_seed() {
    let openai = Catalogue::builtin().get("openai");
    let seed: [u8; 32] = std::array::from_fn(|place| u8::try_from(place * 7).unwrap());
    assert_eq!(mock(openai, &seed), "sk-mock-openai-07ELSZgnu18FMTahov29GNUbipw3AHOV");
    assert_eq!(mock(None, &seed), "mock-key-07ELSZgnu18FMTahov29GNUbipw3AHOV");
}

#[test]
fn another_seed_gives_another_mock() {
    let groq = Catalogue::builtin().get("groq");
    assert_ne!(mock(groq, &[1; 32]), mock(groq, &[2; 32]));
}

#[test]
fn white_space_around_a_mock_does_not_hide_it() {
    let mock = mock(None, &[3; 32]);
    assert!(is_mock(format!(" {mock}\r\n").as_bytes()));
}

#[test]
fn whatever_begins_like_a_mock_is_one() {
    for value in ["sk-mock-openai-", "sk-mock-openai-anything", "AIzaMock-x", "mock-key-"] {
        assert!(is_mock(value.as_bytes()), "{value}");
    }
}

#[test]
fn a_mock_of_a_provider_that_is_not_in_the_catalogue_is_known_too() {
    let custom = Catalogue::parse(
        r#"
        [[provider]]
        id = "acme"
        name = "Acme"
        category = "cloud"
        variables = ["ACME_KEY"]
        mock = "acme.mock-v2-"
        create = "https://acme.example/keys"
        revoke = "https://acme.example/keys"
        can = []
        shapes = []
        "#,
    )
    .unwrap();
    assert!(is_mock(mock(custom.get("acme"), &[9; 32]).as_bytes()));
}

#[test]
fn the_word_alone_makes_no_mock() {
    for value in [
        "",
        "mock",
        "mockingbird",
        "my-mock-server",
        "hammock-2026",
        "sk-proj-mock",
        "Mock-",
    ] {
        assert!(!is_mock(value.as_bytes()), "{value}");
    }
}

proptest! {
    #[test]
    fn every_seed_of_every_provider_makes_a_mock(seed: [u8; 32], place: prop::sample::Index) {
        let catalogue = Catalogue::builtin();
        let provider = catalogue.iter().nth(place.index(catalogue.iter().len()));
        let mock = mock(provider, &seed);
        prop_assert!(is_mock(mock.as_bytes()));
        prop_assert!(catalogue.recognise(mock.as_bytes()).is_none());
        prop_assert!(mock.is_ascii() && !mock.contains(char::is_whitespace));
    }

    #[test]
    fn random_bytes_are_no_mock_and_no_ones_key(value in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!is_mock(&value));
        prop_assert!(Catalogue::builtin().recognise(&value).is_none());
    }

    #[test]
    fn random_letters_are_no_mock(value in "[A-Za-z0-9_-]{0,120}") {
        prop_assert!(!is_mock(value.as_bytes()));
    }
}
