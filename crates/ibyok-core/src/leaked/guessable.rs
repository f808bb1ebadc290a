//! A judgement of values by their form: could an attacker who tries likely values find this one?
//!
//! Keys that providers make are random and long enough that nobody finds one by trying. Passwords, words with a year, names of hosts
//! and settings are not. The estimate is low on purpose: a value that is taken for guessable costs a token one of its look-ups, and
//! a value that is wrongly taken for random would cost nothing.

/// The bits from which on a run of characters counts as random. A run of 32 random hexadecimal digits has about 88 by this estimate.
const RANDOM: f64 = 72.0;

/// The bits of a character of another sort than the one before it.
const ANOTHER_SORT: f64 = 4.0;

/// The bits of a letter after a letter: about those of English text.
const LETTER: f64 = 1.2;

/// The bits of a digit after a digit: years, dates and counters are more likely than others.
const DIGIT: f64 = 1.5;

/// The bits of a `-` or `_` inside a run.
const JOINT: f64 = 1.0;

/// Returns true unless one unbroken run of the value looks random.
pub(crate) fn is_guessable(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else {
        // Bytes that are no text are keys; 16 of them are more than anybody tries.
        return value.len() < 16;
    };
    // A password in the middle of an address is as weak as it is alone.
    let of_a_run = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/');
    let pieces = text.split(|c| !of_a_run(c));
    !pieces.into_iter().any(|piece| bits(piece.as_bytes()) >= RANDOM)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Small,
    Capital,
    Digit,
    Joint,
}

fn sort(byte: u8) -> Sort {
    match byte {
        b'a'..=b'z' => Sort::Small,
        b'A'..=b'Z' => Sort::Capital,
        b'0'..=b'9' => Sort::Digit,
        _ => Sort::Joint,
    }
}

/// An estimate of the bits of a run. A pair of characters that was there before adds nothing, so that repeating a word does not help.
fn bits(run: &[u8]) -> f64 {
    let mut seen = std::collections::BTreeSet::new();
    let mut bits = 0.0;
    let mut before = None;
    for byte in run {
        let now = sort(*byte);
        let is_new = before.is_none_or(|before| seen.insert((before, *byte)));
        if is_new {
            bits += match (before.map(sort), now) {
                (_, Sort::Joint) => JOINT,
                (Some(before), now) if before == now && now == Sort::Digit => DIGIT,
                (Some(before), now) if before == now => LETTER,
                // A capital that begins a word.
                (Some(Sort::Capital), Sort::Small) => LETTER,
                // A word after a joint.
                (Some(Sort::Joint), _) => DIGIT,
                _ => ANOTHER_SORT,
            };
        }
        before = Some(*byte);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_years_settings_and_what_is_made_of_them_are_guessable() {
        for value in [
            "",
            "Winter2026",
            "Winter2026Winter2026Winter2026Winter2026Winter2026",
            "P4ssw0rd2026!",
            "correct-horse-battery-staple",
            "correct horse battery staple and some more words of a sentence",
            "my-company-production-database-password-2026",
            "postgres://app:Winter2026@db.internal.example.com:5432/app?sslmode=require",
            "https://hooks.example.com/services/team/channel/webhook",
            "debug",
            "8080",
            "2026-11-30T10:15:00Z",
            "sk-prod-openai-SENTINEL",
            "abcdefghijklmnopqrstuvwxyz",
            "0123456789012345678901234567890123456789",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "guess-0001",
        ] {
            assert!(is_guessable(value.as_bytes()), "{value}");
        }
        assert!(is_guessable(b"\xff\xfe"));
    }

    #[test]
    fn what_providers_and_random_generators_make_is_not() {
        for value in [
            "6f0a7a372c5852d29234c21958db0339",
            "sk-proj-VpNwLSYa3GwyJMTB8W81yBtey0T2I9GplA4HLE5s",
            "ghp_Sh3ZHOdw1y8DpithdJ1GOtCSOmIKMp9QxT2v",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzX4k3Yq8Lp",
            "9f8b7c1e-3a52-4d6f-8e07-b1c2d3e4f5a6",
            "postgres://app:Sh3ZHOdw1y8DpithdJ1GOtCSOmIKMp9QxT2v@db:5432/app",
        ] {
            assert!(!is_guessable(value.as_bytes()), "{value}");
        }
        assert!(!is_guessable(&[0xff; 32]));
    }
}
