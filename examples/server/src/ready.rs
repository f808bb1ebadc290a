//! Checks that the vault can serve. Asks its parts at most once a second, however many clients ask.

use std::time::Duration;

use ibyok_core::{Vault, status::Ready};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The time for which an answer is given again.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer, and the time at which it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Ready)>>);

impl Readiness {
    /// Returns the answer of the last second, or a new one. A caller that comes while the parts are asked waits for
    /// that one answer: any client may ask, and must not keep the store busy.
    pub(crate) async fn of(&self, vault: &Vault) -> Ready {
        let mut last = self.0.lock().await;
        if let Some((at, ready)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            // Parts that need no request are reported in their present state.
            return vault.ready_given(ready);
        }
        let asked = Instant::now();
        let ready = vault.ready().await;
        *last = Some((asked, ready.clone()));
        ready
    }
}
