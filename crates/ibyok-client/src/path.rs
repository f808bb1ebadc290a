//! Paths of the interface, in which nothing that a caller gives can become another route.

use reqwest::Url;

use crate::error::{Error, Result};

/// The address of a route under a server's address.
pub(crate) fn route(base: &Url, segments: &[&str]) -> Result<Url> {
    let mut url = base.clone();
    for segment in segments {
        check(segment)?;
    }
    url.path_segments_mut()
        .map_err(|()| Error::invalid("the server's address has no path", "give an address as `https://host`"))?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}

/// Refuses segments that proxies would read differently: dots would be swallowed as steps, and an empty segment would
/// make a shorter path. Other characters that are not plain are percent-encoded.
fn check(segment: &str) -> Result<()> {
    let fine = !segment.is_empty()
        && segment.len() <= 512
        && segment.chars().any(|c| c != '.')
        && !segment.contains(['/', '\\', '%'])
        && !segment.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(Error::invalid(
            "the name is not valid",
            "use letters, digits, `.`, `_` and `-`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: &str, segments: &[&str]) -> Result<String> {
        route(&Url::parse(base).unwrap(), segments).map(String::from)
    }

    #[test]
    fn segments_follow_the_address_of_the_server() {
        assert_eq!(at("https://v", &["api", "keys"]).unwrap(), "https://v/api/keys");
        assert_eq!(
            at("https://v/", &["api", "a b?#é"]).unwrap(),
            "https://v/api/a%20b%3F%23%C3%A9"
        );
        assert_eq!(at("https://v/vault/", &["api"]).unwrap(), "https://v/vault/api");
    }

    #[test]
    fn no_name_becomes_another_route() {
        for bad in ["", ".", "..", "...", "a/b", "..\\", "%2e%2e", "a\nb", "a\0"] {
            assert!(at("https://v", &["api", bad, "value"]).is_err(), "{bad:?}");
        }
    }
}
