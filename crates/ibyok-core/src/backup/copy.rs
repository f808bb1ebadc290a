//! Copies a vault from one store to another, and moves it there.
//!
//! The copy runs while nodes write to the old store. Then the old store is sealed: from there on it takes no write, and every node on it
//! refuses requests as soon as its lease is over. A last walk compares both stores, so nothing that was acknowledged before the seal is
//! missing. The vault's own record comes last: until then the new store holds no vault, and the same copy continues.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use ibyok_crypto::RealmRecord;
use ibyok_storage::{
    Collection, Error as StorageError, Expect, Kind, LIST_LIMIT, RecordId, RecordPut, Store, StoreExt,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::fill::{Fill, read_many};
use super::read::Progress;
use super::sweep::{End, Sweep, Swept, Take, collections};
use crate::base::damage::Damage;
use crate::base::error::{Error, Part, Result};
use crate::model::kind;
use crate::realm::tags::list_root;
use crate::realm::vault_record::{vault_in, vault_record};
use crate::records::lease::{BEFORE_THE_FIRST, LEASE};
use ibyok_audit::words::counted;

/// The number of times that the sweep begins again where the feed does not keep enough changes.
const TRIES: usize = 3;

/// The wait after the seal: longer than the lease of every node, so that no old store is read when the new one is used.
const SETTLED: Duration = Duration::from_millis(300);

/// The changes of the old store that may come between the last look at its number and the seal.
const MARGIN: u64 = 10_000;

/// The most changes that a new store is made to count. Each is a write.
const COUNT_MAX: u64 = 5_000_000;

/// The kind of the records that only make a store count. No other part of a vault reads it.
const COUNTED: u8 = 126;

/// The result of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Copied {
    /// The vault's id.
    pub vault: String,
    /// The number of records in the new store, which is that of the old one.
    pub records: u64,
    /// The SHA-256 of the ids and bytes of all records, in hex: the same for both stores.
    pub sha256: String,
}

/// A copy from one store to another.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a caller names every part")]
pub struct StoreCopy<'a> {
    /// The store that holds the vault.
    pub from: &'a dyn Store,
    /// The store that the vault moves to.
    pub to: &'a dyn Store,
    /// The name of the new store, without a password: processes on the old one show it.
    pub to_name: &'a str,
}

impl StoreCopy<'_> {
    /// Copies every record, seals the old store, and compares both. No KEK is needed. A copy that was interrupted continues.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the old store holds no vault; [`Error::Conflict`] if the new store holds this vault already; [`Error::Invalid`] if it
    /// holds another vault or is sealed, or the old store was moved to another place; [`Error::Integrity`] if the old store cannot read a
    /// record, or the stores differ; [`Error::Unavailable`].
    pub async fn run(self, progress: Progress<'_>) -> Result<Copied> {
        let vault = self.vault().await?;
        let is_sealed = self.is_sealed().await?;
        if vault_in(self.to).await?.is_some() && is_sealed {
            // Everything but the caller's settings was done before. The new store may be in use by now.
            let (records, digest) = walk(self.to, None, &mut BTreeSet::new()).await?;
            return Ok(copied(vault, records, &digest));
        }
        self.refuse_target(&vault).await?;
        if !is_sealed {
            self.copy_while_it_is_used(progress).await?;
            self.seal().await?;
        }
        // Also after a restart: a node may have renewed its lease right before the seal.
        tokio::time::sleep(LEASE + SETTLED).await;
        let copied = self.compare(vault, progress).await?;
        let record = self.from.get(&vault_record()).await?;
        let mut fill = Fill::new(self.to, progress);
        fill.take(&[(vault_record(), record)]).await?;
        Ok(copied)
    }

    /// Removes the seal of a copy that did not come to its end, so that the old store serves again.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the new store holds the vault already; [`Error::NotFound`] if there is no such seal; [`Error::Unavailable`].
    pub async fn cancel(self) -> Result<()> {
        let vault = self.vault().await?;
        if vault_in(self.to).await?.is_some_and(|there| there == vault) {
            let what =
                "the new store holds the vault by now, and may be in use: the old one must not serve again".to_owned();
            return Err(Error::Conflict { what });
        }
        match self.from.get(&RecordId::SEAL).await? {
            Some(seal) if seal.bytes == self.reason() => Ok(self.from.delete(&RecordId::SEAL, seal.revision).await?),
            _ => Err(Error::NotFound {
                what: format!("copy to {} to cancel", self.to_name),
                hint: Some("name the store that the copy went to".into()),
            }),
        }
    }

    async fn vault(self) -> Result<String> {
        vault_in(self.from).await?.ok_or_else(|| Error::NotFound {
            what: "vault in the store to copy".to_owned(),
            hint: Some("check `--vault` and the store in its settings".into()),
        })
    }

    fn reason(self) -> Vec<u8> {
        format!("this vault was moved to {}", self.to_name).into_bytes()
    }

    /// Returns true if the old store is sealed for this copy.
    async fn is_sealed(self) -> Result<bool> {
        match self.from.get(&RecordId::SEAL).await? {
            None => Ok(false),
            Some(seal) if seal.bytes == self.reason() => Ok(true),
            Some(seal) => Err(Error::Invalid {
                what: StorageError::sealed(&seal.bytes).to_string(),
                hint: Some("copy from the store that the message names".into()),
            }),
        }
    }

    /// Refuses a new store that is the old one, or holds anything but a part of this copy.
    async fn refuse_target(self, vault: &str) -> Result<()> {
        if let Some(there) = vault_in(self.to).await? {
            if there == *vault {
                let what = format!(
                    "{} holds this vault already: it is the same store, or a copy of it",
                    self.to_name
                );
                return Err(Error::Conflict { what });
            }
            return Err(Error::invalid(
                format!("{} holds another vault, `{there}`", self.to_name),
                "give an empty store, or another schema or prefix",
            ));
        }
        if self.to.get(&RecordId::SEAL).await?.is_some() {
            let what = format!("{} is sealed: its vault was moved away", self.to_name);
            return Err(Error::invalid(what, "give an empty store"));
        }
        let ours: BTreeSet<RecordId> = list_root(self.from, kind::TAG).await?.into_iter().collect();
        let mut is_ours = list_root(self.to, kind::TAG)
            .await?
            .iter()
            .all(|tag| ours.contains(tag));
        for id in list_root(self.to, kind::REALM).await? {
            let stored = self.to.get(&id).await?;
            let realm = stored.as_ref().map(|stored| RealmRecord::parse(&stored.bytes));
            is_ours &= matches!(realm, Some(Ok(realm)) if realm.vault().to_string() == *vault);
        }
        match is_ours {
            true => Ok(()),
            false => Err(Error::invalid(
                format!(
                    "{} is not empty, and its records are not a part of this copy",
                    self.to_name
                ),
                "give an empty store, or another schema or prefix",
            )),
        }
    }

    async fn copy_while_it_is_used(self, progress: Progress<'_>) -> Result<()> {
        for _ in 0..TRIES {
            let mut to = WithoutVault(Fill::new(self.to, progress));
            let mut sweep = Sweep::begin(self.from).await?;
            let end = sweep.run(&mut to).await?;
            if let Some(first) = sweep.unreadable.first() {
                let what = format!(
                    "{} of the store, such as {first},",
                    counted(sweep.unreadable.len(), "record")
                );
                return Err(Error::damaged(what, Damage::Unreadable));
            }
            if matches!(end, End::Whole { .. }) {
                return self.count_on(sweep.upto()).await;
            }
        }
        let why = "the change feed does not keep as many changes as were made during the copy";
        Err(Error::unavailable(Part::Store, why))
    }

    /// Brings the new store's change number above every number of the old one. A node takes a store with a lower number than it has seen for an
    /// older copy. Stores on servers, and files that [`FileOptions::first_change`](ibyok_storage::FileOptions::first_change) began, are there already.
    async fn count_on(self, upto: u64) -> Result<()> {
        let goal = upto.saturating_add(MARGIN);
        let collection = Collection::root(Kind::new(COUNTED));
        loop {
            let now = self.to.changes(BEFORE_THE_FIRST).await?.upto.as_u64();
            let behind = goal.saturating_sub(now);
            if behind == 0 {
                break;
            }
            if behind > COUNT_MAX {
                let what = format!(
                    "{} counts its changes from {now}, and the old store is at {upto}",
                    self.to_name
                );
                return Err(Error::invalid(
                    what,
                    "check the clock of the new store's server, and give an empty store",
                ));
            }
            let number = u64::try_from(LIST_LIMIT).unwrap_or(u64::MAX).min(behind);
            let ids: Vec<RecordId> = (0..number)
                .map(|number| RecordId::new(collection, u128::from(number).to_be_bytes()))
                .collect();
            let there = read_many(self.to, &ids).await?;
            let puts = ids.iter().zip(&there).map(|(id, there)| {
                let expect = there
                    .as_ref()
                    .map_or(Expect::Absent, |there| Expect::Revision(there.revision));
                RecordPut::new(*id, b"", expect)
            });
            self.to.put_many(&puts.collect::<Vec<_>>()).await?;
        }
        for id in self.to.list_all(&collection).await? {
            if let Some(there) = self.to.get(&id).await? {
                self.to.delete(&id, there.revision).await?;
            }
        }
        Ok(())
    }

    async fn seal(self) -> Result<()> {
        match self.from.put(&RecordId::SEAL, &self.reason(), Expect::Absent).await {
            Ok(_) => Ok(()),
            // Another process was faster, or a retry met its own write.
            Err(StorageError::Exists) => self.is_sealed().await.map(drop),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the new store equal to the sealed one, and compares them by count and digest.
    async fn compare(self, vault: String, progress: Progress<'_>) -> Result<Copied> {
        let mut fill = Fill::new(self.to, progress);
        let mut ids = BTreeSet::new();
        let (records, digest) = walk(self.from, Some(&mut fill), &mut ids).await?;
        fill.delete_others(&ids).await?;
        let there = walk(self.to, None, &mut BTreeSet::new()).await?;
        if there != (records, digest) {
            let what = format!(
                "the copy in {}, with {} instead of {records},",
                self.to_name,
                counted(there.0, "record")
            );
            return Err(Error::damaged(what, Damage::DoesNotOpen));
        }
        Ok(copied(vault, records, &digest))
    }
}

fn copied(vault: String, records: u64, digest: &[u8; 32]) -> Copied {
    Copied {
        vault,
        records,
        sha256: HEXLOWER.encode(digest),
    }
}

/// Reads every record but the vault's own in the order of collections and ids, and returns their number and digest.
async fn walk(
    store: &dyn Store,
    mut fill: Option<&mut Fill<'_>>,
    ids: &mut BTreeSet<RecordId>,
) -> Result<(u64, [u8; 32])> {
    let (mut count, mut hash) = (0, Sha256::new());
    for collection in collections(store).await? {
        let mut pages = store.pages(&collection);
        while let Some(page) = pages.next_page().await? {
            let found = read_many(store, &page).await?;
            let records: Vec<Swept> = page.into_iter().zip(found).collect();
            for (id, stored) in &records {
                let Some(stored) = stored else { continue };
                hash.update(id.to_string());
                hash.update(stored.bytes.len().to_be_bytes());
                hash.update(&stored.bytes);
                count += 1;
            }
            if let Some(fill) = &mut fill {
                fill.take(&records).await?;
                ids.extend(records.iter().map(|(id, _)| *id));
            }
        }
    }
    Ok((count, hash.finalize().into()))
}

/// Leaves out the vault's own record.
struct WithoutVault<'a>(Fill<'a>);

#[async_trait]
impl Take for WithoutVault<'_> {
    async fn take(&mut self, records: &[Swept]) -> Result<()> {
        match records {
            [(id, _)] if *id == vault_record() => Ok(()),
            records => self.0.take(records).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use ibyok_audit::MemoryHome;
    use ibyok_crypto::{LocalKek, Secret};
    use ibyok_storage::MemoryStore;

    use super::*;
    use crate::{Code, KeyRef, Vault};

    async fn vault(store: &MemoryStore, kek: &std::path::Path) -> Vault {
        let kek = match kek.exists() {
            true => LocalKek::from_file(kek).unwrap(),
            false => LocalKek::create_file(kek).unwrap(),
        };
        let builder = Vault::builder().store(store.clone()).kek(kek).audit(MemoryHome::new());
        builder.open_or_create().await.unwrap()
    }

    #[tokio::test]
    async fn a_vault_moves_while_it_is_written_and_its_old_store_serves_no_more() {
        let scratch = tempfile::tempdir().unwrap();
        let (from, to) = (MemoryStore::new(), MemoryStore::new());
        let old = vault(&from, &scratch.path().join("kek")).await;
        let operator = old.operator("test");
        let key = |number: u32| format!("prod/key-{number}").parse::<KeyRef>().unwrap();
        operator.keys().set(&key(0), Secret::copy_of(b"0")).await.unwrap();
        let writer = tokio::spawn(async move {
            let mut written = 0;
            loop {
                let set = operator.keys().set(&key(written + 1), Secret::copy_of(b"x")).await;
                match set {
                    Ok(_) => written += 1,
                    Err(error) => return (written, error),
                }
            }
        });
        let copy = StoreCopy {
            from: &from,
            to: &to,
            to_name: "`memory:`",
        };
        let copied = copy.run(&|_| {}).await.unwrap();
        let (written, error) = writer.await.unwrap();
        assert_eq!(error.code(), Code::Unavailable);
        assert!(error.to_string().contains("moved to `memory:`"), "{error}");
        assert!(
            old.operator("test").retrieve(&key(0)).await.is_err(),
            "the old node serves no more"
        );
        let new = vault(&to, &scratch.path().join("kek")).await;
        for number in 0..=written {
            new.operator("test").retrieve(&key(number)).await.unwrap();
        }
        assert_eq!(
            copy.run(&|_| {}).await.unwrap().vault,
            copied.vault,
            "once more is no harm"
        );
    }

    #[tokio::test]
    async fn a_copy_that_stopped_continues_and_a_strangers_store_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let (from, to) = (MemoryStore::new(), MemoryStore::new());
        drop(vault(&from, &scratch.path().join("kek")).await);
        let copy = |to| StoreCopy {
            from: &from,
            to,
            to_name: "`memory:`",
        };
        assert_eq!(
            copy(&from).run(&|_| {}).await.unwrap_err().code(),
            Code::Conflict,
            "itself"
        );
        let other = MemoryStore::new();
        drop(vault(&other, &scratch.path().join("other-kek")).await);
        let refused = copy(&other).run(&|_| {}).await.unwrap_err().to_string();
        assert!(refused.contains("another vault"), "{refused}");
        // Half of another vault's records.
        let half = MemoryStore::new();
        for id in list_root(&other, kind::TAG).await.unwrap() {
            let stored = other.get(&id).await.unwrap().unwrap();
            half.put(&id, &stored.bytes, Expect::Absent).await.unwrap();
        }
        let refused = copy(&half).run(&|_| {}).await.unwrap_err().to_string();
        assert!(refused.contains("not empty"), "{refused}");
        copy(&to).copy_while_it_is_used(&|_| {}).await.unwrap();
        assert_eq!(vault_in(&to).await.unwrap(), None, "half a copy is no vault");
        copy(&to).seal().await.unwrap();
        let elsewhere = StoreCopy {
            to_name: "`elsewhere`",
            ..copy(&half)
        };
        assert_eq!(elsewhere.run(&|_| {}).await.unwrap_err().code(), Code::Invalid);
        copy(&to).cancel().await.unwrap();
        copy(&to).run(&|_| {}).await.unwrap();
        assert_eq!(copy(&to).cancel().await.unwrap_err().code(), Code::Conflict);
        assert_eq!(vault_in(&to).await.unwrap(), vault_in(&from).await.unwrap());
    }
}
