//! Directories and files that are the user's alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use ibyok_core::{Error, Result};

/// Makes a directory and its parents, 0700; one that exists must be the user's own.
pub(crate) fn make(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| failed(path, &error))?;
    check(path)
}

/// Refuses a directory that another user owns or that others may write to.
pub(crate) fn check(path: &Path) -> Result<()> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(path, &error)),
    };
    if !meta.is_dir() {
        return Err(Error::invalid(
            format!("`{}` is not a directory", path.display()),
            "give the vault's directory",
        ));
    }
    own(path, &meta)?;
    if meta.mode() & 0o022 != 0 {
        let what = format!("other users can write to `{}`", path.display());
        return Err(Error::invalid(what, format!("chmod 700 '{}'", path.display())));
    }
    Ok(())
}

/// Refuses a directory that another user owns or that others may look into; one that is not there is made later.
pub(crate) fn check_hidden(path: &Path) -> Result<()> {
    check(path)?;
    let hidden = std::fs::metadata(path).map_or(true, |meta| meta.mode() & 0o077 == 0);
    if hidden {
        return Ok(());
    }
    let what = format!("other users can read `{}`", path.display());
    Err(Error::invalid(what, format!("chmod 700 '{}'", path.display())))
}

/// Refuses a file that another user owns or that others may write to.
pub(crate) fn check_owned(path: &Path) -> Result<()> {
    let meta = std::fs::metadata(path).map_err(|error| failed(path, &error))?;
    own(path, &meta)?;
    if meta.mode() & 0o022 != 0 {
        let what = format!("other users can write to `{}`", path.display());
        return Err(Error::invalid(what, format!("chmod 600 '{}'", path.display())));
    }
    Ok(())
}

/// Refuses a file that another user owns or that others may read.
pub(crate) fn check_private(path: &Path) -> Result<()> {
    let meta = std::fs::metadata(path).map_err(|error| failed(path, &error))?;
    own(path, &meta)?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        let what = format!("other users can read `{}`", path.display());
        return Err(Error::invalid(what, format!("chmod 600 '{}'", path.display())));
    }
    Ok(())
}

/// Writes a new file, 0600 and durable; one that exists is left alone.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(path, &error)),
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::File::open(directory)?.sync_all())
        .map_err(|error| failed(path, &error))
}

fn own(path: &Path, meta: &std::fs::Metadata) -> Result<()> {
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        let what = format!("`{}` belongs to user {}, not to user {me}", path.display(), meta.uid());
        return Err(Error::invalid(what, "run the command as the vault's owner"));
    }
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid(
        format!("`{}`: {error}", path.display()),
        "check the path, and that you may write to its directory",
    )
}
