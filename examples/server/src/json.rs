//! JSON as this server reads it: one meaning only. Unknown and repeated names are refused, and no error repeats the
//! text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ibyok_core::Secret;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::problem::Problem;

/// Reads a whole body. `what` is the hint that lists the names it may hold.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], what: &'static str) -> Result<T, Problem> {
    let refused = |place: &str| {
        Problem::invalid(format!(
            "the body is not the JSON document that this path accepts{place}"
        ))
        .hint(what)
    };
    // The library would also take a list for an object, by the order of its names.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(refused(": an object"));
    }
    // Not the library's own message: it may quote what it read.
    serde_json::from_slice(body)
        .map_err(|error| refused(&format!(", at line {}, column {}", error.line(), error.column())))
}

/// A secret as the body holds it, not yet copied anywhere.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Raw<'a>(#[serde(borrow)] &'a RawValue);

/// The long form of a field that is not text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64<'a> {
    #[serde(borrow)]
    base64: Raw<'a>,
}

impl Raw<'_> {
    /// Returns true for `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.0.get() == "null"
    }

    /// A string, as a secret.
    pub(crate) fn text(&self) -> Option<Secret> {
        let inside = self.0.get().strip_prefix('"')?.strip_suffix('"')?;
        unescape(inside).map(Secret::from_zeroizing)
    }

    /// A string in Base64 (the standard alphabet, padded), as a secret.
    pub(crate) fn base64(&self) -> Option<Secret> {
        let inside = self.0.get().strip_prefix('"')?.strip_suffix('"')?;
        let text = unescape(inside)?;
        STANDARD
            .decode(&*text)
            .ok()
            .map(|bytes| Secret::from_zeroizing(Zeroizing::new(bytes)))
    }

    /// A string, or `{"base64":"…"}`, as a secret.
    pub(crate) fn text_or_base64(&self) -> Option<Secret> {
        self.text().or_else(|| {
            let long: Base64<'_> = parse(self.0.get().as_bytes(), "").ok()?;
            long.base64.base64()
        })
    }
}

/// Decodes the inside of a JSON string. It is never shorter than the decoded text, so the buffer never grows.
fn unescape(inside: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(inside.len()));
    let mut rest = inside;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        let kind = escaped.chars().next()?;
        rest = escaped.get(kind.len_utf8()..)?;
        let byte = match kind {
            '"' | '\\' | '/' => u8::try_from(kind).ok()?,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'u' => {
                let (character, after) = unicode(rest)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
                continue;
            }
            _ => return None,
        };
        out.push(byte);
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out)
}

/// Reads the text after `\u`: four digits, or a pair of surrogates. One surrogate of a pair alone is no character.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, rest) = hex(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let (second, rest) = hex(rest.strip_prefix("\\u")?)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).map(|character| (character, rest))
}

fn hex(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16)
        .ok()
        .filter(|_| plain)
        .map(|number| (number, rest))
}

#[cfg(test)]
mod tests {
    use ibyok_core::secrecy::ExposeSecret;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body<'a> {
        #[serde(borrow)]
        value: Raw<'a>,
    }

    fn text(json: &str) -> Option<Vec<u8>> {
        let body = format!(r#"{{"value":{json}}}"#);
        let body: Body<'_> = parse(body.as_bytes(), "").ok()?;
        body.value
            .text_or_base64()
            .map(|secret| secret.expose_secret().to_vec())
    }

    #[test]
    fn a_string_is_read_as_the_library_would_read_it() {
        for json in [
            r#""""#,
            r#""sk-1""#,
            r#""a\"b\\c\/d\b\f\n\r\te""#,
            r#""\u0000\u00e9\ud83d\ude00é""#,
            r#""\\u0041""#,
            r#""\u0041\u005c""#,
            r#"  "spaces"  "#,
        ] {
            let theirs: String = serde_json::from_str(json).unwrap();
            assert_eq!(text(json).unwrap(), theirs.into_bytes(), "{json}");
        }
    }

    #[test]
    fn what_is_no_string_is_refused() {
        for json in [
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ude00\ud83d""#,
            r#""\ud83d\u0041""#,
            "1",
            "null",
            "{}",
            "[\"a\"]",
            "true",
        ] {
            assert!(text(json).is_none(), "{json}");
        }
        for json in [
            r#""\x""#,
            r#""\u12g4""#,
            "\"a\nb\"",
            "\"",
            "NaN",
            "\u{feff}\"a\"",
            r#""a" "b""#,
        ] {
            assert!(text(json).is_none(), "{json}");
        }
    }

    #[test]
    fn bytes_come_in_base64() {
        assert_eq!(text(r#"{"base64":"AP8="}"#).unwrap(), [0, 255]);
        for json in [
            r#"{"base64":"AP8"}"#,
            r#"{"base64":1}"#,
            r#"{"base64":"AA==","base64":"AA=="}"#,
            r#"{"b":"AA=="}"#,
            r#"["AA=="]"#,
        ] {
            assert!(text(json).is_none(), "{json}");
        }
    }

    #[test]
    fn a_name_stands_once_and_is_known() {
        for json in [
            r#"{"value":"a","value":"b"}"#,
            r#"{"value":"a","other":1}"#,
            r#"{"value":"a"} {}"#,
            r#"[]"#,
            r#"["a"]"#,
            r#""#,
        ] {
            assert!(parse::<Body<'_>>(json.as_bytes(), "").is_err(), "{json}");
        }
        assert_eq!(text("\"a\"").unwrap(), b"a");
    }

    #[test]
    fn an_error_says_where_and_never_what() {
        for json in [r#"{"value":{"x":"SENT"}}"#, r#"{"SENT":1}"#, r#"SENT"#] {
            let read = parse::<Body<'_>>(json.as_bytes(), "");
            let shown = match read {
                Ok(body) => format!("{:?}", body.value.text().is_none()),
                Err(problem) => format!("{problem:?}"),
            };
            assert!(!shown.contains("SENT"), "{json}: {shown}");
        }
    }

    #[test]
    fn depth_is_no_way_to_a_large_stack() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(text(&deep).is_none());
        let unknown = format!(r#"{{"value":"a","labels":{deep}}}"#);
        assert!(parse::<Body<'_>>(unknown.as_bytes(), "").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_as_it_was_sent(value in ".*", spaced: bool) {
            let json = serde_json::to_string(&value).unwrap();
            let json = if spaced { format!(" {json} ") } else { json };
            proptest::prop_assert_eq!(text(&json).unwrap(), value.into_bytes());
        }

        #[test]
        fn what_the_library_reads_differently_is_never_read(inside in r#"([\\"/bfnrtu0-9a-dD8]|.){0,12}"#) {
            let json = format!("\"{inside}\"");
            let theirs: Option<String> = serde_json::from_str(&json).ok();
            proptest::prop_assert_eq!(text(&json), theirs.map(String::into_bytes));
        }
    }
}
