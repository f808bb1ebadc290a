//! Changes on a condition: `If-Match`, as RFC 9110 has it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use ibyok_core::{Session, keys::Condition};

use crate::caller::Caller;
use crate::problem::Problem;
use crate::router::Shared;

/// The prefix of a version's number in a tag; a tag that is only a number is a revision.
const VERSION: &str = "version-";

/// The vault as the request's token sees it, for a change of a key: the change is made only if `If-Match` holds.
pub(crate) struct Changing(pub(crate) Session);

impl FromRequestParts<Arc<Shared>> for Changing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let Caller(session) = Caller::from_request_parts(parts, shared).await?;
        Ok(Changing(match condition(&parts.headers)? {
            Some(condition) => session.only_if(condition),
            None => session,
        }))
    }
}

/// The tag of a key at a revision.
pub(crate) fn tag(revision: u64) -> HeaderValue {
    // Quotes and digits are a valid header value for every number.
    HeaderValue::try_from(format!("\"{revision}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The condition of a request, if it has one.
fn condition(headers: &HeaderMap) -> Result<Option<Condition>, Problem> {
    let mut conditions = Vec::new();
    let mut any = false;
    for value in headers.get_all(IF_MATCH) {
        any = true;
        let text = value.to_str().map_err(|_| malformed())?.trim();
        if text == "*" {
            conditions.push(Condition::Exists);
        } else {
            tags(text, &mut conditions)?;
        }
    }
    if !any {
        return Ok(None);
    }
    match conditions.as_slice() {
        [] => Err(malformed()),
        [_] => Ok(conditions.pop()),
        // A star stands alone.
        several if several.contains(&Condition::Exists) => Err(malformed()),
        _ => Ok(Some(Condition::Any(conditions))),
    }
}

/// Reads a list of entity tags. Elements of it may be empty.
fn tags(mut rest: &str, conditions: &mut Vec<Condition>) -> Result<(), Problem> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(());
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let opened = quoted.strip_prefix('"').ok_or_else(malformed)?;
        let (opaque, after) = opened.split_once('"').ok_or_else(malformed)?;
        if !opaque.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e)) {
            return Err(malformed());
        }
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(malformed());
        }
        // A weak tag, and one that was never ours, matches nothing.
        let ours = Some(opaque).filter(|_| !weak).and_then(of_tag);
        conditions.push(ours.unwrap_or(Condition::Any(Vec::new())));
    }
}

fn of_tag(opaque: &str) -> Option<Condition> {
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    match opaque.strip_prefix(VERSION) {
        Some(digits) if plain(digits) => digits.parse().ok().map(Condition::Version),
        None if plain(opaque) => opaque.parse().ok().map(Condition::Revision),
        _ => None,
    }
}

fn malformed() -> Problem {
    Problem::invalid("If-Match is neither `*` nor a list of entity tags")
        .hint("send the ETag of the key with its quotes: If-Match: \"7\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Result<Option<Condition>, &'static str> {
        let headers: HeaderMap = values
            .iter()
            .map(|value| (IF_MATCH, HeaderValue::from_static(value)))
            .collect();
        condition(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn tags_are_read_as_rfc_9110_writes_them() {
        let never = || Condition::Any(Vec::new());
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["*"]), Ok(Some(Condition::Exists)));
        assert_eq!(of(&[" * "]), Ok(Some(Condition::Exists)));
        assert_eq!(of(&["\"7\""]), Ok(Some(Condition::Revision(7))));
        assert_eq!(of(&["\"version-3\""]), Ok(Some(Condition::Version(3))));
        for never_ours in [
            "\"\"",
            "\"07\"",
            "\"abc\"",
            "\"7,8\"",
            "W/\"7\"",
            "\"version-\"",
            "\"-7\"",
            "\"+7\"",
        ] {
            assert_eq!(of(&[never_ours]), Ok(Some(never())), "{never_ours}");
        }
        let two = Condition::Any(vec![Condition::Revision(7), Condition::Revision(8)]);
        for list in [
            &["\"7\", \"8\""][..],
            &["\"7\",\"8\""],
            &[", \"7\" ,\t, \"8\","],
            &["\"7\"", "\"8\""],
        ] {
            assert_eq!(of(list), Ok(Some(two.clone())), "{list:?}");
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for bad in [
            "",
            ",",
            "7",
            "\"7",
            "7\"",
            "\"7\" \"8\"",
            "*, \"7\"",
            "**",
            "w/\"7\"",
            "\"a b\"",
            "'7'",
            "\"7\";",
            "W/7",
        ] {
            assert_eq!(of(&[bad]), Err("invalid"), "{bad}");
        }
        assert_eq!(of(&["*", "\"7\""]), Err("invalid"));
        assert_eq!(of(&["*", "*"]), Err("invalid"));
    }
}
