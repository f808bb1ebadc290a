//! Logs that were taken away, on a store that other machines share.

use std::fs;

use crate::shared::Shared;
use crate::site::{Node, Site};

crate::on!(postgres redis, a_log_that_was_removed_is_missing_where_it_was_and_named_elsewhere);

/// The findings of a node about logs, and its notes.
async fn verified(node: &Node) -> (Vec<String>, String) {
    let report = node.operator().audit().verify(&[]).await.expect("a report");
    let findings = report.findings.iter().map(|finding| finding.what.as_str().to_owned());
    (findings.collect(), report.notes.join("\n"))
}

async fn a_log_that_was_removed_is_missing_where_it_was_and_named_elsewhere(shared: Shared) {
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let elsewhere = site.open(&shared.url()).await.expect("a node");
    let beside = site.open_beside(&shared.url(), &here).await.expect("a node");
    for (node, name) in [(&here, "one"), (&elsewhere, "two"), (&beside, "three")] {
        node.set(&format!("prod/{name}"), "a value").await.expect("a key");
    }
    beside.vault.close().await.expect("closed");
    drop(beside);
    let (findings, notes) = verified(&here).await;
    assert!(findings.is_empty(), "{findings:?}");
    assert!(notes.contains(elsewhere.log.to_str().expect("a path")), "{notes}");

    fs::remove_dir_all(here.log.join("slot-1")).expect("a log");
    let (findings, _) = verified(&here).await;
    assert_eq!(findings, ["missing"]);
    // Its machine is another one: there it is named and nothing is wrong.
    let (findings, notes) = verified(&elsewhere).await;
    assert!(findings.is_empty(), "{findings:?}");
    assert!(notes.contains(here.log.to_str().expect("a path")), "{notes}");
}
