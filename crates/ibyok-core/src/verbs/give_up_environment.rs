//! Giving up a damaged environment: everything that is sealed under it is lost already, and its name becomes free again.

use std::collections::BTreeSet;
use std::sync::Arc;

use ibyok_audit::{Action, Phase};

use crate::base::damage::Damage;
use crate::base::error::{Error, Result, quoted};
use crate::base::remedy::Remedy;
use crate::gate::attempt::Attempt;
use crate::model::key::Stamp;
use crate::realm::RealmName;
use crate::records::damage::DamagedRecord;
use crate::vault::handles::EnvironmentVerbs;
use crate::verbs::environments::operators_only;

impl EnvironmentVerbs<'_> {
    /// Removes an environment whose record is damaged, with its keys and tokens, for an operator. Its name can be used again.
    ///
    /// `which` is the environment's name, or the id of its record as lists show it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an environment that does not exist; [`Error::Invalid`] for one that opens, and for one that may be
    /// whole: its KEK was not given, its format is not known, or the store cannot read its record; [`Error::Denied`] for a token; [`Error::Unavailable`].
    pub async fn remove_damaged(self, which: &str) -> Result<DamagedRecord> {
        let mut attempt = self.session.attempt(Action::EnvRemove);
        attempt.facts.reason = Some("damaged");
        let outcome = self.try_remove_environment(&mut attempt, which).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_remove_environment(self, attempt: &mut Attempt<'_>, which: &str) -> Result<DamagedRecord> {
        let inner = &self.session.inner;
        let principal = inner.limits.authenticate(attempt, &self.session.asking).await?;
        operators_only(&principal)?;
        let tags = inner.records.tags().await?;
        let is_meant = |name: &RealmName| {
            let environment = name
                .environment
                .as_ref()
                .filter(|_| name.namespace == *principal.namespace());
            environment
                .is_some_and(|own| own.as_str() == which || name.record_id(inner.records.vault).to_string() == which)
        };
        // A removal that a crash cut short left tags that are marked as unfinished.
        let marked = tags.marked().map(Arc::clone);
        let mut known = tags.expected().into_iter().chain(marked);
        // Floors that were imported have no names: a lost environment is then known by the name that is given.
        let given = || {
            let environment = Some(which.parse().ok()?);
            let namespace = principal.namespace().clone();
            let name = RealmName { namespace, environment };
            let id = name.record_id(inner.records.vault);
            tags.lost().any(|(lost, _)| *lost == id).then(|| Arc::new(name))
        };
        let Some(name) = known.find(|name| is_meant(name)).or_else(given) else {
            return Err(no_damaged(which));
        };
        attempt.facts.environment = Some(name.environment_word().into());
        attempt.facts.target = Some(("environment", name.environment_word().to_owned()));
        let damaged = match inner.records.realm(&name).await {
            Ok(Some(_)) => return Err(is_sound(which)),
            Ok(None) => DamagedRecord::of_realm(&name, &name.record_id(inner.records.vault), Damage::Missing),
            Err(error) => inner.records.damaged_realm(&name, error)?,
        };
        is_lost(which, damaged.damaged)?;
        inner.recorder.record(attempt.phase(Phase::Intended)).await?;
        let by = Stamp {
            at: attempt.at,
            by: principal.by(),
        };
        if let Err(error) = inner.destroy_realms(attempt, &BTreeSet::from([name]), &by).await {
            inner.recorder.log.append_unwaited(attempt.phase(Phase::NotDone));
            return Err(error);
        }
        inner.records.forget_damaged();
        Ok(damaged)
    }
}

/// Refuses to give up an environment whose record may be whole: then its keys and tokens are not lost.
fn is_lost(which: &str, damage: Damage) -> Result<()> {
    let which = quoted(which);
    let (what, hint) = match damage {
        Damage::DoesNotOpen | Damage::Missing | Damage::Older => return Ok(()),
        Damage::Kek => (
            format!("environment {which} is not damaged: its KEK was not given"),
            "give the KEK that its record names",
        ),
        Damage::UnknownFormat => (
            format!(
                "environment {which} may be intact: its record has an unknown format, and a newer program may have \
                 written it"
            ),
            "use a newer version of IBYOK; if no newer version wrote the record, restore the store from a backup",
        ),
        Damage::Unreadable => (
            format!("environment {which} may be intact: the store cannot read its record"),
            "check the disk and the system's log, then restore the store from a backup",
        ),
    };
    Err(Error::invalid(what, hint))
}

/// The error for a record that is not that of an environment's key. The record of a name is not given up: the key may
/// be whole.
fn no_damaged(which: &str) -> Error {
    Error::NotFound {
        what: format!("damaged environment {}", quoted(which)),
        hint: Some(Remedy::ListDamagedEnvironments),
    }
}

fn is_sound(which: &str) -> Error {
    Error::invalid(
        format!("environment {} is not damaged", quoted(which)),
        Remedy::EmptyEnvironment,
    )
}
