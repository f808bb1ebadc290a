//! Moving a vault to another store: the records, and then the settings.

use std::path::Path;
use std::sync::Arc;

use ibyok_core::backups::{Copied, Progress, StoreCopy};
use ibyok_core::jiff::Timestamp;
use ibyok_core::store::{ChangeNumber, FileOptions, FileStore};
use ibyok_core::{Error, Result, Store};
use ibyok_operations::file::write_private;

use crate::create::only_here;
use crate::remember::has_password;
use crate::settings::{FILE, Settings};

/// The result of moving a vault.
#[derive(Debug)]
#[non_exhaustive]
pub struct Moved {
    /// The records that were copied.
    pub copied: Copied,
    /// The name of the new store, without a password.
    pub to: String,
    /// True if the vault's file names the new store now. A URL with a password is in no file.
    pub is_remembered: bool,
    /// True if a flag or variable names the old store, which must be changed.
    pub is_overridden: bool,
}

impl Settings {
    /// Copies the vault to the store `to` (`file`, or a URL), seals the old store, and then names the new store in the vault's file. No KEK
    /// is needed. The same call continues a copy that was interrupted.
    ///
    /// # Errors
    /// As [`StoreCopy::run`].
    pub async fn move_to(&self, to: &str, progress: Progress<'_>) -> Result<Moved> {
        let (from, target) = (self.open_store().await?, self.open_named(to).await?);
        let _only = only_here(&self.directory)?;
        let to_name = name_of(target.as_ref()).await?;
        let copy = StoreCopy {
            from: from.as_ref(),
            to: target.as_ref(),
            to_name: &to_name,
        };
        let copied = copy.run(progress).await?;
        let is_remembered = self.remember_store(to)?;
        Ok(Moved {
            copied,
            to: to_name,
            is_remembered,
            is_overridden: self.given.store.is_some(),
        })
    }

    /// Cancels a copy that did not come to its end: the old store serves again.
    ///
    /// # Errors
    /// As [`StoreCopy::cancel`].
    pub async fn cancel_move(&self, to: &str) -> Result<()> {
        let (from, target) = (self.open_store().await?, self.open_named(to).await?);
        let copy = StoreCopy {
            from: from.as_ref(),
            to: target.as_ref(),
            to_name: &name_of(target.as_ref()).await?,
        };
        copy.cancel().await
    }

    async fn open_named(&self, to: &str) -> Result<Arc<dyn Store>> {
        match to {
            "memory:" => Err(Error::invalid(
                "a store in memory ends with the command",
                "give a URL, or `file`",
            )),
            "file" => open_file(&self.store_file()).await,
            url => match url.strip_prefix("file:") {
                Some(path) => open_file(Path::new(path.strip_prefix("//").unwrap_or(path))).await,
                None => Ok(ibyok_core::store::open(url).await?),
            },
        }
    }

    /// Names the store in the vault's file, in one step.
    fn remember_store(&self, to: &str) -> Result<bool> {
        let path = self.directory.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unwritten(&path, &error)),
        };
        let mut table: toml::Table = text.parse().map_err(|error| unwritten(&path, &error))?;
        let is_secret = has_password(to);
        if is_secret || to == "file" {
            table.remove("store");
        } else {
            let url = match to.strip_prefix("file:") {
                Some(path) => {
                    let path = std::path::absolute(path).map_err(|error| unwritten(Path::new(path), &error))?;
                    format!("file:{}", path.display())
                }
                None => to.to_owned(),
            };
            table.insert("store".to_owned(), url.into());
        }
        write_private(&path, table.to_string().as_bytes()).map_err(|error| unwritten(&path, &error))?;
        Ok(!is_secret)
    }
}

/// Opens a store in a file. A new one counts its changes from the time in microseconds, as stores on servers do: above every number of an older store.
async fn open_file(path: &Path) -> Result<Arc<dyn Store>> {
    let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
    let options = FileOptions::new().first_change(ChangeNumber::new(now));
    Ok(Arc::new(FileStore::open_with(path, options).await?))
}

fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::invalid(
        format!(
            "the vault was moved, and `{}` still names the old store: {error}",
            path.display()
        ),
        "run the same command again, or write `store` into the file",
    )
}

/// The name of a store for people: its place without a password.
async fn name_of(store: &dyn Store) -> Result<String> {
    let health = store.check().await?;
    let detail = |name: &str| {
        health
            .detail
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.clone())
    };
    let place = detail("path")
        .or_else(|| detail("location"))
        .unwrap_or_else(|| health.backend.clone());
    let within = ["schema", "prefix"]
        .iter()
        .find_map(|name| Some(format!(" ({name} {})", detail(name)?)));
    Ok(format!("{place}{}", within.unwrap_or_default()))
}
