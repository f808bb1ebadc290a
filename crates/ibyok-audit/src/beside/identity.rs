//! The id and the public key of the log in a slot.

use std::io::{self, Read as _};
use std::path::Path;

use crate::error::Error;
use crate::key::VerifyingKey;

/// The largest file that can hold an id, in bytes: an id is 22 characters and a newline.
const ID_MAX: u64 = 64;

/// The file of the public key.
pub(crate) const PUBLIC_KEY: &str = "log.pub";

/// The id that a slot gives its log: a small plain file in a directory.
pub(crate) fn log_id(directory: &Path) -> Option<String> {
    let path = directory.join("id");
    let is_directory = std::fs::symlink_metadata(directory).is_ok_and(|meta| meta.is_dir());
    let is_file = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
    if !is_directory || !is_file {
        return None;
    }
    let mut text = String::new();
    let file = std::fs::File::open(&path).ok()?;
    file.take(ID_MAX).read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned())
}

/// Returns true if a text has the form of a log's id: 22 base62 characters.
pub(crate) fn is_log_id(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The public key next to a log; `None` if there is none yet.
pub(crate) fn public_key(directory: &Path) -> Result<Option<VerifyingKey>, Error> {
    let path = directory.join(PUBLIC_KEY);
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim_end().parse().map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}
