//! The smallest program with an IBYOK vault in it
#![forbid(unsafe_code)]
