//! Checks the framing of a request before anything else: it can be read in one way only, and is for one host.

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION};
use axum::http::{Request, Version};

use crate::problem::Problem;

/// Headers whose values no library is to show.
const SENSITIVE: [HeaderName; 4] = [
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    COOKIE,
    HeaderName::from_static("x-vault-token"),
];

/// Refuses a request without exactly one host, and one whose address names another. HTTP/1.0 knew no host.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Problem::invalid("the request has the header host twice"));
    }
    if first.is_none() && request.version() != Version::HTTP_10 {
        return Err(Problem::invalid("the request has no header host"));
    }
    match (request.uri().authority(), first) {
        (Some(address), Some(host)) if !host.as_bytes().eq_ignore_ascii_case(address.as_str().as_bytes()) => Err(
            Problem::invalid("the request's address and its header host name different hosts"),
        ),
        _ => Ok(()),
    }
}

/// Marks text that must not be shown.
pub(crate) fn hide<B>(request: &mut Request<B>) {
    for (name, value) in request.headers_mut() {
        if SENSITIVE.contains(name) {
            value.set_sensitive(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, uri: &str, hosts: &[&str]) -> Request<()> {
        let builder = hosts
            .iter()
            .fold(Request::builder().version(version).uri(uri), |b, host| {
                b.header(HOST, *host)
            });
        builder.body(()).unwrap()
    }

    #[test]
    fn there_is_one_host() {
        let v11 = Version::HTTP_11;
        assert!(check(&request(v11, "/", &["x"])).is_ok());
        assert!(check(&request(v11, "http://x/", &["X"])).is_ok());
        assert!(check(&request(v11, "http://x/", &["y"])).is_err());
        assert!(check(&request(v11, "/", &["x", "x"])).is_err());
        assert!(check(&request(v11, "/", &[])).is_err());
        assert!(check(&request(Version::HTTP_10, "/", &[])).is_ok());
    }

    #[test]
    fn tokens_are_not_shown_with_a_request() {
        let builder = Request::builder()
            .header(AUTHORIZATION, "Bearer SENT")
            .header("x-vault-token", "SENT");
        let mut request = builder.body(()).unwrap();
        hide(&mut request);
        assert!(!format!("{request:?}").contains("SENT"));
    }
}
