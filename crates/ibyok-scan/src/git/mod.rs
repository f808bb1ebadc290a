//! Git repositories: the staged files, and the whole history.
//!
//! Read with git's own plumbing (`rev-list`, `ls-files`, `cat-file`), which knows every form a repository has, and in a way in which a
//! hostile repository runs nothing: no hooks, filters, text conversions, monitors, pagers, helpers or transports.

mod blobs;
mod history;
mod hook;
mod program;
mod staged;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use hook::Installed;

use crate::error::Error;
use crate::printable::printable;
use program::Git;

/// A repository that exists, and that the user of this process may read.
#[derive(Debug)]
pub struct Repository {
    git: Git,
}

impl Repository {
    /// The repository that holds a path.
    ///
    /// Of the environment, `PATH` gives the place of git (only absolute directories count). `HOME` and
    /// `XDG_CONFIG_HOME` give the place of the user's settings (such as `safe.directory`). If `path` is `.`,
    /// `GIT_DIR` and `GIT_INDEX_FILE` name the index of a hook.
    ///
    /// # Errors
    /// [`Error::NoGit`] if there is no git, [`Error::Git`] if there is no repository, or if it belongs to another
    /// user.
    pub fn open(path: &Path, environment: &BTreeMap<String, String>) -> Result<Self, Error> {
        let git = Git::find(path, environment)?;
        git.answer(&["rev-parse", "--git-dir"])?;
        Ok(Repository { git })
    }

    /// The files below the path that it was opened with which git has although its ignore files name them: relative to that path.
    ///
    /// # Errors
    /// [`Error::Git`] for a repository that git cannot read.
    pub fn ignored_and_tracked(&self) -> Result<Vec<PathBuf>, Error> {
        let listed = self
            .git
            .answer(&["ls-files", "-z", "--cached", "--ignored", "--exclude-standard"])?;
        let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(program::path).collect())
    }

    /// Returns true if a part of the history is missing here.
    fn is_shallow(&self) -> Result<bool, Error> {
        Ok(self.git.line(&["rev-parse", "--is-shallow-repository"])? == b"true")
    }

    /// Returns the top directory of the files.
    fn top(&self) -> Result<PathBuf, Error> {
        let top = self.git.line(&["rev-parse", "--show-toplevel"])?;
        Ok(program::path(&top))
    }
}

/// Returns the note about submodules.
fn submodules(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 submodule, because it is a separate repository".to_owned()),
        _ => Some(format!("{count} submodules, because they are separate repositories")),
    }
}

/// Returns the message of git, in one line.
fn said(bytes: &[u8]) -> String {
    let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.is_empty());
    let line = printable(first.unwrap_or_default());
    line.strip_prefix("fatal: ")
        .unwrap_or(&line)
        .chars()
        .take(300)
        .collect()
}
