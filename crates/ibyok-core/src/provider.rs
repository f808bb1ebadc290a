//! Whose key a value is: what the catalogue of providers says when a value comes in. A shape is a hint and never a proof, so that
//! nothing is refused for it but mocks.

use ibyok_providers::{Catalogue, Matched, Provider};
use secrecy::ExposeSecret;

use crate::error::{Error, Result};
use crate::model::name::FieldName;
use crate::model::write::KeyWrite;

/// What is known of the provider of a value that is to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Named now, known from before, or recognised.
    pub(crate) provider: Option<String>,
    /// Whether it was recognised, and not named.
    pub(crate) recognised: bool,
    /// What a person should look at.
    pub(crate) warnings: Vec<String>,
}

impl Told {
    /// The variable in which programs usually expect a key of this provider.
    pub(crate) fn variable(&self) -> Option<&'static str> {
        let provider = Catalogue::builtin().get(self.provider.as_deref()?)?;
        Some(provider.variable()).filter(|variable| !variable.is_empty())
    }
}

/// Refuses what was made to stand in for a key: kept as one, it would be served as live.
///
/// # Errors
/// [`Error::Invalid`].
pub(crate) fn refuse_mocks(write: &KeyWrite, key: &str) -> Result<()> {
    let catalogue = Catalogue::builtin();
    let mut fields = write.fields.iter();
    match fields.find(|(_, value)| catalogue.is_mock(value.expose_secret())) {
        None => Ok(()),
        Some((field, _)) => Err(Error::invalid(
            format!("the {field} of `{key}` is a mock, and not to be kept as a key"),
            "give the provider's own key; the vault makes mocks itself, in mock mode",
        )),
    }
}

/// Looks at a value, for a key that is known to be of a provider already, if it is.
pub(crate) fn look_at(write: &KeyWrite, known: Option<&str>) -> Told {
    let catalogue = Catalogue::builtin();
    let value = write.fields.get(&FieldName::value()).map(ExposeSecret::expose_secret);
    let value = value.unwrap_or_default();
    let recognised = catalogue.recognise(value);
    let Some(named) = write.provider.as_deref().or(known) else {
        let found = recognised.or_else(|| by_variable(catalogue, write.variable.as_deref(), value));
        return Told {
            provider: found.map(|provider| provider.id().to_owned()),
            recognised: found.is_some(),
            warnings: Vec::new(),
        };
    };
    let warning = match catalogue.get(named) {
        Some(provider) => other_than(provider, recognised, value),
        None => near(catalogue, named),
    };
    Told {
        provider: Some(named.to_owned()),
        recognised: false,
        warnings: warning.into_iter().collect(),
    }
}

/// A shape that many things have says whose it is where the variable agrees.
fn by_variable<'c>(catalogue: &'c Catalogue, variable: Option<&str>, value: &[u8]) -> Option<&'c Provider> {
    catalogue
        .by_variable(variable?)
        .filter(|provider| provider.matches(value) == Matched::Yes)
}

fn other_than(provider: &Provider, recognised: Option<&Provider>, value: &[u8]) -> Option<String> {
    let name = provider.name();
    match recognised {
        Some(other) if other.id() != provider.id() => Some(format!(
            "the value does not look like a key of {name}, but like one of {}",
            other.name()
        )),
        _ => (provider.matches(value) == Matched::No).then(|| format!("the value does not look like a key of {name}")),
    }
}

/// A name that nobody knows is a provider of one's own, or mistyped.
fn near(catalogue: &Catalogue, named: &str) -> Option<String> {
    let distance = |provider: &Provider| strsim::damerau_levenshtein(provider.id(), named);
    let nearest = catalogue.iter().min_by_key(|provider| distance(provider))?;
    // One letter of few, two of many.
    let close = distance(nearest) <= 1 + usize::from(named.len() > 5);
    (named.len() > 3 && close).then(|| {
        let id = nearest.id();
        format!("the catalogue has no provider `{named}`; did you mean `{id}`?")
    })
}

#[cfg(test)]
mod tests {
    use ibyok_crypto::Secret;
    use ibyok_providers::mock;

    use super::*;

    fn write(value: &str) -> KeyWrite {
        KeyWrite::from(Secret::copy_of(value.as_bytes()))
    }

    fn github() -> String {
        format!("ghp_{}", "EXAMPLE0".repeat(5).split_at(36).0)
    }

    #[test]
    fn a_key_is_recognised_by_its_shape_unless_a_provider_is_named_or_known() {
        let told = look_at(&write(&github()), None);
        assert_eq!((told.provider.as_deref(), told.recognised), (Some("github"), true));
        assert_eq!(told.variable(), Some("GITHUB_TOKEN"));
        let named = look_at(&write(&github()).provider(Some("ours".to_owned())), None);
        assert_eq!((named.provider.as_deref(), named.recognised), (Some("ours"), false));
        assert!(!look_at(&write(&github()), Some("github")).recognised);
        assert_eq!(look_at(&write("anything"), None), Told::default());
    }

    #[test]
    fn a_value_of_another_shape_draws_a_warning_with_the_name_and_never_the_value() {
        let told = look_at(&write(&github()).provider(Some("openai".to_owned())), None);
        assert_eq!(
            told.warnings,
            ["the value does not look like a key of OpenAI, but like one of GitHub"]
        );
        let told = look_at(&write("SENTINEL"), Some("github"));
        assert_eq!(told.warnings, ["the value does not look like a key of GitHub"]);
        assert!(look_at(&write(&github()), Some("github")).warnings.is_empty());
    }

    #[test]
    fn a_provider_that_is_nearly_one_of_the_catalogue_is_asked_about() {
        let warnings = |name: &str| look_at(&write("x").provider(Some(name.to_owned())), None).warnings;
        assert_eq!(
            warnings("opneai"),
            ["the catalogue has no provider `opneai`; did you mean `openai`?"]
        );
        assert!(warnings("our-own-thing").is_empty());
    }

    #[test]
    fn a_mock_is_refused_in_whichever_field() {
        for value in [mock(Catalogue::builtin().get("openai"), &[7; 32]), mock(None, &[7; 32])] {
            assert!(refuse_mocks(&write(&value), "dev/k").is_err(), "{value}");
            let mut with = write("sk");
            let other = "org_id".parse().unwrap();
            with.fields.insert(other, Secret::copy_of(value.as_bytes()));
            assert!(refuse_mocks(&with, "dev/k").is_err());
        }
        assert!(refuse_mocks(&write("sk-mocking-bird"), "dev/k").is_ok());
    }
}
