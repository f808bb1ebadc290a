//! Shows the progress of a scan on a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ibyok_scan::Progress;
use indicatif::{HumanBytes, ProgressBar};

use crate::commands::Cx;
use crate::progress::{spinner, to_bar};
use ibyok_core::audit::words::counted;

/// The interval at which progress is shown.
const EVERY: Duration = Duration::from_millis(100);

/// A thread that shows the progress of a scan until it is stopped.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Shows how far a scan is on standard error, if that is a terminal and may be written to.
pub(super) fn watch(cx: &Cx<'_>, progress: &Arc<Progress>) -> Watch {
    let over = Arc::new(AtomicBool::new(false));
    let shown = cx.io.terminal.error && !cx.io.quiet;
    let thread = shown.then(|| {
        let (over, progress, bar) = (Arc::clone(&over), Arc::clone(progress), spinner(cx, "scanning"));
        std::thread::spawn(move || show(&over, &progress, &bar))
    });
    Watch { over, thread }
}

fn show(over: &AtomicBool, progress: &Progress, bar: &ProgressBar) {
    let mut is_bar = false;
    while !over.load(Ordering::Relaxed) {
        let (files, expected, bytes) = (progress.files(), progress.expected(), HumanBytes(progress.bytes()));
        if expected > 0 {
            if !is_bar {
                to_bar(bar, expected);
                is_bar = true;
            }
            bar.set_position(files);
            bar.set_message(format!("scanning {bytes}"));
        } else {
            bar.set_message(format!("scanning: {}, {bytes}", counted(files, "text")));
        }
        std::thread::park_timeout(EVERY);
    }
    bar.finish_and_clear();
}

impl Watch {
    pub(super) fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread {
            thread.thread().unpark();
            // It only draws: nothing is lost if it could not.
            thread.join().unwrap_or_default();
        }
    }
}
