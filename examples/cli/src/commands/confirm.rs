//! The question before something is destroyed.

use super::Cx;
use crate::error::{Error, Result};

/// Asks on a terminal, and needs `--yes` without one.
///
/// # Errors
/// [`Error::Usage`] without a terminal and `--yes`; [`Error::Failed`] if the answer is not yes.
pub(super) fn confirm(cx: &mut Cx<'_>, question: &str) -> Result<()> {
    if cx.globals.yes {
        return Ok(());
    }
    if !(cx.io.terminal.input && cx.io.terminal.error) {
        return Err(Error::usage(format!("{question} This needs a yes"), "give `--yes`"));
    }
    cx.io.prompt(&format!("{question} [y/N] "));
    match cx.io.line().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::failed("nothing was done", "answer `y` to go on")),
    }
}
