//! Another request's reply: a damaged connection or a driver that lost count never yields another key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ibyok_core::{AccessToken, Code};
use ibyok_tests::Dice;

use crate::proxy::{Fault, Proxy};
use crate::shared::Shared;
use crate::site::{Node, Site, said};

crate::on!(postgres redis, another_requests_reply_is_never_another_key);

const KEYS: u64 = 16;
const LANES: u64 = 64;
/// The number of times that replies are mixed up. Each time follows right answers, however slow the machine is.
const FAULTS: u32 = 4;
const RIGHT_BEFORE_A_FAULT: u32 = 40;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Counts {
    right: AtomicU32,
    refused: AtomicU32,
    dropped: AtomicU32,
    /// The lanes end after the request that they are at.
    over: AtomicBool,
}

impl Counts {
    /// Waits until `counter` has grown by `more`.
    async fn grown(&self, counter: &AtomicU32, more: u32) {
        let (begun, enough) = (Instant::now(), counter.load(Ordering::Relaxed) + more);
        while counter.load(Ordering::Relaxed) < enough {
            assert!(begun.elapsed() < PATIENCE, "the lanes stand still");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn another_requests_reply_is_never_another_key(shared: Shared) {
    let (site, proxy) = (Site::new(), Proxy::start(shared.port()));
    let direct = site.create(&shared.url()).await;
    for number in 0..KEYS {
        direct.set(&reference(number), &value(number)).await.expect("a key");
    }
    let token = direct.token("reader", "prod").await;
    let node = site
        .open_without_cache(&shared.url_at(proxy.port()))
        .await
        .expect("a node");
    let counts = Arc::new(Counts::default());
    let mut dice = Dice::of_this_run(shared.name());
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let dice = Dice::seeded(dice.below(u64::MAX));
            tokio::spawn(lane(node.clone(), token.expose().to_owned(), dice, Arc::clone(&counts)))
        })
        .collect();
    for _ in 0..FAULTS {
        counts.grown(&counts.right, RIGHT_BEFORE_A_FAULT).await;
        proxy.set(Fault::Stale);
        counts.grown(&counts.refused, 1).await;
        proxy.set(Fault::Pass);
    }
    counts.over.store(true, Ordering::Relaxed);
    for lane in lanes {
        lane.await.expect("a lane");
    }
    node.serves_again(&token, &reference(0), Duration::from_secs(4)).await;
    let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
    println!(
        "{}: {} right, {} refused, {} dropped, 0 wrong",
        shared.name(),
        count(&counts.right),
        count(&counts.refused),
        count(&counts.dropped)
    );
    assert!(
        node.allowed().await > count(&counts.right) as usize,
        "a release without a line"
    );
    assert!(count(&counts.dropped) > 0);
}

fn reference(number: u64) -> String {
    format!("prod/key-{number}")
}

fn value(number: u64) -> String {
    format!("the value of {number}")
}

/// Asks for one key after the other, and gives up on one in ten.
async fn lane(node: Node, token: String, mut dice: Dice, counts: Arc<Counts>) {
    let token = AccessToken::from(token.as_str());
    while !counts.over.load(Ordering::Relaxed) {
        let number = dice.below(KEYS);
        let reference = reference(number);
        let asking = node.get(&token, &reference);
        let patience = match dice.below(10) {
            0 => Duration::from_micros(dice.below(5000)),
            _ => Duration::from_secs(20),
        };
        let counter = match tokio::time::timeout(patience, asking).await {
            Err(_) => &counts.dropped,
            Ok(Ok(got)) => {
                assert_eq!(got, value(number), "a wrong value");
                &counts.right
            }
            Ok(Err(error)) => {
                let expected = matches!(error.code(), Code::Integrity | Code::Unavailable | Code::Kek);
                assert!(expected, "{}: {}", error.code(), said(&error));
                &counts.refused
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
