//! Recognising agrees with the plain way of doing it: trying every shape, one after the other.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::LazyLock;

use ibyok_providers::{Catalogue, Matched, Provider, is_mock};
use proptest::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

/// The provider, the example and the pattern, compiled here, of every shape that is recognised.
static SHAPES: LazyLock<Vec<(&'static Provider, &'static str, Regex)>> = LazyLock::new(|| {
    let providers = Catalogue::builtin().iter();
    let shapes = providers.flat_map(|provider| provider.shapes().iter().map(move |shape| (provider, shape)));
    let strong = shapes.filter(|(_, shape)| !shape.is_context_only());
    strong
        .map(|(provider, shape)| (provider, shape.example(), whole(shape.pattern())))
        .collect()
});

fn whole(pattern: &str) -> Regex {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .unicode(false)
        .build()
        .unwrap()
}

/// The ids of all providers of which a shape fits.
fn tried_one_by_one(value: &[u8]) -> Vec<&'static str> {
    let mut fits: Vec<_> = SHAPES
        .iter()
        .filter(|(.., shape)| shape.is_match(value))
        .map(|(of, ..)| of.id())
        .collect();
    fits.dedup();
    fits
}

fn agrees(value: &[u8]) -> Result<(), TestCaseError> {
    let found = Catalogue::builtin().recognise(value);
    let expected = tried_one_by_one(value);
    if !is_mock(value) {
        prop_assert_eq!(found.map(Provider::id).into_iter().collect::<Vec<_>>(), expected);
    }
    for (provider, _, shape) in SHAPES.iter() {
        if shape.is_match(value) && !is_mock(value) {
            prop_assert_eq!(provider.matches(value), Matched::Yes);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_agrees_where_a_key_has_one_letter_changed(shape: prop::sample::Index, at: prop::sample::Index, to in "[!-~]") {
        let (_, example, _) = shape.get(&SHAPES);
        let mut value = example.as_bytes().to_vec();
        *at.get_mut(&mut value) = to.as_bytes()[0];
        agrees(&value)?;
    }

    #[test]
    fn it_agrees_where_a_key_is_cut_or_goes_on(shape: prop::sample::Index, at: prop::sample::Index, more in "[0-9a-zA-Z]{0,4}") {
        let (_, example, _) = shape.get(&SHAPES);
        let cut = at.index(example.len() + 1);
        agrees(&example.as_bytes()[..cut])?;
        agrees(format!("{example}{more}").as_bytes())?;
    }

    #[test]
    fn it_agrees_where_the_head_of_one_key_stands_before_the_tail_of_another(
        left: prop::sample::Index, right: prop::sample::Index, at: prop::sample::Index,
    ) {
        let (left, right) = (left.get(&SHAPES).1.as_bytes(), right.get(&SHAPES).1.as_bytes());
        let cut = at.index(left.len().min(right.len()));
        agrees(&[&left[..cut], &right[cut..]].concat())?;
    }

    #[test]
    fn it_agrees_on_any_bytes(value in prop::collection::vec(any::<u8>(), 0..100)) {
        agrees(&value)?;
    }
}
