//! Before a version becomes current by promote or rollback: its value may have leaked since it was stored.

use std::collections::BTreeSet;

use super::leaked;
use crate::attempt::Attempt;
use crate::authorize::Permit;
use crate::error::{Error, Result};
use crate::model::key::{KeyRecord, Role, Stamp};
use crate::model::kind;
use crate::vault::Inner;

/// What is known about the versions that may become current.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    looked_at: BTreeSet<u32>,
    leaked: BTreeSet<u32>,
    forced: bool,
}

impl Inner {
    /// Looks up the values of the versions that a step could make current: those of a role.
    ///
    /// # Errors
    /// As [`Inner::screen`], but for a refusal: which version becomes current is not known yet.
    pub(crate) async fn candidates(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        (role, force): (Role, Option<&str>),
    ) -> Result<Candidates> {
        if let Some(reason) = force {
            self.may_force(attempt, permit, reason)?;
        }
        let mut found = Candidates {
            forced: force.is_some(),
            ..Candidates::default()
        };
        let id = permit.realm.record(kind::KEY, permit.id.0)?;
        let Some(held) = self.read::<KeyRecord>(&permit.realm, &id).await? else {
            return Ok(found);
        };
        let mut tries = self.tries_of(attempt, permit).await?;
        for version in held.record.versions.iter().filter(|version| version.role == role) {
            found.looked_at.insert(version.number);
            for print in version.prints().iter() {
                if !found.leaked.contains(&version.number) && self.is_leaked(&permit.realm, print).await? {
                    found.leaked.insert(version.number);
                }
            }
        }
        // That a version is marked may be seen on the key; that another's value leaked is a find.
        let unmarked = |number: &u32| {
            held.record
                .versions
                .iter()
                .any(|v| v.number == *number && !v.compromised)
        };
        if let Some(tries) = tries.as_mut().filter(|_| found.leaked.iter().any(unmarked)) {
            tries.push(crate::clock::Clock::elapsed(self.clock.as_ref()));
        }
        Ok(found)
    }
}

impl Candidates {
    /// Whether one of them leaked.
    pub(crate) fn any_leaked(&self) -> bool {
        !self.leaked.is_empty()
    }

    /// Whether a version that is marked compromised may become current.
    pub(crate) fn forced(&self) -> bool {
        self.forced
    }

    /// Refuses a version that has just become current and must not be, and marks one whose value leaked.
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
