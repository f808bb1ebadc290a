//! Judges a value by itself: whether it looks random, and whether it is a placeholder.

use super::placeholders::{is_of_words, is_placeholder};

/// The least entropy, in bits per character, of a value that looks random. 16 random hexadecimal digits have 3.1 on average.
const ENTROPY: f64 = 2.6;

/// The smallest share of changes between letters, capitals and digits in a text that looks random. 0.3 to 0.6 is
/// usual in random text, and words have less than 0.1.
const CHANGES: f64 = 0.15;

/// The same for a value of which nothing else is known, without the capitals that begin words: 0.35 is usual there.
const CHANGES_OF_SECRETS: f64 = 0.18;

/// Returns true if a value looks random: it changes often between letters, capitals and digits, and has many
/// different ones.
pub(crate) fn is_random(value: &[u8]) -> bool {
    changes(value.iter().copied().filter(u8::is_ascii_alphanumeric)) >= CHANGES && entropy(value) >= ENTROPY
}

/// The entropy of a value's own characters, in bits per character.
pub(crate) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX).max(1));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// Returns the share of characters that differ in class from the one before: a letter, a capital, a digit or a
/// symbol. A capital that is followed by a lower-case letter makes one change and not two.
pub(crate) fn changes(value: impl Iterator<Item = u8>) -> f64 {
    let sorts: Vec<u8> = value.map(sort).collect();
    let changed = |pair: &&[u8]| matches!(pair, [a, b] if a != b && !(*a == 1 && *b == 0));
    let changes = sorts.windows(2).filter(changed).count();
    ratio(changes, sorts.len().saturating_sub(1).max(1))
}

/// The same, without the capitals that begin a word of lower-case letters: names are written so.
fn changes_not_of_words(value: &[u8]) -> f64 {
    let letters = value.iter().copied().filter(u8::is_ascii_alphanumeric);
    let sorts: Vec<u8> = letters.map(sort).collect();
    let changed =
        |three: &&[u8]| matches!(three, [a, b, c] if a != b && !(*a == 1 && *b == 0) && !(*b == 1 && *c == 0));
    let changes = sorts.windows(3).filter(changed).count();
    ratio(changes, sorts.len().saturating_sub(2).max(1))
}

fn sort(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |n| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(part) / number(whole)
}

/// Returns true if a value that was assigned to a secret's name is a secret. It is long, of the characters of keys,
/// and random. It is no reference to another place, no example, and no digest that names itself.
pub(crate) fn is_secret(value: &[u8], shortest: usize) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let threshold = if hex { 3.0 } else { 3.5 };
    (shortest..=512).contains(&value.len())
        && letters >= 2
        && value.iter().all(|byte| is_of_keys(*byte))
        && !is_a_name(value)
        && !is_of_words(value)
        && !(hex && value.len() < 32)
        && entropy(value) >= threshold
        && (changes_not_of_words(value) >= CHANGES_OF_SECRETS && digits >= 2 || mixes_cases(value))
        && !is_placeholder(value)
        && !says_what_it_is(value)
        && !is_uuid(value)
        && !ibyok_providers::is_mock(value)
}

/// Returns true if a third to two thirds of the letters are capitals. Names never mix cases like that.
fn mixes_cases(value: &[u8]) -> bool {
    let capitals = value.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    capitals * 3 >= letters && capitals * 3 <= letters * 2 && changes(value.iter().copied()) >= CHANGES_OF_SECRETS
}

fn is_of_keys(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b'+' | b'/' | b'=' | b':')
}

/// Returns true if a value is made of words: `module.name.v2`, a path, a host.
fn is_a_name(value: &[u8]) -> bool {
    let parts = value
        .split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty());
    let longest = parts.map(<[u8]>::len).max().unwrap_or_default();
    longest < 10
}

/// Returns true if the value is a digest, a public key, an address or a path, and begins with a mark of that.
pub(crate) fn says_what_it_is(value: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[
        b"$2a$", b"$2b$", b"$2y$", b"$argon2", b"pbkdf2", b"sha1:", b"sha512:", b"vault:v", b"ENC[", b"sha1-",
        b"sha256-", b"sha384-", b"sha512-", b"sha256:", b"md5:", b"h1:", b"ssh-", b"AAAA", b"MIIB", b"MIIC", b"MFkw",
        b"http:", b"https:", b"file:", b"urn:", b"arn:", b"data:", b"ibyok:", b"/", b"./", b"../", b"0x",
    ];
    STARTS.iter().any(|start| value.starts_with(start)) || memchr::memmem::find(value, b"://").is_some()
}

/// Returns true if the value has the form of a UUID: more often a name than a secret.
pub(crate) fn is_uuid(value: &[u8]) -> bool {
    let dashes = [8, 13, 18, 23];
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| {
            if dashes.contains(&at) {
                *byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_not_random_and_keys_are() {
        for word in [
            "get_access_token_for_user",
            "my-service-account-name",
            "com.example.SomeClass",
            "AAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(!is_random(word.as_bytes()), "{word}");
        }
        for key in ["9f86d081884c7d65", "hUi7Xo2LmQp93kVbTzRw", "JBSWY3DPEHPK3PXP"] {
            assert!(is_random(key.as_bytes()), "{key}");
        }
    }

    #[test]
    fn what_is_no_secret_is_none() {
        for value in [
            "sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
            "123e4567-e89b-12d3-a456-426614174000",
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxxxxxxxxxxxxxx",
            "my_module.config.v2.settings",
            "2023-01-01T00:00:00Z",
            "getAccessTokenForUserV2OrV3",
        ] {
            assert!(!is_secret(value.as_bytes(), 16), "{value}");
        }
        assert!(is_secret(b"9aF3kLm2Qx7TzVb4Wd8R", 16));
    }
}
