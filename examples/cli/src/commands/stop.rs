//! The signals that end a long-running command.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for Ctrl-C or SIGTERM, so that a command can end as it should.
///
/// From [`StopSignals::listen`] on, these signals no longer end the process by themselves.
pub(super) struct StopSignals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl StopSignals {
    /// Begins to listen. A command listens before it creates anything that it must not leave behind.
    pub(super) fn listen() -> Self {
        StopSignals {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// Resolves when one of the signals has come since [`StopSignals::listen`].
    pub(super) async fn received(&mut self) {
        tokio::select! {
            () = next(&mut self.interrupt) => {}
            () = next(&mut self.terminate) => {}
        }
    }
}

/// Waits for ever where the signal cannot be listened for.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
