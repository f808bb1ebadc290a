//! Retrievals past the router: the same handlers, without what only other requests need.
//!
//! The way is short because a retrieval reads no body, and its routes have no other methods that matter here. Whatever is not surely a
//! retrieval takes the router, which knows every refusal.

use std::sync::Arc;

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::address::Peer;
use crate::answer::Answer;
use crate::caller::{Caller, has_body};
use crate::gate::{Passing, is_plain};
use crate::problem::Problem;
use crate::router::Shared;
use crate::routes::{external, values};
use crate::timer::Timer;

/// A retrieval, by the handler that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retrieval {
    /// By environment and name.
    Value,
    /// By name or id, in the published interface.
    External,
}

/// The largest number of parameters of a path.
const PARAMETERS: usize = 2;

/// A retrieval that was found, with the parameters of its path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'p> {
    retrieval: Retrieval,
    route: &'static str,
    parameters: [&'p str; PARAMETERS],
}

/// The routes whose retrievals go past the router.
pub(crate) struct Retrievals {
    shared: Arc<Shared>,
    routes: Vec<(&'static str, Retrieval)>,
}

impl Retrievals {
    pub(crate) fn new(shared: Arc<Shared>, routes: Vec<(&'static str, Retrieval)>) -> Self {
        Retrievals { shared, routes }
    }

    /// Finds the retrieval that a request is; `None` for every other request.
    pub(crate) fn find<'p>(&self, parts: &'p Parts) -> Option<Found<'p>> {
        let path = parts.uri.path();
        if parts.method != Method::GET || has_body(&parts.headers) {
            return None;
        }
        let mut routes = self.routes.iter();
        let found = routes.find_map(|(route, retrieval)| {
            Some(Found {
                retrieval: *retrieval,
                route,
                parameters: parameters(route, path)?,
            })
        })?;
        // The router's gate refuses other characters.
        is_plain(path).then_some(found)
    }

    /// Answers a retrieval as the router would.
    pub(crate) async fn answer(&self, found: Found<'_>, parts: &Parts, (peer, timer): (Peer, &Timer)) -> Response {
        let options = &self.shared.options;
        let passing = Passing::begin(Some(peer), &parts.headers, options);
        let work = self.released(found, parts, &passing);
        let answer = timer.within(options.request_timeout, work).await;
        let answer = answer.unwrap_or_else(|| Err(Problem::slow_answer()));
        let answer = answer.unwrap_or_else(IntoResponse::into_response);
        passing.end(answer, (&parts.method, parts.uri.path()), Some(found.route))
    }

    async fn released(&self, found: Found<'_>, parts: &Parts, passing: &Passing) -> Answer {
        let context = passing.context(&parts.headers);
        let Caller(session) = Caller::of(&self.shared, &parts.headers, context).await?;
        let (query, [first, second]) = (parts.uri.query(), found.parameters);
        match found.retrieval {
            Retrieval::Value => values::released(&session, (first, second), query).await,
            Retrieval::External => external::released(&self.shared, &session, first, query).await,
        }
    }
}

/// Returns the parts of a path in the places of a route's parameters; `None` for the path of another route.
fn parameters<'p>(route: &str, path: &'p str) -> Option<[&'p str; PARAMETERS]> {
    let (mut found, mut count) = ([""; PARAMETERS], 0);
    let (mut wanted, mut given) = (route.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(parameter), Some(part)) if parameter.starts_with('{') && !part.is_empty() => {
                *found.get_mut(count)? = part;
                count += 1;
            }
            (Some(word), Some(part)) if word == part => (),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    #[test]
    fn a_path_is_that_of_a_route_or_not() {
        let value = "/api/v1/keys/{env}/{name}/value";
        assert_eq!(
            parameters(value, "/api/v1/keys/prod/openai/value"),
            Some(["prod", "openai"])
        );
        let external = "/external/keys/{name}/value";
        assert_eq!(
            parameters(external, "/external/keys/openai/value"),
            Some(["openai", ""])
        );
        for other in [
            "/api/v1/keys/prod/openai/value/",
            "/api/v1/keys//openai/value",
            "/api/v1/keys/prod/openai",
            "/api/v1/keys/prod/openai/values",
            "//api/v1/keys/prod/openai/value",
            "/api/v1/keys/a/prod/openai/value",
            "",
        ] {
            assert_eq!(parameters(value, other), None, "{other}");
        }
    }

    /// The router prefers a word to a parameter, and this way does not look at other routes.
    #[test]
    fn no_other_route_takes_the_path_of_a_retrieval() {
        let all = routes::all();
        let past: Vec<_> = all.iter().filter_map(crate::route::Route::retrieval).collect();
        assert_eq!(past.len(), 2);
        for (route, _) in past {
            let takes = |other: &str| {
                let parts = route.split('/').zip(other.split('/'));
                let same = route.split('/').count() == other.split('/').count();
                same && parts
                    .into_iter()
                    .all(|(one, other)| one == other || one.starts_with('{') || other.starts_with('{'))
            };
            let taken: Vec<_> = all
                .iter()
                .map(crate::route::Route::path)
                .filter(|path| takes(path))
                .collect();
            assert_eq!(taken, [route]);
        }
    }
}
