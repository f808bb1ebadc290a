//! The KEKs that a node holds, and where it gets new ones while it runs.

use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use ibyok_crypto::Keyring;
use tokio::sync::Mutex;

use crate::base::clock::{Clock, SteadyClock};

/// The least time between two questions to the source.
const PAUSE: Duration = Duration::from_millis(50);

/// Gives a vault its KEKs again while it runs.
///
/// The vault asks when it meets an environment key that none of its KEKs opens, and before it makes an environment, at most 20 times a
/// second. So a running program follows a change of the KEK without a restart.
#[async_trait]
pub trait KekSource: Debug + Send + Sync {
    /// Returns the KEKs that the vault should hold from now on; `None` if they are the ones that it holds, or if the source
    /// cannot say.
    async fn keyring(&self) -> Option<Keyring>;
}

/// The KEKs of a node.
#[derive(Debug)]
pub(crate) struct HeldKeks {
    ring: RwLock<Arc<Keyring>>,
    source: Option<Arc<dyn KekSource>>,
    /// The time of the last question to the source. Held while the source is asked, so that there is one question at a time.
    asked: Mutex<Option<Duration>>,
}

impl HeldKeks {
    pub(crate) fn new(ring: Keyring, source: Option<Arc<dyn KekSource>>) -> Self {
        HeldKeks {
            ring: RwLock::new(Arc::new(ring)),
            source,
            asked: Mutex::default(),
        }
    }

    pub(crate) fn ring(&self) -> Arc<Keyring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the source. Returns true if the node holds other KEKs than `known` afterwards.
    pub(crate) async fn renew(&self, known: &Arc<Keyring>, clock: &SteadyClock) -> bool {
        let Some(source) = &self.source else { return false };
        let came = clock.elapsed();
        let mut asked = self.asked.lock().await;
        let is_other = !Arc::ptr_eq(known, &self.ring());
        // Another caller asked while this one waited.
        if is_other || asked.is_some_and(|asked| asked >= came) {
            return is_other;
        }
        if let Some(asked) = *asked {
            tokio::time::sleep(PAUSE.saturating_sub(clock.elapsed().saturating_sub(asked))).await;
        }
        *asked = Some(clock.elapsed());
        let Some(ring) = source.keyring().await else {
            return false;
        };
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        tracing::info!("the KEKs in the settings changed; this node uses them from now on");
        true
    }
}
