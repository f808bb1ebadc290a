//! The provider of a value, by the catalogue of providers. A shape is a hint and never a proof, so that only mocks
//! are refused for it.

use ibyok_providers::{Catalogue, Matched, Provider};
use secrecy::ExposeSecret;

use crate::base::error::{Error, Result};
use crate::model::name::{FieldName, KeyName};
use crate::model::write::KeyWrite;

/// The provider of a value that is to be stored, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Named now, known from before, or recognised.
    pub(crate) provider: Option<String>,
    /// True if it was recognised, and not named.
    pub(crate) recognised: bool,
    /// The points that a person should check.
    pub(crate) warnings: Vec<String>,
}

impl Told {
    /// The variable in which programs usually expect a key of this provider.
    pub(crate) fn variable(&self) -> Option<&'static str> {
        let provider = Catalogue::builtin().get(self.provider.as_deref()?)?;
        Some(provider.variable()).filter(|variable| !variable.is_empty())
    }
}

/// Refuses a mock as a value: once stored, it would be served as live.
///
/// # Errors
/// [`Error::Invalid`].
pub(crate) fn refuse_mocks(write: &KeyWrite, key: &str) -> Result<()> {
    let catalogue = Catalogue::builtin();
    let mut fields = write.fields.iter();
    match fields.find(|(_, value)| catalogue.is_mock(value.expose_secret())) {
        None => Ok(()),
        Some((field, _)) => Err(Error::invalid(
            format!("the {field} of `{key}` is a mock, not a key"),
            "give the provider's key; in mock mode, the vault makes mocks itself",
        )),
    }
}

/// Finds the provider of a value for a key of this name, and warns if the value does not look like a key of that
/// provider.
///
/// The provider is the one that is named or known; else the one that the key's name or variable says; else the one whose shape the
/// value has.
pub(crate) fn look_at(write: &KeyWrite, name: &KeyName, variable: Option<&str>, known: Option<&str>) -> Told {
    let catalogue = Catalogue::builtin();
    let value = write.fields.get(&FieldName::value()).map(ExposeSecret::expose_secret);
    let value = value.unwrap_or_default();
    let shown = catalogue.recognise(value);
    let variable = write.variable.as_deref().or(variable);
    let said = || by_name(catalogue, name, variable);
    let named = write.provider.as_deref().or(known).or_else(|| said().map(Provider::id));
    let recognised = named.is_none() && shown.is_some();
    let provider = named.or_else(|| shown.map(Provider::id));
    let mut warnings = Vec::new();
    match (named, named.and_then(|named| catalogue.get(named))) {
        (_, Some(provider)) => warnings.extend(other_than(provider, shown, value)),
        (Some(named), None) => warnings.extend(near(catalogue, named)),
        (None, None) => {}
    }
    warnings.extend(odd_text(value, provider.is_some()));
    Told {
        provider: provider.map(str::to_owned),
        recognised,
        warnings,
    }
}

/// The provider that a key is named after, or in whose usual variable it is.
fn by_name<'c>(catalogue: &'c Catalogue, name: &KeyName, variable: Option<&str>) -> Option<&'c Provider> {
    let id = name.as_str().to_ascii_lowercase().replace(['_', '.'], "-");
    let by_variable = || catalogue.by_variable(variable.unwrap_or_default());
    let by_name = || catalogue.by_variable(&name.variable());
    by_variable().or_else(by_name).or_else(|| catalogue.get(&id))
}

fn other_than(provider: &Provider, recognised: Option<&Provider>, value: &[u8]) -> Option<String> {
    let name = provider.name();
    match (provider.matches(value), recognised) {
        (Matched::Yes, _) => None,
        (_, Some(other)) if other.id() != provider.id() => {
            Some(format!("the value looks like a key of {}, not of {name}", other.name()))
        }
        (Matched::No, _) => Some(format!("the value does not look like a key of {name}")),
        (Matched::Unknown, _) => None,
    }
}

/// Warns about text that was copied with a value by mistake, or that is a template for the value.
fn odd_text(value: &[u8], is_a_providers: bool) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(value) else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let code = u32::from(hidden);
        warnings.push(format!("the value contains an invisible character (U+{code:04X})"));
    }
    let ends = ['\n', '\r'];
    let one_line = !text.contains(ends);
    // Text of several lines, such as a PEM file, ends with a line end of its own.
    if !one_line && !text.trim_end_matches(ends).contains(ends) {
        warnings.push("the value ends with a line end; most providers do not accept that as part of a key".to_owned());
    }
    if is_a_providers && one_line && text.trim() != text {
        warnings.push("the value begins or ends with white space".to_owned());
    }
    if is_a_placeholder(text) {
        warnings.push("the value looks like a placeholder".to_owned());
    }
    warnings
}

/// No-break and other odd spaces, zero-width characters, marks of byte order and direction: characters that come with
/// a copy from a page.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{180e}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}' | '\u{fff9}'..='\u{fffb}' | '\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

/// True if a text is one that templates and guides write in the place of a key.
fn is_a_placeholder(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "changeme",
        "change_me",
        "change-me",
        "replaceme",
        "replace_me",
        "replace-me",
        "placeholder",
        "your_",
        "your-",
    ];
    let lower = text.trim().to_ascii_lowercase();
    let body = lower.rsplit(['-', '_']).next().unwrap_or_default();
    let crosses = body.len() >= 3 && body.bytes().all(|b| matches!(b, b'x' | b'*' | b'.'));
    let brackets = lower.len() < 64 && lower.starts_with('<') && lower.ends_with('>');
    let words = lower.len() < 64
        && WORDS
            .iter()
            .any(|word| lower.starts_with(word) || lower.ends_with(word));
    crosses || brackets || words
}

/// An unknown name is a custom provider, or mistyped.
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

    fn look_at(write: &KeyWrite, known: Option<&str>) -> Told {
        super::look_at(write, &"k".parse().unwrap(), None, known)
    }

    fn named(name: &str, variable: Option<&str>, value: &str) -> Told {
        super::look_at(&write(value), &name.parse().unwrap(), variable, None)
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
    fn a_name_or_a_usual_variable_says_the_provider_and_a_value_that_does_not_fit_draws_a_warning() {
        let no = ["the value does not look like a key of GitHub"];
        for (name, variable) in [
            ("github", None),
            ("GitHub", None),
            ("GITHUB_TOKEN", None),
            ("github-token", None),
            ("ours", Some("GH_TOKEN")),
        ] {
            let told = named(name, variable, "hello");
            assert_eq!(
                (told.provider.as_deref(), told.recognised),
                (Some("github"), false),
                "{name}"
            );
            assert_eq!(told.warnings, no, "{name}");
            assert!(named(name, variable, &github()).warnings.is_empty(), "{name}");
        }
        assert_eq!(named("githubs", Some("GITHUB"), "hello"), Told::default());
        let other = named("openai", None, &github());
        assert_eq!(other.provider.as_deref(), Some("openai"));
        assert_eq!(other.warnings, ["the value looks like a key of GitHub, not of OpenAI"]);
    }

    #[test]
    fn what_came_along_by_mistake_and_what_is_no_value_yet_is_warned_about() {
        let warned = |value: &str, said: &str| named("k", None, value).warnings.iter().any(|w| w.contains(said));
        for hidden in ["abc\u{a0}", "a\u{200b}bc", "\u{feff}abc", "a\u{202e}bc"] {
            assert!(warned(hidden, "U+"), "{hidden:?}");
        }
        for empty in [
            "sk-xxxx",
            "xxxxxxxx",
            "<your key>",
            "changeme",
            "your-api-key",
            "sk-proj-...",
            "REPLACE_ME",
        ] {
            assert!(warned(empty, "placeholder"), "{empty}");
        }
        for fine in ["grüße 東京 🔑", "pass word", "maxx", "ax-1", "<", "two\nlines\n", "box"] {
            assert!(named("k", None, fine).warnings.is_empty(), "{fine}");
        }
        assert!(named("github", None, &format!(" {}", github())).warnings.len() == 2);
    }

    #[test]
    fn a_value_of_another_shape_draws_a_warning_with_the_name_and_never_the_value() {
        let told = look_at(&write(&github()).provider(Some("openai".to_owned())), None);
        assert_eq!(told.warnings, ["the value looks like a key of GitHub, not of OpenAI"]);
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
