//! A right that is taken away on one node is gone there at once and on the others within a second. A new version of
//! a key takes effect as fast.
//!
//! `IBYOK_TRIALS` says how many changes are tried on each store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_core::{AccessToken, Code, Result};
use ibyok_tests::Dice;
use tokio::sync::Notify;

use crate::shared::Shared;
use crate::site::{Node, Site, key, said};

crate::on!(file postgres redis,
    a_change_holds_at_once_here_and_within_a_second_elsewhere
    under_load_nothing_is_released_after_a_revocation
);

/// The greatest age of a node's last look at the change feed.
const LEASE: Duration = Duration::from_millis(700);
const PROMISED: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Revoke,
    Disable,
    Set,
}

/// One change, as the nodes see it.
#[derive(Clone)]
struct Trial {
    change: Change,
    token: AccessTokenText,
    before: String,
    after: String,
}

type AccessTokenText = String;

impl Trial {
    /// Returns true if a node has seen the change. Any answer but the two right ones is a failure.
    async fn seen(&self, node: &Node) -> bool {
        let token = AccessToken::from(self.token.as_str());
        let outcome = node.get(&token, "prod/key").await;
        self.is_after(&outcome)
    }

    fn is_after(&self, outcome: &Result<String>) -> bool {
        match (outcome, self.change) {
            (Ok(value), Change::Set) if *value == self.after => true,
            (Ok(value), _) if *value == self.before => false,
            (Err(error), Change::Revoke) if error.code() == Code::Unauthenticated => true,
            (Err(error), Change::Disable) if error.code() == Code::KeyDisabled => true,
            (Ok(value), _) => panic!("{:?}: a wrong value: {value}", self.change),
            (Err(error), _) => panic!("{:?}: {}", self.change, said(error)),
        }
    }

    /// Asks after each pause until the node has seen the change, and gives when it last had not.
    async fn watch(self, node: Node, first: Duration) -> Option<Instant> {
        let mut last = None;
        tokio::time::sleep(first).await;
        while !self.seen(&node).await {
            last = Some(Instant::now());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        last
    }
}

async fn a_change_holds_at_once_here_and_within_a_second_elsewhere(shared: Shared) {
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let (busy, idle) = (
        site.open(&shared.url()).await.expect("a node"),
        site.open(&shared.url()).await.expect("a node"),
    );
    let mut dice = Dice::of_this_run(shared.name());
    let mut worst = [Duration::ZERO; 2];
    let mut value = "value-0".to_owned();
    here.set("prod/key", &value).await.expect("a key");
    let trials = trials();
    for number in 1..=trials {
        let trial = prepare(&here, number, &value).await;
        // Once the idle node has looked, the rest of its lease runs from then.
        until_before(&trial, &busy).await;
        until_before(&trial, &idle).await;
        let busy = tokio::spawn(trial.clone().watch(busy.clone(), Duration::ZERO));
        let rest = Duration::from_millis(dice.below(LEASE.as_millis() as u64));
        let idle = tokio::spawn(trial.clone().watch(idle.clone(), rest));
        let phase = if number % 2 == 0 { dice.below(350) } else { 0 };
        tokio::time::sleep(Duration::from_millis(phase)).await;
        let done = apply(&here, &trial, number).await;
        assert!(trial.seen(&here).await, "{:?}: not at once", trial.change);
        for (worst, watch) in worst.iter_mut().zip([busy, idle]) {
            if let Some(last) = watch.await.expect("a watch") {
                *worst = (*worst).max(last.saturating_duration_since(done));
            }
        }
        if trial.change == Change::Set {
            value = trial.after;
        }
        here.operator().keys().enable(&key("prod/key")).await.expect("enabled");
    }
    println!(
        "{}: {trials} changes; worst delay {:?} on a busy node, {:?} on an idle one",
        shared.name(),
        worst[0],
        worst[1]
    );
    assert!(worst.iter().all(|worst| *worst < PROMISED), "{worst:?}");
}

/// Retrieves until it is refused. Returns the beginnings of the retrievals that were released, and the time of the
/// refusal.
async fn released(node: Node, token: AccessToken, load: Arc<Notify>) -> (Vec<Instant>, Instant) {
    let mut released = Vec::new();
    loop {
        let begun = Instant::now();
        match node.get(&token, "prod/key").await {
            Ok(_) => {
                released.push(begun);
                load.notify_one();
            }
            Err(error) => {
                assert_eq!(error.code(), Code::Unauthenticated, "{}", said(&error));
                return (released, Instant::now());
            }
        }
    }
}

async fn under_load_nothing_is_released_after_a_revocation(shared: Shared) {
    const LANES: usize = 16;
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let there = site.open(&shared.url()).await.expect("a node");
    here.set("prod/key", "the value").await.expect("a key");
    for round in 0..4 {
        let name = format!("token-{round}");
        let token = here.token(&name, "prod").await;
        let (load_here, load_there) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let lanes = |node: &Node, load: &Arc<Notify>| -> Vec<_> {
            let lane = |_| {
                tokio::spawn(released(
                    node.clone(),
                    AccessToken::from(token.expose()),
                    Arc::clone(load),
                ))
            };
            (0..LANES).map(lane).collect()
        };
        let loads = [
            (lanes(&here, &load_here), Duration::ZERO),
            (lanes(&there, &load_there), PROMISED),
        ];
        // However slow the machine is: both nodes release before the revocation.
        load_here.notified().await;
        load_there.notified().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let asked = Instant::now();
        here.revoke(&name).await.expect("revoked");
        let revoked = Instant::now();
        for (lanes, promised) in loads {
            let mut count = 0;
            for lane in lanes {
                let (released, refused) = lane.await.expect("a lane");
                assert!(refused > asked, "refused before it was revoked");
                count += released.len();
                let late = released.iter().filter(|begun| **begun > revoked + promised).count();
                assert_eq!(late, 0, "released later than {promised:?} after the revocation");
            }
            assert!(count > 0, "no load");
        }
    }
}

fn trials() -> u64 {
    let given = std::env::var("IBYOK_TRIALS").ok();
    given.map_or(30, |given| given.parse().expect("IBYOK_TRIALS is a number"))
}

async fn prepare(here: &Node, number: u64, value: &str) -> Trial {
    let token = here.token(&format!("token-{number}"), "prod").await;
    let changes = [Change::Revoke, Change::Disable, Change::Set];
    Trial {
        change: changes[number as usize % changes.len()],
        token: token.expose().to_owned(),
        before: value.to_owned(),
        after: format!("value-{number}"),
    }
}

/// A node may not have seen yet that the key is enabled again.
async fn until_before(trial: &Trial, node: &Node) {
    let token = AccessToken::from(trial.token.as_str());
    let begun = Instant::now();
    while !matches!(node.get(&token, "prod/key").await, Ok(value) if value == trial.before) {
        assert!(begun.elapsed() < PROMISED, "what was given back is not there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn apply(here: &Node, trial: &Trial, number: u64) -> Instant {
    let done = match trial.change {
        Change::Revoke => here.revoke(&format!("token-{number}")).await,
        Change::Disable => here.operator().keys().disable(&key("prod/key")).await.map(|_| ()),
        Change::Set => here.set("prod/key", &trial.after).await.map(|_| ()),
    };
    let at = Instant::now();
    done.unwrap_or_else(|error| panic!("{:?}: {}", trial.change, said(&error)));
    at
}
