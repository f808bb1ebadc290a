//! The honest restore: an older store is accepted by name.

use ibyok_core::audit::{Action, Filter};

use crate::node::{Node, key, remove, secret};

#[tokio::test]
async fn an_older_store_serves_once_its_rollback_was_accepted_by_name() {
    let node = Node::new().await;
    let store = node.copy_store();
    node.with(async |operator| {
        operator.keys().set(&key(), secret("three")).await.unwrap();
        let new = "prod/later".parse().unwrap();
        operator.keys().set(&new, secret("later")).await.unwrap();
        operator
            .tokens()
            .revoke("worker", ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap();
    })
    .await;
    node.put_store_back(&store);
    node.with(async |operator| {
        let found = operator.floors().rolled_back().await.unwrap();
        let mut named: Vec<_> = found
            .iter()
            .map(|one| {
                (
                    one.kind.as_str(),
                    one.name.clone().unwrap_or_default(),
                    one.found.is_some(),
                )
            })
            .collect();
        named.sort();
        assert_eq!(
            named,
            [
                ("key", "later".to_owned(), false),
                ("key", "openai".to_owned(), true),
                ("token", "worker".to_owned(), true)
            ]
        );
        operator.floors().accept_rollback(&found).await.unwrap();
        assert!(operator.floors().rolled_back().await.unwrap().is_empty());
    })
    .await;
    // Neither a later start nor a rebuild from the log raises them again.
    for delete in [false, true, true] {
        if delete {
            remove(&node.floors());
        }
        let vault = node.open().await;
        assert_eq!(node.value(&vault).await, Ok("two".to_owned()), "deleted: {delete}");
        assert_eq!(node.reads(&vault).await, Ok("two".to_owned()));
        let new = "prod/later".parse().unwrap();
        let operator = vault.operator("test");
        assert_eq!(
            operator.keys().show(&new).await.unwrap_err().code(),
            ibyok_core::Code::NotFound
        );
        let mut filter = Filter::default();
        filter.action = Some(Action::VaultRollbackAccepted);
        assert_eq!(
            vault.whole_log("test").lines(&filter).await.unwrap().count(),
            4,
            "three records and the store"
        );
        node.close(vault).await;
    }
    // From here on the restored store is what must not be set back.
    node.with(async |operator| drop(operator.keys().set(&key(), secret("four")).await.unwrap()))
        .await;
    node.put_store_back(&store);
    remove(&node.floors());
    let vault = node.open().await;
    assert!(node.value(&vault).await.is_err());
    node.close(vault).await;
}

#[tokio::test]
async fn no_copy_from_before_comes_back_with_one_that_was_accepted() {
    let node = Node::new().await;
    let oldest = node.copy_store();
    node.with(async |operator| drop(operator.keys().set(&key(), secret("three")).await.unwrap()))
        .await;
    let restored = node.copy_store();
    node.with(async |operator| drop(operator.keys().set(&key(), secret("four")).await.unwrap()))
        .await;
    node.put_store_back(&restored);
    node.with(async |operator| {
        let found = operator.floors().rolled_back().await.unwrap();
        operator.floors().accept_rollback(&found).await.unwrap();
    })
    .await;
    let accepted = node.copy_store();
    for lose in [false, true] {
        if lose {
            remove(&node.floors());
        }
        let vault = node.open().await;
        assert_eq!(node.value(&vault).await, Ok("three".to_owned()), "floors lost: {lose}");
        node.close(vault).await;
        // Neither an older copy nor the very one that was restored: the records were written again when they were accepted.
        for store in [&oldest, &restored] {
            is_refused(&node, store).await;
        }
        node.put_store_back(&accepted);
    }
    node.with(async |operator| drop(operator.keys().set(&key(), secret("five")).await.unwrap()))
        .await;
    for store in [&oldest, &restored, &accepted] {
        is_refused(&node, store).await;
    }
}

/// Another node never saw the changes that the restore took back, and changes a record before and after its own look
/// at it.
#[tokio::test]
async fn a_rollback_that_one_node_accepted_is_no_older_record_for_the_others() {
    let mut node = Node::new().await;
    let here = node.audit.clone();
    let elsewhere = node.scratch.path().join("audit-elsewhere");
    node.audit.clone_from(&elsewhere);
    node.with(async |operator| drop(operator.keys().show(&key()).await.unwrap()))
        .await;
    node.audit.clone_from(&here);
    let store = node.copy_store();
    for value in ["three", "four", "five"] {
        node.with(async |operator| drop(operator.keys().set(&key(), secret(value)).await.unwrap()))
            .await;
    }
    let newest = node.copy_store();
    node.put_store_back(&store);
    node.with(async |operator| {
        let found = operator.floors().rolled_back().await.unwrap();
        operator.floors().accept_rollback(&found).await.unwrap();
    })
    .await;
    for value in ["six", "seven"] {
        node.audit.clone_from(&elsewhere);
        node.with(async |operator| drop(operator.keys().set(&key(), secret(value)).await.unwrap()))
            .await;
        node.audit.clone_from(&here);
        let vault = node.open().await;
        assert_eq!(node.value(&vault).await, Ok(value.to_owned()));
        node.close(vault).await;
    }
    // A revision of the other node is no revision of the past that the restore took back.
    for place in [&here, &elsewhere] {
        node.audit.clone_from(place);
        is_refused(&node, &newest).await;
    }
}

async fn is_refused(node: &Node, store: &crate::node::Copy) {
    node.put_store_back(store);
    let vault = node.open().await;
    assert_eq!(node.value(&vault).await, Err(ibyok_core::Code::Integrity));
    node.close(vault).await;
}

#[tokio::test]
async fn an_older_store_is_accepted_also_after_changes_went_beyond_what_the_log_says() {
    let node = Node::new().await;
    let store = node.copy_store();
    node.with(async |operator| drop(operator.keys().set(&key(), secret("three")).await.unwrap()))
        .await;
    node.put_store_back(&store);
    node.with(async |operator| {
        for number in 0..6 {
            let other = format!("dev/other-{number}").parse().unwrap();
            operator.keys().set(&other, secret("x")).await.unwrap();
        }
        let finding = async || {
            let report = operator.audit().verify(&[]).await.unwrap();
            report
                .findings
                .iter()
                .any(|finding| finding.what.as_str() == "store_behind")
        };
        assert!(finding().await);
        let found = operator.floors().rolled_back().await.unwrap();
        operator.floors().accept_rollback(&found).await.unwrap();
        assert!(!finding().await);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_was_accepted_as_missing_does_not_come_back_from_an_older_copy() {
    let node = Node::new().await;
    let before = node.copy_store();
    let new: ibyok_core::KeyRef = "prod/later".parse().unwrap();
    node.with(async |operator| drop(operator.keys().set(&new, secret("later")).await.unwrap()))
        .await;
    let with = node.copy_store();
    node.put_store_back(&before);
    node.with(async |operator| {
        let found = operator.floors().rolled_back().await.unwrap();
        assert_eq!(found.len(), 1);
        operator.floors().accept_rollback(&found).await.unwrap();
        assert_eq!(
            operator.keys().show(&new).await.unwrap_err().code(),
            ibyok_core::Code::NotFound
        );
    })
    .await;
    node.put_store_back(&with);
    let vault = node.open().await;
    let shown = vault.operator("test").keys().show(&new).await;
    assert_eq!(shown.unwrap_err().code(), ibyok_core::Code::Integrity);
    node.close(vault).await;
}

#[tokio::test]
async fn a_line_that_accepts_a_rollback_is_not_believed_behind_the_last_checkpoint() {
    let node = Node::new().await;
    let store = node.copy_store();
    node.with(async |operator| drop(operator.keys().set(&key(), secret("three")).await.unwrap()))
        .await;
    node.put_store_back(&store);
    forge_acceptance(&node).await;
    remove(&node.floors());
    match node.try_open().await {
        // Refused, or opened without believing the line.
        Err(error) => assert_eq!(error.code(), ibyok_core::Code::Integrity, "{error}"),
        Ok(vault) => assert!(node.value(&vault).await.is_err()),
    }
}

/// Adds a well-chained line to the log, like an attacker who can write to the directory and has no key.
async fn forge_acceptance(node: &Node) {
    use sha2::{Digest, Sha256};
    let segment = node.audit.join("slot-0/audit-00000001.log");
    let text = std::fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = text.trim_end_matches('\0').lines().collect();
    let done = lines
        .iter()
        .rev()
        .find(|line| line.contains(r#""phase":"done""#))
        .unwrap();
    let field = |name: &str| {
        let (_, rest) = done.split_once(&format!("\"{name}\":\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let last = lines.last().unwrap();
    let prev: String = Sha256::digest(last).iter().map(|byte| format!("{byte:02x}")).collect();
    let seq = lines.len() + 1;
    let mut forged = done.replacen(
        &format!("\"prev\":\"{}\"", field("prev")),
        &format!("\"prev\":\"{prev}\""),
        1,
    );
    let (_, rest) = forged.split_once(',').unwrap();
    let (_, rest) = rest.split_once(',').unwrap();
    forged = format!("{{\"v\":1,\"seq\":{seq},{rest}");
    forged = forged
        .replacen("\"action\":\"key.set\"", "\"action\":\"vault.rollback_accepted\"", 1)
        .replacen("\"phase\":\"done\"", "\"phase\":null", 1);
    let (head, tail) = forged.split_once("\"rev\":").unwrap();
    let (_, tail) = tail.split_once(',').unwrap();
    forged = format!("{head}\"rev\":1,{tail}");
    let all: String = lines
        .iter()
        .copied()
        .chain([forged.as_str()])
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&segment, all).unwrap();
}
