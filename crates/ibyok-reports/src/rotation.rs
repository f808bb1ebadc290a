//! Rotations: due tasks, consumers, and the pages of providers.

use ibyok_api::{Due, DueKind, RotationStatus, WaitingWhy};
use ibyok_core::audit::words::counted;
use ibyok_core::providers::{Catalogue, Provider};
use ibyok_operations::Note;

use crate::cell::Cell;

/// The warning about a status without consumers: an empty list of names does not mean that nobody reads.
pub const CONSUMERS_HIDDEN: &str = "consumers are not shown: the token needs `usage:read` or `keys:rotate`";

/// Returns the key or token of a due task, and the task.
#[must_use]
pub fn due(one: &Due) -> (String, String) {
    let is_damaged = matches!(
        one.kind,
        DueKind::DamagedKey | DueKind::DamagedToken | DueKind::DamagedEnvironment
    );
    let which = match &one.reference {
        Some(key) => key.clone(),
        None if is_damaged => one.name.clone(),
        None => format!("{} ({})", one.name, one.token.cell()),
    };
    let state = match (&one.kind, one.overdue) {
        (DueKind::Rotation, _) => "rotate it".to_owned(),
        _ if is_damaged => "unknown: this node cannot read its record".to_owned(),
        (_, true) => "expired".to_owned(),
        _ => {
            let days = u64::try_from(one.within_days).unwrap_or_default();
            format!("ends within {}", counted(days, "day"))
        }
    };
    (which, state)
}

/// Describes the consumers that a rotation waits for, and the consumers that the status may lack.
#[must_use]
pub fn waiting(status: &RotationStatus) -> Vec<Note> {
    let hidden = (!status.consumers_shown).then(|| Note::Warning(CONSUMERS_HIDDEN.to_owned()));
    let waiting = status.waiting_for.iter().map(|one| {
        let why = match one.why {
            WaitingWhy::NotYet => "has not read the current version yet",
            _ => "has read an older version again",
        };
        let label = consumer(&one.token, one.name.as_deref());
        Note::Info(format!("waiting for {label}: {why}"))
    });
    let unseen = status.unseen.iter();
    let unseen = unseen.map(|unseen| Note::Info(format!("consumers may be missing: {unseen}")));
    hidden.into_iter().chain(waiting).chain(unseen).collect()
}

/// Names a consumer: `name (id)`, or the id.
#[must_use]
pub fn consumer(id: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{name} ({id})"),
        None => id.to_owned(),
    }
}

/// The step after which a person goes to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the steps of a rotation are a closed set")]
pub enum After {
    /// A new value was staged.
    Stage,
    /// The new value is current.
    Promote,
    /// A value was destroyed in the vault.
    Destroy,
    /// A task is due.
    Due,
}

/// Describes the step at a provider's pages that follows: a rotation begins and ends there. Returns nothing for a provider that the
/// catalogue lacks.
#[must_use]
pub fn next_at_provider(id: &str, after: After) -> Option<String> {
    let provider = Catalogue::builtin().get(id)?;
    Some(sentence(provider, after))
}

fn sentence(provider: &Provider, after: After) -> String {
    let (name, create, revoke) = (provider.name(), provider.create_url(), provider.revoke_url());
    match after {
        After::Stage => {
            format!("create the new key of {name} at {create}; after the promotion, delete the old key at {revoke}")
        }
        After::Promote => {
            format!("when `ibyok rotate status` shows no consumer of the old key, delete it at {name}: {revoke}")
        }
        After::Destroy => format!("the key still works at {name}; delete it there: {revoke}"),
        After::Due => format!("{name}: create a new key at {create}, and delete the old key at {revoke}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_its_pages_in_every_sentence() {
        for provider in Catalogue::builtin().iter() {
            for after in [After::Stage, After::Promote, After::Destroy, After::Due] {
                assert!(sentence(provider, after).contains("https://"), "{}", provider.id());
            }
        }
    }
}
