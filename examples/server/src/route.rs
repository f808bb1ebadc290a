//! A route: a path with its handlers, their descriptions and the scopes that their bodies need.
//!
//! The router and the OpenAPI description are both made from the routes, so that neither has a route that the other lacks.

use std::sync::Arc;

use axum::http::{HeaderValue, Method};
use axum::routing::MethodRouter;

use crate::openapi::Operation;
use crate::retrieval::Retrieval;
use crate::router::Shared;

/// A path with its methods.
pub(crate) struct Route {
    path: &'static str,
    methods: MethodRouter<Arc<Shared>>,
    operations: Vec<(Method, Operation)>,
    head: bool,
    retrieval: Option<Retrieval>,
}

impl Route {
    /// A path without methods. HEAD is refused: its answer about a value would have to be retrieved, and recorded, to be true.
    pub(crate) fn at(path: &'static str) -> Self {
        Route {
            path,
            methods: MethodRouter::new(),
            operations: Vec::new(),
            head: false,
            retrieval: None,
        }
    }

    /// Lets HEAD be asked.
    pub(crate) fn with_head(mut self) -> Self {
        self.head = true;
        self
    }

    /// Lets a retrieval by GET go past the router, to the same handler.
    pub(crate) fn past_the_router(mut self, retrieval: Retrieval) -> Self {
        self.retrieval = Some(retrieval);
        self
    }

    /// The path and the retrieval, of a route whose retrievals may go past the router.
    pub(crate) fn retrieval(&self) -> Option<(&'static str, Retrieval)> {
        self.retrieval.map(|retrieval| (self.path, retrieval))
    }

    /// Adds a method with its handler and its description.
    pub(crate) fn on(mut self, method: Method, handler: MethodRouter<Arc<Shared>>, operation: Operation) -> Self {
        self.methods = self.methods.merge(handler);
        self.operations.push((method, operation));
        self
    }

    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = (&Method, &Operation)> {
        self.operations.iter().map(|(method, operation)| (method, operation))
    }

    /// The handlers, and true if HEAD is among their methods.
    pub(crate) fn into_methods(self) -> (MethodRouter<Arc<Shared>>, bool) {
        (self.methods, self.head)
    }

    /// The methods in the words of `Allow`.
    pub(crate) fn allow(&self) -> HeaderValue {
        let mut methods: Vec<&str> = self.operations.iter().map(|(method, _)| method.as_str()).collect();
        methods.extend(self.head.then_some("HEAD"));
        // Names of methods are a header's value.
        HeaderValue::try_from(methods.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}
