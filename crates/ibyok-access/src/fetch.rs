//! Retrieves several values at once: all of them, or none.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use ibyok_api::{KeyInfo, VersionState};
use ibyok_core::{EnvironmentName, KeyRef, keys::WhichVersion, secrecy::ExposeSecret};
use ibyok_operations::run::{no_two_of_one_variable, withheld};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::local::fetched;
use crate::{Access, Fetched, Local, Note};

/// The largest number of values that are requested at once. They share the audit log's syncs.
const AT_ONCE: usize = 32;

/// A key that a variable is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// The variable.
    pub variable: String,
    /// The key.
    pub key: KeyRef,
    /// True if the key has a pending version, or may have one. [`retrieve_all`] then asks for that version first.
    pub has_pending: bool,
}

impl Wanted {
    /// Wants a key for a variable.
    pub fn new(variable: impl Into<String>, key: KeyRef) -> Self {
        Wanted {
            variable: variable.into(),
            key,
            has_pending: false,
        }
    }

    /// Sets [`Wanted::has_pending`].
    #[must_use]
    pub fn has_pending(mut self, has_pending: bool) -> Self {
        self.has_pending = has_pending;
        self
    }
}

/// Returns the keys of an environment that can be served, under their variables. Skips disabled keys, and keys with a variable that no
/// authorised person chose, and passes a note about each to `tell`.
///
/// # Errors
/// The vault's `invalid` if two keys have the same variable. The vault's `integrity` if a record of the environment is damaged. The
/// errors of [`Access::list`].
pub async fn of_environment(
    access: &dyn Access,
    environment: &EnvironmentName,
    wants: impl Fn(&str) -> bool,
    tell: &mut dyn FnMut(Note),
) -> Result<Vec<Wanted>> {
    // A key that a damaged record hides may be one that is wanted: its name is not known.
    let mut items = access.list(Some(environment)).await?.whole()?;
    items.retain(|item| wants(&item.name));
    items.sort_by(|one, other| one.reference.cmp(&other.reference));
    let mut wanted: Vec<Wanted> = Vec::with_capacity(items.len());
    for item in &items {
        if !is_served(item) {
            tell(Note::Info(format!("skipped a disabled key: {}", item.reference)));
            continue;
        }
        let key: KeyRef = item.reference.parse()?;
        let variable = &item.variable;
        if let Some(why) = withheld(variable, item.variable_named) {
            tell(Note::Warning(format!(
                "warning: skipped `{key}`: its variable `{variable}` {why}; `run --key {variable}={key}` sets it"
            )));
            continue;
        }
        wanted.push(Wanted::new(variable.clone(), key).has_pending(item.pending.is_some()));
    }
    no_two_of_one_variable(wanted.iter().map(|one| (one.variable.as_str(), &one.key)))?;
    Ok(wanted)
}

fn is_served(item: &KeyInfo) -> bool {
    !item.disabled && item.version.is_some() && item.state != Some(VersionState::Disabled)
}

/// Retrieves all values, in order. The first failure fails all. Each result has its variable, and is true if the value is the pending version.
///
/// # Errors
/// The errors of [`Access::retrieve`].
pub async fn retrieve_all(access: &dyn Access, wanted: &[Wanted]) -> Result<Vec<(String, Fetched, bool)>> {
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
    let retrieved = stream::iter(wanted.iter().map(one)).buffered(AT_ONCE);
    retrieved.try_collect().await
}

async fn pending_or_current(access: &dyn Access, key: KeyRef) -> Result<(Fetched, bool)> {
    match access.retrieve(&key.clone().at_version(WhichVersion::Pending)).await {
        Ok(fetched) => Ok((fetched, true)),
        Err(error) if error.code() == "not_found" => Ok((access.retrieve(&key).await?, false)),
        Err(error) => Err(error),
    }
}

/// The values of an environment, in order of the keys.
#[derive(Default)]
#[non_exhaustive]
pub struct Exported {
    /// Each variable with its value.
    pub variables: Vec<(String, Zeroizing<String>)>,
    /// The number of values that are mocks.
    pub mocks: usize,
}

/// Exports keys, all of them or none. The log has a line of an export for each.
///
/// # Errors
/// [`Error::Invalid`] for a value that is not text; the errors of the vault's export.
pub async fn export_all(local: &Local, wanted: Vec<Wanted>) -> Result<Exported> {
    let one = |one: Wanted| async move {
        let value = fetched(local.session().keys().export(&one.key).await?, None)?;
        let text = std::str::from_utf8(value.value.expose_secret()).map_err(|_| {
            Error::invalid(
                format!("cannot export `{}`: its value is not text", one.key),
                "skip the key with `--skip`, and write its value with `ibyok get REF -n -o FILE`",
            )
        })?;
        Ok::<_, Error>((one.variable, Zeroizing::new(text.to_owned()), value.is_mock()))
    };
    let values: Vec<_> = stream::iter(wanted).map(one).buffered(AT_ONCE).try_collect().await?;
    let mut exported = Exported::default();
    for (variable, text, is_mock) in values {
        exported.mocks += usize::from(is_mock);
        exported.variables.push((variable, text));
    }
    Ok(exported)
}
