//! The URLs of sinks, and the part of them that people may see.

use url::Url;

use crate::error::Error;

/// Parses a URL without repeating any of it in an error.
pub(crate) fn parse(text: &str, form: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|error| Error::new(format!("the sink's URL is not valid: {error}"), form))
}

/// Returns scheme, host and port: a user, a path or a query may be a secret.
#[cfg(any(feature = "webhook", feature = "postgres", feature = "redis"))]
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// Takes a parameter out of a URL.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn take(url: &mut Url, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let (taken, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(found, _)| found == name);
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    taken.into_iter().next().map(|(_, value)| value)
}

/// Refuses parameters that the driver does not know: it would ignore a mistyped `sslmode`, and print a mistyped password to its log.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn refuse_others(url: &Url, known: &[&str], form: &str) -> Result<(), Error> {
    match url.query_pairs().all(|(name, _)| known.contains(&name.as_ref())) {
        true => Ok(()),
        false => Err(Error::new("the sink's URL has a parameter that does not exist", form)),
    }
}

/// Refuses a name that would need quotes: a lower-case letter, then letters, digits, `_` and `-`, at most 40 in all.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn plain_name(parameter: &str, name: String) -> Result<String, Error> {
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if name.len() <= 40 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(right) {
        return Ok(name);
    }
    Err(Error::new(
        format!("the parameter `{parameter}` of the sink's URL is not valid"),
        "use a lower-case letter, then up to 39 lower-case letters, digits, `_` and `-`",
    ))
}
