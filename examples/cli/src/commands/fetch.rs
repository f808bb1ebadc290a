//! Several values at once: whatever is wanted, or nothing.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use ibyok_core::KeyRef;
use serde_json::Value;

use super::Cx;
use crate::access::{Access, Fetched};
use crate::error::{Error, Result};
use crate::table::{at, text};

/// How many values are asked for, or written, at once: they share the audit log's syncs.
pub(super) const AT_ONCE: usize = 32;

/// A key that a variable is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The variable.
    pub(super) variable: String,
    /// The key.
    pub(super) key: KeyRef,
}

/// The keys of an environment that can be served, under their variables. Those that are disabled are left out, and told.
///
/// # Errors
/// [`Error::Usage`] where two keys have the same variable; else as listing.
pub(super) async fn of_environment(
    access: &dyn Access,
    cx: &mut Cx<'_>,
    environment: &ibyok_core::EnvironmentName,
    wants: impl Fn(&str) -> bool,
) -> Result<Vec<Wanted>> {
    let mut items = access.list(Some(environment)).await?;
    items.retain(|item| wants(&text(at(item, "name"))));
    items.sort_by_key(|item| text(at(item, "ref")));
    let mut wanted: Vec<Wanted> = Vec::with_capacity(items.len());
    for item in &items {
        if !is_served(item) {
            cx.io
                .say(&format!("left out, since it is disabled: {}", text(at(item, "ref"))));
            continue;
        }
        let key: KeyRef = text(at(item, "ref")).parse()?;
        wanted.push(Wanted {
            variable: text(at(item, "variable")),
            key,
        });
    }
    no_two_of_one_variable(&wanted)?;
    Ok(wanted)
}

fn is_served(item: &Value) -> bool {
    at(item, "disabled") != true && at(item, "version").is_number() && at(item, "state") != "disabled"
}

fn no_two_of_one_variable(wanted: &[Wanted]) -> Result<()> {
    let mut seen = std::collections::HashMap::new();
    for one in wanted {
        if let Some(other) = seen.insert(&one.variable, &one.key) {
            return Err(Error::usage(
                format!("`{other}` and `{}` have the same variable `{}`", one.key, one.variable),
                "give one of them another with `ibyok keys edit REF --var NAME`, or choose with `--only`",
            ));
        }
    }
    Ok(())
}

/// Retrieves them all, in order; the first that fails, by its name, fails all.
///
/// # Errors
/// As [`Access::retrieve`].
pub(super) async fn all(access: &dyn Access, wanted: &[Wanted]) -> Result<Vec<(String, Fetched)>> {
    let one = |one: &Wanted| {
        let Wanted { variable, key } = one.clone();
        async move { Ok((variable, access.retrieve(&key).await?)) }
    };
    stream::iter(wanted.iter().map(one))
        .buffered(AT_ONCE)
        .try_collect()
        .await
}
