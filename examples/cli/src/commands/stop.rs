//! The signals that end a long-running command.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at Ctrl-C, or at SIGTERM: the caller then closes the vault as it should be.
pub(super) async fn stopped() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
