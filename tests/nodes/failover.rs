//! A failover to a replica that lost the last changes: a node that made them refuses the older records, and takes away again what was taken
//! away. The replicas are real ones, which follow asynchronously.

use std::time::Duration;

use ibyok_core::Code;
use ibyok_tests::wait_until;

use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::shared::Shared;
use crate::site::{Node, Site, code, said};

const PATIENCE: Duration = Duration::from_secs(20);

crate::on!(postgres redis, a_failover_that_lost_a_revocation_revives_nothing);

/// A server of a store that follows another one.
enum Replica {
    Postgres(Postgres),
    Redis(Redis),
}

impl Replica {
    fn of(shared: &Shared) -> Self {
        match shared {
            Shared::Postgres(primary) => Replica::Postgres(Postgres::standby_of(primary)),
            Shared::Redis(primary) => Replica::Redis(Redis::replica_of(primary)),
            Shared::File(_) => unreachable!("a file has no replica"),
        }
    }

    /// Waits until the replica has everything, and cuts it off from then on.
    fn lag(&self, shared: &Shared) {
        match (self, shared) {
            (Replica::Postgres(standby), Shared::Postgres(primary)) => {
                let at = primary.psql("SELECT pg_current_wal_flush_lsn()");
                let has = format!("SELECT pg_last_wal_replay_lsn() >= '{}'", at.trim());
                wait_until("the standby has everything", PATIENCE, || {
                    standby.psql(&has).trim() == "t"
                });
                standby.psql("ALTER SYSTEM SET primary_conninfo = ''");
                standby.psql("SELECT pg_reload_conf()");
                let gone = "SELECT count(*) FROM pg_stat_replication";
                wait_until("the standby is cut off", PATIENCE, || primary.psql(gone).trim() == "0");
            }
            (Replica::Redis(replica), Shared::Redis(primary)) => {
                assert_eq!(primary.cli(&["WAIT", "1", "5000"]).trim(), "1");
                let nowhere = crate::servers::free_port().to_string();
                replica.cli(&["REPLICAOF", "127.0.0.1", &nowhere]);
            }
            _ => unreachable!("the replica is of the same kind"),
        }
    }

    /// Puts the replica in the place of its primary, which is gone.
    fn take_over(self, shared: &mut Shared) {
        match (self, shared) {
            (Replica::Postgres(mut standby), Shared::Postgres(primary)) => {
                primary.kill();
                standby.take_over(primary.port());
                *primary = standby;
            }
            (Replica::Redis(mut replica), Shared::Redis(primary)) => {
                primary.kill();
                replica.take_over(primary.port());
                *primary = replica;
            }
            _ => unreachable!("the replica is of the same kind"),
        }
    }
}

async fn a_failover_that_lost_a_revocation_revives_nothing(mut shared: Shared) {
    let site = Site::new();
    let (first, second) = (
        site.create(&shared.url()).await,
        site.open(&shared.url()).await.expect("a node"),
    );
    for reference in ["prod/kept", "prod/disabled"] {
        first.set(reference, "a value").await.expect("a key");
    }
    let [kept, revoked] = [first.token("kept", "prod").await, first.token("revoked", "prod").await];
    for node in [&first, &second] {
        assert_eq!(node.get(&revoked, "prod/disabled").await.expect("a value"), "a value");
    }
    let replica = Replica::of(&shared);
    replica.lag(&shared);
    // Acknowledged by the primary, and lost with it.
    first.revoke("revoked").await.expect("a revocation");
    let disabled = first
        .operator()
        .keys()
        .disable(&crate::site::key("prod/disabled"))
        .await;
    disabled.expect("a disabled key");
    first.set("prod/lost", "a value").await.expect("a key");
    replica.take_over(&mut shared);

    first.serves_again(&kept, "prod/kept", PATIENCE).await;
    for (token, reference) in [(&revoked, "prod/kept"), (&kept, "prod/disabled")] {
        let refused = first.get(token, reference).await;
        let expected = [Some(Code::Integrity), Some(Code::Unauthenticated)];
        assert!(expected.contains(&code(&refused)), "{reference}: {refused:?}");
    }
    // Not without leave: the store lost a key as well.
    let refused = settle(&first, false).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::Precondition, "{}", said(&refused));
    assert!(
        said(&refused).contains("lost") || said(&refused).contains("record"),
        "{}",
        said(&refused)
    );
    let settled = settle(&first, true)
        .await
        .unwrap_or_else(|error| panic!("{}", said(&error)));
    let again: Vec<&str> = settled.since.again.iter().map(|taken| taken.change.as_str()).collect();
    assert!(
        again.contains(&"revoke-token") && again.contains(&"disable-key"),
        "{again:?}"
    );
    assert!(!settled.since.lost.is_empty(), "the key that the store lost");

    // A node that knew nothing of it learns it from the store.
    let fresh = site.open(&shared.url()).await.expect("a node");
    tokio::time::sleep(Duration::from_secs(1)).await;
    for node in [&first, &second, &fresh] {
        assert_eq!(node.get(&kept, "prod/kept").await.expect("a value"), "a value");
        assert_eq!(
            code(&node.get(&revoked, "prod/kept").await),
            Some(Code::Unauthenticated)
        );
        assert_eq!(code(&node.get(&kept, "prod/disabled").await), Some(Code::KeyDisabled));
    }
    let report = first.operator().audit().verify(&[]).await.expect("a report");
    assert!(report.ok, "{report:?}");
}

async fn settle(node: &Node, accept: bool) -> ibyok_core::Result<ibyok_core::backups::Settled> {
    node.operator().backups().settle(None, accept).await
}
