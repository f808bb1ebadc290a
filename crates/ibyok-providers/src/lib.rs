//! The catalogue of IBYOK: API providers as data
#![forbid(unsafe_code)]
