//! New KEKs, generations of environment keys and token keys under nodes that write: nothing that was acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ibyok_core::keks::KeysOf;
use ibyok_core::{Code, Kek, LocalKek};
use tokio::task::JoinHandle;

use crate::shared::Shared;
use crate::site::{Node, Site, key};

crate::on!(file postgres redis,
    four_nodes_that_write_during_a_reseal_lose_nothing
    every_environment_key_changes_its_kek_and_opens_under_the_new_one_alone
    a_new_token_key_ends_tokens_on_every_node
);

/// The number of nodes that write.
const WRITERS: usize = 4;

/// Writes keys with two versions, and reads them, until it is stopped. Returns the keys that were acknowledged.
fn writer(node: Node, number: usize, stop: Arc<AtomicBool>) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut written = Vec::new();
        for count in 0.. {
            if stop.load(Ordering::Acquire) {
                break;
            }
            let name = format!("prod/w{number}-{count}");
            for value in ["first", "second"] {
                let set = node.set(&name, value).await;
                set.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            assert_eq!(read(&node, &name).await, "second");
            written.push(name);
        }
        written
    })
}

async fn read(node: &Node, name: &str) -> String {
    let released = node.operator().retrieve(&key(name)).await;
    let released = released.unwrap_or_else(|error| panic!("{name}: {error}"));
    released.text().expect("a text").to_owned()
}

async fn four_nodes_that_write_during_a_reseal_lose_nothing(shared: Shared) {
    let (site, url) = (Site::new(), shared.url());
    let first = site.create(&url).await;
    first.set("prod/early", "early").await.expect("a key");
    let token = first.token("reader", "prod").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let node = site.open(&url).await.expect("a node");
        writers.push(writer(node, number, Arc::clone(&stop)));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let keks = first.vault.keks("os:test@nodes");
    let resealed = keks
        .reseal(&KeysOf::Everything, &mut |_, _| {})
        .await
        .expect("a reseal");
    assert!(
        resealed.iter().all(|one| one.current == 2 && one.damaged.is_empty()),
        "{resealed:?}"
    );
    let dropped = keks.drop_generation(1, &KeysOf::Everything, &mut |_, _| {}).await;
    let dropped = dropped.expect("a generation that nothing needs");
    assert_eq!(dropped.len(), resealed.len());
    stop.store(true, Ordering::Release);
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await.expect("a writer that met no error"));
    }
    let late = site.open(&url).await.expect("a node");
    for name in &written {
        assert_eq!(read(&late, name).await, "second", "{name}");
    }
    assert_eq!(late.get(&token, "prod/early").await.expect("a value"), "early");
    println!("{} keys were written meanwhile, lost 0", written.len());
    assert!(written.len() > WRITERS, "{}", written.len());
}

async fn every_environment_key_changes_its_kek_and_opens_under_the_new_one_alone(shared: Shared) {
    let (site, url) = (Site::new(), shared.url());
    let node = site.create(&url).await;
    node.set("prod/key", "value").await.expect("a key");
    let new: Arc<dyn Kek> = Arc::new(LocalKek::copy_of(&[7; 32]));
    let (builder, _) = site.builder(&url).await.expect("a store");
    // The new KEK wraps, and the present one still opens.
    let both = builder.shared_kek(Arc::clone(&new));
    let other = both.open().await.expect("a vault");
    let keks = other.keks("os:test@nodes");
    let outdated = keks.outdated(None).await.expect("a list").len();
    assert_eq!(
        keks.rewrap(None, &mut |_, _| {}).await.expect("a change").rewrapped,
        outdated as u64
    );
    assert!(keks.outdated(None).await.expect("a list").is_empty());
    other.close().await.expect("an end");
    let (alone, _) = site.builder_with(&url, new).await.expect("a store");
    let vault = alone.open().await.expect("a vault under the new KEK");
    let released = vault.operator("os:test@nodes").retrieve(&key("prod/key")).await;
    assert_eq!(released.expect("a value").text().expect("a text"), "value");
    let old = site.open(&url).await.err().map(|error| error.code());
    assert_eq!(old, Some(Code::Kek));
}

async fn a_new_token_key_ends_tokens_on_every_node(shared: Shared) {
    let (site, url) = (Site::new(), shared.url());
    let nodes = [site.create(&url).await, site.open(&url).await.expect("a node")];
    nodes[0].set("prod/key", "value").await.expect("a key");
    let token = nodes[0].token("reader", "prod").await;
    for node in &nodes {
        assert_eq!(node.get(&token, "prod/key").await.expect("a value"), "value");
    }
    let of = "prod".parse().expect("an environment");
    let ended = nodes[0].vault.keks("os:test@nodes").rekey_tokens(&of).await;
    assert_eq!(ended.expect("a new key")[0].valid, 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for node in &nodes {
        let refused = node.get(&token, "prod/key").await.expect_err("a token that ended");
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
}
