//! An acknowledgement or attestation on one node holds on the other. The counts of both nodes are one sum.

use std::collections::BTreeMap;

use ibyok_core::{
    Code,
    usage::{UsageBy, UsageRequest},
};
use ibyok_operations::reviews::{Detector, Finding, ReviewExt as _, ReviewRequest};

use super::{PROMISED, TOLD, soon, two_nodes};
use crate::shared::Shared;
use crate::site::{Node, code, key, secret};

crate::on!(postgres redis,
    what_is_acknowledged_or_attested_on_one_node_is_so_on_the_other
    what_both_nodes_served_of_each_version_adds_up_whoever_is_asked
);

/// Returns a node's findings about tokens that asked for an environment which they are not for.
async fn mismatches(node: &Node) -> Vec<Finding> {
    let review = node
        .operator()
        .reviews()
        .run(&ReviewRequest::default())
        .await
        .expect("a review");
    let found = review.found.findings.into_iter();
    found
        .filter(|finding| finding.detector == Detector::EnvironmentMismatch)
        .collect()
}

async fn what_is_acknowledged_or_attested_on_one_node_is_so_on_the_other(shared: Shared) {
    let (site, here, apart) = two_nodes(&shared).await;
    // A review is of the logs of a place: one node shares it, and one does not.
    let beside = site.open_beside(&shared.url(), &here).await.expect("a node");
    here.set("prod/key", "the value").await.expect("a key");
    for (name, node) in [("one", &here), ("other", &beside)] {
        let token = here.token(name, "prod").await;
        assert_eq!(code(&node.get(&token, "dev/key").await), Some(Code::Denied));
    }
    let found = mismatches(&here).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(mismatches(&beside).await, found, "the same of the same logs");

    // Two people, at once, on two nodes: neither takes the other's away.
    let (request, ids) = (
        ReviewRequest::default(),
        [found[0].id.to_string(), found[1].id.to_string()],
    );
    let (one, other) = (here.operator(), beside.operator());
    let (one, other) = tokio::join!(
        one.reviews().acknowledge(&request, &ids[0], "a typo"),
        other.reviews().acknowledge(&request, &ids[1], "another")
    );
    one.and(other).expect("acknowledged");
    let done = here
        .operator()
        .reviews()
        .record(&request, Some("weekly"))
        .await
        .expect("done");
    let done = done.last_done.expect("a record");
    let (one, other) = (here.operator(), apart.operator());
    let (one, other) = tokio::join!(
        one.attestations().add("training", Some("all seven".to_owned())),
        other.attestations().add("backup", None)
    );
    one.and(other).expect("attested");

    tokio::time::sleep(PROMISED).await;
    for node in [&here, &beside] {
        let acknowledged = mismatches(node)
            .await
            .into_iter()
            .filter_map(|finding| finding.acknowledged);
        let reasons: Vec<_> = acknowledged.map(|acknowledged| acknowledged.reason).collect();
        assert_eq!(reasons, ["a typo", "another"]);
    }
    for node in [&here, &beside, &apart] {
        let last = node
            .operator()
            .reviews()
            .last()
            .await
            .expect("an answer")
            .expect("a review");
        assert_eq!((last.at, last.reason.as_deref()), (done.at, Some("weekly")));
        let attested = node.operator().attestations().list().await.expect("attestations");
        assert_eq!(attested.keys().collect::<Vec<_>>(), ["backup", "training"]);
        assert_eq!(attested["training"].note.as_deref(), Some("all seven"));
    }
}

async fn what_both_nodes_served_of_each_version_adds_up_whoever_is_asked(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    let new = "prod/key";
    here.set(new, "the old value").await.expect("a key");
    let tokens = [here.token("one", "prod").await, here.token("two", "prod").await];
    let operator = here.operator();
    operator
        .rotation()
        .stage(&key(new), secret("the new value"))
        .await
        .expect("staged");
    for (node, reads) in [(&here, 3), (&there, 4)] {
        for _ in 0..reads {
            node.get(&tokens[0], new).await.expect("a value");
        }
        node.get(&tokens[1], "prod/key?version=pending").await.expect("a value");
        assert_eq!(code(&node.get(&tokens[0], "dev/key").await), Some(Code::Denied));
    }
    operator.rotation().promote(&key(new)).await.expect("promoted");
    tokio::time::sleep(PROMISED).await;
    for (node, token, reads) in [(&here, &tokens[0], 2), (&there, &tokens[1], 5)] {
        for _ in 0..reads {
            assert_eq!(node.get(token, new).await.expect("a value"), "the new value");
        }
    }
    for node in [&here, &there] {
        let asked = |by| {
            let operator = node.operator();
            async move {
                operator
                    .usage()
                    .report(&UsageRequest::new(by))
                    .await
                    .expect("usage")
                    .items
            }
        };
        soon("the counts are told", TOLD, async || {
            let items = asked(UsageBy::Version).await;
            let of = |item: &ibyok_core::usage::UsageItem| Some((item.version?, (item.allowed, item.consumers)));
            let counted: BTreeMap<u32, (u64, usize)> = items.iter().filter_map(of).collect();
            (counted == BTreeMap::from([(1, (7, 1)), (2, (9, 2))])).then_some(())
        })
        .await;
        let items = asked(UsageBy::Token).await;
        let counted = items
            .iter()
            .map(|item| (item.name.as_deref(), (item.allowed, item.denied)));
        let counted: BTreeMap<_, _> = counted.collect();
        assert_eq!(counted, BTreeMap::from([(Some("one"), (9, 2)), (Some("two"), (7, 0))]));
    }
}
