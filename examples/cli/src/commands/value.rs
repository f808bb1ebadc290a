//! The flags that say where a value comes from, and the condition on which it is stored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ibyok_core::{
    Secret,
    keys::{FieldName, VALUE_MAX},
};
use ibyok_operations::file::{Fields, read_fields, read_fields_file, read_value, read_value_file};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::io::Io;

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
    /// Reads the fields of the value, or the key itself if no field was asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] if several fields come from one standard input, and for input that cannot be read.
    pub(super) fn read(&self, io: &mut Io) -> Result<Fields> {
        let wanted = self.field.iter().map(|field| field.parse());
        let wanted = wanted.collect::<Result<Vec<FieldName>, _>>()?;
        if let Some(path) = &self.fields_from {
            return Ok(match path == Path::new("-") {
                true => read_fields(io.input(), path, "standard input")?,
                false => read_fields_file(path)?,
            });
        }
        let value = [FieldName::value()];
        let wanted = if wanted.is_empty() { &value } else { wanted.as_slice() };
        match (wanted, &self.from_file) {
            ([only], Some(path)) => Ok(BTreeMap::from([(only.clone(), read_value_file(path)?)])),
            ([only], None) if !io.terminal.input => Ok(BTreeMap::from([(
                only.clone(),
                read_value(io.input(), "standard input")?,
            )])),
            (several, None) if io.terminal.input => several
                .iter()
                .map(|field| Ok((field.clone(), from_prompt(field)?)))
                .collect(),
            _ => Err(Error::usage(
                "cannot read several fields from one input",
                "write the fields to a JSON file and give `--fields-from FILE`, or type them at a terminal",
            )),
        }
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

fn from_prompt(field: &FieldName) -> Result<Secret> {
    let prompt = if field.is_value() {
        "Value: ".to_owned()
    } else {
        format!("{field}: ")
    };
    let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
    let typed = typed
        .map_err(|error| Error::failed(format!("cannot read from the terminal: {error}"), "use standard input"))?;
    if typed.len() > VALUE_MAX {
        return Err(Error::Vault(ibyok_core::Error::TooLarge {
            what: "the value",
            limit: VALUE_MAX,
        }));
    }
    Ok(Secret::copy_of(typed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn several_fields_want_a_file_or_a_terminal() {
        let args = ValueArgs {
            field: vec!["value".to_owned(), "org_id".to_owned()],
            from_file: None,
            fields_from: None,
        };
        let mut io = Io::new(io::Cursor::new(b"x"), io::sink(), io::sink());
        assert_eq!(args.read(&mut io).unwrap_err().code(), "invalid");
    }
}
