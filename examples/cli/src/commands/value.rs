//! The flags that say where a value comes from, and the condition on which it is stored.

use std::path::PathBuf;

use ibyok_core::keys::FieldName;

use crate::error::{Error, Result};
use crate::io::Io;
use crate::secret_input::{Fields, read_fields};

/// The source of a value: standard input or a hidden prompt, unless a flag says otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct ValueArgs {
    /// Set this field [default: `value`, the key itself]
    #[arg(long, value_name = "FIELD")]
    field: Vec<String>,
    /// Read the value from this file, unchanged, instead of standard input
    #[arg(long, value_name = "FILE", conflicts_with = "fields_from")]
    from_file: Option<PathBuf>,
    /// Read several fields from this file, which holds a JSON object of strings
    #[arg(long, value_name = "FILE", conflicts_with = "field")]
    fields_from: Option<PathBuf>,
}

impl ValueArgs {
    /// Reads the fields of the value.
    ///
    /// # Errors
    /// As [`read_fields`].
    pub(super) fn read(&self, io: &mut Io) -> Result<Fields> {
        let wanted = self.field.iter().map(|field| field.parse());
        let wanted = wanted.collect::<Result<Vec<FieldName>, _>>()?;
        read_fields(io, &wanted, self.from_file.as_deref(), self.fields_from.as_deref())
    }

    /// Refuses the flags if the command reads no value.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn none(&self, needed: &str) -> Result<()> {
        if self.field.is_empty() && self.from_file.is_none() && self.fields_from.is_none() {
            return Ok(());
        }
        Err(Error::usage(
            format!("the flags of a value need `{needed}`"),
            format!("add `{needed}`"),
        ))
    }
}

/// The condition on which a key is changed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Expected {
    /// Change the key only if version N is its current one; else exit 1 without changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) if_version: Option<u32>,
}
