//! Files that must never be committed, and the lines of `.gitignore` that keep them out.

use std::path::Path;

use ibyok_operations::checklist::lines_for;
use ibyok_operations::scan::missing;
use ibyok_scan::{add_ignored, top_of};

use crate::commands::Cx;
use crate::error::{Error, Result};
use ibyok_core::audit::words::counted;

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
    add_ignored(&path, &lines).map_err(|error| Error::writing(&path, &error))?;
    cx.io
        .say(&format!("added {} to `{shown}`", counted(lines.len(), "line")));
    Ok(())
}
