//! The vault itself: its parts, put together.
//!
//! - `session`: the vault as somebody sees it
//! - `handles`: the verbs of a session, grouped by their subject

pub(crate) mod handles;
pub(crate) mod session;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::changes::{Changes, Turns};
use crate::examine::Examinations;
use crate::gate::Gate;
use crate::gate::meter::Meter;
use crate::incident::Incidents;
use crate::leaked::Leaks;
use crate::leaked::tries::LeakTries;
use crate::limit::Limits;
use crate::limit::node::NodeBuckets;
use crate::logs::{LogKeys, Logs};
use crate::mode::Modes;
use crate::model::guardrails::Guardrails;
use crate::recorder::Recorder;
use crate::recorder::limit_refusals::LimitRefusals;
use crate::recorder::refusals::Refusals;
use crate::recorder::token_refusals::TokenRefusals;
use crate::records::Records;
use crate::retrieve::Retriever;
use crate::uses::{Counting, Usage};
use ibyok_audit::Log;
use std::sync::Mutex;

/// A vault for the API keys that programs use: the one way to a secret.
///
/// Cheap to clone; every clone is the same vault. Made by [`Vault::builder`]; it needs a tokio runtime with time enabled.
#[derive(Clone)]
pub struct Vault {
    pub(crate) inner: Arc<Inner>,
}

/// The parts of a vault, which every session shares.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) records: Arc<Records>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) modes: Arc<Modes>,
    pub(crate) retriever: Retriever,
    pub(crate) leaks: Leaks,
    pub(crate) logs: Arc<Logs>,
    pub(crate) counting: Arc<Counting>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) incidents: Incidents,
    pub(crate) examinations: Examinations,
}

impl Inner {
    /// Puts the parts together, each on those that it uses. `lines` is the number of lines that the log had before this process.
    pub(crate) fn compose(
        records: Arc<Records>,
        (log, lines, actor): (Log, u64, &str),
        guardrails: Guardrails,
    ) -> Self {
        let counting = Arc::new(Counting::default());
        let meter: Arc<dyn Meter> = Arc::clone(&counting) as _;
        let gate = Arc::new(Gate {
            records: Arc::clone(&records),
            meter: Arc::clone(&meter),
        });
        let limits = Arc::new(Limits {
            records: Arc::clone(&records),
            gate: Arc::clone(&gate),
            buckets: NodeBuckets::default(),
        });
        let recorder = Arc::new(Recorder {
            records: Arc::clone(&records),
            limits: Arc::clone(&limits),
            log,
            meter,
            refusals: Refusals::default(),
            limit_refusals: LimitRefusals::default(),
            token_refusals: TokenRefusals::default(),
            closed: AtomicBool::new(false),
            warnings: Mutex::default(),
        });
        let changes = Arc::new(Changes {
            records: Arc::clone(&records),
            gate: Arc::clone(&gate),
            recorder: Arc::clone(&recorder),
            turns: Turns::default(),
        });
        let modes = Arc::new(Modes {
            records: Arc::clone(&records),
            guardrails,
        });
        let retriever = Retriever {
            records: Arc::clone(&records),
            gate: Arc::clone(&gate),
            limits: Arc::clone(&limits),
            modes: Arc::clone(&modes),
            recorder: Arc::clone(&recorder),
        };
        let leaks = Leaks {
            records: Arc::clone(&records),
            gate: Arc::clone(&gate),
            modes: Arc::clone(&modes),
            changes: Arc::clone(&changes),
            leak_tries: LeakTries::default(),
        };
        let logs = Arc::new(Logs {
            records: Arc::clone(&records),
            recorder: Arc::clone(&recorder),
            log_keys: LogKeys::default(),
        });
        let usage = Usage::new((&records, &recorder, &logs), Arc::clone(&counting), (lines, actor));
        let incidents = Incidents {
            records: Arc::clone(&records),
            gate: Arc::clone(&gate),
            changes: Arc::clone(&changes),
        };
        let examinations = Examinations {
            records: Arc::clone(&records),
            recorder: Arc::clone(&recorder),
            logs: Arc::clone(&logs),
            turn: tokio::sync::Mutex::default(),
        };
        Inner {
            records,
            gate,
            limits,
            recorder,
            changes,
            modes,
            retriever,
            leaks,
            logs,
            counting,
            usage: Arc::new(usage),
            incidents,
            examinations,
        }
    }
}

/// Shows the vault's id, and none of its parts.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Vault {
    /// The vault's id: 22 base62 characters.
    #[must_use]
    pub fn id(&self) -> String {
        self.inner.records.vault.to_string()
    }
}
