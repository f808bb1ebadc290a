//! Pages of the documentation whose code runs as tests, and belongs to no example.

/// The code of `docs/own-kek.md`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/own-kek.md")]
mod own_kek {}
