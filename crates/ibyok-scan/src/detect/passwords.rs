//! Passwords: short, with symbols, and often chosen by people, so that neither a shape nor a length identifies them.

use memchr::memmem;

use super::placeholders::is_example;
use super::values::{changes, entropy, is_uuid, says_what_it_is};

/// The shortest password under a name that means password, and the shortest of only letters and digits.
const SHORTEST: usize = 10;
const SHORTEST_PLAIN: usize = 12;

/// The shortest password in an address, a connection string or an argument.
pub(crate) const SHORTEST_IN_ADDRESS: usize = 6;

/// Beyond this a value is a document.
const LONGEST: usize = 128;

/// Returns the smallest share of characters that differ in class from the one before, by the number of classes in the
/// value. The classes are lower-case letters, capitals, digits and symbols.
fn least_changes(classes: usize) -> f64 {
    match classes {
        0 | 1 => 1.0,
        2 => 0.3,
        3 => 0.2,
        _ => 0.15,
    }
}

/// Words of passwords that are not meant to be secret, in the spelling of [`plain`].
const WORDS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"passphrase",
    b"passwort",
    b"secret",
    b"changeit",
    b"changeme",
    b"qwerty",
    b"asdfgh",
    b"zxcvb",
    b"letmein",
    b"welcome",
    b"iloveyou",
    b"monkey",
    b"hunter",
    b"example",
    b"trustno",
    b"correcthorse",
    b"abcdef",
    b"abcabc",
];

/// Shorter words of that sort: they count where they are a good part of the password.
const SHORT_WORDS: &[&[u8]] = &[
    b"pass",
    b"test",
    b"user",
    b"root",
    b"admin",
    b"guest",
    b"demo",
    b"dummy",
    b"fake",
    b"mock",
    b"token",
    b"sample",
    b"postgres",
    b"mysql",
    b"redis",
    b"rabbit",
    b"mongo",
    b"super",
    b"strong",
    b"hello",
    b"world",
    b"your",
    b"name",
    b"login",
    b"some",
    b"invalid",
    b"wrong",
    b"default",
];

/// Beginnings of password digests and of encrypted text.
const DIGESTS: &[&[u8]] = &[
    b"$1$",
    b"$2a$",
    b"$2b$",
    b"$2x$",
    b"$2y$",
    b"$5$",
    b"$6$",
    b"$7$",
    b"$y$",
    b"$argon2",
    b"$apr1$",
    b"$scrypt$",
    b"$pbkdf2",
    b"$ANSIBLE_VAULT",
    b"pbkdf2",
    b"scrypt:",
    b"scram-sha",
    b"SCRAM-SHA",
    b"{SSHA",
    b"{SHA",
    b"{CRYPT",
    b"{bcrypt}",
    b"{cipher}",
    b"{AQA",
    b"ENC[",
    b"ENC(",
    b"enc:",
    b"vault:v",
    b"bcrypt",
];

/// Returns true if a value under a name for a password is a password in use.
pub(crate) fn is_password(value: &[u8]) -> bool {
    let symbols = value.iter().filter(|byte| byte.is_ascii_punctuation()).count();
    let shortest = if symbols > 0 { SHORTEST } else { SHORTEST_PLAIN };
    (shortest..=LONGEST).contains(&value.len())
        && looks_drawn(value, least_changes(classes(value)))
        && (classes(value) > 2 || symbols == 0)
}

/// Returns true if the password in an address or an argument, together with a user, is a password in use.
pub(crate) fn is_password_of(user: &[u8], password: &[u8]) -> bool {
    let changes = if password.len() < 8 { 0.4 } else { 0.12 };
    (SHORTEST_IN_ADDRESS..=LONGEST).contains(&password.len())
        && classes(password) >= 2
        && !user.eq_ignore_ascii_case(password)
        && !is_numbered(password)
        && looks_drawn(password, changes)
}

/// Returns true if the value is a word with a number after it, as in `tiger123`.
fn is_numbered(value: &[u8]) -> bool {
    let letters = value.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, number) = value.split_at(letters);
    number.iter().all(u8::is_ascii_digit) && word.get(1..).unwrap_or_default().iter().all(u8::is_ascii_lowercase)
}

fn looks_drawn(value: &[u8], least: f64) -> bool {
    value.iter().all(u8::is_ascii_graphic)
        && entropy(value) >= 2.2
        && changes_with_symbols(value) >= least
        && !is_reference(value)
        && !DIGESTS.iter().any(|start| value.starts_with(start))
        && !says_what_it_is(value)
        && !is_uuid(value)
        && !is_mail(value)
        && !is_example(value)
        && !is_of_common_words(value)
        && !ibyok_providers::is_mock(value)
}

/// Returns the number of classes in the value: lower-case letters, capitals, digits and symbols.
fn classes(value: &[u8]) -> usize {
    let tests: [fn(&u8) -> bool; 4] = [
        u8::is_ascii_lowercase,
        u8::is_ascii_uppercase,
        u8::is_ascii_digit,
        u8::is_ascii_punctuation,
    ];
    tests.iter().filter(|test| value.iter().any(test)).count()
}

/// [`changes`], where a symbol is a separate kind, unless it only separates words.
fn changes_with_symbols(value: &[u8]) -> f64 {
    let separates = |byte: &u8| matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b',');
    let of_words = |byte: &u8| !separates(byte);
    changes(value.iter().copied().filter(of_words))
}

/// Returns true if a value names another that is filled in later: `${DB_PASSWORD}`, `$PASSWORD`, `%s`, `<password>`,
/// `{{ .Values.password }}`.
pub(crate) fn is_reference(value: &[u8]) -> bool {
    const WITHIN: &[&[u8]] = &[
        b"${", b"$(", b"{{", b"}}", b"<%", b"%>", b"#{", b"@{", b"%{", b"%(", b"://", b"\\(", b"*****", b"...",
    ];
    let named = |rest: &[u8]| !rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let whole = match value {
        [b'$', rest @ ..] => named(rest) && !rest.iter().any(u8::is_ascii_digit),
        [b'%', rest @ .., b'%'] | [b'<', rest @ .., b'>'] | [b'{', rest @ .., b'}'] | [b'[', rest @ .., b']'] => {
            is_of_name(rest)
        }
        [b'%', kind] => kind.is_ascii_alphabetic(),
        [b'<' | b'{', ..] => true,
        _ => false,
    };
    whole || WITHIN.iter().any(|text| memmem::find(value, text).is_some())
}

fn is_of_name(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' '))
}

/// Returns true if a value is an expression of some language: its letters are mostly words, and it calls, indexes or
/// selects.
pub(crate) fn is_code(value: &[u8]) -> bool {
    const OPERATORS: &[&[u8]] = &[
        b"=>", b"&&", b"||", b"==", b"!=", b"?.", b"):", b"},", b"!0", b"!1", b"();", b"](",
    ];
    const WITHIN: &[&[u8]] = &[b"(", b")", b"[", b"]", b"}", b"{", b"::", b"->", b"=>", b"<", b"."];
    let punctuated = WITHIN.iter().any(|text| memmem::find(value, text).is_some());
    let letters = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let in_words: usize = value
        .split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
        .filter(|part| is_identifier(part))
        .map(<[u8]>::len)
        .sum();
    let operates = OPERATORS.iter().any(|text| memmem::find(value, text).is_some());
    operates || punctuated && in_words * 2 > letters
}

/// Returns true if the text reads as a variable, a type or a function: letters, few of them capitals, and hardly a
/// digit.
fn is_identifier(part: &[u8]) -> bool {
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    let capitals = part.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let words = capitals * 3 <= part.len() || capitals == part.len();
    words && digits <= 1 && part.len() >= 3 + 2 * digits
}

/// Returns true if the value is an e-mail address.
fn is_mail(value: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'@', value) else {
        return false;
    };
    let (local, host) = value.split_at(at);
    let host = host.get(1..).unwrap_or_default();
    let last = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let of_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let of_local = |byte: &u8| of_host(byte) || matches!(byte, b'_' | b'+');
    host.contains(&b'.')
        && host.iter().all(of_host)
        && last.len() >= 2
        && last.iter().all(u8::is_ascii_alphabetic)
        && !local.is_empty()
        && local.iter().all(of_local)
}

/// Returns true if the value is one of the words that people write in place of a password, also as `p4ssw0rd`.
fn is_of_common_words(value: &[u8]) -> bool {
    let plain = plain(value);
    let has = |word: &&[u8]| memmem::find(&plain, word).is_some();
    let short = SHORT_WORDS.iter().filter(|word| has(word)).map(|word| word.len());
    let letters = plain.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    WORDS.iter().any(has) || short.sum::<usize>() * 2 >= letters.max(1)
}

/// Returns the text in lower case, with letters in place of the digits and symbols that people write for them.
fn plain(value: &[u8]) -> Vec<u8> {
    let letter = |byte: &u8| match byte {
        b'0' => b'o',
        b'1' | b'!' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        other => other.to_ascii_lowercase(),
    };
    value.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_told_from_what_stands_for_them() {
        for password in [
            "kT8$vQ2!zL9#mW4@",
            "q9Zb3kLm2Qx7TzVb",
            "7&xR!pV2^nB8",
            "wX3(kP9)zQ7[mT5]",
            "Zq7%Rk2*Vp9~Lx",
        ] {
            assert!(is_password(password.as_bytes()), "{password}");
        }
        for other in [
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "P@ssw0rd1234!",
            "S3cr3t!Password",
            "config.database.password1",
            "getPassword(user1,\"X\")",
            "process.env.DB_PASSWORD2",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "ENC[AES256_GCM,data:x7Kd9q==,iv:Tz3k=,tag:9Zb=,type:str]",
            "jane.doe+A1@mail.example2.org",
            "<YOUR-Password-1>",
            "admin:Admin123!",
            "Option<Vec<u16>>",
            "Cell::new(0)",
            "!0},maskInputFn:void",
        ] {
            assert!(!is_password(other.as_bytes()) || is_code(other.as_bytes()), "{other}");
        }
        assert!(is_password_of(b"app", b"q8Zr3Lx7"));
        for other in [
            "pass1234",
            "s3cr3t",
            "password",
            "p4ssw0rd",
            "$PASSWORD",
            "{password}",
            "%s",
            "app",
        ] {
            assert!(!is_password_of(b"app", other.as_bytes()), "{other}");
        }
    }
}
