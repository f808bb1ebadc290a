//! Values that leaked do not come back.
//!
//! When a version is marked compromised, its value's keyed fingerprint becomes a record of the environment's realm. Every value is
//! looked up there before it is sealed, by whatever door it comes: [`seal_version`](crate::set_key::seal_version) takes a
//! [`Screened`], and this module is its only maker.
//!
//! - `prints`: by what values are compared
//! - `tries`: how often a token that may not read values may try one that leaked
//! - `step`: the same look before a version becomes current

mod prints;
mod step;
mod tries;

use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::Scope;
use secrecy::ExposeSecret;

pub(crate) use self::prints::{Prints, trimmed};
pub(crate) use self::tries::LeakTries;
use crate::attempt::Attempt;
use crate::authenticate::Principal;
use crate::authorize::Permit;
use crate::change::Edit;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::account::check_account;
use crate::model::key::{KeyRecord, VersionRecord};
use crate::model::leaked::LeakedRecord;
use crate::model::mode::Mode;
use crate::model::name::KeyId;
use crate::model::which_version::WhichVersion;
use crate::model::write::KeyWrite;
use crate::realm::Realm;
use crate::records::Record;
use crate::vault::Inner;

/// The shortest value that a reason for force is searched for, in bytes.
const SEARCHED_MIN: usize = 6;

/// A value that was looked up, and may be sealed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Screened {
    /// The fingerprints of `value`.
    pub(crate) value: Prints,
    all: Vec<Prints>,
    /// Whether it leaked, and is stored by force: the version is born compromised.
    pub(crate) leaked: bool,
}

impl Screened {
    /// Refuses where the record itself says by now that a value leaked: an incident was opened meanwhile.
    pub(crate) fn still_holds(&self, record: &KeyRecord) -> Result<()> {
        let marked = |prints: &Prints| {
            let mut versions = record.versions.iter();
            versions.any(|version| version.compromised && version.prints().meets(prints))
        };
        if !self.leaked && self.all.iter().any(marked) {
            return Err(leaked());
        }
        Ok(())
    }
}

/// What somebody hears of a value that leaked: neither of which key nor of which version it is.
fn leaked() -> Error {
    Error::Conflict {
        what: "the value is one that leaked, and is not taken back: get a new one from the provider, or force it with a reason"
            .to_owned(),
    }
}

impl Screened {
    /// What a person should know of a value that was stored by force.
    pub(crate) fn warning(&self) -> Option<String> {
        let warning =
            "the value is one that leaked: the version is marked compromised, and an incident is open on the key";
        self.leaked.then(|| warning.to_owned())
    }
}

impl Inner {
    /// Decides whether whoever holds a permit may read the value that its key has now: only then it may learn by an answer
    /// whether another value is the same.
    pub(crate) async fn reads_current(&self, attempt: &Attempt<'_>, permit: &Permit) -> Result<bool> {
        let held = self.load::<KeyRecord>(&permit.realm, permit.id.0).await?;
        match held {
            Some(held) => {
                self.reads_version(attempt, permit_of(permit), &held.record, WhichVersion::Current)
                    .await
            }
            None => Ok(permit.principal.holder().is_none()),
        }
    }

    /// The same for any version of a key. The caller must hold the lease.
    pub(crate) async fn reads_version(
        &self,
        attempt: &Attempt<'_>,
        (who, realm): (&Principal, &Arc<Realm>),
        key: &KeyRecord,
        which: WhichVersion,
    ) -> Result<bool> {
        if who.holder().is_none() {
            return Ok(true);
        }
        let served = key.removed.is_none() && key.served(key.name.as_str(), which).is_ok();
        if !served || !self.could(attempt, who, Scope::KeysRead, &realm.name, Some(&key.name)) {
            return Ok(false);
        }
        match self.mode_of(realm, key).await {
            Ok((mode, _)) => Ok(mode == Mode::Live),
            Err(Error::Integrity { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Looks a value up before it is sealed.
    ///
    /// # Errors
    /// [`Error::Conflict`] for one that leaked and is not forced; [`Error::Denied`] for a token that forces without `keys:read`;
    /// [`Error::Limited`] for a token that may not read the environment and has tried too many.
    pub(crate) async fn screen(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        write: &KeyWrite,
    ) -> Result<Screened> {
        self.screen_beside(attempt, permit, write, &[]).await
    }

    /// As [`Inner::screen`], where further values are about to be marked as leaked.
    pub(crate) async fn screen_beside(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        write: &KeyWrite,
        about_to_be: &[Prints],
    ) -> Result<Screened> {
        if let Some(reason) = &write.force {
            self.may_force(attempt, permit, reason)?;
            says_no_value(write, reason)?;
        }
        let of = |secret| Prints::of(&permit.realm, secret);
        let value = write.fields.get(&crate::model::name::FieldName::value()).map(of);
        let mut screened = Screened {
            value: value.ok_or_else(|| Error::invalid("a version needs the field `value`", "give the key itself"))?,
            all: write.fields.values().map(of).collect(),
            leaked: false,
        };
        let forced = write.force.is_some();
        screened.leaked = self
            .look_up(attempt, permit, (&screened.all, about_to_be), forced)
            .await?;
        Ok(screened)
    }

    /// Whether one of some values leaked; refuses it unless it is forced.
    async fn look_up(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        (values, about_to_be): (&[Prints], &[Prints]),
        forced: bool,
    ) -> Result<bool> {
        // One at a time for all that share the tries: what is tried at once is counted one by one.
        let mut tries = self.tries_of(attempt, permit).await?;
        let mut found = values
            .iter()
            .any(|value| about_to_be.iter().any(|other| value.meets(other)));
        for print in values.iter().flat_map(Prints::iter) {
            found |= self.is_leaked(&permit.realm, print).await?;
        }
        if !found {
            return Ok(false);
        }
        attempt.reason = Some("leaked_value");
        if let Some(tries) = &mut tries {
            tries.push(self.clock.elapsed());
        }
        if forced { Ok(true) } else { Err(leaked()) }
    }

    /// Decides whether somebody may store a value that leaked. What comes of it shows whether it had leaked.
    fn may_force(&self, attempt: &Attempt<'_>, permit: &Permit, reason: &str) -> Result<()> {
        check_account("reason", reason)?;
        let (who, realm) = (&permit.principal, &permit.realm.name);
        if self.could(attempt, who, Scope::KeysRead, realm, Some(&permit.key)) {
            return Ok(());
        }
        Err(Error::denied("scope", "to force a value takes `keys:read` for the key"))
    }

    async fn is_leaked(&self, realm: &Arc<Realm>, print: &[u8; 32]) -> Result<bool> {
        let id = realm.record(LeakedRecord::KIND, record_id(realm, print))?;
        Ok(self.read::<LeakedRecord>(realm, &id).await?.is_some())
    }

    /// Writes down that the value of a version leaked.
    pub(crate) async fn remember_leaked(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        who: &Principal,
        realm: &Arc<Realm>,
        (key, version): (KeyId, &VersionRecord),
    ) -> Result<()> {
        for print in version.prints().iter() {
            if self.is_leaked(realm, print).await? {
                continue;
            }
            let mut beside = attempt.beside(Action::IncidentOpen);
            beside.target.clone_from(&attempt.target);
            beside.because = Some("the fingerprint of the value is kept".to_owned());
            let record = LeakedRecord {
                rev: 0,
                key_id: key.to_string(),
                version: version.number,
                at: attempt.at,
                by: who.by(),
            };
            let change = self.change(
                &mut beside,
                who,
                realm,
                record_id(realm, print),
                |_, there: Option<LeakedRecord>| {
                    Ok(match there {
                        None => Edit::Gives(record.clone(), ()),
                        // Another key had this value.
                        Some(_) => Edit::Unchanged(()),
                    })
                },
            );
            change.await?;
        }
        Ok(())
    }
}

fn permit_of(permit: &Permit) -> (&Principal, &Arc<Realm>) {
    (&permit.principal, &permit.realm)
}

fn record_id(realm: &Realm, print: &[u8; 32]) -> [u8; 16] {
    let hash = realm.keys.keyed_hash("ibyok leaked value v1", print);
    hash.first_chunk().copied().unwrap_or_default()
}

/// Refuses a reason in which the value itself stands: it is kept on the log.
pub(crate) fn says_no_value(write: &KeyWrite, reason: &str) -> Result<()> {
    let stands = |value: &[u8]| {
        let value = trimmed(value);
        value.len() >= SEARCHED_MIN && reason.as_bytes().windows(value.len()).any(|window| window == value)
    };
    if write.fields.values().any(|value| stands(value.expose_secret())) {
        return Err(Error::invalid(
            "the reason holds a value, and is kept for good",
            "say why without the value",
        ));
    }
    Ok(())
}
