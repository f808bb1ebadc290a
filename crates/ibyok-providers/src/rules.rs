//! The rules for every entry of a catalogue, and for all entries among each other.

use std::collections::HashMap;

use crate::{
    entry::is_id,
    error::Error,
    example,
    mock::{self, GENERIC_PREFIX, MAX_PREFIX_LEN},
    provider::Provider,
    shape::Shape,
};

/// The most providers, and the most shapes or variables of one.
const MAX_PROVIDERS: usize = 1000;
const MAX_OF_ONE: usize = 32;
/// The most characters of a pattern, a name or address, and a note.
const MAX_PATTERN: usize = 512;
const MAX_TEXT: usize = 200;
const MAX_NOTE: usize = 500;

/// Holds a catalogue to all rules.
pub(crate) fn check(providers: &[Provider]) -> Result<(), Error> {
    if let Some(provider) = providers.get(MAX_PROVIDERS) {
        return Err(invalid(
            provider,
            "id",
            format!("is one too many: a catalogue has at most {MAX_PROVIDERS}"),
        ));
    }
    providers.iter().try_for_each(entry)?;
    unique(providers, "id", |provider| vec![&provider.id])?;
    unique(providers, "variables", |provider| provider.variables.iter().collect())?;
    mocks_are_told_apart(providers)?;
    examples_are_told_apart(providers)?;
    mocks_are_not_keys(providers)
}

fn entry(provider: &Provider) -> Result<(), Error> {
    let rule = |holds, field, problem: &str| {
        if holds {
            Ok(())
        } else {
            Err(invalid(provider, field, problem))
        }
    };
    rule(
        is_id(&provider.id),
        "id",
        "is not an id: use up to 63 of a-z, 0-9 and `-`, the first not `-`",
    )?;
    rule(
        is_line(&provider.name, MAX_TEXT),
        "name",
        "must be one line of 1 to 200 characters",
    )?;
    rule(
        !provider.variables.is_empty(),
        "variables",
        "is empty: name at least the usual one",
    )?;
    rule(provider.variables.len() <= MAX_OF_ONE, "variables", "has more than 32")?;
    let variables = provider.variables.iter().all(|variable| is_variable(variable));
    rule(
        variables,
        "variables",
        "has one that is not of A-Z, 0-9 and `_`, the first not a digit",
    )?;
    rule(
        is_url(&provider.create),
        "create",
        "is not an address that begins with `https://`",
    )?;
    rule(
        is_url(&provider.revoke),
        "revoke",
        "is not an address that begins with `https://`",
    )?;
    let note = provider.note.as_ref().is_none_or(|note| is_line(note, MAX_NOTE));
    rule(note, "note", "must be one line of 1 to 500 characters")?;
    let mock = provider.mock.len() <= MAX_PREFIX_LEN && mock::is_prefix(provider.mock.as_bytes());
    rule(
        mock,
        "mock",
        "must have a part that ends in `mock`, and end in `-`, `_` or `.`",
    )?;
    rule(provider.shapes.len() <= MAX_OF_ONE, "shapes", "has more than 32")?;
    provider
        .shapes
        .iter()
        .enumerate()
        .try_for_each(|(index, shape)| one_shape(provider, index, shape))
}

fn one_shape(provider: &Provider, index: usize, shape: &Shape) -> Result<(), Error> {
    let fail = |field: &str, problem: &str| Err(invalid(provider, &format!("shapes[{index}].{field}"), problem));
    if shape.pattern().len() > MAX_PATTERN {
        return fail("pattern", "is longer than 512 characters");
    }
    let pattern = match shape.compile() {
        Ok(pattern) => pattern,
        Err(regex::Error::CompiledTooBig(_)) => return fail("pattern", "takes too much memory: repeat less"),
        Err(_) => return fail("pattern", "is not a regular expression of the `regex` crate over ASCII"),
    };
    if pattern.is_match(b"") {
        return fail("pattern", "fits an empty value");
    }
    if !pattern.is_match(shape.example().as_bytes()) {
        return fail("example", "does not fit the pattern");
    }
    if !example::is_visibly_one(shape.example()) {
        return fail("example", "may be taken for a key: use a placeholder, such as `{20}`");
    }
    if !shape.is_documented() && !shape.is_context_only() {
        return fail("documented", "is false: then `context_only` must be true");
    }
    if shape.is_public() && shape.is_context_only() {
        return fail(
            "public",
            "is true: then `context_only` must be false, or secrets would pass as public keys",
        );
    }
    Ok(())
}

/// No two providers claim the same.
fn unique<'a>(
    providers: &'a [Provider],
    field: &str,
    claims: impl Fn(&'a Provider) -> Vec<&'a String>,
) -> Result<(), Error> {
    let mut seen: HashMap<&str, &Provider> = HashMap::new();
    let all = providers
        .iter()
        .flat_map(|provider| claims(provider).into_iter().map(move |claim| (provider, claim)));
    for (provider, claim) in all {
        if let Some(other) = seen.insert(claim, provider) {
            return Err(duplicate(provider, field, claim, &other.id));
        }
    }
    Ok(())
}

/// A mock identifies its provider: no prefix begins another.
fn mocks_are_told_apart(providers: &[Provider]) -> Result<(), Error> {
    for (place, provider) in providers.iter().enumerate() {
        let overlaps = |other: &str| other.starts_with(&provider.mock) || provider.mock.starts_with(other);
        if overlaps(GENERIC_PREFIX) {
            return Err(duplicate(provider, "mock", GENERIC_PREFIX, "the mock of no provider"));
        }
        if let Some(other) = providers.iter().take(place).find(|other| overlaps(&other.mock)) {
            return Err(duplicate(provider, "mock", &other.mock, &other.id));
        }
    }
    Ok(())
}

/// Checks that the shapes of one provider do not recognise the examples of another.
fn examples_are_told_apart(providers: &[Provider]) -> Result<(), Error> {
    for provider in providers {
        for (index, shape) in provider
            .shapes
            .iter()
            .enumerate()
            .filter(|(_, shape)| !shape.is_context_only())
        {
            let others = providers.iter().filter(|other| other.id != provider.id);
            if let Some(other) = others
                .into_iter()
                .find(|other| is_recognised(other, shape.example().as_bytes()))
            {
                return Err(Error::Ambiguous {
                    entry: provider.id.clone(),
                    field: format!("shapes[{index}].example"),
                    other: other.id.clone(),
                });
            }
        }
    }
    Ok(())
}

/// No shape that is recognised fits a mock, not even the provider's own.
fn mocks_are_not_keys(providers: &[Provider]) -> Result<(), Error> {
    for provider in providers {
        for seed in [[0; 32], [b'f'; 32], [7; 32], [50; 32]] {
            let mock = mock::mock(Some(provider), &seed);
            if let Some(other) = providers.iter().find(|other| is_recognised(other, mock.as_bytes())) {
                let problem = format!("makes mocks that fit a shape of `{}`: use another prefix", other.id);
                return Err(invalid(provider, "mock", problem));
            }
        }
    }
    Ok(())
}

fn is_recognised(provider: &Provider, value: &[u8]) -> bool {
    provider
        .shapes
        .iter()
        .any(|shape| !shape.is_context_only() && shape.fits(value))
}

fn is_variable(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let first = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && text.len() <= MAX_TEXT && text.bytes().all(allowed)
}

fn is_url(text: &str) -> bool {
    let host = text.strip_prefix("https://").and_then(|rest| rest.split('/').next());
    let host = host.is_some_and(|host| host.contains('.') && !host.starts_with('.') && !host.contains('@'));
    host && text.len() <= MAX_TEXT && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_line(text: &str, limit: usize) -> bool {
    let length = text.chars().count();
    (1..=limit).contains(&length) && text.trim() == text && !text.chars().any(char::is_control)
}

fn invalid(provider: &Provider, field: &str, problem: impl Into<String>) -> Error {
    Error::Invalid {
        entry: provider.id.clone(),
        field: field.to_owned(),
        problem: problem.into(),
    }
}

fn duplicate(provider: &Provider, field: &str, value: &str, other: &str) -> Error {
    Error::Duplicate {
        entry: provider.id.clone(),
        field: field.to_owned(),
        value: value.to_owned(),
        other: other.to_owned(),
    }
}
