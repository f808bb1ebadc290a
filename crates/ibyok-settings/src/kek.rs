//! One choice of a KEK: its kind, and its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ibyok_core::{EnvironmentName, Error, Kek, LocalKek, Result};

use crate::directory;
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

/// The environment that a KEK is for; `None` is all those without a KEK of their own.
pub(crate) type Whose = Option<EnvironmentName>;

/// The directory and the vault by which the default place of a local KEK is named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) config: &'a Path,
    pub(crate) vault: &'a str,
}

impl Place<'_> {
    /// The default file of a local KEK: of the vault, or of one environment.
    pub(crate) fn of(&self, whose: Option<&EnvironmentName>) -> PathBuf {
        match whose {
            None => self.config.join(format!("{}.kek", self.vault)),
            Some(environment) => self.config.join(format!("{}.{environment}.kek", self.vault)),
        }
    }

    /// A default file that is not there yet: the first one of the usual name and `.2`, `.3`, ….
    pub(crate) fn free(&self, whose: Option<&EnvironmentName>) -> PathBuf {
        let usual = self.of(whose);
        let numbered = (2..u32::MAX).map(|number| usual.with_extension(format!("{number}.kek")));
        let mut all = std::iter::once(usual.clone()).chain(numbered);
        all.find(|path| std::fs::symlink_metadata(path).is_err())
            .unwrap_or(usual)
    }
}

impl KekChoice {
    /// Parses `local`, `local:FILE`, `passphrase`, `passphrase:FILE` or `aws-kms:KEY`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another text.
    pub fn parse(text: &str) -> Result<Self> {
        let (kind, rest) = text
            .split_once(':')
            .map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        match (kind, rest) {
            ("local", None) => Ok(KekChoice::Local(None)),
            ("passphrase", None) => Ok(KekChoice::Passphrase(None)),
            ("local", Some(path)) if !path.is_empty() => Ok(KekChoice::Local(Some(path.into()))),
            ("passphrase", Some(path)) if !path.is_empty() => Ok(KekChoice::Passphrase(Some(path.into()))),
            ("aws-kms", Some(key)) if !key.is_empty() => Ok(KekChoice::AwsKms(key.to_owned())),
            _ => Err(Error::invalid_name(
                "kek",
                text,
                "`local`, `local:FILE`, `passphrase`, `passphrase:FILE` or `aws-kms:KEY`; `ENV=KEK` for one environment",
            )),
        }
    }

    /// Returns the choice with `file` as its file, if it needs one and names none.
    #[must_use]
    pub fn with_file(self, local: Option<&str>, passphrase: Option<&str>) -> Self {
        match self {
            KekChoice::Local(None) => KekChoice::Local(local.map(PathBuf::from)),
            KekChoice::Passphrase(None) => KekChoice::Passphrase(passphrase.map(PathBuf::from)),
            other => other,
        }
    }

    /// Returns true if the choice is 32 bytes in a file.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, KekChoice::Local(_))
    }

    /// The choice with a file in the default place named, if it is local.
    pub(crate) fn placed(&self, place: Place<'_>, whose: Option<&EnvironmentName>) -> Self {
        match self {
            KekChoice::Local(file) => {
                let path = file.clone().unwrap_or_else(|| place.of(whose));
                KekChoice::Local(Some(std::path::absolute(&path).unwrap_or(path)))
            }
            other => other.clone(),
        }
    }

    /// A text that differs where another KEK would be opened: of a file also by its time of change.
    pub(crate) fn key(&self, whose: Option<&EnvironmentName>) -> String {
        let whose = whose.map_or("", EnvironmentName::as_str);
        match self {
            KekChoice::Local(Some(path)) => format!("local:{}@{}", path.display(), stamp(path)),
            KekChoice::Passphrase(Some(path)) => format!("passphrase:{}@{}", path.display(), stamp(path)),
            KekChoice::Local(None) => format!("local for {whose}"),
            KekChoice::Passphrase(None) => format!("passphrase for {whose}"),
            KekChoice::AwsKms(key) => format!("{AWS_KMS}{key}"),
        }
    }

    /// Opens the KEK. A local one has its place by now.
    pub(crate) async fn open(
        &self,
        whose: Option<&EnvironmentName>,
        ask: Option<Passphrase<'_>>,
    ) -> Result<Arc<dyn Kek>> {
        match self {
            KekChoice::Local(file) => {
                let kek = LocalKek::from_file(file.as_deref().unwrap_or(Path::new("")));
                Ok(Arc::new(kek.map_err(|error| Error::Kek { source: error.into() })?))
            }
            KekChoice::Passphrase(file) => Ok(passphrase::kek(passphrase::read(file.as_deref(), whose, ask)?)),
            KekChoice::AwsKms(key) => aws_kms(key).await,
        }
    }

    /// Returns true if the KEK is not on this machine: its file is missing, or nobody can be asked for its passphrase.
    pub(crate) fn is_absent(&self, ask: Option<Passphrase<'_>>) -> bool {
        match self {
            KekChoice::Local(Some(path)) | KekChoice::Passphrase(Some(path)) => {
                std::fs::symlink_metadata(path).is_err()
            }
            KekChoice::Passphrase(None) => ask.is_none(),
            KekChoice::Local(None) | KekChoice::AwsKms(_) => false,
        }
    }

    /// Makes a new KEK. A passphrase that is easy to guess is taken only if `weak` is set.
    pub(crate) async fn create(
        &self,
        whose: Option<&EnvironmentName>,
        ask: Option<Passphrase<'_>>,
        weak: bool,
    ) -> Result<Arc<dyn Kek>> {
        match self {
            KekChoice::Local(file) => {
                let local = file.as_deref().unwrap_or(Path::new(""));
                if let Some(parent) = local.parent() {
                    directory::make(parent)?;
                }
                let kek = LocalKek::create_file(local);
                Ok(Arc::new(kek.map_err(|error| {
                    Error::invalid(error.to_string(), "give another path with `--kek-file`")
                })?))
            }
            KekChoice::Passphrase(file) => {
                let typed = passphrase::read(file.as_deref(), whose, ask)?;
                if !weak {
                    passphrase::check_new(&typed)?;
                }
                Ok(passphrase::kek(typed))
            }
            KekChoice::AwsKms(key) => aws_kms(key).await,
        }
    }

    /// Returns the choice as the vault's file has it. A passphrase's file is not named: the vault's directory must not show a finder the way to
    /// it. A key of a KMS is pinned: an alias can point to another key later.
    pub(crate) fn remembered(&self, kek: &dyn Kek) -> Self {
        match self {
            KekChoice::Local(_) => self.clone(),
            KekChoice::Passphrase(_) => KekChoice::Passphrase(None),
            KekChoice::AwsKms(key) => {
                let id = kek.describe().id().map(ToString::to_string);
                let pinned = id.as_deref().and_then(|id| id.strip_prefix(AWS_KMS));
                KekChoice::AwsKms(pinned.unwrap_or(key).to_owned())
            }
        }
    }

    /// Returns the text that [`KekChoice::parse`] reads.
    #[must_use]
    pub fn word(&self) -> String {
        let with = |kind: &str, file: &Option<PathBuf>| match file {
            Some(path) => format!("{kind}:{}", path.display()),
            None => kind.to_owned(),
        };
        match self {
            KekChoice::Local(file) => with("local", file),
            KekChoice::Passphrase(file) => with("passphrase", file),
            KekChoice::AwsKms(key) => format!("{AWS_KMS}{key}"),
        }
    }
}

/// The time of change of a file, in nanoseconds.
fn stamp(path: &Path) -> u128 {
    let changed = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let since = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos())
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
