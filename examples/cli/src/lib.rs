//! The IBYOK command line
#![forbid(unsafe_code)]
