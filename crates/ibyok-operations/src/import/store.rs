//! Stores the planned values in the vault, many at a time: they share the log's syncs.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt};
use ibyok_core::{
    Code, Error, KeyRef, Result, Secret, Session,
    keys::{IfExists, Imported, KeyWrite, Written},
};

use super::plan::{Outcome, Plan};

/// The number of values that are written at once: they share the syncs of the audit log and of the store.
const AT_ONCE: usize = 512;

/// Stores every pending value, many at a time. A value that fails stops no other: its entry keeps the reason, and the first failure is
/// returned.
///
/// `stored` is called after each value, for a program that shows progress.
pub async fn store(session: &Session, plan: &mut Plan, update: bool, stored: impl Fn()) -> Option<Error> {
    let entries = plan
        .entries
        .iter_mut()
        .filter_map(|entry| entry.value.take().map(|value| (entry, value)));
    let writes = stream::iter(entries).map(|(entry, value)| async {
        let key = entry.key.as_ref()?;
        let imported = one(session, key, entry.variable.clone(), value, update).await;
        stored();
        match imported {
            Ok(imported) => {
                entry.outcome = outcome(&imported);
                entry.told = told(imported);
                None
            }
            Err(error) => {
                entry.failed(error.to_string());
                Some(error)
            }
        }
    });
    // Every one is waited for, also after one has failed: what is stored is then known to be.
    let ended: Vec<Option<Error>> = writes.buffer_unordered(AT_ONCE).collect().await;
    ended.into_iter().flatten().next()
}

async fn one(session: &Session, key: &KeyRef, variable: String, value: Secret, update: bool) -> Result<Imported> {
    let existing = if update { IfExists::Replace } else { IfExists::Keep };
    session
        .keys()
        .import(key, KeyWrite::from(value).variable(Some(variable)), existing)
        .await
}

/// Returns the answer of the vault for a stored value, as for `keys set`.
fn told(imported: Imported) -> Option<Written> {
    match imported {
        Imported::Created(written) | Imported::Updated(written) => Some(written),
        _ => None,
    }
}

fn outcome(imported: &Imported) -> Outcome {
    match imported {
        Imported::Created(_) => Outcome::Created,
        Imported::Updated(_) => Outcome::Updated,
        Imported::Unchanged => Outcome::Unchanged,
        _ => Outcome::Refused,
    }
}

/// Gives each pending entry the outcome that storing it would have. The comparison retrieves values, which is on the audit log.
///
/// `existing` are the names of the environment's keys. A key that is not among them is new.
///
/// # Errors
/// As [`Session::retrieve`].
pub async fn compare(session: &Session, plan: &mut Plan, existing: &HashSet<String>, update: bool) -> Result<()> {
    for entry in &mut plan.entries {
        let (Some(value), Some(key)) = (entry.value.take(), &entry.key) else {
            continue;
        };
        entry.outcome = if key.name().is_some_and(|name| !existing.contains(name.as_str())) {
            Outcome::Created
        } else if holds(session, key, &value).await? {
            Outcome::Unchanged
        } else if update {
            Outcome::Updated
        } else {
            Outcome::Refused
        };
    }
    Ok(())
}

/// Returns true if a key has this very value. A key that is not served counts as different.
async fn holds(session: &Session, key: &KeyRef, value: &Secret) -> Result<bool> {
    match session.retrieve(key).await {
        Ok(released) => Ok(released.secret().is_ok_and(|current| current.same_as(value))),
        Err(error) => match error.code() {
            Code::KeyDisabled | Code::VersionDisabled | Code::VersionDestroyed | Code::NotFound => Ok(false),
            _ => Err(error),
        },
    }
}
