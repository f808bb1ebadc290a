//! Puts what was planned into the vault, many at a time: they share the log's syncs.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt};
use ibyok_core::{EnvironmentName, Imported, KeyRef, KeyWrite, Secret, Session, Written};
use indicatif::ProgressBar;

use super::plan::{Outcome, Plan};
use crate::access::{Access, Here};
use crate::commands::Cx;
use crate::commands::fetch::AT_ONCE;
use crate::error::Result;
use crate::progress::bar;

/// From how many keys on a progress bar is worth showing.
const LONG: u64 = 50;

/// Stores every pending value, many at a time. A value that fails stops no other: its entry keeps the reason, and the first failure is
/// returned.
pub(super) async fn store(here: &Here, cx: &mut Cx<'_>, plan: &mut Plan, update: bool) -> Option<ibyok_core::Error> {
    let bar = progress(cx, plan.count(Outcome::Pending));
    let session = &here.session;
    let entries = plan
        .entries
        .iter_mut()
        .filter_map(|entry| entry.value.take().map(|value| (entry, value)));
    let writes = stream::iter(entries).map(|(entry, value)| async {
        let key = entry.key.as_ref()?;
        let imported = one(session, key, entry.variable.clone(), value, update).await;
        bar.inc(1);
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
    let ended: Vec<Option<ibyok_core::Error>> = writes.buffer_unordered(AT_ONCE).collect().await;
    bar.finish_and_clear();
    ended.into_iter().flatten().next()
}

async fn one(
    session: &Session,
    key: &KeyRef,
    variable: String,
    value: Secret,
    update: bool,
) -> ibyok_core::Result<Imported> {
    session
        .import_key(key, KeyWrite::from(value).variable(Some(variable)), update)
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

/// Sets the outcome that storing would have. To compare a value, this has to retrieve it, which the audit log
/// records.
///
/// # Errors
/// As [`Session::list_keys`] and [`Session::retrieve`].
pub(super) async fn compare(here: &Here, environment: &EnvironmentName, plan: &mut Plan, update: bool) -> Result<()> {
    let there = here.list(Some(environment)).await?.whole()?;
    let there: HashSet<String> = there.iter().map(|item| item.name.clone()).collect();
    for entry in &mut plan.entries {
        let (Some(value), Some(key)) = (entry.value.take(), &entry.key) else {
            continue;
        };
        entry.outcome = if key.name().is_some_and(|name| !there.contains(name.as_str())) {
            Outcome::Created
        } else if holds(&here.session, key, &value).await? {
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
    use ibyok_core::Code;
    match session.retrieve(key).await {
        Ok(released) => Ok(released.secret().is_ok_and(|current| current.same_as(value))),
        Err(error) => match error.code() {
            Code::KeyDisabled | Code::VersionDisabled | Code::VersionDestroyed | Code::NotFound => Ok(false),
            _ => Err(error.into()),
        },
    }
}

fn progress(cx: &Cx<'_>, length: usize) -> ProgressBar {
    match u64::try_from(length) {
        Ok(length) if length >= LONG => bar(cx, "importing", length),
        _ => ProgressBar::hidden(),
    }
}
