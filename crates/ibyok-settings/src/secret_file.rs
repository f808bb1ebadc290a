//! Small files that hold a secret.

use std::io::Read as _;
use std::path::Path;

use ibyok_core::{Error, Result};
use zeroize::Zeroizing;

use crate::directory;

/// The largest file that is read, in bytes.
const MAX: u64 = 64 * 1024;

/// Reads the text of a file that only its owner may read, without white space around it. `setting` names the setting that names the file.
pub(crate) fn read(path: &Path, setting: &str) -> Result<Zeroizing<String>> {
    let unreadable = |error: std::io::Error| {
        Error::invalid(
            format!("cannot read `{}`, the file in `{setting}`: {error}", path.display()),
            "check the path, and that you may read the file",
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    directory::check_private(path)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX).read_to_string(&mut text).map_err(unreadable)?;
    let trimmed = Zeroizing::new(text.trim().to_owned());
    if trimmed.is_empty() {
        let what = format!("`{}`, the file in `{setting}`, is empty", path.display());
        return Err(Error::invalid(what, "write the secret to the file, on one line"));
    }
    Ok(trimmed)
}
