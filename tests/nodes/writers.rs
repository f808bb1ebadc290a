//! Many writers of one key on several nodes: none is lost, none is counted twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ibyok_core::{AccessToken, Code, keys::Role};

use crate::shared::Shared;
use crate::site::{Node, Site, key, said};

crate::on!(file postgres redis, sixty_four_writers_make_sixty_four_versions);

const WRITERS: u32 = 64;

/// By then the store has given up on a write that its caller gave up on.
const SETTLED: Duration = Duration::from_secs(3);

/// Writes until no other writer was faster, and returns the version.
async fn write(node: Node, token: AccessToken, value: String) -> u32 {
    loop {
        match node.set("prod/key", &value).await {
            Ok(version) => return version,
            Err(error) if error.code() == Code::Conflict => {}
            // A busy store may give no answer in time. Then nobody knows, and whoever must not write twice looks first.
            Err(error) => {
                assert_eq!(error.code(), Code::Unavailable, "{}", said(&error));
                tokio::time::sleep(SETTLED).await;
                if let Some(version) = version_of(&node, &token, &value).await {
                    return version;
                }
            }
        }
    }
}

/// The version that holds a value.
async fn version_of(node: &Node, token: &AccessToken, value: &str) -> Option<u32> {
    for version in 1..=WRITERS {
        match node.get(token, &format!("ibyok://prod/key?version={version}")).await {
            Ok(found) if found == value => return Some(version),
            Err(error) if error.code() == Code::NotFound => return None,
            _ => {}
        }
    }
    None
}

async fn sixty_four_writers_make_sixty_four_versions(shared: Shared) {
    let site = Site::new();
    let here = site.create(&shared.url()).await;
    let nodes = [here.clone(), site.open(&shared.url()).await.expect("a node")];
    let token = here.token("reader", "prod").await;
    let begun = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let value = format!("the value of {number}");
            let (node, token) = (nodes[number as usize % 2].clone(), AccessToken::from(token.expose()));
            (value.clone(), tokio::spawn(write(node, token, value)))
        })
        .collect();
    let mut written = BTreeMap::new();
    for (value, writer) in writers {
        let version = writer.await.expect("a writer");
        assert_eq!(written.insert(version, value), None, "version {version} twice");
    }
    assert!(written.keys().copied().eq(1..=WRITERS), "{:?}", written.keys());
    println!(
        "{}: {WRITERS} writers of one key took {:?}",
        shared.name(),
        begun.elapsed()
    );

    for node in &nodes {
        let shown = node.operator().keys().show(&key("prod/key")).await.expect("a key");
        let current: Vec<u32> = shown
            .versions
            .iter()
            .filter(|version| version.role == Role::Current)
            .map(|version| version.version)
            .collect();
        assert_eq!((shown.versions.len(), current), (WRITERS as usize, vec![WRITERS]));
        each_version_is_its_writers(node, &token, &written).await;
    }
}

async fn each_version_is_its_writers(node: &Node, token: &AccessToken, written: &BTreeMap<u32, String>) {
    for (version, value) in written {
        let got = node.get(token, &format!("ibyok://prod/key?version={version}")).await;
        assert_eq!(got.as_ref().ok(), Some(value), "version {version}");
    }
}
