//! `.env` files as people write them: reading, writing back with references, and printing.
//!
//! The grammar of values is that of the library `dotenvor`, which keeps `$` literal, never looks at the process's environment, and
//! keeps unknown text unchanged. This module adds the parts that the library lacks: it finds the beginning and end of each
//! assignment, so that duplicates can be named by line and [`rewrite()`] can leave every other byte alone; and it
//! names the values that readers of such files read in different ways (see [`WORDS`] and [`Assignment::undisputed`]).

mod disputed;
mod error;
mod print;
mod rewrite;
mod statement;
mod value;

pub use disputed::{Remarks, Said, WORDS};
pub use error::{Error, Result};
pub use print::{Format, Printed, print};
pub use rewrite::rewrite;
pub use value::{Assignment, Parsed, each_once, is_one_word, parse};
