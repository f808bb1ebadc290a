use ibyok_providers::{Catalogue, mock};
use proptest::prelude::*;

use super::{hex, leak, rules, scan};

#[test]
fn the_catalogues_own_examples_and_mocks_are_not_keys() {
    for provider in Catalogue::builtin().iter() {
        for shape in provider.shapes() {
            assert_eq!(
                rules(format!("{} = \"{}\"", provider.variable(), shape.example())),
                [""; 0],
                "{}",
                shape.example()
            );
        }
        for seed in [
            [7; 32],
            [200; 32],
            std::array::from_fn(|place| u8::try_from(place * 37 % 256).unwrap()),
        ] {
            let mock = mock(Some(provider), &seed);
            assert_eq!(
                rules(format!("{} = \"{mock}\"", provider.variable())),
                [""; 0],
                "{mock}"
            );
        }
    }
}

#[test]
fn what_is_only_a_part_of_something_longer_is_no_key() {
    assert_eq!(rules(leak()), ["openrouter-key"]);
    assert_eq!(rules(format!("a{}", leak())), [""; 0]);
    assert_eq!(rules(format!("{}0", leak())), [""; 0]);
}

#[test]
fn a_weak_shape_is_a_key_where_the_name_is_its_providers() {
    let value = hex(32);
    assert_eq!(rules(format!("MISTRAL_API_KEY={value}")), ["mistral-key"]);
    assert_eq!(rules(format!("algoliaApiKey: '{value}'")), ["algolia-key"]);
    assert_eq!(rules(format!("etag = '{value}'")), [""; 0]);
}

#[test]
fn what_looks_random_and_is_given_to_a_secrets_name_is_found() {
    let value = "q9Zb3kLm2Qx7TzVb4Wd8R";
    for text in [
        format!("API_KEY={value}"),
        format!("export SERVICE_TOKEN='{value}'"),
        format!("\"clientSecret\": \"{value}\","),
        format!("os.environ[\"API_KEY\"] = \"{value}\""),
        format!("const API_KEY: &str = \"{value}\";"),
        format!("set_key(\"api_key\", \"{value}\")"),
        format!("api_key := \"{value}\""),
        format!("<apiKey>{value}</apiKey>"),
        format!("<add key=\"ApiKey\" value=\"{value}\" />"),
        format!("curl -H \"X-Api-Key: {value}\""),
        format!("curl -H 'Authorization: Bearer {value}'"),
        format!("{{\\\"api_key\\\": \\\"{value}\\\"}}"),
        format!("password = Secret::new(\"{value}\")"),
    ] {
        let found = scan(&text);
        assert_eq!(
            found.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(),
            ["generic-secret"],
            "{text}"
        );
        assert!(!found[0].excerpt.contains(value), "{}", found[0].excerpt);
    }
}

#[test]
fn what_only_stands_for_a_secret_is_none() {
    for text in [
        "API_KEY=${API_KEY}",
        "api_key = os.environ[\"SERVICE_API_KEY_2\"]",
        "API_KEY=your-api-key-goes-here-12",
        "api_key = \"xxxxxxxxxxxxxxxxxxxxxxxx12\"",
        "api_key = get_key_from_vault_v2(name1)",
        "secret: ibyok://prod/openai-2",
        "public_key = \"q9Zb3kLm2Qx7TzVb4Wd8R\"",
        "checksum = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
        "token = next_token_of_page_2_or_3",
        "password: \"correct horse battery staple 12\"",
        "KEY_FILE=/run/secrets/a1b2c3d4e5f6a7b8c9d0",
    ] {
        assert_eq!(rules(text), [""; 0], "{text}");
    }
}

#[test]
fn private_keys_are_found_and_their_headers_alone_are_not() {
    let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2";
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
    ] {
        assert_eq!(rules(format!("-----BEGIN {label}-----\n{body}\n")), ["private-key"]);
        assert_eq!(
            rules(format!("{{\"key\": \"-----BEGIN {label}-----\\n{body}\\n\"}}")),
            ["private-key"]
        );
        assert_eq!(rules(format!("starts_with(\"-----BEGIN {label}-----\")")), [""; 0]);
    }
    assert_eq!(rules(format!("-----BEGIN PUBLIC KEY-----\n{body}\n")), [""; 0]);
}

#[test]
fn our_own_tokens_are_found_by_their_checksum() {
    use ibyok_policy::{TokenId, mint};
    use secrecy::{ExposeSecret, SecretBox};
    let id = TokenId::new(*b"Ab3dEf9h", [1; 16]).unwrap();
    let token = mint(&SecretBox::new(Box::new([7; 32])), id, 1).expose();
    let token = token.expose_secret();
    assert_eq!(rules(format!("IBYOK_TOKEN={token}")), ["ibyok-token"]);
    let other = if token.ends_with('a') { 'b' } else { 'a' };
    let broken: String = token.chars().take(token.len() - 1).chain([other]).collect();
    assert!(!rules(format!("x {broken}")).contains(&"ibyok-token".to_owned()));
}

proptest! {
    #[test]
    fn nothing_in_a_text_breaks_the_scan_or_shows_a_secret(bytes: Vec<u8>, text in "(key|token|sk-|=|:|\"|'|\\\\|[a-z0-9]{1,40}|\n| ){0,60}") {
        scan(&bytes);
        for finding in scan(text.as_bytes()) {
            prop_assert!(finding.line >= 1 && finding.column >= 1);
        }
    }
}

#[test]
fn a_value_is_found_however_a_language_assigns_it() {
    let value = "q7Zk2mXv9RtLw4BnYc6HsJd8FgTp3KeU";
    for text in [
        format!("var apiToken string = \"{value}\""),
        format!("$apiToken .= \"{value}\""),
        format!("API_TOKEN += \"{value}\""),
        format!("API_TOKEN :::= \"{value}\""),
        format!("api_token: |\n  {value}\n"),
        format!("api_token: >-\r\n  {value}\n"),
        format!("<apiToken>\n    {value}\n</apiToken>"),
    ] {
        assert_eq!(rules(&text), ["generic-secret"], "{text}");
    }
}
