//! Records that were only read, nodes without a history, and the lines of the log about the floors.

use ibyok_core::audit::{Action, Filter};

use crate::harm::Harm;
use crate::node::{Node, key, put_copy, remove, secret};

impl Node {
    /// Returns the same vault on another machine: the same store, and a directory of logs of its own.
    pub(crate) fn elsewhere(mut self, name: &str) -> Self {
        self.audit = self.scratch.path().join(name);
        self
    }

    /// Returns the same node from a copy of its directory.
    pub(crate) fn at(&self, scratch: tempfile::TempDir) -> Node {
        Node::from_parts(scratch, self.token())
    }
}

#[tokio::test]
async fn a_node_that_only_read_a_record_believes_no_older_one_after_a_restart() {
    let mut node = Node::new().await;
    let first = node.audit.clone();
    node = node.elsewhere("audit-of-the-reader");
    // With the key of the reader's log in it, the older store opens there.
    node.with(async |_| ()).await;
    let store = node.copy_store();
    node.audit = first;
    node.with(async |operator| drop(operator.keys().set(&key(), secret("three")).await.unwrap()))
        .await;
    let reader = node.elsewhere("audit-of-the-reader");
    reader
        .with(async |operator| drop(operator.retrieve(&key()).await.unwrap()))
        .await;
    reader.put_store_back(&store);
    let vault = reader.open().await;
    // The token was never read there.
    assert!(reader.value(&vault).await.is_err());
    reader.close(vault).await;
}

#[tokio::test]
async fn floors_of_what_was_only_read_are_lost_with_the_file_but_not_in_silence() {
    let node = Node::new().await;
    let reader = node.elsewhere("audit-of-the-reader");
    let before = {
        reader.with(async |_| ()).await;
        crate::node::copy(&reader.floors())
    };
    reader
        .with(async |operator| drop(operator.retrieve(&key()).await.unwrap()))
        .await;
    Harm::SetBack.do_to(&reader, &before);
    let vault = reader.open().await;
    assert!(!vault.operator("test").floors().verify().await.unwrap().ok);
    reader.close(vault).await;
}

#[tokio::test]
async fn a_node_without_a_history_says_so_until_it_is_given_floors() {
    let node = Node::new().await;
    let mut export = Vec::new();
    node.with(async |operator| {
        // The key, the tokens, and the four environment key records that the vault was made with.
        assert_eq!(operator.floors().export(&mut export).await.unwrap(), 7);
    })
    .await;
    let store = node.copy_store();
    node.with(async |operator| {
        operator
            .tokens()
            .revoke("worker", ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap();
        export.clear();
        operator.floors().export(&mut export).await.unwrap();
    })
    .await;
    node.put_store_back(&store);
    let replica = node.elsewhere("audit-of-a-replica");
    for _ in 0..2 {
        let vault = replica.open().await;
        let ready = vault.ready().await;
        assert!(ready.is_ready() && !ready.has_history, "{ready:?}");
        let warnings = vault.status().await.unwrap().warnings;
        assert!(
            warnings.iter().any(|warning| warning.contains("without a history")),
            "{warnings:?}"
        );
        let mut filter = Filter::default();
        filter.action = Some(Action::LogNoHistory);
        assert_eq!(vault.whole_log("test").lines(&filter).await.unwrap().count(), 1);
        replica.close(vault).await;
    }
    replica
        .with(async |operator| assert!(operator.floors().import(&mut &export[..]).await.unwrap() >= 3))
        .await;
    let vault = replica.open().await;
    assert!(vault.ready().await.has_history);
    assert!(replica.reads(&vault).await.is_err(), "the revoked token does not read");
    replica.close(vault).await;
}

#[tokio::test]
async fn a_new_vault_has_a_history_and_nothing_to_warn_of() {
    let node = Node::new().await;
    let vault = node.open().await;
    let status = vault.status().await.unwrap();
    assert!(status.warnings.is_empty(), "{:?}", status.warnings);
    assert!(status.floors.records >= 3 && vault.ready().await.has_history);
    node.close(vault).await;
}

#[tokio::test]
async fn floors_that_a_damaged_log_would_have_to_rebuild_are_refused_by_name() {
    let node = Node::new().await;
    let segment = node.audit.join("slot-0/audit-00000001.log");
    let text = std::fs::read(&segment).unwrap();
    let text = String::from_utf8(text).unwrap();
    std::fs::write(
        &segment,
        text.replacen(r#""outcome":"allowed""#, r#""outcome":"blessed""#, 1),
    )
    .unwrap();
    let vault = node.open().await;
    node.close(vault).await;
    remove(&node.floors());
    let refused = node.try_open().await.unwrap_err();
    assert!(
        refused.remedy() == Some(ibyok_core::errors::Remedy::RebuildFloors),
        "{refused:?}"
    );
    assert!(!node.floors().exists(), "nothing was made");
    let vault = node.open_rebuilding().await;
    assert_eq!(node.value(&vault).await, Ok("two".to_owned()));
    assert!(!vault.operator("test").floors().verify().await.unwrap().ok);
    vault.operator("test").floors().rebuild().await.unwrap();
    node.close(vault).await;
    let vault = node.open().await;
    assert!(vault.operator("test").floors().verify().await.unwrap().ok);
    node.close(vault).await;
}

#[tokio::test]
async fn a_file_that_is_set_back_under_an_open_vault_is_found() {
    let node = Node::new().await;
    let older = crate::node::copy(&node.floors());
    let store = node.copy_store();
    let vault = node.open().await;
    let operator = vault.operator("test");
    operator.keys().set(&key(), secret("three")).await.unwrap();
    put_copy(&node.floors(), &older);
    operator.keys().set(&key(), secret("four")).await.unwrap();
    node.close(vault).await;
    node.put_store_back(&store);
    let vault = node.open().await;
    assert!(node.value(&vault).await.is_err());
    node.close(vault).await;
}
