//! Files and streams that hold secrets: read into memory that is wiped, and written so that only their owner can read them.
//!
//! - [`read_text`] reads a file of text, [`read_value`] one value from a stream, [`read_fields`] the fields of a value from JSON.
//! - [`write_private`] writes a file with mode 0600, whole or not at all.

mod error;
mod fields;
mod private;
mod read;

pub use error::{FileError, Result};
pub use fields::{Fields, read_fields, read_fields_file};
pub use private::write_private;
pub use read::{read_secret, read_text, read_value, read_value_file, utf8};
