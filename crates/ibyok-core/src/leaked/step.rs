//! Before a version becomes current by promote or rollback, or is served again by enable: its value may have leaked since it was stored.

use std::collections::BTreeSet;

use ibyok_crypto::Secret;
use secrecy::ExposeSecret;

use super::{Prints, is_guessable, leaked, trimmed};
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::leaked::Leaks;
use crate::model::key::{KeyRecord, Stamp, VersionRecord};
use crate::model::kind;
use crate::model::name::FieldName;
use crate::retrieve::open_fields;

/// The versions that a step could serve, and those of them that leaked.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    looked_at: BTreeSet<u32>,
    leaked: BTreeSet<u32>,
    /// The versions that are marked already.
    marked: BTreeSet<u32>,
    forced: bool,
}

impl Leaks {
    /// Looks up the values of the versions that a step could serve.
    ///
    /// # Errors
    /// As [`Leaks::screen`], but for a refusal: which version is served is not known yet.
    pub(crate) async fn candidates(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        (which, force): (impl Fn(&KeyRecord, &VersionRecord) -> bool + Send, Option<&str>),
    ) -> Result<Candidates> {
        if let Some(reason) = force {
            self.may_force(attempt, permit, reason)?;
        }
        let mut found = Candidates {
            forced: force.is_some(),
            ..Candidates::default()
        };
        let id = permit.realm().record(kind::KEY, permit.id().0)?;
        let Some(held) = self.records.read::<KeyRecord>(permit.realm(), &id).await? else {
            return Ok(found);
        };
        let versions = held.record.versions.iter();
        let versions: Vec<&VersionRecord> = versions.filter(|version| which(&held.record, version)).collect();
        let sight = self.sight(attempt, permit).await?;
        let mut counted = self.counted(attempt, permit, (sight, false)).await?;
        if let Some(counted) = &mut counted {
            // That a version is marked may be seen on the key. That another's value leaked is a find.
            let unmarked = versions.iter().filter(|version| !version.compromised);
            let guesses: Vec<Prints> = unmarked
                .filter(|version| could_be_guessed(permit, version))
                .map(|version| version.prints())
                .collect();
            counted.guess(guesses.iter())?;
        }
        for version in versions {
            found.looked_at.insert(version.number);
            if version.compromised {
                found.marked.insert(version.number);
                found.leaked.insert(version.number);
            }
            for print in version.prints().iter() {
                if !found.leaked.contains(&version.number) && self.is_leaked(permit.realm(), print).await? {
                    found.leaked.insert(version.number);
                }
            }
            if let Some(counted) = counted
                .as_mut()
                .filter(|_| !version.compromised && found.leaked.contains(&version.number))
            {
                counted.hit();
            }
        }
        Ok(found)
    }
}

/// Judges the value of a version. One that does not open counts as one that could be guessed.
fn could_be_guessed(permit: &Permit, version: &VersionRecord) -> bool {
    let value = FieldName::value();
    let of = (permit.realm().as_ref(), permit.id().0, permit.key().as_str());
    match open_fields(of, version, Some(&value)) {
        Ok(fields) => fields
            .values()
            .any(|secret: &Secret| is_guessable(trimmed(secret.expose_secret()))),
        Err(_) => true,
    }
}

impl Candidates {
    /// Returns true if one of them leaked.
    pub(crate) fn any_leaked(&self) -> bool {
        !self.leaked.is_empty()
    }

    /// Returns true if one of the versions is marked as compromised.
    pub(crate) fn any_marked(&self) -> bool {
        !self.marked.is_empty()
    }

    /// The versions that leaked.
    pub(crate) fn leaked_versions(&self) -> impl Iterator<Item = u32> {
        self.leaked.iter().copied()
    }

    /// Returns true if a version that is marked compromised may be served.
    pub(crate) fn forced(&self) -> bool {
        self.forced
    }

    /// Refuses a version that is about to be served and must not be, and marks one whose value leaked.
    pub(crate) fn check(&self, record: &mut KeyRecord, number: u32, stamp: &Stamp) -> Result<()> {
        if !self.looked_at.contains(&number) {
            return Err(Error::Conflict {
                what: "somebody else changed the key at the same time".to_owned(),
            });
        }
        if !self.leaked.contains(&number) {
            return Ok(());
        }
        if !self.forced {
            return Err(leaked());
        }
        let mut versions = record.versions.iter_mut();
        if let Some(version) = versions.find(|version| version.number == number) {
            version.compromise(stamp);
        }
        Ok(())
    }
}
