//! A store that says nothing any more, with its connections open: a node stops releasing when its lease is over, says so, and is back
//! by itself.

use std::time::{Duration, Instant};

use ibyok_core::{AccessToken, Result};

use crate::proxy::{Fault, Proxy};
use crate::shared::Shared;
use crate::site::{Node, Site, code, key, said, unavailable};

crate::on!(postgres redis, a_node_cut_off_in_silence_releases_nothing_after_its_lease a_frozen_store_stops_all_nodes_and_all_come_back);

/// From the last look at the store to the last release.
const PROMISED: Duration = Duration::from_secs(1);

/// The longest time until a node serves again after its store does.
const BACK: Duration = Duration::from_secs(2);

/// The longest time for a refusal: the store's deadline, twice for an answer that needs two looks, and a little.
const ANSWERED: Duration = Duration::from_millis(4500);

/// One retrieval.
struct Asked {
    ended: Instant,
    took: Duration,
    outcome: Result<String>,
}

/// Retrievals in a row, some at a time, for as long as is given.
async fn load(node: &Node, token: &str, lasting: Duration) -> Vec<Asked> {
    let begun = Instant::now();
    let lanes = (0..4).map(|_| {
        let (node, token) = (node.clone(), AccessToken::from(token));
        tokio::spawn(async move {
            let mut asked = Vec::new();
            while begun.elapsed() < lasting {
                let asking = Instant::now();
                let outcome = node.get(&token, "prod/key").await;
                asked.push(Asked {
                    ended: Instant::now(),
                    took: asking.elapsed(),
                    outcome,
                });
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            asked
        })
    });
    let mut all = Vec::new();
    for lane in lanes.collect::<Vec<_>>() {
        all.extend(lane.await.expect("a lane"));
    }
    all
}

/// Nothing was released later than promised after `from`, and every refusal named the store, in time.
fn judge(asked: &[Asked], from: Instant) -> Duration {
    let mut last = Duration::ZERO;
    for one in asked {
        match &one.outcome {
            Ok(value) => {
                assert_eq!(value, "the value");
                last = last.max(one.ended.saturating_duration_since(from));
            }
            Err(error) => {
                let said = said(error);
                assert!(error.retry_after().is_some() && said.contains("store"), "{said}");
            }
        }
        assert!(one.took < ANSWERED, "an answer after {:?}", one.took);
    }
    assert!(last < PROMISED, "a release {last:?} after the silence began");
    assert!(asked.iter().any(|one| one.outcome.is_err()));
    last
}

/// Waits until all say that they are ready, and gives how long that took.
async fn all_ready(nodes: &[&Node]) -> Duration {
    let begun = Instant::now();
    for node in nodes {
        loop {
            let ready = node.vault.ready().await;
            if ready.is_ready() {
                break;
            }
            assert!(begun.elapsed() < BACK, "{ready:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    begun.elapsed()
}

async fn a_node_cut_off_in_silence_releases_nothing_after_its_lease(shared: Shared) {
    let (site, proxy) = (Site::new(), Proxy::start(shared.port()));
    let here = site.create(&shared.url()).await;
    let cut_off = site.open(&shared.url_at(proxy.port())).await.expect("a node");
    here.set("prod/key", "the value").await.expect("a key");
    let (revoked, kept) = (here.token("revoked", "prod").await, here.token("kept", "prod").await);
    assert_eq!(cut_off.get(&revoked, "prod/key").await.expect("a value"), "the value");

    proxy.set(Fault::Hang(0));
    let silent = Instant::now();
    here.revoke("revoked").await.expect("revoked");
    let asked = load(&cut_off, revoked.expose(), Duration::from_secs(3)).await;
    let last = judge(&asked, silent);
    let ready = cut_off.vault.ready().await;
    assert!(ready.lease.is_some() && ready.store.is_some(), "{ready:?}");
    // The others go on.
    assert_eq!(here.get(&kept, "prod/key").await.expect("a value"), "the value");

    proxy.set(Fault::Pass);
    let back = cut_off.serves_again(&kept, "prod/key", BACK).await;
    let after = cut_off.get(&revoked, "prod/key").await;
    assert_eq!(code(&after), Some(ibyok_core::Code::Unauthenticated));
    all_ready(&[&cut_off]).await;
    println!(
        "{}: last release {last:?} into the silence, back after {back:?}",
        shared.name()
    );
}

async fn a_frozen_store_stops_all_nodes_and_all_come_back(shared: Shared) {
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let there = site.open(&shared.url()).await.expect("a node");
    here.set("prod/key", "the value").await.expect("a key");
    let token = here.token("reader", "prod").await;
    for node in [&here, &there] {
        node.get(&token, "prod/key").await.expect("a value");
    }

    shared.freeze();
    let frozen = Instant::now();
    let lasting = Duration::from_millis(2500);
    let (one, other) = tokio::join!(
        load(&here, token.expose(), lasting),
        load(&there, token.expose(), lasting)
    );
    judge(&one, frozen);
    judge(&other, frozen);
    let written = here.operator().keys().disable(&key("prod/key")).await;
    unavailable(written);

    shared.thaw();
    // The write that nobody knows the end of may have been done: what holds then, holds on both.
    let back = all_ready(&[&here, &there]).await;
    println!("{}: back {back:?} after it was frozen", shared.name());
    tokio::time::sleep(PROMISED).await;
    let (one, other) = (here.get(&token, "prod/key").await, there.get(&token, "prod/key").await);
    assert_eq!(code(&one), code(&other));
    here.operator().keys().enable(&key("prod/key")).await.expect("enabled");
    there.serves_again(&token, "prod/key", PROMISED).await;
}
