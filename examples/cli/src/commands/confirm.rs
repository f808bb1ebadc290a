//! The question before something is destroyed.

use super::Cx;
use crate::error::{Error, Result};

/// Asks on a terminal, and needs `--yes` without one.
///
/// # Errors
/// [`Error::Usage`] without a terminal and `--yes`; [`Error::Failed`] if the answer is not yes.
pub(super) fn confirm(cx: &mut Cx<'_>, act: &str, consequence: &str) -> Result<()> {
    if cx.globals.yes {
        return Ok(());
    }
    if !(cx.io.terminal.input && cx.io.terminal.error) {
        return Err(Error::usage(
            format!("cannot ask for confirmation without a terminal: {act}"),
            format!("{consequence}; add `--yes` to confirm"),
        ));
    }
    cx.io.prompt(&format!("{act}: {consequence}. Continue? [y/N] "));
    match cx.io.line().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::failed("stopped: nothing was changed", "answer `y` to continue")),
    }
}
