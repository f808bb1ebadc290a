//! Every key of a shape that nothing else has is found, however its characters fall.

use std::collections::HashMap;

use ibyok_providers::is_mock;
use proptest::strategy::{Strategy, ValueTree};
use proptest::string::bytes_regex;
use proptest::test_runner::TestRunner;

use super::drawn::{PUBLISHED, Random, published, shapes};
use super::scan;

/// The number of keys of each shape.
const KEYS: usize = 1000;

/// Returns a key of a provider within a text.
fn in_text(value: &str, place: usize) -> String {
    match place % 6 {
        0 => format!("x = \"{value}\""),
        1 => value.to_owned(),
        2 => format!("SOME_NAME={value}"),
        3 => format!("{{\"name\": \"{value}\", \"n\": 1}}"),
        4 => format!("(see {value}, please)"),
        _ => format!("'a\\n{value}\\n'"),
    }
}

/// Those of some keys that are not found as their provider's.
fn missed(keys: &[(&str, String)]) -> Vec<String> {
    let lines: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(place, (_, value))| in_text(value, place))
        .collect();
    let mut found: HashMap<u64, Vec<String>> = HashMap::new();
    for finding in scan(lines.join("\n")) {
        found.entry(finding.line).or_default().extend(finding.provider);
    }
    let is_found = |line: usize, id: &str| {
        let here = found.get(&(line as u64 + 1)).map(Vec::as_slice).unwrap_or_default();
        here.iter().any(|provider| provider == id)
    };
    let missed = keys.iter().enumerate().filter(|(line, (id, _))| !is_found(*line, id));
    missed.map(|(line, (id, _))| format!("{id}: {}", lines[line])).collect()
}

#[test]
fn every_key_that_is_drawn_from_a_shape_of_the_catalogue_is_found() {
    let mut random = Random::new(20_261_130);
    let mut keys = Vec::new();
    for (provider, shape) in shapes().filter(|(_, shape)| !shape.is_public()) {
        for _ in 0..KEYS {
            let value = String::from_utf8(random.fitting(shape.pattern())).unwrap();
            keys.push((provider.id(), value));
        }
    }
    assert!(keys.len() > 140 * KEYS, "{}", keys.len());
    assert_eq!(missed(&keys), [""; 0]);
}

#[test]
fn every_key_of_a_form_that_its_provider_publishes_is_found() {
    let mut random = Random::new(7);
    let mut keys = Vec::new();
    for (id, form) in PUBLISHED {
        keys.extend((0..KEYS).map(|_| (*id, published(form, &mut random))));
    }
    assert_eq!(missed(&keys), [""; 0]);
}

#[test]
fn a_key_is_found_also_where_a_generator_prefers_dashes() {
    let mut runner = TestRunner::deterministic();
    let mut keys = Vec::new();
    for (provider, shape) in shapes().filter(|(_, shape)| !shape.is_public()) {
        let strategy = bytes_regex(&format!("(?-u){}", shape.pattern())).unwrap();
        for _ in 0..20 {
            let value = strategy.new_tree(&mut runner).unwrap().current();
            if !is_mock(&value) {
                keys.push((provider.id(), String::from_utf8(value).unwrap()));
            }
        }
    }
    assert_eq!(missed(&keys), [""; 0]);
}

#[test]
fn the_keys_that_a_test_of_randomness_missed_are_found() {
    for (key, rule) in [
        (["AKIA", "QZRTWXKPLMHBVNDC"], "aws-key"),
        (["AKIA", "ABCXYZMNOPQRUVWJ"], "aws-key"),
        (["hf_", "jHkLmNpQrStVwXzAbCdFgHjKlMnPqRtYuW"], "huggingface-key"),
        (
            ["xoxb-", "481516234299-881273645510-zKqTfakeXyourLpWnBvQs"],
            "slack-key",
        ),
        (["glpat-", "zqjxkvbpygfwmucldrhs"], "gitlab-key"),
    ] {
        let key = key.concat();
        let rules: Vec<_> = scan(format!("id = {key}")).into_iter().map(|f| f.rule).collect();
        assert_eq!(rules, [rule], "{key}");
    }
}
