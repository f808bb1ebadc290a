//! A scene whose clock can be moved on.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ibyok_core::{
    AccessToken, Code, FileSink, LocalKek, MemoryStore, RequestContext, Vault,
    audit::SinkDurability,
    clock::{Clock, SystemClock},
    jiff::Timestamp,
};

use super::{Scene, secret};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// The machine's clock, moved on by so many seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Later(Arc<AtomicI64>);

impl Later {
    pub(crate) fn move_on(&self, by: Duration) {
        self.0.fetch_add(by.as_secs() as i64, SeqCst);
    }
}

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::now() + Duration::from_secs(self.0.load(SeqCst) as u64)
    }

    fn elapsed(&self) -> Duration {
        SystemClock::default().elapsed() + Duration::from_secs(self.0.load(SeqCst) as u64)
    }
}

/// A scene whose clock can be moved on, with a key in two environments.
pub(crate) async fn timed() -> (Scene, Later) {
    let scratch = tempfile::tempdir().unwrap();
    let (store, clock) = (MemoryStore::new(), Later::default());
    let sink = FileSink::builder(scratch.path().join("audit")).durability(SinkDurability::Written);
    let builder = Vault::builder()
        .store(store.clone())
        .kek(LocalKek::create_file(&scratch.path().join("kek")).unwrap())
        .audit(sink.open().await.unwrap())
        .clock(clock.clone());
    let scene = Scene {
        vault: builder.create().await.unwrap(),
        store,
        scratch,
    };
    for key in ["prod/openai", "prod/stripe", "dev/openai", "dev/stripe"] {
        scene
            .operator()
            .keys()
            .set(&scene.key(key), secret("sk"))
            .await
            .unwrap();
    }
    (scene, clock)
}

pub(crate) fn copy(token: &AccessToken) -> AccessToken {
    AccessToken::from(token.expose())
}

pub(crate) async fn reads(scene: &Scene, token: &AccessToken, key: &str) -> Result<(), Code> {
    let (key, nowhere) = (scene.key(key), RequestContext::default());
    let read = scene.vault.retrieve(token, &key, &nowhere).await;
    read.map(|_| ()).map_err(|error| error.code())
}
