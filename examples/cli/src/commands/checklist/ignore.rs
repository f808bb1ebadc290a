//! Files that must never be committed, and the lines of `.gitignore` that keep them out.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ibyok_operations::checklist::{NEVER_COMMITTED, lines_for};

use crate::commands::Cx;
use crate::error::{Error, Result};
use crate::words::counted;

/// The files of [`NEVER_COMMITTED`] that git would take.
pub(super) fn missing(root: &Path) -> Result<Vec<String>> {
    let names = NEVER_COMMITTED.map(|(name, _)| name);
    Ok(ibyok_scan::not_ignored(&top_of(root), &names)?)
}

/// Adds the lines that are missing to the repository's `.gitignore`, once they were shown.
///
/// # Errors
/// [`Error::Usage`] for a `.gitignore` that is no plain file; [`Error::Failed`] where it cannot be read or written.
pub(super) fn fix(root: &Path, cx: &mut Cx<'_>) -> Result<()> {
    let open = missing(root)?;
    let lines = lines_for(&open);
    if lines.is_empty() {
        return Ok(());
    }
    let path = top_of(root).join(".gitignore");
    let shown = crate::show::clean(&path.display().to_string());
    cx.io.say(&format!("adding these lines to `{shown}`:"));
    for line in &lines {
        cx.io.say(&format!("  {line}"));
    }
    // Through a link the lines would go into a file that the repository does not have.
    if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
        return Err(Error::usage(
            format!("`{shown}` is not a regular file; it stays unchanged"),
            "add the lines to `.gitignore` yourself",
        ));
    }
    append(&path, &lines).map_err(|error| Error::writing(&path, &error))?;
    cx.io
        .say(&format!("added {} to `{shown}`", counted(lines.len(), "line")));
    Ok(())
}

fn append(path: &Path, lines: &[&str]) -> std::io::Result<()> {
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

/// The top of the repository that a path is in, else the path.
fn top_of(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let top = whole.ancestors().find(|above| above.join(".git").exists());
    top.map_or(whole.clone(), Path::to_owned)
}
