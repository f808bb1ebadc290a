//! A text that looks like a secret and is none is no finding.

use ibyok_providers::{Catalogue, mock};

use super::drawn::{Random, shapes};
use super::{leak, rules, scan, scan_as};

const VALUE: &str = "q9Zb3kLm2Qx7TzVb4Wd8R";

#[test]
fn the_end_of_a_name_outweighs_the_words_before_it() {
    for name in [
        "CURSOR_API_KEY",
        "PAGE_ACCESS_TOKEN",
        "CSRF_SECRET",
        "PUBLIC_API_SECRET",
        "NEXT_API_TOKEN",
        "CACHE_PASSWORD",
        "HASH_SECRET",
        "FINGERPRINT_API_KEY",
        "COMMIT_STATUS_TOKEN",
        "INTEGRITY_SIGNING_KEY",
        "VERSION_SERVICE_PASSWORD",
        "COLOR_API_KEY",
        "nextAuthSecret",
        "cursorApiKey",
        "primary-access-key",
        "public.api.secret",
        "NEXTAUTH_SECRET",
        "API_KEY_PROD",
        "SERVICE_TOKEN_2",
    ] {
        assert_eq!(rules(format!("{name} = \"{VALUE}\"")), ["generic-secret"], "{name}");
    }
    for name in [
        "next_page_token",
        "csrfToken",
        "public_key",
        "CACHE_KEY",
        "API_KEY_ID",
        "SECRET_HASH",
        "password_digest",
        "tokenSha256",
        "primaryKey",
        "secret_name",
        "TOKEN_URL",
        "stripe_publishable_key",
    ] {
        assert_eq!(rules(format!("{name} = \"{VALUE}\"")), [""; 0], "{name}");
    }
}

#[test]
fn the_encrypted_data_of_a_sealed_secret_is_no_finding() {
    let sealed = "AgBy3i4OJSWK+PiTySYZZA9rO43cGDEqTxw7Q2bnLmVt8Rk1Zs5";
    let yaml = format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec:\n  encryptedData:\n    password: {sealed}\n    api-key: {sealed}\n"
    );
    assert_eq!(rules(&yaml), [""; 0]);
    assert_eq!(rules(yaml.replace("encryptedData", "stringData")).len(), 2);
    let json = format!("{{\"spec\": {{\"encryptedData\": {{\"password\": \"{sealed}\", \"apiKey\": \"{sealed}\"}}}}}}");
    assert_eq!(rules(&json), [""; 0]);
    let after = format!("  encryptedData:\n    password: {sealed}\n  template:\n    password: {sealed}\n");
    assert_eq!(rules(after).len(), 1, "what follows the mapping is not sealed");
}

#[test]
fn keys_that_are_public_by_design_are_no_findings_and_are_counted() {
    let mut random = Random::new(3);
    let mut count = 0;
    for (provider, shape) in shapes().filter(|(_, shape)| shape.is_public()) {
        for name in ["key", provider.variable(), "CLIENT_API_KEY"] {
            let value = String::from_utf8(random.fitting(shape.pattern())).unwrap();
            let scanned = scan_as("a.js", format!("{name} = \"{value}\""));
            assert_eq!((scanned.findings.len(), scanned.public), (0, 1), "{name} = {value}");
        }
        count += 1;
    }
    assert!(count >= 7, "{count}");
    for prefix in ["sb_publishable_", "phc_", "pk_live_", "pk_test_"] {
        let value = format!("{prefix}{}", random.of("abcdefghkmnpqrstuvwxyzABCDEFGH23456789", 43));
        let value = value.get(..if prefix.starts_with("sb") { 46 } else { 47 }).unwrap();
        assert_eq!(rules(format!("SUPABASE_KEY={value}")), [""; 0], "{value}");
    }
}

#[test]
fn an_address_that_fits_a_loose_shape_is_no_key() {
    for text in [
        "https://Node-one-of-eu-west-prod1.prod12.internal-services-of-us-east.example2.org/",
        "see https://MyClusterNumber0fTheWest9.abc123.SomeHostThatIsLong0fTheEast99/x",
        "ghs_.internal-services-of-us-east-1.example-domain.org",
        "host: sl.a-very-long-name-of-a-host-that-goes-on-and-on-and-on-and-on.some-more-of-the-same-words-that-go-on-and-on-and-on-and-on-for-a-while",
        "class=\"al-some-long-class-name-of-a-style-sheet-that-goes\"",
        "TOKEN_ENDPOINT=https://login.example2.org/a1b2c3d4e5f6a7b8c9d0/oauth2/token",
        "API_SECRET=wss://stream.example2.org:9443/ws/a9Zb3kLm2Qx7",
        "api_key_host: api-v2.us-east-1.internal.example2.org",
        "AUTH_TOKEN=service-account-7.prod-3.internal.example2.org",
        "CLOUDFLARE_API_TOKEN=some-kebab-name-that-has-forty-letters-1",
        "secret: projects/my-project-12345/secrets/api-key-for-prod/versions/latest",
    ] {
        assert_eq!(rules(text), [""; 0], "{text}");
    }
}

#[test]
fn mocks_are_no_findings_wherever_they_stand() {
    let mut lines = Vec::new();
    for provider in Catalogue::builtin().iter() {
        for seed in [[7; 32], std::array::from_fn(|at| u8::try_from(at * 37 % 256).unwrap())] {
            let mock = mock(Some(provider), &seed);
            lines.extend([
                format!("PASSWORD={mock}"),
                format!("password: \"{mock}\""),
                format!("https://app:{mock}@host/x"),
                format!("curl -u app:{mock} https://host"),
                format!("Authorization: Bearer {mock}"),
                mock,
            ]);
        }
    }
    let found = scan(lines.join("\n"));
    let lines: Vec<&str> = found
        .iter()
        .map(|finding| lines[finding.line as usize - 1].as_str())
        .collect();
    assert_eq!(lines, [""; 0]);
}

#[test]
fn thousands_of_keys_in_one_line_take_no_quadratic_time() {
    let line = format!("{} ", leak()).repeat(10_000);
    let start = std::time::Instant::now();
    assert_eq!(scan(line).len(), 10_000);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn our_own_reports_and_the_page_about_tokens_hold_no_findings() {
    let id = "U7VWwGOY6rrhy9SstMIeQ5bseF8u6I";
    let report =
        format!("{{\"readers\": [{{\n  \"token\": \"{id}\",\n  \"name\": \"app\",\n  \"state\": \"valid\"\n}}]}}");
    assert_eq!(rules(report), [""; 0]);
    let status =
        format!("{{\"consumers\": [{{\"token\": \"{id}\", \"name\": \"app\", \"last\": null, \"count\": 3}}]}}");
    assert_eq!(rules(status), [""; 0]);
    assert_eq!(
        rules(format!("{{\"token\": \"{id}\"}}")),
        ["generic-secret"],
        "it may be anything there"
    );
    let page = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tokens.md")).unwrap();
    assert_eq!(rules(page), [""; 0]);
}
