//! Facts beside a retrieval: the labels of a released key, and the state of a version that the vault withholds.

use std::collections::BTreeMap;

use ibyok_audit::Action;
use ibyok_policy::Scope;
use jiff::Timestamp;

use crate::base::error::{Error, Result};
use crate::base::version_state::VersionState;
use crate::gate::attempt::Attempt;
use crate::model::key_ref::KeyRef;
use crate::model::version::VersionRecord;
use crate::retrieve::Released;
use crate::vault::handles::KeyVerbs;

/// A version that the vault does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Withheld {
    /// The number of the version.
    pub version: u32,
    /// The state: disabled, retired or destroyed.
    pub state: VersionState,
    /// The time at which the version was made.
    pub created: Timestamp,
    /// The time at which the version got this state.
    pub since: Timestamp,
}

impl Withheld {
    fn of(version: &VersionRecord) -> Option<Self> {
        let state = version.state();
        match state {
            VersionState::Disabled | VersionState::Retired | VersionState::Destroyed => {}
            VersionState::Pending | VersionState::Current | VersionState::Retiring => return None,
        }
        let mut changes = version.changes.iter().rev();
        let change = changes.find(|change| change.to == state.as_str());
        Some(Withheld {
            version: version.number,
            state,
            created: version.created,
            since: change.map_or(version.created, |change| change.at),
        })
    }
}

impl KeyVerbs<'_> {
    /// Returns the state of the version that the reference names, if the vault withholds it: a step of a retrieval that failed because of
    /// that state. The retrieval counts and is on the audit log. This step does neither, unless it is refused.
    ///
    /// # Errors
    /// As [`Vault::retrieve`](crate::Vault::retrieve), but for the states of key and version.
    pub async fn withheld(self, key: &KeyRef) -> Result<Option<Withheld>> {
        let mut attempt = self.session.attempt(Action::KeyRetrieve);
        let outcome = self.try_withheld(&mut attempt, key).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_withheld(self, attempt: &mut Attempt<'_>, key: &KeyRef) -> Result<Option<Withheld>> {
        let inner = &self.session.inner;
        let permit = self.session.permit(attempt, Scope::KeysRead, key).await?;
        inner.records.hold_lease().await?;
        let held = inner.gate.key(&permit).await?;
        match held.record.version(&permit.label(), key.version()) {
            Ok(version) => Ok(Withheld::of(version)),
            // The retrieval has reported that already.
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the labels of the key of a released value; `None` for a token that may read the key and not list it.
    #[must_use]
    pub fn labels_of(self, released: &Released) -> Option<&BTreeMap<String, String>> {
        let (permit, record) = released.basis();
        let attempt = self.session.attempt(Action::KeyShow);
        let (who, realm) = (permit.principal(), &permit.realm().name);
        let gate = &self.session.inner.gate;
        gate.could(&attempt, who, Scope::KeysList, realm, Some(permit.key()))
            .then_some(&record.labels)
    }
}
