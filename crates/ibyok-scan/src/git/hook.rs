//! The hook that lets no commit through with a key in it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::printable::printable;

use super::{Repository, program};

/// The hook. The second line identifies it as ours.
const HOOK: &str = "#!/bin/sh
# Installed by `ibyok scan --install-hook`: no commit with a key in it.
exec ibyok scan --staged
";

/// The largest number of bytes read of an existing hook.
const MOST: u64 = 64 * 1024;

/// The result of installing the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Installed {
    /// It is there now, in this file.
    Now(PathBuf),
    /// It was there.
    Before(PathBuf),
}

impl Repository {
    /// Installs a hook that runs `ibyok scan --staged` before each commit.
    ///
    /// # Errors
    /// [`Error::Hook`] if there is another hook already, or if the repository's hooks lie outside of it.
    pub fn install_hook(&self) -> Result<Installed, Error> {
        let directory = self.hooks()?;
        let path = directory.join("pre-commit");
        let failed = |error: io::Error| refused(&path, &error.to_string());
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_file() => {
                let mut text = Vec::new();
                let mut file = fs::File::open(&path).map_err(failed)?.take(MOST);
                file.read_to_end(&mut text).map_err(failed)?;
                if text == HOOK.as_bytes() {
                    return Ok(Installed::Before(path));
                }
                return Err(refused(&path, "another hook is already there"));
            }
            Ok(_) => return Err(refused(&path, "the hook in its place is not a regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        fs::create_dir_all(&directory).map_err(failed)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(&path)
            .map_err(failed)?;
        file.write_all(HOOK.as_bytes()).map_err(failed)?;
        Ok(Installed::Now(path))
    }

    /// Returns the directory of the repository's hooks. `core.hooksPath` counts only if it stays within the
    /// repository.
    fn hooks(&self) -> Result<PathBuf, Error> {
        let top = self.top()?;
        let own = program::path(
            &self
                .git
                .line(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?,
        );
        let set = self.git.ask(&["config", "--type=path", "--get", "core.hooksPath"])?;
        let Ok(mut set) = set else {
            return Ok(own.join("hooks"));
        };
        if set.last() == Some(&b'\n') {
            set.pop();
        }
        let directory = top.join(program::path(&set));
        let within = |root: &Path| {
            let root = root.canonicalize().ok();
            let real = nearest(&directory).canonicalize().ok();
            root.zip(real).is_some_and(|(root, real)| real.starts_with(root))
        };
        let climbs = directory
            .components()
            .any(|part| matches!(part, std::path::Component::ParentDir));
        // A repository may say that its files are anywhere (`core.worktree`); where that is so, only its own directory counts.
        let is_top = top.join(".git").exists();
        if climbs || !(is_top && within(&top) || within(&own)) {
            return Err(refused(
                &directory.join("pre-commit"),
                "`core.hooksPath` is outside the repository",
            ));
        }
        Ok(directory)
    }
}

/// The path itself, or the nearest above it that is there.
fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(path)
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Hook {
        path: printable(path.as_os_str().as_encoded_bytes()),
        why: why.to_owned(),
    }
}
