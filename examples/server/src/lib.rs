//! The IBYOK server: the HTTP interface of a vault
#![forbid(unsafe_code)]
