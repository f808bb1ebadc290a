//! The choice of a KEK, and its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_core::{Error, Kek, LocalKek, Result};

use crate::directory;
use crate::given::Given;
use crate::passphrase::{self, Passphrase};

/// The kind of KEK, and the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KekChoice {
    /// 32 bytes in a file; `None` is the file of the vault's id in the platform's configuration directory.
    Local(Option<PathBuf>),
    /// A passphrase, from a file or asked for.
    Passphrase(Option<PathBuf>),
    /// A key of AWS KMS: its id, ARN or alias.
    AwsKms(String),
}

/// The prefix of a key of AWS KMS.
const AWS_KMS: &str = "aws-kms:";

impl KekChoice {
    pub(crate) fn resolve(given: &Given) -> Result<Self> {
        let file = |text: &Option<String>| text.as_ref().map(PathBuf::from);
        match given.kek.as_deref() {
            None if given.passphrase_file.is_some() && given.kek_file.is_none() => {
                Ok(KekChoice::Passphrase(file(&given.passphrase_file)))
            }
            None | Some("local") => Ok(KekChoice::Local(file(&given.kek_file))),
            Some("passphrase") => Ok(KekChoice::Passphrase(file(&given.passphrase_file))),
            Some(other) => match other.strip_prefix(AWS_KMS) {
                Some(key) if !key.is_empty() => Ok(KekChoice::AwsKms(key.to_owned())),
                _ => Err(Error::invalid_name(
                    "kek",
                    other,
                    "`local`, `passphrase` or `aws-kms:KEY`",
                )),
            },
        }
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            KekChoice::Local(file) | KekChoice::Passphrase(file) => file.as_deref(),
            KekChoice::AwsKms(_) => None,
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self, KekChoice::Local(_))
    }

    pub(crate) async fn open(&self, local: &Path, passphrase: Option<Passphrase<'_>>) -> Result<Arc<dyn Kek>> {
        match self {
            KekChoice::Local(_) => Ok(Arc::new(
                LocalKek::from_file(local).map_err(|error| Error::Kek { source: error.into() })?,
            )),
            KekChoice::Passphrase(file) => Ok(passphrase::kek(passphrase::read(file.as_deref(), passphrase)?)),
            KekChoice::AwsKms(key) => aws_kms(key).await,
        }
    }

    /// Makes the KEK of a new vault. A passphrase that is easy to guess is taken only if `weak` is set.
    pub(crate) async fn create(
        &self,
        local: &Path,
        passphrase: Option<Passphrase<'_>>,
        weak: bool,
    ) -> Result<Arc<dyn Kek>> {
        match self {
            KekChoice::Local(_) => {
                if let Some(parent) = local.parent() {
                    directory::make(parent)?;
                }
                let kek = LocalKek::create_file(local);
                Ok(Arc::new(kek.map_err(|error| {
                    Error::invalid(error.to_string(), "give another path with `--kek-file`")
                })?))
            }
            KekChoice::Passphrase(file) => {
                let typed = passphrase::read(file.as_deref(), passphrase)?;
                if !weak {
                    passphrase::check_new(&typed)?;
                }
                Ok(passphrase::kek(typed))
            }
            KekChoice::AwsKms(key) => aws_kms(key).await,
        }
    }

    /// The settings of the vault's file that say which KEK it is. Where it lies by default is not said, so that it can be moved.
    pub(crate) fn as_table(&self, made: Option<&Path>, kek: &dyn Kek) -> toml::Table {
        let mut table = toml::Table::new();
        match self {
            KekChoice::Local(file) => {
                table.insert("kek".to_owned(), "local".into());
                if let (Some(_), Some(made)) = (file, made) {
                    let path = std::path::absolute(made).unwrap_or_else(|_| made.to_owned());
                    table.insert("kek_file".to_owned(), path.display().to_string().into());
                }
            }
            KekChoice::Passphrase(_) => {
                table.insert("kek".to_owned(), "passphrase".into());
            }
            KekChoice::AwsKms(key) => {
                // What an alias points to can change; what this vault was made with does not.
                let pinned = kek
                    .describe()
                    .id()
                    .map_or_else(|| format!("{AWS_KMS}{key}"), ToString::to_string);
                table.insert("kek".to_owned(), pinned.into());
            }
        }
        table
    }
}

#[cfg(feature = "aws-kms")]
async fn aws_kms(key: &str) -> Result<Arc<dyn Kek>> {
    use ibyok_core::kek::Error as KekError;
    use ibyok_core::kek::{AwsKms, AwsKmsOptions};
    let kek = AwsKms::connect(key, AwsKmsOptions::default()).await;
    Ok(Arc::new(kek.map_err(|error| match error {
        KekError::KekUnusable { .. } => Error::Invalid {
            what: error.to_string(),
            hint: Some("give a symmetric key by its id, its ARN, or `alias/NAME`".into()),
        },
        other => other.into(),
    })?))
}

#[cfg(not(feature = "aws-kms"))]
async fn aws_kms(_: &str) -> Result<Arc<dyn Kek>> {
    Err(Error::invalid(
        "this build does not support AWS KMS",
        "build the program with the feature `aws-kms`",
    ))
}
