//! Finds file names for secrets that git would not ignore.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ignore::gitignore::GitignoreBuilder;

use crate::error::Error;
use crate::printable::printable;

/// The largest ignore file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Returns the names that the ignore file of a directory does not cover. Files of these names need not exist. Does not run git.
///
/// ```
/// let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join(".gitignore"), ".env*\n!.env.example\n")?;
/// let open = ibyok_scan::not_ignored(directory.path(), &[".env", ".env.local", "key.pem"])?;
/// assert_eq!(open, ["key.pem"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Root`] if the ignore file is there and cannot be read, or is larger than 1 MiB.
pub fn not_ignored(directory: &Path, names: &[&str]) -> Result<Vec<String>, Error> {
    let file = directory.join(".gitignore");
    let failed = |source| Error::Root {
        path: printable(file.as_os_str().as_encoded_bytes()),
        source,
    };
    let mut rules = GitignoreBuilder::new(directory);
    match std::fs::metadata(&file) {
        Ok(about) if about.is_file() && about.len() <= FILE_MAX => {
            let text = std::fs::read(&file).map_err(failed)?;
            for line in String::from_utf8_lossy(&text).lines() {
                // A rule that git does not understand covers nothing.
                drop(rules.add_line(None, line));
            }
        }
        Ok(_) => return Err(failed(std::io::Error::other("it is not a file of rules"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let rules = rules
        .build()
        .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
    let covered = |name: &&&str| !rules.matched_path_or_any_parents(Path::new(name), false).is_ignore();
    Ok(names.iter().filter(covered).map(|name| (*name).to_owned()).collect())
}

/// Adds lines to a `.gitignore`, and creates it if it does not exist.
///
/// # Errors
/// Those of opening, reading and writing the file.
pub fn add_ignored(path: &Path, lines: &[&str]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut there = String::new();
    file.read_to_string(&mut there)?;
    let mut text = String::new();
    if !there.is_empty() && !there.ends_with('\n') {
        text.push('\n');
    }
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Returns the top of the repository that a path is in, else the path.
#[must_use]
pub fn top_of(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let top = whole.ancestors().find(|above| above.join(".git").exists());
    top.map_or(whole.clone(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(rules: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".gitignore"), rules).unwrap();
        not_ignored(directory.path(), &[".env", ".env.local", "key.pem"]).unwrap()
    }

    #[test]
    fn rules_are_read_as_git_reads_them() {
        assert!(open(".env\n.env.*\n*.pem\n").is_empty());
        assert_eq!(open("*\n!.env\n"), [".env"], "the last rule that fits decides");
        assert_eq!(open("# .env\n/docs/.env.local\n[\n"), [".env", ".env.local", "key.pem"]);
    }

    #[test]
    fn without_an_ignore_file_git_takes_everything() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(not_ignored(directory.path(), &[".env"]).unwrap(), [".env"]);
    }
}
