//! Reads the records again that are known to be damaged, so that `status` and `/readyz` forget those that are sound
//! by now: the store was restored, or an operator accepted the older record in another process.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ibyok_storage::{RecordId, Revision};

use crate::base::error::{Error, Result};
use crate::model::kind;
use crate::model::typed::with_type_of;
use crate::realm::{Realm, open_failed};
use crate::records::Records;
use crate::records::record::Record;

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The number of records that one look is for.
const AT_ONCE: usize = 100;

/// The facts that a record's verdict depends on. As long as it stays, so does the verdict, and nobody has to ask a KEK for the realm's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    revision: Option<Revision>,
    floor: Option<u64>,
    accepted: Option<u64>,
}

/// Reads the damaged records again as long as the vault lives.
pub(crate) async fn look_at_damaged_again(records: Weak<Records>) {
    let (mut known, mut after) = (HashMap::new(), None);
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(records) = records.upgrade() else { return };
        records.look_again(&mut known, &mut after).await;
    }
}

impl Records {
    async fn look_again(&self, known: &mut HashMap<RecordId, Standing>, after: &mut Option<RecordId>) {
        let ids = self.damaged_after(after.as_ref(), AT_ONCE);
        *after = ids.last().copied().filter(|_| ids.len() == AT_ONCE);
        for id in ids {
            match self.is_damaged_still(&id, known).await {
                Ok(true) => {}
                Ok(false) => {
                    known.remove(&id);
                    self.forget_damaged_record(&id);
                }
                Err(error) => tracing::debug!(record = %id, %error, "cannot check a damaged record again"),
            }
        }
        let damaged = self.damaged_after(None, usize::MAX);
        known.retain(|id, _| damaged.binary_search(id).is_ok());
    }

    async fn is_damaged_still(&self, id: &RecordId, known: &mut HashMap<RecordId, Standing>) -> Result<bool> {
        let of = id.collection().kind().as_u8();
        if of == kind::TAG || of == kind::REALM {
            return self.is_realm_damaged_still(id).await;
        }
        let tags = self.tags().await?;
        let Some(name) = tags.name_of(*id.collection().realm()) else {
            // Its environment was removed, unless the record of its name is the damaged one.
            return Ok(!tags.damaged().is_empty());
        };
        let now = self.standing(id).await?;
        let before = known.insert(*id, now);
        // A record of usage was refused for its content, which is not judged here: it counts as damaged until it
        // changes.
        let is_usage = matches!(of, kind::KEY_USE | kind::TOKEN_USE | kind::SIGN);
        if before.map_or(is_usage, |before| before == now) {
            return Ok(true);
        }
        let looked = match self.realm(name).await {
            Ok(Some(realm)) => self.is_sound(&realm, id).await,
            Ok(None) => Ok(true),
            Err(error) => Err(error),
        };
        if looked.is_err() {
            known.remove(id);
        }
        looked.map(|is_sound| !is_sound)
    }

    /// The realm's own record costs a call to the KEK, so it is opened only after the feed reported a change of it.
    async fn is_realm_damaged_still(&self, id: &RecordId) -> Result<bool> {
        let tags = self.tags().await?;
        if tags.damaged().contains(id) {
            return Ok(true);
        }
        if tags.lost().any(|(lost, _)| lost == id) {
            let is_lost = self.is_lost(id).await?;
            if !is_lost {
                self.realms.forget_tags();
            }
            return Ok(is_lost);
        }
        let Some(name) = tags.names().find(|name| name.record_id(self.vault) == *id) else {
            return Ok(false);
        };
        if self.realms.last_failure(name).await.is_some() {
            return Ok(true);
        }
        match self.realm(name).await {
            Ok(_) => Ok(false),
            Err(Error::Integrity { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn standing(&self, id: &RecordId) -> Result<Standing> {
        let stored = self.store.get(id).await?;
        let floor = self.floors.of(id).await?;
        let accepted = match floor {
            Some(floor) => self.floors.accepted(id, floor).await?,
            None => None,
        };
        Ok(Standing {
            revision: stored.map(|stored| stored.revision),
            floor,
            accepted,
        })
    }

    async fn is_sound(&self, realm: &Arc<Realm>, id: &RecordId) -> Result<bool> {
        with_type_of!(id, R => self.reads_whole::<R>(realm, id).await, _ => self.opens(realm, id).await)
    }

    async fn reads_whole<R: Record>(&self, realm: &Realm, id: &RecordId) -> Result<bool> {
        match self.read::<R>(realm, id).await {
            Ok(_) => Ok(true),
            Err(Error::Integrity { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns true if a record without a floor opens, or is gone.
    async fn opens(&self, realm: &Realm, id: &RecordId) -> Result<bool> {
        let Some(stored) = self.store.get(id).await? else {
            return Ok(true);
        };
        match realm.keys.open_record(&realm.place(id), &stored.bytes) {
            Ok(_) => Ok(true),
            Err(error) => match open_failed("a record".to_owned(), error) {
                Error::Integrity { .. } => Ok(false),
                error => Err(error),
            },
        }
    }
}
