//! Several nodes on one store: a change on one holds on the others, also through failures of the store, the network
//! or the KMS. This list is the table of contents.

use ibyok_tests::Programs;

const PROGRAMS: Programs = Programs {
    ibyok: env!("CARGO_BIN_EXE_ibyok-under-test"),
    server: env!("CARGO_BIN_EXE_server-under-test"),
};

#[path = "../../crates/ibyok-crypto/tests/kms_stub/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it serves other tests as well")]
mod kms_stub;
#[path = "../../crates/ibyok-storage/tests/proxy/mod.rs"]
mod proxy;
#[path = "../../crates/ibyok-storage/tests/servers/mod.rs"]
mod servers;

/// The servers that stores are on.
mod shared;

/// Nodes on a store, and the calls to them.
mod site;

/// A machine on which real programs run.
mod machine;

/// Makes one test of each store out of a function that takes a [`shared::Shared`].
macro_rules! on {
    ($($store:ident)+, $($promise:ident)+) => { $crate::on!(@ ($($store)+) ($($promise)+)); };
    (@ ($($store:ident)+) $promises:tt) => { $($crate::on!(@@ $store $promises);)+ };
    (@@ $store:ident ($($promise:ident)+)) => {
        mod $store {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                super::$promise($crate::shared::Shared::$store()).await;
            })+
        }
    };
}
use on;

/// A right that is taken away on one node is gone on the others within a second.
mod agreement;

/// A store that says nothing any more.
mod silence;

/// Replies that belong to other requests.
mod mixed_up;

/// The counts of all nodes add up.
mod usage;

/// Many writers of one key.
mod writers;

/// Backups, restores and moves under load.
mod moves;

/// New KEKs, generations of environment keys and token keys.
mod generations;

/// AWS KMS as the KEK.
mod kms;

/// An IAM policy in front of the stub of KMS.
mod gate;

/// A store that is away, does not write, or forgot.
mod outage;

/// A primary that is lost, and a replica that lagged behind it.
mod failover;

/// The years of a vault: moves, KEKs, a lost machine and a restore.
mod drill;

/// The commands of the operators' page.
mod runbook;

/// Starting together, and stores that are another vault's.
mod start;

/// The same of the real servers.
mod over_http;

/// Logs that were taken away.
mod missing_logs;

/// Answers that are lost on their way.
mod lost_answers;

/// Limits over several nodes.
mod limits;

/// The life of a key, and the steps when one leaks, on two nodes.
mod life;
