//! Finds the caller: the access token of a request, wherever it is in the request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use ibyok_core::{AccessToken, RequestContext, Session, secrecy::SecretString};

use crate::problem::Problem;
use crate::router::Shared;
use crate::takes::Takes;

const VAULT_TOKEN: HeaderName = HeaderName::from_static("x-vault-token");

/// The vault as the request's token sees it.
pub(crate) struct Caller(pub(crate) Session);

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let context = parts.extensions.get::<RequestContext>().cloned().unwrap_or_default();
        let caller = Caller::of(shared, &parts.headers, context).await?;
        let takes = parts.extensions.get::<Takes>().copied();
        if let Some(takes) = takes.filter(|_| has_body(&parts.headers)) {
            // No body is read before its sender may send it.
            let sender = takes.admit(&caller.0, parts).await?;
            parts.extensions.insert(sender);
        }
        Ok(caller)
    }
}

impl Caller {
    /// The caller of a request, of whose body nothing is decided.
    pub(crate) async fn of(shared: &Shared, headers: &HeaderMap, context: RequestContext) -> Result<Self, Problem> {
        if let Some(token) = token(headers)? {
            return Ok(Caller(shared.vault.as_token(&token).with_context(context)));
        }
        // An empty token is refused by the vault, which so gets to record it.
        let nobody = shared.vault.as_token(&AccessToken::new(SecretString::default()));
        let refused = Box::pin(nobody.with_context(context).whoami()).await;
        let problem = refused.err().map_or_else(Problem::internal, Problem::from);
        Err(problem.without_token())
    }
}

/// Returns true if a body follows a request's head.
pub(crate) fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// The one token of a request. Another scheme than Bearer is none.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<AccessToken>, Problem> {
    let bearer = only(headers, &AUTHORIZATION)?.and_then(bearer);
    let vault = only(headers, &VAULT_TOKEN)?.map(HeaderValue::as_bytes);
    let token = match (bearer, vault) {
        (Some(one), Some(other)) if one != other => {
            return Err(Problem::invalid("the request has two different tokens").hint("send only one token"));
        }
        (one, other) => one.or(other),
    };
    // Bytes that are not text are no token: they continue as a token that the vault refuses.
    Ok(token.map(|bytes| AccessToken::new(SecretString::from(std::str::from_utf8(bytes).unwrap_or("\u{fffd}")))))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Problem::invalid(format!("the request has the header {name} twice"))),
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(6)?;
    let rest = if rest.is_empty() {
        rest
    } else {
        rest.strip_prefix(b" ")?
    };
    scheme.eq_ignore_ascii_case(b"bearer").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(HeaderName, &'static str)]) -> Result<Option<String>, &'static str> {
        let map = headers.iter().fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, HeaderValue::from_static(value));
            map
        });
        token(&map)
            .map(|token| token.map(|token| token.expose().to_owned()))
            .map_err(|problem| problem.code())
    }

    #[test]
    fn a_token_comes_in_either_header() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[(AUTHORIZATION, "Bearer a")]), Ok(Some("a".to_owned())));
        assert_eq!(of(&[(AUTHORIZATION, "bearer  a ")]), Ok(Some("a".to_owned())));
        assert_eq!(of(&[(VAULT_TOKEN, "a")]), Ok(Some("a".to_owned())));
        assert_eq!(
            of(&[(AUTHORIZATION, "Bearer a"), (VAULT_TOKEN, "a")]),
            Ok(Some("a".to_owned()))
        );
        assert_eq!(
            of(&[(AUTHORIZATION, "Basic YTpi"), (VAULT_TOKEN, "a")]),
            Ok(Some("a".to_owned()))
        );
    }

    #[test]
    fn two_tokens_are_refused() {
        assert_eq!(of(&[(AUTHORIZATION, "Bearer a"), (VAULT_TOKEN, "b")]), Err("invalid"));
        assert_eq!(
            of(&[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer a")]),
            Err("invalid")
        );
        assert_eq!(of(&[(VAULT_TOKEN, "a"), (VAULT_TOKEN, "a")]), Err("invalid"));
    }

    #[test]
    fn an_empty_token_is_one_and_another_scheme_is_none() {
        assert_eq!(of(&[(AUTHORIZATION, "Bearer")]), Ok(Some(String::new())));
        assert_eq!(of(&[(AUTHORIZATION, "Basic YTpi")]), Ok(None));
        assert_eq!(of(&[(AUTHORIZATION, "Bearera")]), Ok(None));
    }
}
