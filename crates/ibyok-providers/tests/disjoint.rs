//! No value fits the recognised shapes of two providers, and no mock fits any: proved for all values, and not only
//! tried on examples, by walking the automata of both side by side.
#![expect(clippy::panic, clippy::expect_used, reason = "helpers of tests are tests")]

use std::{collections::HashSet, sync::LazyLock};

use ibyok_providers::Catalogue;
use regex_automata::{
    Anchored,
    dfa::{Automaton, StartKind, dense},
    util::{primitives::StateID, start, syntax},
};

/// The most memory, in bytes, that one automaton may take.
const SIZE_LIMIT: usize = 4 << 20;

type Dfa = dense::DFA<Vec<u32>>;

/// The provider, pattern and automaton of every shape that is recognised.
static SHAPES: LazyLock<Vec<(&str, &str, Dfa)>> = LazyLock::new(|| {
    let providers = Catalogue::builtin().iter();
    let shapes = providers.flat_map(|provider| provider.shapes().iter().map(move |shape| (provider.id(), shape)));
    let strong = shapes.filter(|(_, shape)| !shape.is_context_only());
    strong
        .map(|(owner, shape)| (owner, shape.pattern(), automaton(shape.pattern())))
        .collect()
});

#[test]
fn no_value_is_recognised_as_the_key_of_two_providers() {
    let shapes = &*SHAPES;
    for (place, (owner, pattern, dfa)) in shapes.iter().enumerate() {
        for (other, other_pattern, other_dfa) in shapes.iter().take(place).filter(|(other, ..)| other != owner) {
            if let Some(value) = common(dfa, other_dfa) {
                panic!("{owner} ({pattern}) and {other} ({other_pattern}) share {value:?}");
            }
        }
    }
}

#[test]
fn no_mock_is_recognised_as_a_key() {
    let shapes = &*SHAPES;
    for provider in Catalogue::builtin().iter() {
        let mocks = automaton(&format!(
            "{}[0-9A-Za-z]{{32}}",
            provider.mock_prefix().replace('.', r"\.")
        ));
        for (owner, pattern, dfa) in shapes {
            if let Some(value) = common(&mocks, dfa) {
                panic!(
                    "the mock of {} may be {value:?}, which fits {owner} ({pattern})",
                    provider.id()
                );
            }
        }
    }
}

#[test]
fn the_proof_finds_what_two_shapes_share() {
    let overlap = |left, right| common(&automaton(left), &automaton(right));
    assert_eq!(overlap("ab+", "a[bc]{2}").as_deref(), Some("abb"));
    assert_eq!(overlap("sk-[a-z]{3}", "[a-z-]{6}").map(|value| value.len()), Some(6));
    assert_eq!(overlap("ab{2}", "ab{3}"), None);
    assert_eq!(overlap("a.c", "abd"), None);
}

#[test]
fn a_pattern_about_which_nothing_can_be_proved_is_refused() {
    assert!(build("[ab]*a[ab]{40}").is_err());
}

fn automaton(pattern: &str) -> Dfa {
    build(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn build(pattern: &str) -> Result<Dfa, String> {
    let config = dense::Config::new().start_kind(StartKind::Anchored);
    // A pattern that needs more repeats something that overlaps with what follows it: name its lengths.
    let config = config
        .dfa_size_limit(Some(SIZE_LIMIT))
        .determinize_size_limit(Some(SIZE_LIMIT));
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    let nfa = regex_automata::nfa::thompson::Config::new().utf8(false);
    let mut builder = dense::Builder::new();
    builder
        .configure(config)
        .syntax(syntax)
        .thompson(nfa)
        .build(&format!(r"\A(?:{pattern})\z"))
        .map_err(|error| error.to_string())
}

/// A value that both accept, if there is one: a search over the pairs of states that the same bytes lead to.
fn common(left: &Dfa, right: &Dfa) -> Option<String> {
    let start = (begin(left), begin(right));
    let mut seen = HashSet::from([start]);
    let mut open = vec![(start, Vec::new())];
    while let Some(((l, r), value)) = open.pop() {
        if accepts(left, l) && accepts(right, r) {
            return Some(String::from_utf8_lossy(&value).into_owned());
        }
        for byte in 0..=255 {
            let next = (left.next_state(l, byte), right.next_state(r, byte));
            if !left.is_dead_state(next.0) && !right.is_dead_state(next.1) && seen.insert(next) {
                open.push((next, value.iter().copied().chain([byte]).collect()));
            }
        }
    }
    None
}

fn begin(dfa: &Dfa) -> StateID {
    dfa.start_state(&start::Config::new().anchored(Anchored::Yes))
        .expect("an anchored start")
}

fn accepts(dfa: &Dfa, state: StateID) -> bool {
    dfa.is_match_state(dfa.next_eoi_state(state))
}
