//! Retrieves several values at once: all of the wanted ones, or none.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use ibyok_api::{KeyInfo, VersionState};
use ibyok_core::{KeyRef, keys::WhichVersion};
use ibyok_operations::run::{no_two_of_one_variable, withheld};

use super::Cx;
use crate::access::{Access, Fetched};
use crate::error::Result;
use crate::show::clean;

/// The largest number of values that are requested, or written, at once. They share the audit log's syncs.
pub(super) const AT_ONCE: usize = 32;

/// A key that a variable is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The variable.
    pub(super) variable: String,
    /// The key.
    pub(super) key: KeyRef,
    /// True if the key has a pending version, or may have one. The command then asks for that version first, where
    /// the caller wants it.
    pub(super) has_pending: bool,
}

/// Returns the keys of an environment that can be served, under their variables. Leaves out disabled keys, and keys
/// with a variable that no authorised person chose, and says so.
///
/// # Errors
/// The vault's `invalid` if two keys have the same variable; the vault's `integrity` where a record of the environment is
/// damaged; else as listing.
pub(super) async fn of_environment(
    access: &dyn Access,
    cx: &mut Cx<'_>,
    environment: &ibyok_core::EnvironmentName,
    wants: impl Fn(&str) -> bool,
) -> Result<Vec<Wanted>> {
    // A key that a damaged record hides may be one that is wanted: its name is not known.
    let mut items = access.list(Some(environment)).await?.whole()?;
    items.retain(|item| wants(&item.name));
    items.sort_by(|one, other| one.reference.cmp(&other.reference));
    let mut wanted: Vec<Wanted> = Vec::with_capacity(items.len());
    for item in &items {
        if !is_served(item) {
            cx.io.say(&format!("skipped a disabled key: {}", item.reference));
            continue;
        }
        let key: KeyRef = item.reference.parse()?;
        let variable = item.variable.clone();
        if let Some(why) = withheld(&variable, item.variable_named) {
            let variable = clean(&variable);
            cx.io.warn(&format!(
                "warning: skipped `{key}`: its variable `{variable}` {why}; `run --key {variable}={key}` sets it"
            ));
            continue;
        }
        wanted.push(Wanted {
            variable,
            key,
            has_pending: item.pending.is_some(),
        });
    }
    no_two_of_one_variable(wanted.iter().map(|one| (one.variable.as_str(), &one.key)))?;
    Ok(wanted)
}

fn is_served(item: &KeyInfo) -> bool {
    !item.disabled && item.version.is_some() && item.state != Some(VersionState::Disabled)
}

/// Retrieves them all, in order; the first that fails, by its name, fails all. With each goes whether it is the pending version.
///
/// # Errors
/// As [`Access::retrieve`].
pub(super) async fn all(access: &dyn Access, wanted: &[Wanted]) -> Result<Vec<(String, Fetched, bool)>> {
    let one = |one: &Wanted| {
        let Wanted {
            variable,
            key,
            has_pending,
        } = one.clone();
        async move {
            let (fetched, pending) = if has_pending {
                pending_or_current(access, key).await?
            } else {
                (access.retrieve(&key).await?, key.version() == WhichVersion::Pending)
            };
            Ok((variable, fetched, pending))
        }
    };
    stream::iter(wanted.iter().map(one))
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

async fn pending_or_current(access: &dyn Access, key: KeyRef) -> Result<(Fetched, bool)> {
    match access.retrieve(&key.clone().at_version(WhichVersion::Pending)).await {
        Ok(fetched) => Ok((fetched, true)),
        Err(error) if error.code() == "not_found" => Ok((access.retrieve(&key).await?, false)),
        Err(error) => Err(error),
    }
}
