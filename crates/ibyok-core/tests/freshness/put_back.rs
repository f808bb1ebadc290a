//! Every kind of change, with the store put back to before it.

use std::time::Duration;

use ibyok_core::{Code, Session, Vault, keys::KeyEdit, rotation::DrainRequest};

use crate::harm::{HARMS, Harm};
use crate::node::{Node, key, secret};

/// A change that an older store would undo.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    NewVersion,
    StageAndPromote,
    Rollback,
    Retire,
    DisableKey,
    RemoveKey,
    LowerLimit,
    LowerLimitOfEnvironment,
    ShortenExpiry,
    RevokeToken,
    RotateToken,
}

const CHANGES: &[Change] = &[
    Change::NewVersion,
    Change::StageAndPromote,
    Change::Rollback,
    Change::Retire,
    Change::DisableKey,
    Change::RemoveKey,
    Change::LowerLimit,
    Change::LowerLimitOfEnvironment,
    Change::ShortenExpiry,
    Change::RevokeToken,
    Change::RotateToken,
];

impl Change {
    async fn make(self, operator: &Session) {
        let (key, prod) = (key(), "prod".parse().unwrap());
        match self {
            Change::NewVersion => drop(operator.keys().set(&key, secret("three")).await.unwrap()),
            Change::StageAndPromote => {
                operator.rotation().stage(&key, secret("three")).await.unwrap();
                operator.rotation().promote(&key).await.unwrap();
            }
            Change::Rollback => drop(operator.rotation().roll_back(&key).await.unwrap()),
            Change::Retire => {
                let request = DrainRequest::default();
                operator.rotation().retire(&key, &request).await.unwrap();
            }
            Change::DisableKey => drop(operator.keys().disable(&key).await.unwrap()),
            Change::RemoveKey => drop(operator.keys().remove(&key).await.unwrap()),
            Change::LowerLimit => {
                let mut edit = KeyEdit::default();
                edit.limit = Some(Some("1/day".parse().unwrap()));
                operator.keys().edit(&key, &edit).await.unwrap();
            }
            Change::LowerLimitOfEnvironment => {
                let limit = Some("1/day".parse().unwrap());
                operator.limits().set(&prod, limit).await.unwrap();
            }
            Change::ShortenExpiry => {
                let mut edit = KeyEdit::default();
                edit.expires = Some(Some("2030-01-01T00:00:00Z".parse().unwrap()));
                operator.keys().edit(&key, &edit).await.unwrap();
            }
            Change::RevokeToken => drop(
                operator
                    .tokens()
                    .revoke("worker", ibyok_core::tokens::Descendants::Revoke)
                    .await
                    .unwrap(),
            ),
            Change::RotateToken => drop(operator.tokens().rotate("worker", Some(Duration::ZERO)).await.unwrap()),
        }
    }
}

/// No value of the older store is released.
async fn is_refused(node: &Node, vault: &Vault, change: Change) {
    assert_eq!(node.reads(vault).await, Err(Code::Integrity), "{change:?}");
    let of_token = matches!(change, Change::RevokeToken | Change::RotateToken);
    let value = node.value(vault).await;
    if of_token {
        assert_eq!(value, Ok("two".to_owned()), "{change:?}: other records serve");
    } else {
        assert_eq!(value, Err(Code::Integrity), "{change:?}");
    }
}

/// Makes a change, puts the store back, harms the floors, and looks whether anything of the older store is believed.
async fn nothing_comes_back(change: Change, harm: Harm) {
    let node = Node::new().await;
    let (store, floors) = (node.copy_store(), crate::node::copy(&node.floors()));
    node.with(async |operator| change.make(operator).await).await;
    node.put_store_back(&store);
    harm.do_to(&node, &floors);
    for again in [false, true] {
        let vault = node.open().await;
        is_refused(&node, &vault, change).await;
        let report = vault.operator("test").floors().verify().await.unwrap();
        assert_eq!(
            report.ok,
            !harm.shows(),
            "{change:?} {harm:?}, again {again}: {report:?}"
        );
        let status = vault.status().await.unwrap();
        let found = &status.floors.findings;
        let warned = found.iter().any(|finding| status.warnings.contains(finding));
        assert_eq!(
            (!found.is_empty(), warned),
            (harm.shows(), harm.shows()),
            "{:?}",
            status.warnings
        );
        node.close(vault).await;
    }
    let vault = node.open().await;
    vault.operator("test").floors().rebuild().await.unwrap();
    assert!(
        vault.operator("test").floors().verify().await.unwrap().ok,
        "acknowledged"
    );
    is_refused(&node, &vault, change).await;
    node.close(vault).await;
}

#[tokio::test]
async fn no_change_is_undone_by_an_older_store_whatever_the_change() {
    for change in CHANGES {
        nothing_comes_back(*change, Harm::None).await;
        nothing_comes_back(*change, Harm::Deleted).await;
    }
}

#[tokio::test]
async fn no_revoked_token_works_whatever_was_done_to_the_floors() {
    for harm in HARMS {
        nothing_comes_back(Change::RevokeToken, *harm).await;
    }
}

#[tokio::test]
async fn no_rotated_value_comes_back_whatever_was_done_to_the_floors() {
    for harm in HARMS {
        nothing_comes_back(Change::StageAndPromote, *harm).await;
    }
}

#[tokio::test]
async fn a_process_that_was_killed_protects_its_changes_as_well() {
    let node = Node::new().await;
    let (store, floors) = (node.copy_store(), crate::node::copy(&node.floors()));
    for harm in HARMS {
        let copy = tempfile::tempdir().unwrap();
        let vault = node.open().await;
        vault
            .operator("test")
            .keys()
            .set(&key(), secret("three"))
            .await
            .unwrap();
        // The end of the change is on the log a moment later, with or without a close.
        tokio::time::sleep(Duration::from_millis(30)).await;
        crate::harm::copy_directory(node.scratch.path(), copy.path());
        node.close(vault).await;
        let killed = node.at(copy);
        killed.put_store_back(&store);
        harm.do_to(&killed, &floors);
        let vault = killed.open().await;
        is_refused(&killed, &vault, Change::NewVersion).await;
        killed.close(vault).await;
    }
}
