//! Which names say that what they are given is a secret.

use ibyok_providers::{Catalogue, Provider};

/// Words of which one makes a name a secret's.
const SECRET: &[&str] = &[
    "secret",
    "secrets",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "credential",
    "credentials",
    "apikey",
    "authkey",
    "accesskey",
    "secretkey",
    "authtoken",
    "accesstoken",
    "bearer",
    "authorization",
];

/// Words before `key` that make it a secret one.
const SECRET_KEYS: &[&str] = &[
    "api",
    "access",
    "auth",
    "secret",
    "private",
    "signing",
    "encryption",
    "master",
    "account",
    "client",
    "license",
    "webhook",
    "service",
    "admin",
    "write",
    "deploy",
    "app",
    "application",
    "subscription",
    "storage",
    "shared",
];

/// Words that make a name another thing's.
const OTHERS: &[&str] = &[
    "public",
    "pub",
    "keyword",
    "keywords",
    "hash",
    "hashes",
    "digest",
    "checksum",
    "sha",
    "sha1",
    "sha256",
    "sha512",
    "md5",
    "fingerprint",
    "thumbprint",
    "signature",
    "integrity",
    "etag",
    "primary",
    "foreign",
    "sort",
    "partition",
    "cache",
    "idempotency",
    "pagination",
    "next",
    "continuation",
    "cursor",
    "page",
    "csrf",
    "xsrf",
    "nonce",
    "uuid",
    "guid",
    "commit",
    "revision",
    "version",
    "expected",
    "color",
    "hashed",
    "encrypted",
    "ciphertext",
    "cipher",
];

/// Words that, at the end, say that the value is something about a secret.
const ABOUT: &[&str] = &[
    "id", "ids", "name", "names", "url", "uri", "path", "file", "type", "kind", "size", "len", "length", "count",
    "ttl", "arn", "header", "prefix", "suffix", "format", "pattern", "regex", "field", "column", "index", "label",
    "date", "at", "expiry", "expires", "endpoint", "version", "alias", "ref",
];

/// Whether a name says that its value is a secret.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(last) = words.last() else {
        return false;
    };
    if ABOUT.contains(last) || words.iter().any(|word| OTHERS.contains(word)) {
        return false;
    }
    let key = words
        .windows(2)
        .any(|pair| matches!(pair, [before, "key" | "keys"] if SECRET_KEYS.contains(before)));
    let shouted = *last == "key" && words.len() > 1 && !name.iter().any(u8::is_ascii_lowercase);
    let token = matches!(*last, "token" | "tokens" | "auth" | "pat");
    key || shouted || token || words.iter().any(|word| SECRET.contains(word))
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
        ] {
            assert!(is_secret(name.as_bytes()), "{name}");
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
            "expires",
        ] {
            assert!(!is_secret(name.as_bytes()), "{name}");
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
