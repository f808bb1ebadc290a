//! The counts of all nodes add up on every store, and outlast the nodes.

use std::time::Duration;

use ibyok_core::{
    Code,
    usage::{UsageBy, UsageRequest},
};

use crate::shared::Shared;
use crate::site::{Site, code};

crate::on!(file postgres redis,
    what_nodes_counted_adds_up_within_seconds_and_survives_them
);

const READS: [u64; 3] = [5, 7, 11];

async fn what_nodes_counted_adds_up_within_seconds_and_survives_them(shared: Shared) {
    let site = Site::new();
    let first = site.create(&shared.url()).await;
    first.set("prod/key", "value").await.expect("a key");
    let token = first.token("worker", "prod").await;
    let mut nodes = vec![first];
    for _ in 1..READS.len() {
        nodes.push(site.open(&shared.url()).await.expect("a node"));
    }
    for (node, reads) in nodes.iter().zip(READS) {
        for _ in 0..reads {
            node.get(&token, "prod/key").await.expect("a value");
        }
        assert_eq!(code(&node.get(&token, "dev/key").await), Some(Code::Denied));
    }
    let request = UsageRequest::new(UsageBy::Token);
    let all = (READS.iter().sum::<u64>(), READS.len() as u64);
    let mut seen = Vec::new();
    for _ in 0..100 {
        let items = nodes[0].operator().usage().report(&request).await.expect("usage").items;
        seen = items
            .iter()
            .map(|item| (item.allowed, item.denied, item.consumers))
            .collect();
        if seen == [(all.0, all.1, 1)] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(seen, [(all.0, all.1, 1)], "{}", shared.name());
    for node in nodes {
        node.vault.close().await.expect("closed");
    }
    let last = site.open(&shared.url()).await.expect("a node");
    let items = last.operator().usage().report(&request).await.expect("usage").items;
    assert_eq!((items[0].allowed, items[0].denied), all);
}
