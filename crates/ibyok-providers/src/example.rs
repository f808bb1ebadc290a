//! Examples of keys, written so that no text in the file looks like a key.
//!
//! An example is text in which `{n}` is a placeholder for n characters of `EXAMPLE0EXAMPLE0…`, and `{n:alphabet}` for
//! as many of another alphabet; `{{` is a brace. No real key looks like that, and no scanner finds one in
//! `providers.toml`.

/// The largest number of characters of one placeholder.
const MAX_FILL: usize = 1024;

/// The example written out, or `None` where a placeholder is not one.
pub(crate) fn expand(template: &str) -> Option<String> {
    let mut written = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        written.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            written.push('{');
            rest = after;
            continue;
        }
        let (placeholder, after) = after.split_once('}')?;
        let (count, alphabet) = placeholder.split_once(':').unwrap_or((placeholder, "mixed"));
        let count = count.parse().ok().filter(|count| *count <= MAX_FILL)?;
        written.extend(filler(alphabet)?.chars().cycle().take(count));
        rest = after;
    }
    written.push_str(rest);
    Some(written)
}

/// Returns true if nobody can take the example for a key: it contains `example`, or is mostly zeros.
#[cfg(feature = "toml")]
pub(crate) fn is_visibly_one(example: &str) -> bool {
    example.to_ascii_lowercase().contains("example") || example.contains("00000000")
}

fn filler(alphabet: &str) -> Option<&'static str> {
    Some(match alphabet {
        "mixed" => "EXAMPLE0",
        "upper" => "EXAMPLE",
        "lower" => "example0",
        "letters" => "example",
        "zeros" => "0",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{expand, is_visibly_one};

    #[test]
    fn a_placeholder_stands_for_that_many_characters() {
        assert_eq!(expand("a-{10}-z").as_deref(), Some("a-EXAMPLE0EX-z"));
        assert_eq!(expand("{4:zeros}.{3:lower}{2:upper}").as_deref(), Some("0000.exaEX"));
        assert_eq!(expand("no placeholder").as_deref(), Some("no placeholder"));
        assert_eq!(expand("{0}").as_deref(), Some(""));
        assert_eq!(expand("{{\"a\": {2}}").as_deref(), Some("{\"a\": EX}"));
    }

    #[test]
    fn what_is_not_a_placeholder_is_refused() {
        for wrong in [
            "{",
            "{}",
            "{x}",
            "{3:hex}",
            "{-1}",
            "{3",
            "{1025}",
            "{99999999999999999999}",
        ] {
            assert_eq!(expand(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_example_says_so_or_is_mostly_zeros() {
        assert!(is_visibly_one("sk-EXAMPLE0"));
        assert!(is_visibly_one("000000000000"));
        assert!(!is_visibly_one("sk-1234567890abcdef"));
    }
}
