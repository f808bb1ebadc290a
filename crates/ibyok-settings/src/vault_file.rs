//! Changing the vault's file in place: the user's own lines and comments stay.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ibyok_core::{Error, Result};
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::directory;
use crate::keks::KekChoices;
use crate::settings::FILE;

/// The vault's file as it was read.
#[derive(Clone, Debug)]
pub(crate) struct VaultFile {
    path: PathBuf,
    text: Option<String>,
    document: DocumentMut,
}

impl VaultFile {
    /// Reads the file of a vault's directory. One that is not there is empty.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&path, &error)),
        };
        let document = text.as_deref().unwrap_or_default().parse::<DocumentMut>();
        let document = document.map_err(|error| {
            Error::invalid(
                format!("`{}`: {}", path.display(), error.message()),
                "docs/operations.md lists the settings",
            )
        })?;
        Ok(VaultFile { path, text, document })
    }

    /// Writes the choices of KEKs into the file, in one step that survives a loss of power.
    pub(crate) fn set_keks(&mut self, choices: &KekChoices) -> Result<()> {
        for name in ["kek", "kek_file", "also_kek", "kek_for"] {
            if !choices.as_table().contains_key(name) {
                self.document.remove(name);
            }
        }
        for (name, value) in choices.as_table() {
            match value {
                toml::Value::String(text) => self.put(&name, text.into()),
                toml::Value::Array(all) => {
                    let all = all.iter().filter_map(|one| one.as_str());
                    self.put(&name, all.collect::<Value>());
                }
                toml::Value::Table(own) => {
                    let mut table = Table::new();
                    for (environment, kek) in &own {
                        table.insert(environment, kek.as_str().unwrap_or_default().into());
                    }
                    self.document.insert(&name, Item::Table(table));
                }
                _ => {}
            }
        }
        self.save()
    }

    /// Puts a value where it was, with the comment beside it.
    fn put(&mut self, name: &str, mut value: Value) {
        match self.document.get_mut(name).and_then(Item::as_value_mut) {
            Some(old) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            None => drop(self.document.insert(name, Item::Value(value))),
        }
    }

    fn save(&mut self) -> Result<()> {
        let text = self.document.to_string();
        if self.text.as_ref() == Some(&text) {
            return Ok(());
        }
        directory::make(self.path.parent().unwrap_or(Path::new(".")))?;
        replace(&self.path, text.as_bytes()).map_err(|error| failed(&self.path, &error))?;
        self.text = Some(text);
        Ok(())
    }
}

/// Replaces a file, 0600: its readers find the old text or the new one.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("toml.new");
    // One that a crash left behind was never in use.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid(
        format!("`{}`: {error}", path.display()),
        "check that you own the vault's directory, and that its disk has space",
    )
}
