//! The refusal of values that leaked.
//!
//! Marking a version as compromised writes its value's keyed fingerprint to a record of the environment's realm.
//! Every value is looked up there before it is sealed, on every path:
//! [`seal_version`](crate::verbs::set_key::seal_version) takes a [`Screened`], and this module is its only maker.
//!
//! - `prints`: the fingerprints by which values are compared
//! - `guessable`: a judgement of values by their form
//! - `tries`: how many values a token may try
//! - `sight`: the values that a principal may read, which decides over the other two
//! - `step`: the same check before a version becomes current, or is served again

mod guessable;
mod prints;
mod sight;
mod step;
pub(crate) mod tries;

use std::collections::BTreeSet;
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_crypto::cut;
use ibyok_policy::Scope;
use ibyok_storage::StoreExt;
use secrecy::ExposeSecret;

use self::guessable::is_guessable;
pub(crate) use self::prints::{Prints, check_not_of, trimmed};
use self::sight::Sight;
pub(crate) use self::step::Candidates;
pub(crate) use self::tries::LeakTries;
use crate::base::error::{Error, Result};
use crate::changes::{Changes, Edit};
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::gate::principal::Principal;
use crate::mode::Modes;
use crate::model::account::check_account;
use crate::model::key::{KeyRecord, VersionRecord};
use crate::model::leaked::LeakedRecord;
use crate::model::name::{FieldName, KeyId};
use crate::model::write::KeyWrite;
use crate::realm::Realm;
use crate::records::Records;
use crate::records::record::Record;

/// The shortest value that a reason for force is searched for, in bytes.
const SEARCHED_MIN: usize = 6;

/// A value that was looked up, and may be sealed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Screened {
    /// The fingerprints of `value`.
    pub(crate) value: Prints,
    all: Vec<Prints>,
    /// True if it leaked, and is stored by force: the version is born compromised.
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

/// The values of a realm that leaked, by the ids of their records.
#[derive(Debug)]
pub(crate) struct LeakedIds(BTreeSet<[u8; 16]>);

impl LeakedIds {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if a value is one of them.
    pub(crate) fn holds(&self, realm: &Realm, prints: &Prints) -> bool {
        prints.iter().any(|print| self.0.contains(&record_id(realm, print)))
    }
}

/// The refusal of a value that leaked. It names neither the key nor the version.
fn leaked() -> Error {
    Error::Conflict {
        what: "this value leaked before: get a new value from the provider, or force this one with a reason".to_owned(),
    }
}

impl Screened {
    /// Returns the warning about a value that was stored by force.
    pub(crate) fn warning(&self) -> Option<String> {
        let warning = "this value leaked before: the version is marked compromised, and an incident is open on the key";
        self.leaked.then(|| warning.to_owned())
    }
}

/// Looks up the values that leaked.
#[derive(Debug)]
pub(crate) struct Leaks {
    pub(crate) records: Arc<Records>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) modes: Arc<Modes>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) leak_tries: LeakTries,
}

impl Leaks {
    /// Looks a value up before it is sealed.
    ///
    /// # Errors
    /// [`Error::Conflict`] for one that leaked and is not forced; [`Error::Denied`] for a token that forces without `keys:read`;
    /// [`Error::Limited`] for a token that may not read the leaked values and has tried too many.
    pub(crate) async fn screen(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        write: &KeyWrite,
    ) -> Result<Screened> {
        self.screen_beside(attempt, permit, write, &[]).await
    }

    /// As [`Leaks::screen`], where further values are about to be marked as leaked.
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
        let sight = self.sight(attempt, permit).await?;
        let of = |secret| Prints::of(permit.realm(), secret);
        let name = FieldName::value();
        let value = write.fields.get(&name).map(of);
        // A caller that may not read values is answered about the value alone: 32 fields would be 32 guesses.
        let looked_up = write
            .fields
            .iter()
            .filter(|(field, _)| sight.looks_at_all() || **field == name);
        let looked_up: Vec<(Prints, bool)> = looked_up
            .map(|(_, secret)| (of(secret), is_guessable(trimmed(secret.expose_secret()))))
            .collect();
        let mut screened = Screened {
            value: value.ok_or_else(|| {
                Error::invalid("a version needs the field `value`", "give the key itself in that field")
            })?,
            all: looked_up.iter().map(|(prints, _)| prints.clone()).collect(),
            leaked: false,
        };
        let forced = write.force.is_some();
        let values = (looked_up.as_slice(), about_to_be);
        screened.leaked = self.look_up(attempt, (permit, sight), values, forced).await?;
        Ok(screened)
    }

    /// Looks values up, and refuses one that leaked unless it is forced. The flag of each value says that it could be guessed.
    async fn look_up(
        &self,
        attempt: &mut Attempt<'_>,
        (permit, sight): (&Permit, Sight),
        (values, about_to_be): (&[(Prints, bool)], &[Prints]),
        forced: bool,
    ) -> Result<bool> {
        // One request at a time for all that share the tries, so that concurrent tries are counted one by one.
        let mut counted = self.counted(attempt, permit, (sight, !about_to_be.is_empty())).await?;
        if let Some(counted) = &mut counted {
            let guesses = values.iter().filter(|(_, guessable)| *guessable);
            counted.guess(guesses.map(|(prints, _)| prints))?;
        }
        let mut found = values
            .iter()
            .any(|(value, _)| about_to_be.iter().any(|other| value.meets(other)));
        for print in values.iter().flat_map(|(prints, _)| prints.iter()) {
            found |= self.is_leaked(permit.realm(), print).await?;
        }
        if !found {
            return Ok(false);
        }
        attempt.facts.reason = Some("leaked_value");
        if let Some(counted) = &mut counted {
            counted.hit();
        }
        if forced { Ok(true) } else { Err(leaked()) }
    }

    /// Decides whether a principal may store a value that leaked. The result shows whether the value had leaked.
    fn may_force(&self, attempt: &Attempt<'_>, permit: &Permit, reason: &str) -> Result<()> {
        check_account("reason", reason)?;
        let (who, realm) = (permit.principal(), &permit.realm().name);
        if self
            .gate
            .could(attempt, who, Scope::KeysRead, realm, Some(permit.key()))
        {
            return Ok(());
        }
        Err(Error::denied("scope", "forcing a value needs `keys:read` for the key"))
    }

    async fn is_leaked(&self, realm: &Arc<Realm>, print: &[u8; 32]) -> Result<bool> {
        let id = realm.record(LeakedRecord::KIND, record_id(realm, print))?;
        Ok(self.records.read::<LeakedRecord>(realm, &id).await?.is_some())
    }

    /// The ids of the records of a realm's leaked values.
    pub(crate) async fn leaked_ids(&self, realm: &Arc<Realm>) -> Result<LeakedIds> {
        let collection = realm.collection(LeakedRecord::KIND)?;
        let ids = self.records.store.list_all(&collection).await?;
        Ok(LeakedIds(ids.iter().map(|id| *id.id()).collect()))
    }

    /// Writes down that the value of a version leaked.
    pub(crate) async fn remember_leaked(
        &self,
        attempt: &Attempt<'_>,
        who: &Principal,
        realm: &Arc<Realm>,
        (key, version): (KeyId, &VersionRecord),
    ) -> Result<()> {
        for print in version.prints().iter() {
            let mut beside = attempt.beside(Action::IncidentOpen);
            beside.facts.target.clone_from(&attempt.facts.target);
            beside.facts.because = Some("the fingerprint of the value is kept".to_owned());
            let record = LeakedRecord {
                rev: 0,
                key_id: key.to_string(),
                version: version.number,
                at: attempt.at,
                by: who.by(),
            };
            let change = self.changes.change(
                &mut beside,
                who,
                realm,
                record_id(realm, print),
                |_, there: Option<LeakedRecord>| {
                    Ok(match there {
                        None => Edit::Gives(record.clone(), ()),
                        // Another key had this value. It is written again, so that the lines on the log do not reveal
                        // that.
                        Some(there) => Edit::Gives(there, ()),
                    })
                },
            );
            change.await?;
        }
        Ok(())
    }
}

fn record_id(realm: &Realm, print: &[u8; 32]) -> [u8; 16] {
    cut(realm.keys.keyed_hash("ibyok leaked value v1", print))
}

/// Refuses a reason that contains the value itself: it is kept on the log.
pub(crate) fn says_no_value(write: &KeyWrite, reason: &str) -> Result<()> {
    let stands = |value: &[u8]| {
        let value = trimmed(value);
        value.len() >= SEARCHED_MIN && reason.as_bytes().windows(value.len()).any(|window| window == value)
    };
    if write.fields.values().any(|value| stands(value.expose_secret())) {
        return Err(Error::invalid(
            "the reason contains a value, and the vault keeps reasons permanently",
            "give a reason without the value",
        ));
    }
    Ok(())
}
