//! AWS KMS as the KEK: how often it is asked.

use std::sync::Arc;
use std::time::Duration;

use ibyok_benches::Result;
use ibyok_core::{
    Kek,
    kek::{AwsKms, AwsKmsOptions},
    secrecy::SecretString,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::kms_stub::{ARN, KmsStub, REGION};
use crate::node::{Asker, Node, Place};

/// The number of retrievals for which calls are counted.
const RETRIEVALS: usize = 10_000;

/// The number of concurrent retrievals.
const AT_ONCE: usize = 50;

/// The environments of the keys that are asked for in turn.
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

pub(crate) async fn count() -> Result<()> {
    let (stub, file) = (KmsStub::start(), TempDir::with_prefix("ibyok-bench-")?);
    let credentials = SecretString::from("no-secret-of-anybodys");
    let options = AwsKmsOptions::new().region(REGION).endpoint(&stub.endpoint());
    let kms = AwsKms::connect(ARN, options.credentials("AKIDEXAMPLE", &credentials, None)).await?;
    let kek: Arc<dyn Kek> = Arc::new(kms);
    let url = format!("file:{}", file.path().join("vault.db").display());
    let place = Place::new(url, kek)?;
    let asker = Asker::new(&place.builder().await?.create().await?, &ENVIRONMENTS, 10).await?;
    println!(
        "calls of KMS for {RETRIEVALS} retrievals in {} environments",
        ENVIRONMENTS.len()
    );
    for (kept, ttl) in [("5 min", 300), ("1 s", 1), ("0", 0)] {
        let before = stub.calls().len();
        let vault = place
            .builder()
            .await?
            .key_cache_ttl(Duration::from_secs(ttl))
            .open()
            .await?;
        let opened = stub.calls().len() - before;
        let node = Node {
            vault,
            asker: Arc::clone(&asker),
        };
        let begun = std::time::Instant::now();
        retrieve(&node).await?;
        let calls = stub.calls().len() - before - opened;
        println!(
            "keys kept {kept:<6} {opened:>2} at the opening, {calls:>6} after it, in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

async fn retrieve(node: &Node) -> Result<()> {
    let mut running = JoinSet::new();
    for task in 0..AT_ONCE {
        let node = node.clone();
        running.spawn(async move {
            for number in 0..RETRIEVALS / AT_ONCE {
                node.retrieve(task + number).await?;
            }
            Result::Ok(())
        });
    }
    for done in running.join_all().await {
        done?;
    }
    Ok(())
}
