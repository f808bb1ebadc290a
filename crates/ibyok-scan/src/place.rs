//! The origin of a scanned text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::printable::printable;

/// The origin of a text, which its findings show.
#[derive(Clone, Debug, Default)]
pub struct ScanPlace {
    pub(crate) path: String,
    /// The path below the top of the tree or the repository, as far as that is known.
    pub(crate) below_top: Option<PathBuf>,
    pub(crate) commit: Option<String>,
    pub(crate) kind: Kind,
}

/// The sort of a file, as far as it decides the meaning of the text in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// People wrote it.
    #[default]
    Source,
    /// Settings: a value without quotes is the value, and no variable.
    Settings,
    /// Programs wrote it, and it is full of random-looking text: only shapes count.
    Generated,
}

impl ScanPlace {
    /// The file of this path.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::of_bytes(path.as_ref().as_os_str().as_encoded_bytes())
    }

    /// The file of this path, in any encoding.
    #[must_use]
    pub fn of_bytes(path: &[u8]) -> Self {
        ScanPlace {
            path: printable(path),
            below_top: Some(PathBuf::from(OsStr::from_bytes(path))),
            commit: None,
            kind: kind(path),
        }
    }

    /// The message of a commit or a tag, which is no file: no rule of excused files is about it.
    pub(crate) fn of_message(shown: &[u8]) -> Self {
        ScanPlace {
            path: printable(shown),
            ..ScanPlace::default()
        }
    }

    /// The same file, with its path below the top.
    pub(crate) fn below_top(mut self, path: Option<PathBuf>) -> Self {
        self.below_top = path;
        self
    }

    /// The same file as it was in a commit.
    #[must_use]
    pub fn in_commit(mut self, commit: impl Into<String>) -> Self {
        self.commit = Some(commit.into());
        self
    }
}

/// Files whose content is checksums or code that programs wrote.
const GENERATED: &[&str] = &[
    "cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "deno.lock",
    "go.sum",
    "go.work.sum",
    "poetry.lock",
    "pdm.lock",
    "uv.lock",
    "pipfile.lock",
    "composer.lock",
    "gemfile.lock",
    "podfile.lock",
    "pubspec.lock",
    "flake.lock",
    "packages.lock.json",
    "gradle.lockfile",
    "verification-metadata.xml",
    ".cargo-checksum.json",
    "record",
];
const GENERATED_ENDS: &[&str] = &[".min.js", ".min.css", ".map", ".svg", ".snap", ".sum", ".sha256"];

/// Files of settings.
const SETTINGS_ENDS: &[&str] = &[
    ".env",
    ".properties",
    ".ini",
    ".cfg",
    ".conf",
    ".toml",
    ".yaml",
    ".yml",
    ".tfvars",
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".credentials",
    "credentials",
];

fn kind(path: &[u8]) -> Kind {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).to_lowercase();
    let generated = GENERATED.contains(&name.as_str()) || GENERATED_ENDS.iter().any(|end| name.ends_with(end));
    let settings = name.starts_with(".env") || SETTINGS_ENDS.iter().any(|end| name.ends_with(end));
    match (generated, settings) {
        (true, _) => Kind::Generated,
        (false, true) => Kind::Settings,
        (false, false) => Kind::Source,
    }
}
