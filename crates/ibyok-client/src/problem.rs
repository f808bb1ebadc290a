//! Problem documents, as RFC 9457 has them.

use std::fmt;
use std::time::Duration;

use ibyok_api::ProblemCode;

/// The problem document of a server that refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable word, for example `denied`.
    pub code: ProblemCode,
    /// The description of the problem, for people.
    pub detail: String,
    /// The remedy.
    pub hint: Option<String>,
    /// The id of the request in the server's logs.
    pub request_id: Option<String>,
    /// The time to wait before the next try.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Problem {
    /// Reads a document; `None` if it is not one.
    pub(crate) fn parse(status: u16, retry_after: Option<&str>, body: &[u8]) -> Option<Self> {
        let document: ibyok_api::Problem = serde_json::from_slice(body).ok()?;
        let code = document.code;
        // Proxies send documents without some members.
        let sentences = [document.detail, document.title];
        let detail = sentences.into_iter().find(|sentence| !sentence.is_empty());
        Some(Problem {
            status,
            detail: plain(detail.unwrap_or_else(|| code.to_string())),
            code,
            hint: document.hint.map(plain),
            request_id: Some(plain(document.request_id)).filter(|id| !id.is_empty()),
            retry_after: retry_after
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
        })
    }
}

/// Removes control characters from a server's text, which may reach a terminal.
fn plain(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.chars().filter(|c| !c.is_control()).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_gives_code_detail_and_hint() {
        let body = br#"{"type":"urn:x","title":"Forbidden","status":403,"detail":"not allowed: scope","code":"denied","request_id":"r1","hint":"ask"}"#;
        let problem = Problem::parse(403, None, body).unwrap();
        assert_eq!(
            (problem.code.as_str(), problem.to_string().as_str()),
            ("denied", "not allowed: scope")
        );
        assert_eq!(
            (problem.hint.as_deref(), problem.request_id.as_deref()),
            (Some("ask"), Some("r1"))
        );
    }

    #[test]
    fn retry_after_is_in_seconds_and_nonsense_is_left_aside() {
        let problem = |after| Problem::parse(503, after, br#"{"code":"unavailable"}"#).unwrap();
        assert_eq!(problem(Some("2")).retry_after, Some(Duration::from_secs(2)));
        assert_eq!(problem(Some("tomorrow")).retry_after, None);
    }

    #[test]
    fn what_is_no_document_is_none_and_escape_sequences_do_not_get_through() {
        assert!(Problem::parse(502, None, b"<html>").is_none());
        let problem = Problem::parse(400, None, br#"{"code":"invalid","detail":"a\u001b[31mb"}"#).unwrap();
        assert_eq!(problem.detail, "a[31mb");
    }
}
