//! The newest checkpoint of each log of the place, as this node last put it into the store.
//!
//! The store can be set back, and so can the log. The floors then still know how far the log had come. A checkpoint covers lines that
//! are on the disk already, so a crash never leaves a log that is shorter than its checkpoint here.

use std::collections::BTreeSet;

use ibyok_storage::{MapChange, MapDurability};

use super::checkpoint::size;
use super::file::Floors;
use super::key;
use crate::base::error::Result;

impl Floors {
    /// Returns the newest checkpoint of each log that this place had, with the log's id.
    pub(crate) async fn ends(&self) -> Result<Vec<(String, String)>> {
        let texts = self.ask(|map| async move { map.texts(key::ENDS).await }).await?;
        Ok(texts
            .into_iter()
            .map(|(name, note)| (key::name_of(&name), note))
            .collect())
    }

    /// Returns the newest checkpoint of one log.
    pub(crate) async fn end_of(&self, log: &str) -> Result<Option<String>> {
        let name = key::end(log);
        self.ask(|map| {
            let name = name.clone();
            async move { map.text(&name).await }
        })
        .await
    }

    /// Keeps a checkpoint that the store holds by now, unless a newer one of the log is kept.
    pub(crate) async fn keep_end(&self, log: &str, note: &str) -> Result<()> {
        let there = self.end_of(log).await?;
        if there.is_some_and(|there| size(&there) >= size(note)) {
            return Ok(());
        }
        self.put_end(log, Some(note.to_owned())).await
    }

    /// Drops the checkpoint of a log that does not reach it, after the finding about that was kept.
    pub(crate) async fn forget_end(&self, log: &str) -> Result<()> {
        self.put_end(log, None).await
    }

    /// Keeps that an operator acknowledged the loss of a log's key, and the log's end, if it is known.
    pub(crate) async fn keep_lost_key(&self, log: &str, end: Option<&str>) -> Result<()> {
        let put = |key, text: Option<&str>| MapChange::Put {
            key,
            text: text.map(str::to_owned),
        };
        let changes = vec![put(key::end(log), end), put(key::lost_key(log), Some("acknowledged"))];
        self.apply(changes, MapDurability::Disk).await.map(drop)
    }

    /// Returns the logs whose key the store has lost, where an operator acknowledged the loss.
    pub(crate) async fn lost_keys(&self) -> Result<BTreeSet<String>> {
        let texts = self.ask(|map| async move { map.texts(key::LOST_KEYS).await }).await?;
        Ok(texts.iter().map(|(name, _)| key::name_of(name)).collect())
    }

    async fn put_end(&self, log: &str, text: Option<String>) -> Result<()> {
        let put = MapChange::Put {
            key: key::end(log),
            text,
        };
        self.apply(vec![put], MapDurability::Kernel).await.map(drop)
    }
}
