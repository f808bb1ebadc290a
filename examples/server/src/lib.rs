//! The IBYOK server: the HTTP interface of a vault, as a library and as a small binary over it.
//!
//! A program that has a vault can serve it, alone or together with other routes; the router works without a socket too:
//!
//! ```
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use ibyok_core::{FileSink, LocalKek, MemoryStore, Vault};
//! use ibyok_server::{Options, router};
//! use tower::ServiceExt;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! let vault = Vault::builder()
//!     .store(MemoryStore::new())
//!     .kek(LocalKek::generate()?)
//!     .audit(FileSink::open(place.path()).await?)
//!     .create()
//!     .await?;
//! let answer = router(vault, Options::default()).oneshot(Request::get("/healthz").body(Body::empty())?).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! Each handler parses, makes one call of the core and answers; the core makes all decisions. This crate has the
//! parts that HTTP needs: limits of sizes and times before anything is read ([`Options`], [`Limits`]), one meaning
//! for each request, problem documents (RFC 9457) for every refusal, and logs that hold no secret.
//!
//! It speaks HTTP/1.1, with TLS by the feature `tls` and two files ([`Tls`]). Beyond the loopback interface the program listens without TLS only
//! with a setting that permits plain HTTP, or names a proxy that does the TLS; in that case it serves the proxy's networks and closes every
//! other connection. It keeps no sessions. The core has the rates; this crate limits the cost of one address and of all
//! connections together ([`Limits`]).
#![forbid(unsafe_code)]
// The future of an exchange nests those of the handlers and of the core, and no box divides them on the way of a retrieval.
#![recursion_limit = "256"]

mod address;
mod answer;
mod args;
mod body;
mod caller;
mod conditional;
mod connection;
mod connections;
mod error;
mod exchange;
mod framing;
mod gate;
mod hardening;
mod json;
mod leftover;
mod logging;
mod openapi;
mod options;
mod own_log;
mod problem;
mod query;
mod ready;
mod retrieval;
mod room;
mod route;
mod router;
mod routes;
mod run;
mod scan;
mod serve;
mod takes;
mod timer;
#[cfg(feature = "tls")]
mod tls;
mod token_request;
mod vault;
mod wiped;

pub use args::Args;
pub use error::{Error, Result};
pub use hardening::no_core_dumps;
pub use logging::{LogLevel, log_to_stderr};
pub use openapi::openapi;
pub use options::{Limits, Options};
pub use router::router;
pub use run::{Started, command_line, run, start};
pub use serve::serve;
#[cfg(feature = "tls")]
pub use tls::Tls;
