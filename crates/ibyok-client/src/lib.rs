//! Typed client of the IBYOK server
#![forbid(unsafe_code)]
