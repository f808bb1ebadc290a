//! Files whose findings are excused as a whole: `.ibyokignore` at the top of a tree, one file that a reviewer sees.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::Error;
use crate::printable::printable;

/// The file, read at the top and nowhere else, so that no directory below can add excuses.
const FILE: &str = ".ibyokignore";

/// The largest number of bytes read of the file.
const FILE_MAX: u64 = 64 * 1024;

/// Paths that no rule but `*` is about.
const ANYTHING: [&str; 2] = ["zq7x9", "zq7x9/k3v8.w1j6"];

/// Files whose findings are excused. A key of a vault is a finding there too.
#[derive(Clone, Debug)]
pub struct ExcusedFiles {
    top: PathBuf,
    rules: Gitignore,
}

impl ExcusedFiles {
    /// Reads `.ibyokignore` at the top of the repository that a path is in, else in the path itself; `None` if there is none there.
    ///
    /// It holds git's patterns, and above each block of them a comment with the reason:
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// std::fs::write(directory.path().join(".ibyokignore"), "# RFC 8032's published vectors\nvectors/*.json\n")?;
    /// let excused = ibyok_scan::ExcusedFiles::near(directory.path())?;
    /// assert!(excused.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Excuses`] if it cannot be read, or a pattern is none, has no reason, or excuses everything.
    pub fn near(path: &Path) -> Result<Option<Self>, Error> {
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let of_repository = whole.ancestors().find(|above| above.join(".git").exists());
        let top = of_repository.unwrap_or(if whole.is_dir() {
            &whole
        } else {
            whole.parent().unwrap_or(&whole)
        });
        let file = top.join(FILE);
        let failed = |why: String| Error::Excuses {
            path: printable(file.as_os_str().as_encoded_bytes()),
            why,
        };
        let opened = match crate::tree::open(&file, false) {
            Ok(Some(opened)) => opened,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Ok(None) => return Err(failed("it is not a regular file".to_owned())),
            Err(error) => return Err(failed(error.to_string())),
        };
        let mut text = String::new();
        let read = opened.take(FILE_MAX + 1).read_to_string(&mut text);
        match read {
            Ok(length) if u64::try_from(length).is_ok_and(|length| length <= FILE_MAX) => {}
            Ok(_) => return Err(failed(format!("it is longer than {FILE_MAX} bytes"))),
            Err(error) => return Err(failed(error.to_string())),
        }
        let rules = rules(&text).map_err(failed)?;
        Ok(Some(ExcusedFiles {
            top: top.to_owned(),
            rules,
        }))
    }

    /// Returns the path of a scanned root below the top.
    pub(crate) fn below_top(&self, root: &Path) -> Option<PathBuf> {
        root.canonicalize()
            .ok()?
            .strip_prefix(&self.top)
            .ok()
            .map(Path::to_owned)
    }

    /// Returns true if a path below the top is excused.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        plain && self.rules.matched_path_or_any_parents(path, false).is_ignore()
    }
}

fn rules(text: &str) -> Result<Gitignore, String> {
    // Paths are given relative to the top, wherever that is.
    let mut rules = GitignoreBuilder::new("");
    let mut reason = false;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            reason = false;
        } else if let Some(comment) = trimmed.strip_prefix('#') {
            reason |= comment.chars().filter(|c| c.is_alphanumeric()).count() >= 3;
        } else if !reason {
            return Err(format!("line {} has no reason: write a comment above it", number + 1));
        } else {
            let added = rules.add_line(None, line);
            added.map_err(|error| format!("line {}: {error}", number + 1))?;
        }
    }
    let rules = rules.build().map_err(|error| error.to_string())?;
    let any = |path: &&str| rules.matched_path_or_any_parents(Path::new(path), false).is_ignore();
    if ANYTHING.iter().any(any) {
        return Err("it excuses every file: give files or directories".to_owned());
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_of_patterns_needs_a_reason_and_none_may_be_everything() {
        assert!(rules("# published vectors\nvectors/*.json\nother/\n\n# docs' examples\n/docs/x.md\n").is_ok());
        assert!(
            rules("# published\n\nvectors/\n")
                .unwrap_err()
                .contains("line 3 has no reason")
        );
        assert!(rules("#\nvectors/\n").is_err());
        for all in ["*", "/*", "**", "**/*", "/**", "*.*"] {
            assert!(rules(&format!("# because\n{all}\n")).is_err(), "{all}");
        }
        assert!(rules("").is_ok());
    }
}
