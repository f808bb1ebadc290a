//! Placeholders of values: examples, asterisks, digits in a row, words.
//!
//! A shape that nothing else has is proof enough of a key, so a value of such a shape is only dismissed for marks
//! that practically no random key has. A word of four letters is in one of ten thousand keys by chance; therefore
//! short words only count where they are a whole part.

use memchr::memmem;

/// Texts that make a value of any shape an example: random keys practically never hold one of them.
const WORDS: &[&[u8]] = &[
    b"example",
    b"placeholder",
    b"changeme",
    b"change-me",
    b"change_me",
    b"redacted",
    b"replace",
    b"sample",
    b"insert",
    b"foobar",
    b"notreal",
    b"not-real",
    b"not_real",
    b"testtest",
    b"yourapi",
    b"yourkey",
    b"yourtoken",
    b"yoursecret",
    b"deadbeefdeadbeef",
    b"1234567890",
    b"0123456789",
    b"9876543210",
    b"abcdefghij",
    b"qwertyuiop",
];

/// Texts that make a value that a name calls secret an example.
const SHORT_WORDS: &[&[u8]] = &[
    b"xxxx",
    b"your",
    b"dummy",
    b"****",
    b"....",
    b"1234567",
    b"0123456",
    b"9876543",
    b"abcdefg",
    b"0000000",
    b"1111111",
    b"fffffff",
    b"aaaaaaa",
    b"deadbeef",
    b"not-a-",
    b"not_a_",
    b"fake",
];

/// Words that make an example of a value where they are a whole part of it, between separators.
const PARTS: &[&[u8]] = &[b"your", b"fake", b"dummy", b"here", b"goes", b"invalid"];

/// The longest run of one letter or digit that random values have, and the longest text whose repetition makes an example.
const RUN: usize = 8;
const PERIOD: usize = 4;

/// The largest number of different characters in a value of at least [`SHORTEST`] characters that was not drawn at
/// random.
const DIFFERENT: usize = 3;

/// The least length of a word: shorter parts of random values look like words too.
const WORD: usize = 4;

/// Below this length nothing is said about how a value's characters follow each other.
const SHORTEST: usize = 12;

/// Returns true if a value that a name calls secret is a placeholder.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    WORDS
        .iter()
        .chain(SHORT_WORDS)
        .any(|word| memmem::find(&lower, word).is_some())
}

/// Returns true if a value is an example although it has a shape that nothing else has.
pub(crate) fn is_example(body: &[u8]) -> bool {
    let lower = body.to_ascii_lowercase();
    WORDS.iter().any(|word| memmem::find(&lower, word).is_some())
        || longest_run(&lower) > RUN
        || (body.len() >= SHORTEST && (different(&lower) <= DIFFERENT || is_counted(&lower) || repeats(body)))
        || says_example(&lower)
        || is_of_words(body)
}

fn longest_run(text: &[u8]) -> usize {
    let runs = text.chunk_by(|a, b| a == b && a.is_ascii_alphanumeric());
    runs.map(<[u8]>::len).max().unwrap_or_default()
}

fn different(text: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    seen.iter().filter(|seen| **seen).count()
}

/// Returns true if most characters follow the one before in the alphabet (`abcdef`, `123456`), or the one before that
/// (`a1b2c3`).
fn is_counted(text: &[u8]) -> bool {
    [1, 2].into_iter().any(|step| {
        let pairs = text.iter().zip(text.iter().skip(step));
        let all = text.len().saturating_sub(step);
        let follows = |(a, b): &(&u8, &u8)| a.abs_diff(**b) <= 1;
        all >= SHORTEST - 2 && pairs.filter(follows).count() * 5 >= all * 4
    })
}

/// Returns true if the text is a short text, again and again.
fn repeats(text: &[u8]) -> bool {
    (1..=PERIOD).any(|period| {
        let pairs = text.iter().zip(text.iter().skip(period));
        let all = text.len() - period;
        pairs.filter(|(a, b)| a == b).count() * 5 >= all * 4
    })
}

fn says_example(lower: &[u8]) -> bool {
    let parts: Vec<&[u8]> = parts(lower).collect();
    let words = parts.iter().filter(|part| is_word(part)).count();
    parts.len() > 2 && words * 2 >= parts.len() && parts.iter().any(|part| PARTS.contains(part))
}

fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !byte.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
}

/// Returns true if the text consists of words and separators: a name in kebab or snake case, a host, a path.
pub(crate) fn is_of_words(text: &[u8]) -> bool {
    let (mut count, mut long) = (0, 0);
    let all = parts(text).all(|part| {
        count += 1;
        long += if part.len() >= WORD { part.len() } else { 0 };
        is_word(part)
    });
    all && count > 1 && long * 2 >= text.len()
}

/// Letters of one case, or a capital and small letters; then perhaps a number. Or a short number.
fn is_word(part: &[u8]) -> bool {
    let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, number) = part.split_at(letters);
    let rest = word.get(1..).unwrap_or_default();
    let one_case = rest.iter().all(u8::is_ascii_lowercase) || word.iter().all(u8::is_ascii_uppercase);
    one_case && number.len() <= 3 && number.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_told_from_keys() {
        for example in [
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "00000000000000000000000000000000",
            "1234567890abcdef1234567890abcdef",
            "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4",
            "abcabcabcabcabcabcabc",
            "YOUR_TOKEN_GOES_HERE_NOW",
            "some-long-name-of-a-thing-v2",
            "Node-one-of-eu-west.prod12.internal-services-of-us",
            "IOSFODNN7EXAMPLE",
        ] {
            assert!(is_example(example.as_bytes()), "{example}");
        }
        for key in [
            "QZRTWXKPLMHBVNDC",
            "jHkLmNpQrStVwXzAbCdFgHjKlMnPqRtYuW",
            "481516234299-881273645510-zKqTfakeXyourLpWnBv",
            "q9Zb3kLm2Qx7-Tz_Vb4Wd8R",
        ] {
            assert!(!is_example(key.as_bytes()), "{key}");
        }
    }
}
