//! Judges by a name whether its value is a secret.

use ibyok_providers::{Catalogue, Provider};

use super::vocabulary::{
    ABOUT, OTHER_TOKENS, OTHERS, PASSWORD_ENDS, QUALIFIERS, SECRET, SECRET_ENDS, SECRET_KEYS, TRANSFORMED,
};

/// The statement of a name about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// No secret.
    Nothing,
    /// A key or a token.
    Secret,
    /// A password, which may hold any symbol.
    Password,
}

/// Returns the statement of a name about its value. The end of a name outweighs the words before it: `CSRF_SECRET` is
/// a secret, and `csrf_hash` is none.
pub(crate) fn says(name: &[u8]) -> Says {
    let words = words(name);
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    while words.len() > 1 && words.last().is_some_and(|last| QUALIFIERS.contains(last)) {
        words.pop();
    }
    let Some(last) = words.last() else {
        return Says::Nothing;
    };
    if ABOUT.contains(last) || words.iter().any(|word| TRANSFORMED.contains(word)) {
        return Says::Nothing;
    }
    let shouted = !name.iter().any(u8::is_ascii_lowercase);
    match end_says(&words, shouted) {
        Says::Nothing if says_somewhere(&words, shouted) => Says::Secret,
        said => said,
    }
}

/// Returns the statement of the end of a name.
fn end_says(words: &[&str], shouted: bool) -> Says {
    let (before, last) = match words {
        [.., before, last] => (*before, *last),
        [last] => ("", *last),
        [] => return Says::Nothing,
    };
    let ends = |ends: &[&str]| ends.iter().any(|end| last.ends_with(end));
    if last == "pass" || last == "passwords" || ends(PASSWORD_ENDS) {
        return Says::Password;
    }
    let secret = match last {
        "key" | "keys" => SECRET_KEYS.contains(&before),
        "token" | "tokens" if before == "key" && words.contains(&"public") => false,
        "token" | "tokens" => shouted || !OTHER_TOKENS.contains(&before),
        "csrftoken" | "xsrftoken" | "nexttoken" | "pagetoken" | "detoken" => false,
        "auth" | "pat" => !words.iter().any(|word| OTHERS.contains(word)),
        _ => SECRET.contains(&last) || ends(SECRET_ENDS),
    };
    if secret { Says::Secret } else { Says::Nothing }
}

/// Returns true if a word somewhere in a name suggests a secret, and none suggests another thing.
fn says_somewhere(words: &[&str], shouted: bool) -> bool {
    if words.iter().any(|word| OTHERS.contains(word)) {
        return false;
    }
    let key = words
        .windows(2)
        .any(|pair| matches!(pair, [before, "key" | "keys"] if SECRET_KEYS.contains(before)));
    let shouted = shouted && words.len() > 1 && words.last() == Some(&"key");
    key || shouted || words.iter().any(|word| SECRET.contains(word))
}

/// The provider that a name speaks of: whose variable it is, or whose id is in it.
pub(crate) fn provider(catalogue: &'static Catalogue, name: &[u8]) -> Option<&'static Provider> {
    let text = std::str::from_utf8(name).ok()?;
    let variable = text.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()?;
    catalogue.by_variable(variable).or_else(|| {
        let words = words(name);
        let named = |provider: &&Provider| {
            let id: Vec<&str> = provider.id().split('-').collect();
            words
                .windows(id.len())
                .any(|part| part.iter().map(String::as_str).eq(id.iter().copied()))
        };
        // `azure-openai` before `openai`.
        catalogue
            .iter()
            .filter(named)
            .max_by_key(|provider| provider.id().len())
    })
}

/// A name's words, lower-case: `OPENAI_API_KEY`, `openaiApiKey` and `openai-api-key` have the same.
fn words(name: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = b' ';
    for (at, byte) in name.iter().enumerate() {
        let next_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let bump = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_digit() || (before.is_ascii_uppercase() && next_lower));
        if (bump || !byte.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if byte.is_ascii_alphanumeric() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        before = *byte;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "API_KEY",
            "apiKey",
            "stripe-secret-key",
            "access_token",
            "DB_PASSWORD",
            "config.authToken",
            "APIKey",
            "x-api-key",
            "FAL_KEY",
            "client_secret",
            "SecretAccessKey",
            "Authorization",
            "CURSOR_API_KEY",
            "PAGE_ACCESS_TOKEN",
            "CSRF_SECRET",
            "PUBLIC_API_SECRET",
            "NEXT_PUBLIC_MAPS_API_KEY",
            "PRIMARY_ACCESS_KEY",
            "cacheAuthToken",
            "HASH_SECRET",
            "COMMIT_TOKEN",
            "API_KEY_PROD",
            "PGPASSWORD",
            "telegramBotToken",
        ] {
            assert_ne!(says(name.as_bytes()), Says::Nothing, "{name}");
        }
        for name in [
            "public_key",
            "publicKeyToken",
            "keyword",
            "primary_key",
            "cache_key",
            "token_type",
            "secret_name",
            "api_key_id",
            "tokenizer",
            "monkey",
            "key",
            "password_hash",
            "next_token",
            "CACHE_KEY",
            "csrf_token",
            "nextPageToken",
            "encrypted_password",
            "STRIPE_PUBLISHABLE_KEY",
            "compass",
            "bypass_cache",
            "expires",
        ] {
            assert_eq!(says(name.as_bytes()), Says::Nothing, "{name}");
        }
    }

    #[test]
    fn a_name_tells_its_provider() {
        let of = |name: &str| provider(Catalogue::builtin(), name.as_bytes()).map(Provider::id);
        assert_eq!(of("os.environ.MISTRAL_API_KEY"), Some("mistral"));
        assert_eq!(of("cohereApiKey"), Some("cohere"));
        assert_eq!(of("azure_openai_key"), Some("azure-openai"));
        assert_eq!(of("API_KEY"), None);
    }
}
