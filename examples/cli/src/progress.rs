//! Progress of long work, on standard error of a terminal and nowhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::Cx;

/// Returns a sign that work continues, while its end is unknown.
pub(crate) fn spinner(cx: &Cx<'_>, what: &'static str) -> ProgressBar {
    if !cx.io.terminal.error || cx.io.quiet || cx.globals.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar with per cent for work of a known length.
pub(crate) fn bar(cx: &Cx<'_>, what: &'static str, length: u64) -> ProgressBar {
    let bar = spinner(cx, what);
    to_bar(&bar, length);
    bar
}

/// Makes a bar of a spinner, once the length of the work is known.
pub(crate) fn to_bar(bar: &ProgressBar, length: u64) {
    bar.set_length(length);
    let style = ProgressStyle::with_template("{msg} {bar:30} {percent:>3}% ({human_pos} of {human_len}), {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
}
