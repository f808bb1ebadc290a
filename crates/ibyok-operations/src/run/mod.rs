//! Running programs with keys: the variables that a program gets, and masking of its output.
//!
//! - [`withheld`] says why a variable is handed to no program unasked.
//! - [`parse_pair`] and [`Source::of`] read the words of a person or a file about a variable.
//! - [`find_project`] reads the keys that a project's directory names, and believes only a file that nobody else can have written.
//! - [`is_ours`] recognises IBYOK's own variables, which no program inherits.
//! - [`run_masked`] runs a program and masks the values of keys in its output.
//! - [`forbid_core_dumps`] keeps secrets out of core dumps of this process.

mod core_dumps;
mod masked;
mod project;
mod too_large;
mod variables;

pub use core_dumps::{allow_core_dumps_again, forbid_core_dumps};
pub use masked::{Streams, run_masked};
pub use project::{NAME as PROJECT_FILE, Project, find as find_project, parse as parse_project};
pub use too_large::too_large;
pub use variables::{Source, is_ours, no_two_of_one_variable, parse_pair, withheld};
