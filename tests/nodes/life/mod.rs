//! The life of a key on two nodes: what a step on one of them promises holds on the other as well.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ibyok_core::{AccessToken, Code, Error};
use tokio::task::JoinHandle;

use crate::shared::Shared;
use crate::site::{Node, Site, said};

/// A key may have leaked.
mod incidents;

/// Modes and secrets of tokens.
mod revoking;

/// The steps of a rotation.
mod rotation;

/// Reviews and attestations that people settle; and usage.
mod settled;

/// The longest time until an action on one node holds on the others.
const PROMISED: Duration = Duration::from_secs(1);

/// The longest time until the others know the counts of one node.
const TOLD: Duration = Duration::from_secs(3);

/// A new vault, on two nodes.
async fn two_nodes(shared: &Shared) -> (Site, Node, Node) {
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let there = site.open(&shared.url()).await.expect("a node");
    (site, here, there)
}

/// The result of a retrieval: the value, or the code of the error.
type Given = Result<String, Code>;

/// Somebody who retrieves a key in a row: when each retrieval began, and what it gave.
struct Load {
    enough: Arc<AtomicBool>,
    task: JoinHandle<Vec<(Instant, Given)>>,
}

impl Load {
    fn start(node: &Node, token: &AccessToken, reference: &str) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (node, token) = (node.clone(), AccessToken::from(token.expose()));
        let (reference, stop) = (reference.to_owned(), Arc::clone(&enough));
        let task = tokio::spawn(async move {
            let mut given = Vec::new();
            loop {
                // The last one begins when it was enough.
                let last = stop.load(Ordering::SeqCst);
                let begun = Instant::now();
                let outcome = node.get(&token, &reference).await;
                given.push((begun, outcome.map_err(|error| error.code())));
                if last {
                    return given;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Load { enough, task }
    }

    async fn stop(self) -> Vec<(Instant, Given)> {
        self.enough.store(true, Ordering::SeqCst);
        self.task.await.expect("a load")
    }
}

/// Takes something away while it is retrieved on both nodes, and compares each retrieval with the promise. A
/// retrieval that began before the change may give the old state. A retrieval gives the new state if it began after
/// the change returned on the first node, or a second later on the second.
async fn taken_away<T>(
    readers: [(&Node, &AccessToken); 2],
    reference: &str,
    [before, after]: [fn(&Given) -> bool; 2],
    change: impl Future<Output = Result<T, Error>>,
) -> T {
    let loads = readers.map(|(node, token)| Load::start(node, token, reference));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = Instant::now();
    let done = change.await.unwrap_or_else(|error| panic!("{}", said(&error)));
    let returned = Instant::now();
    tokio::time::sleep(PROMISED).await;
    let promises = [("here", Duration::ZERO), ("there", PROMISED)];
    for (load, (which, promised)) in loads.into_iter().zip(promises) {
        let given = load.stop().await;
        assert!(before(&given[0].1), "{which}, at first: {:?}", given[0].1);
        for (begun, given) in &given {
            assert!(
                before(given) != after(given),
                "{which}: neither what there was nor what is there now: {given:?}"
            );
            assert!(
                *begun > asked || before(given),
                "{which}: {given:?} before it was asked"
            );
            assert!(
                *begun < returned + promised || after(given),
                "{which}: {given:?} {:?} after it returned",
                *begun - returned
            );
        }
    }
    done
}

/// Asks until it is so.
///
/// # Panics
/// If it is not within `patience`.
async fn soon<T, F: Future<Output = Option<T>>>(what: &str, patience: Duration, mut look: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
