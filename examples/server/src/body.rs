//! Reads request bodies within limits of size and time. All bodies together have a limit too, and each is wiped after use.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use ibyok_core::sessions::Admitted;
use serde::Deserialize;

use crate::json;
use crate::problem::Problem;
use crate::room::Part;
use crate::router::Shared;
use crate::takes::Takes;
use crate::wiped::WipedBuffer;

/// The room that is made for a body at first, in bytes.
const FIRST: usize = 16 << 10;

/// A body that says that it is JSON.
pub(crate) struct Json {
    bytes: WipedBuffer,
    /// The largest body without a value.
    small: usize,
    /// Its part of the memory for all bodies.
    _held: Part,
}

impl Json {
    /// Reads the body. `what` is the hint that lists the names it may hold.
    pub(crate) fn parse<'a, T: Deserialize<'a>>(&'a self, what: &'static str) -> Result<T, Problem> {
        json::parse(self.bytes.as_ref(), what)
    }

    /// The same for a route whose body may be left out.
    pub(crate) fn parse_or_default<'a, T: Deserialize<'a> + Default>(
        &'a self,
        what: &'static str,
    ) -> Result<T, Problem> {
        if self.bytes.len() == 0 {
            Ok(T::default())
        } else {
            self.parse(what)
        }
    }
}

impl Json {
    /// Refuses a body that is as large as one with a value may be, and turns out to have none.
    pub(crate) fn holds_no_value(&self) -> Result<(), Problem> {
        if self.bytes.len() > self.small {
            return Err(Problem::too_large(self.small));
        }
        Ok(())
    }
}

impl FromRequest<Arc<Shared>> for Json {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) && !body.is_end_stream() {
            return Err(Problem::unsupported_media("the body must be `application/json`"));
        }
        Json::read(&parts, body, shared).await
    }
}

impl Json {
    /// Reads a body whose type the caller has checked.
    pub(crate) async fn read(parts: &Parts, body: Body, shared: &Arc<Shared>) -> Result<Self, Problem> {
        if parts.headers.contains_key(CONTENT_ENCODING) {
            return Err(Problem::unsupported_media("the server does not accept an encoded body"));
        }
        let takes = parts.extensions.get::<Takes>().ok_or_else(Problem::internal)?;
        let limit = takes.limit(&shared.options);
        if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
            return Err(Problem::too_large(limit));
        }
        let part = shared.room.part(parts.extensions.get::<Admitted>());
        let read = tokio::time::timeout(shared.options.body_timeout, collect(body, limit, part)).await;
        let small = shared.options.small_body_limit.min(shared.options.body_limit);
        let (bytes, held) = read.unwrap_or_else(|_| Err(Problem::slow_body()))?;
        Ok(Json {
            bytes,
            small,
            _held: held,
        })
    }
}

/// The bytes that were read, and their part of the memory for all bodies.
type Read = (WipedBuffer, Part);

async fn collect(mut body: Body, limit: usize, mut held: Part) -> Result<Read, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(limit);
    let mut bytes = WipedBuffer::with_capacity(0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::invalid("the body ended early or its framing is wrong"))?;
        let Some(data) = frame.data_ref() else { continue };
        let needed = bytes.len().saturating_add(data.len());
        if needed > limit {
            return Err(Problem::too_large(limit));
        }
        if needed > bytes.capacity() {
            let doubled = needed.max(bytes.capacity().saturating_mul(2));
            // A client may announce more than it sends, so that its word alone reserves at most `FIRST` bytes.
            let room = doubled.max(announced.min(FIRST)).min(limit);
            held.grow(room - bytes.capacity())?;
            bytes.grow_to(room);
        }
        bytes.extend(data);
    }
    Ok((bytes, held))
}

/// `application/json`, alone or with the one charset that JSON has.
fn is_json(headers: &HeaderMap) -> bool {
    says(headers, "application/json")
}

/// Returns true if the body says that it has this media type, alone or with the one charset that JSON has.
pub(crate) fn says(headers: &HeaderMap, media: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(media));
    kind && parts.all(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn json_is_said_in_one_way() {
        let of = |kind: &'static str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]));
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(of(good), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=latin1",
            "application/jsonx",
            "",
            "application/json;",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!of(bad), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
