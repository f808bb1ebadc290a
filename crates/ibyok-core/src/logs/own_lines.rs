//! The lines of the log that a principal may read.

use ibyok_audit::{Filter, VerifyingKey};
use ibyok_storage::{RecordId, StoreExt};
use jiff::Timestamp;

use super::Logs;
use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::gate::principal::Principal;
use crate::model::kind;
use crate::model::name::base62;
use crate::realm::log_keys::{log_key, with_lines};

impl Logs {
    /// Narrows a filter to the lines that a principal may read: those of its namespace.
    ///
    /// # Errors
    /// [`Error::Denied`] for a filter that names another namespace; [`Error::NotFound`] if the principal's does not exist.
    pub(crate) async fn own_lines(&self, who: &Principal, filter: &Filter) -> Result<Filter> {
        let mut filter = filter.clone();
        if matches!(who, Principal::Operator(operator) if operator.reads_whole_log()) {
            return Ok(filter);
        }
        let own = who.namespace();
        if filter.namespace.as_deref().is_some_and(|named| named != own.as_str()) {
            return Err(Error::other_namespace(own));
        }
        filter.namespace = Some(own.to_string());
        filter.since = filter.since.max(self.namespace_since(who).await?);
        Ok(filter)
    }

    /// Returns the time at which a principal's namespace was made: lines from before it are about a tenant that had
    /// the name earlier. `None` for the vault's home, which is as old as the vault.
    pub(crate) async fn namespace_since(&self, who: &Principal) -> Result<Option<Timestamp>> {
        if *who.namespace() == self.records.home.name.namespace {
            return Ok(None);
        }
        let created = match who {
            Principal::Operator(operator) => self.records.whole_realm(operator.namespace()).await?.attributes.created,
            Principal::Token(holder) => holder.realm().attributes.created,
        };
        // A line has the microsecond that it was written in.
        Ok(Some(
            Timestamp::from_microsecond(created.as_microsecond()).unwrap_or(created),
        ))
    }

    /// The keys of logs that are sealed under this node's home.
    pub(crate) async fn log_keys(&self) -> Result<SealedKeys> {
        let collection = self.records.home.collection(kind::LOG_KEY)?;
        let mut keys = SealedKeys::default();
        let home = self.records.home_now().await;
        let mut pages = self.records.store.pages(&collection);
        while let Some(page) = pages.next_page().await? {
            for id in &page {
                match log_key(self.records.store.as_ref(), &home, id).await {
                    Ok(key) => keys
                        .whole
                        .extend(key.map(|key| with_lines(&self.records.home, key.public(&base62(*id.id()))))),
                    Err(Error::Integrity { damage, .. }) => keys.damaged.push((*id, damage)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(keys)
    }
}

/// The keys of logs in the store.
#[derive(Default)]
pub(crate) struct SealedKeys {
    /// The public half of each key that opens.
    pub(crate) whole: Vec<VerifyingKey>,
    /// The records that do not open.
    pub(crate) damaged: Vec<(RecordId, Damage)>,
}

impl SealedKeys {
    /// Returns true if the store holds the key of a log, whole or damaged.
    pub(crate) fn knows(&self, log: &str) -> bool {
        let is_damaged = self.damaged.iter().any(|(id, _)| base62(*id.id()) == log);
        is_damaged || self.whole.iter().any(|key| key.log() == Some(log))
    }
}
