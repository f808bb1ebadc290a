//! Whole-system tests of IBYOK
#![forbid(unsafe_code)]
