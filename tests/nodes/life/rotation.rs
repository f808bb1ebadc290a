//! The steps of a rotation, from two nodes: at once, one after another, and with a consumer that still reads the old
//! version.

use std::collections::BTreeSet;

use ibyok_core::rotation::WaitingFor;
use ibyok_core::{
    Code, Result,
    keys::{KeyInfo, Role, VersionMark},
    rotation::DrainRequest,
};

use super::{PROMISED, TOLD, soon, two_nodes};
use crate::shared::Shared;
use crate::site::{Node, code, key, said, secret};

crate::on!(postgres redis,
    steps_at_once_leave_one_current_version_and_all_that_was_acknowledged
    who_reads_the_old_version_there_holds_up_retire_here_until_it_reads_the_new_one
);
mod destroyed {
    use super::destroy_says_what_remains_on_this_store;
    crate::on!(file postgres redis, destroy_says_what_remains_on_this_store);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Set,
    /// A value of its own: the current one is not staged.
    Stage(u32),
    Promote,
    Rollback,
    Retire,
    Destroy(u32),
}

/// The answer of a step that was done.
enum Said {
    Made(u32),
    Was(Box<KeyInfo>),
}

impl Step {
    async fn take(self, node: &Node, reference: &str) -> Result<Said> {
        let (operator, key) = (node.operator(), key(reference));
        let made = |written: ibyok_core::keys::Written| Said::Made(written.version);
        let was = |info| Said::Was(Box::new(info));
        match self {
            Step::Set => operator.keys().set(&key, secret("set")).await.map(made),
            Step::Stage(number) => {
                let value = secret(&format!("staged {number}"));
                operator.rotation().stage(&key, value).await.map(made)
            }
            Step::Promote => operator.rotation().promote(&key).await.map(was),
            Step::Rollback => operator.rotation().roll_back(&key).await.map(was),
            Step::Retire => operator
                .rotation()
                .retire(&key, &DrainRequest::default())
                .await
                .map(was),
            Step::Destroy(version) => {
                let request = DrainRequest::default().force("a test");
                let destroyed = operator.rotation().destroy(&key.at_version(version), &request).await;
                destroyed.map(|destroyed| was(destroyed.key))
            }
        }
    }
}

/// The one current version.
fn only_current(info: &KeyInfo) -> u32 {
    let current: Vec<_> = info.versions.iter().filter(|v| v.role == Role::Current).collect();
    assert_eq!(current.len(), 1, "{info:?}");
    assert_eq!(info.version, Some(current[0].version), "{info:?}");
    assert!(!current[0].marks.contains(&VersionMark::Destroyed), "{info:?}");
    let pending = info.versions.iter().filter(|v| v.role == Role::Pending).count();
    assert!(pending <= 1, "{info:?}");
    current[0].version
}

/// Checks that a step that was done stays done: each version's changes go on from those that the step reported.
fn goes_on_from(now: &KeyInfo, then: &KeyInfo) {
    only_current(then);
    for was in &then.versions {
        let is = now.versions.iter().find(|is| is.version == was.version);
        let is = is.unwrap_or_else(|| panic!("version {} is gone: {now:?}", was.version));
        assert!(is.changes.starts_with(&was.changes), "{was:?} became {is:?}");
    }
}

async fn steps_at_once_leave_one_current_version_and_all_that_was_acknowledged(shared: Shared) {
    let (site, here, there) = two_nodes(&shared).await;
    here.set("prod/key", "first").await.expect("a key");
    let token = here.token("reader", "prod").await;
    let mut tasks = Vec::new();
    for round in 0..6 {
        let destroy = Step::Destroy(round + 1);
        let steps = [
            Step::Stage(round),
            Step::Promote,
            Step::Rollback,
            Step::Set,
            Step::Retire,
            destroy,
        ];
        for (number, step) in (round..).zip(steps) {
            let node = [&here, &there][number as usize % 2].clone();
            tasks.push((step, tokio::spawn(async move { step.take(&node, "prod/key").await })));
        }
    }
    let (mut made, mut said_of, mut changed) = (BTreeSet::from([1]), Vec::new(), 0);
    for (step, task) in tasks {
        match task.await.expect("a task") {
            Ok(Said::Made(version)) => {
                assert!(made.insert(version), "version {version} was made twice");
                changed += usize::from(step == Step::Set);
            }
            Ok(Said::Was(info)) => {
                changed += usize::from(matches!(step, Step::Promote | Step::Rollback));
                said_of.push((step, info));
            }
            Err(error) => assert!(
                matches!(
                    error.code(),
                    Code::NotFound | Code::Conflict | Code::InUse | Code::VersionDestroyed
                ),
                "{step:?}: {}",
                said(&error)
            ),
        }
    }
    assert!(made.len() + said_of.len() >= 13, "most was refused");

    let look = async |node: &Node| node.operator().keys().show(&key("prod/key")).await.expect("the key");
    let now = look(&here).await;
    let numbers: BTreeSet<u32> = now.versions.iter().map(|version| version.version).collect();
    assert_eq!(
        numbers, made,
        "each version was acknowledged, and each acknowledged one is there"
    );
    // Each acknowledged change of the current version is one that stepped down, and there are no others.
    let changes = now.versions.iter().flat_map(|version| &version.changes);
    assert_eq!(
        changes.filter(|change| change.to == "retiring").count(),
        changed,
        "{now:?}"
    );
    for (step, then) in &said_of {
        goes_on_from(&now, then);
        if let Step::Destroy(version) = step {
            let destroyed = now.versions.iter().find(|v| v.version == *version);
            assert_eq!(destroyed.map(|v| v.state.as_str()), Some("destroyed"));
        }
    }
    let is_the_same = |other: &KeyInfo| {
        assert_eq!(only_current(other), only_current(&now));
        goes_on_from(&now, other);
        goes_on_from(other, &now);
    };
    tokio::time::sleep(PROMISED).await;
    is_the_same(&look(&there).await);
    for node in [&here, &there] {
        node.get(&token, "prod/key").await.expect("the current version");
        for version in now
            .versions
            .iter()
            .filter(|version| version.state.as_str() == "destroyed")
        {
            let gone = node.get(&token, &format!("prod/key?version={}", version.version)).await;
            assert_eq!(code(&gone), Some(Code::VersionDestroyed));
        }
        assert_eq!(node.allowed().await, 1, "of one retrieval each");
    }
    // What the logs show as intended and not done is not done at the next start either.
    for node in [here, there] {
        node.vault.close().await.expect("closed");
        let again = site.open_beside(&shared.url(), &node).await.expect("a node");
        is_the_same(&look(&again).await);
        again.vault.close().await.expect("closed");
    }
}

async fn who_reads_the_old_version_there_holds_up_retire_here_until_it_reads_the_new_one(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    let (old, new) = ("prod/key?version=1", "prod/key");
    here.set(new, "the old value").await.expect("a key");
    let token = here.token("left-behind", "prod").await;
    assert_eq!(there.get(&token, new).await.expect("a value"), "the old value");
    let operator = here.operator();
    operator
        .rotation()
        .stage(&key(new), secret("the new value"))
        .await
        .expect("staged");
    operator.rotation().promote(&key(new)).await.expect("promoted");

    let read_last = async |version: u32| {
        soon("the read is told", TOLD, async || {
            let status = operator.rotation().status(&key(new)).await.expect("a status");
            let reads = status
                .versions
                .iter()
                .flat_map(|v| v.consumers.iter().map(|c| (c.last, v.version)));
            reads
                .max()
                .filter(|(_, last)| *last == version)
                .map(|_| status.waiting_for)
        })
        .await
    };
    let request = DrainRequest::default();
    let is_held_up = async |why: &str| {
        let retired = operator.rotation().retire(&key(new), &request).await;
        let destroyed = operator
            .rotation()
            .destroy(&key(old), &request)
            .await
            .map(|done| done.key);
        for refused in [retired, destroyed] {
            let refused = refused.expect_err("somebody needs it");
            assert_eq!(refused.code(), Code::InUse);
            let said = said(&refused);
            assert!(said.contains("left-behind") && said.contains(why), "{said}");
        }
    };
    let waiting = read_last(1).await;
    assert_eq!((waiting.len(), waiting[0].why), (1, WaitingFor::NotYet));
    is_held_up("has not read version 2 yet").await;

    soon("the new version is served there", PROMISED, async || {
        (there.get(&token, new).await.expect("a value") == "the new value").then_some(())
    })
    .await;
    assert!(read_last(2).await.is_empty());
    // It goes back once more.
    assert_eq!(there.get(&token, old).await.expect("a value"), "the old value");
    assert_eq!(read_last(1).await[0].why, WaitingFor::ReadSince);
    is_held_up("read version 1 again").await;

    there.get(&token, new).await.expect("a value");
    assert!(read_last(2).await.is_empty());
    let retired = operator.rotation().retire(&key(new), &request).await.expect("retired");
    assert_eq!(
        (retired.version, retired.versions[0].state.as_str()),
        (Some(2), "retired")
    );
    assert_eq!(code(&here.get(&token, old).await), Some(Code::VersionDisabled));
    soon("it is retired there", PROMISED, async || {
        let refused = code(&there.get(&token, old).await)?;
        assert_eq!(refused, Code::VersionDisabled);
        Some(())
    })
    .await;
    assert_eq!(there.get(&token, new).await.expect("a value"), "the new value");
}

async fn destroy_says_what_remains_on_this_store(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    here.set("prod/key", "the old value").await.expect("a key");
    here.set("prod/key", "the new value").await.expect("a version");
    let token = here.token("reader", "prod").await;
    let old = "prod/key?version=1";
    assert_eq!(there.get(&token, old).await.expect("a value"), "the old value");
    let says: &[&str] = match &shared {
        Shared::File(_) => &[],
        Shared::Postgres(_) => &["VACUUM", "write-ahead log", "backups"],
        Shared::Redis(_) => &["BGREWRITEAOF", "snapshot", "backups"],
    };
    let is_said = |remains: Option<&str>| {
        assert_eq!(remains.is_some(), !says.is_empty(), "{remains:?}");
        assert!(
            says.iter().all(|word| remains.is_some_and(|said| said.contains(word))),
            "{remains:?}"
        );
    };
    let request = DrainRequest::default().force("it leaked");
    let destroyed = here
        .operator()
        .rotation()
        .destroy(&key(old), &request)
        .await
        .expect("destroyed");
    assert_eq!(destroyed.key.versions[0].state.as_str(), "destroyed");
    is_said(destroyed.remains.as_deref());
    assert_eq!(code(&here.get(&token, old).await), Some(Code::VersionDestroyed));
    soon("it is destroyed there", PROMISED, async || {
        let refused = code(&there.get(&token, old).await)?;
        assert_eq!(refused, Code::VersionDestroyed);
        Some(())
    })
    .await;
    // Whoever asks again, on any node, is told the same.
    let again = there
        .operator()
        .rotation()
        .destroy(&key(old), &request)
        .await
        .expect("destroyed");
    is_said(again.remains.as_deref());
    assert_eq!(there.get(&token, "prod/key").await.expect("a value"), "the new value");
}
