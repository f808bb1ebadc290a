//! The leaked value is replaced in the step that opens its incident.
//!
//! Every refusal comes before the old version is marked. The new version is made after it: a crash in between leaves
//! the state of an incident that was opened without a new value, and the same request does the rest.

use ibyok_audit::Action;
use ibyok_policy::Scope;

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::key::no_key;
use crate::gate::permit::Permit;
use crate::incident::Found;
use crate::incident::request::IncidentRequest;
use crate::leaked::{Screened, says_no_value};
use crate::model::incident::Replacement;
use crate::model::key::{KeyRecord, VersionRecord};
use crate::model::key_info::KeyInfo;
use crate::model::key_life::KeyLife;
use crate::model::provider::{look_at, refuse_mocks};
use crate::model::write::KeyWrite;
use crate::vault::handles::IncidentVerbs;
use crate::verbs::keys::info;
use crate::verbs::rotation::only_the_value;
use crate::verbs::set_key::with_new_version;

/// A new value that may take the place of the leaked one.
pub(super) struct Checked<'r> {
    write: &'r KeyWrite,
    screened: Screened,
}

/// The result of replacing the value.
#[derive(Debug, Default)]
pub(super) struct Replacing {
    /// The key afterwards, if it has a new version.
    pub(super) key: Option<KeyInfo>,
    pub(super) not_replaced: Option<String>,
    pub(super) warnings: Vec<String>,
}

impl IncidentVerbs<'_> {
    /// Checks the new value of a request, if it has one.
    ///
    /// # Errors
    /// [`Error::Conflict`] for the value that leaked, or one that leaked earlier; [`Error::Invalid`] for a value that
    /// cannot be a new one of the current version; [`Error::Denied`] for a caller that may neither set nor rotate the
    /// key.
    pub(super) async fn check_replacement<'r>(
        self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        request: &'r IncidentRequest,
        (record, leaked): (&KeyRecord, &[&VersionRecord]),
    ) -> Result<Option<Checked<'r>>> {
        let Some(write) = &request.replace else { return Ok(None) };
        self.may_replace(attempt, permit)?;
        let is_current = |current: &VersionRecord| leaked.iter().any(|version| version.number == current.number);
        if !record.current().is_some_and(is_current) {
            return Err(Error::invalid(
                "the leaked version is not current, so no new value can replace it",
                "remove the new value",
            ));
        }
        if write.force.is_some() {
            return Err(Error::invalid(
                "force cannot replace one leaked value with another",
                "give a new value",
            ));
        }
        write.check()?;
        only_the_value(record, write)?;
        refuse_mocks(write, &permit.label())?;
        says_no_value(write, &request.reason)?;
        let marked: Vec<_> = leaked.iter().map(|version| version.prints()).collect();
        let screened = self
            .session
            .inner
            .leaks
            .screen_beside(attempt, permit, write, &marked)
            .await?;
        // Made once and dropped: a version that does not fit must be refused before the old one is marked.
        let told = look_at(write, permit.key(), Some(&record.variable), record.provider.as_deref());
        with_new_version(
            attempt,
            permit,
            KeyLife::Live(Box::new(record.clone())),
            (write, &screened),
            &told,
        )?;
        Ok(Some(Checked { write, screened }))
    }

    /// Checks for `keys:rotate` or `keys:write`: either scope is enough for a new current value.
    fn may_replace(self, attempt: &Attempt<'_>, permit: &Permit) -> Result<()> {
        let (who, name) = (permit.principal(), &permit.realm().name);
        let may = |scope| {
            let environment = name.environment.as_ref();
            self.session
                .inner
                .gate
                .allowed(attempt, who, scope, &name.namespace, environment, Some(permit.key()))
        };
        may(Scope::KeysRotate).or_else(|_| may(Scope::KeysWrite))
    }

    /// Makes the new value current, if a leaked version still is, and keeps in the incident that it was done.
    ///
    /// # Errors
    /// Errors after which nothing else would work either; any other error is in the result.
    pub(super) async fn replace(
        self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        found: &mut Found,
        checked: &Checked<'_>,
    ) -> Result<Replacing> {
        let mut beside = attempt.beside(Action::KeySet);
        (beside.facts.environment, beside.facts.key) = (attempt.facts.environment.clone(), attempt.facts.key.clone());
        beside.facts.key_id = attempt.facts.key_id;
        beside.facts.target.clone_from(&attempt.facts.target);
        beside.facts.because.clone_from(&attempt.facts.because);
        let made = match self.make_current(&mut beside, permit, found, checked).await {
            Ok(made) => made,
            Err(error @ (Error::Unavailable { .. } | Error::Unauthenticated)) => return Err(error),
            Err(error) => return Ok(Replacing::failed(error.to_string())),
        };
        let Some((replaced, key, warnings)) = made else {
            let why = "somebody else replaced the version at the same time; the vault did not store the new value";
            return Ok(Replacing::failed(why.to_owned()));
        };
        self.keep_replacement(attempt, permit, found, &replaced).await;
        Ok(Replacing {
            key: Some(key),
            not_replaced: None,
            warnings,
        })
    }

    async fn make_current(
        self,
        beside: &mut Attempt<'_>,
        permit: &Permit,
        found: &Found,
        Checked { write, screened }: &Checked<'_>,
    ) -> Result<Option<(Replacement, KeyInfo, Vec<String>)>> {
        let (at, by) = (beside.at, permit.principal().by());
        self.session
            .inner
            .changes
            .change_key(beside, permit, |attempt, key| {
                let record = key.live().ok_or_else(|| no_key(permit))?;
                let current = record.current().map(|current| current.number);
                if !current.is_some_and(|current| found.record.versions.contains(&current)) {
                    attempt.facts.reason = Some("unchanged");
                    return Ok(Edit::Unchanged(None));
                }
                screened.still_holds(&record)?;
                let told = look_at(write, permit.key(), Some(&record.variable), record.provider.as_deref());
                let record = with_new_version(
                    attempt,
                    permit,
                    KeyLife::Live(Box::new(record)),
                    (write, screened),
                    &told,
                )?;
                let version = record.last_version;
                attempt.facts.version = Some(version);
                let info = info(permit, &record)?.once_changed();
                let by = by.clone();
                Ok(Edit::Gives(
                    record,
                    Some((Replacement { version, at, by }, info, told.warnings)),
                ))
            })
            .await
    }

    /// Keeps in the incident which version took the place. The log says the same: nothing hangs on this.
    async fn keep_replacement(self, attempt: &Attempt<'_>, permit: &Permit, found: &mut Found, replaced: &Replacement) {
        let mut beside = attempt.beside(Action::IncidentOpen);
        beside.facts.target.clone_from(&attempt.facts.target);
        beside.facts.because = Some(format!("replaced by version {}", replaced.version));
        let change =
            self.session
                .inner
                .incidents
                .change_incident(&mut beside, permit.principal(), found, |record, _| {
                    record.replaced = Some(replaced.clone());
                    Ok(())
                });
        match change.await {
            Ok(record) => found.record = record,
            Err(error) => {
                tracing::warn!(incident = %found.id, %error, "cannot list the new version in its incident");
                found.record.replaced = Some(replaced.clone());
            }
        }
    }
}

impl Replacing {
    fn failed(why: String) -> Self {
        Replacing {
            not_replaced: Some(why),
            ..Replacing::default()
        }
    }
}
