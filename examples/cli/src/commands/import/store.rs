//! Puts what was planned into the vault, many at a time: they share the log's syncs.

use ibyok_core::{Imported, KeyRef, KeyWrite, Secret, Session};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinSet;

use super::plan::{Outcome, Plan};
use crate::access::Here;
use crate::commands::Cx;
use crate::error::{Error, Result};

/// How many writes are under way at once.
const AT_ONCE: usize = 32;

/// From how many keys on a progress bar is worth showing.
const LONG: usize = 50;

/// Stores every value that is to be stored, in no order that means anything. What is stored before a failure stays.
///
/// # Errors
/// As [`Session::import_key`], of the first that fails.
pub(super) async fn store(here: &Here, cx: &mut Cx<'_>, plan: &mut Plan, update: bool) -> Result<()> {
    let pending = plan.count(Outcome::Pending);
    let bar = progress(cx, pending);
    let mut under_way: JoinSet<(usize, ibyok_core::Result<Imported>)> = JoinSet::new();
    let mut waiting = plan.entries.iter_mut().enumerate().filter_map(|(index, entry)| {
        let value = entry.value.take()?;
        Some((index, entry.key.clone(), entry.variable.clone(), value))
    });
    let mut outcomes = Vec::with_capacity(pending);
    let mut failed = None;
    loop {
        while under_way.len() < AT_ONCE
            && failed.is_none()
            && let Some((index, key, variable, value)) = waiting.next()
        {
            let session = here.session.clone();
            under_way.spawn(async move { (index, one(&session, &key, variable, value, update).await) });
        }
        match under_way.join_next().await {
            None => break,
            Some(Ok((index, Ok(imported)))) => outcomes.push((index, imported)),
            Some(Ok((_, Err(error)))) => failed = failed.or(Some(Error::Vault(error))),
            Some(Err(_)) => failed = failed.or(Some(Error::failed("a write was interrupted", "run the import again"))),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    for (index, imported) in outcomes {
        if let Some(entry) = plan.entries.get_mut(index) {
            entry.outcome = outcome(&imported);
        }
    }
    failed.map_or(Ok(()), Err)
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

fn outcome(imported: &Imported) -> Outcome {
    match imported {
        Imported::Created(_) => Outcome::Created,
        Imported::Updated(_) => Outcome::Updated,
        Imported::Unchanged => Outcome::Unchanged,
        _ => Outcome::Refused,
    }
}

/// What storing would come to. To know whether a value is the same it has to be retrieved, which is on the audit log.
///
/// # Errors
/// As [`Session::retrieve`].
pub(super) async fn compare(here: &Here, plan: &mut Plan, update: bool) -> Result<()> {
    for entry in &mut plan.entries {
        let Some(value) = entry.value.take() else { continue };
        entry.outcome = match here.session.retrieve(&entry.key).await {
            Ok(released) if released.secret().is_ok_and(|current| current.same_as(&value)) => Outcome::Unchanged,
            Err(ibyok_core::Error::NotFound { what, .. }) if what.starts_with("key ") => Outcome::Created,
            Ok(_) | Err(ibyok_core::Error::NotFound { .. }) if update => Outcome::Updated,
            Ok(_) => Outcome::Refused,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(())
}

fn progress(cx: &Cx<'_>, length: usize) -> ProgressBar {
    if length < LONG || !cx.io.terminal.error || cx.io.quiet || cx.globals.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(u64::try_from(length).ok(), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} keys, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
