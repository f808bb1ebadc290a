//! The steps that remain for a leaked key, in order.

use ibyok_core::incidents::{IncidentInfo, LeakedCopy};
use ibyok_core::keys::{KeyInfo, Role, VersionMark, VersionState};
use ibyok_core::providers::Catalogue;
use serde::Serialize;

use crate::words::words;

words! {
    /// The kind of a step.
    pub enum StepKind {
        /// Replace the leaked value.
        Replace = "replace",
        /// Treat another key with the same value.
        Copy = "copy",
        /// Revoke the value at the provider.
        Provider = "provider",
        /// Enable the key again.
        Unfreeze = "unfreeze",
        /// Destroy a version that leaked.
        Destroy = "destroy",
        /// Review the readers of the key.
        Review = "review",
        /// Close the incident.
        Close = "close",
    }
}

/// One step that remains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The kind of step, as a word that stays the same.
    pub id: StepKind,
    /// The step, in words.
    pub what: String,
    /// The command or the page that does it.
    pub how: String,
}

impl Step {
    fn new(id: StepKind, what: impl Into<String>, how: impl Into<String>) -> Self {
        Step {
            id,
            what: what.into(),
            how: how.into(),
        }
    }
}

/// The steps that remain of an incident, by the state of its key and of other keys with the same value.
#[must_use]
pub fn remaining(incident: &IncidentInfo, key: &KeyInfo, copies: &[LeakedCopy]) -> Vec<Step> {
    let mut steps = Vec::new();
    if incident.closed.is_some() {
        return steps;
    }
    let reference = &key.reference;
    let marked = |number: &u32| {
        let mut versions = key.versions.iter();
        versions.any(|version| version.version == *number && version.marks.contains(&VersionMark::Compromised))
    };
    let leaked = |number: &u32| incident.versions.contains(number) || marked(number);
    let provider = key.provider.as_deref().and_then(|id| Catalogue::builtin().get(id));
    let replaced = !key.version.is_some_and(|current| leaked(&current));
    if !replaced {
        let pending = key.versions.iter().any(|version| version.role == Role::Pending);
        let how = if pending {
            format!("ibyok rotate promote {reference}")
        } else {
            format!("ibyok rotate stage {reference} && ibyok rotate promote {reference}")
        };
        let at = provider.map_or(String::new(), |provider| {
            format!(" (create it at {})", provider.create_url())
        });
        steps.push(Step::new(
            StepKind::Replace,
            format!("replace the leaked value with a new value{at}"),
            how,
        ));
    }
    for copy in copies {
        steps.push(same_value(copy));
    }
    let page = provider.map_or_else(|| "the provider's console".to_owned(), |p| p.revoke_url().to_owned());
    steps.push(Step::new(
        StepKind::Provider,
        "revoke the leaked value at the provider, and check its usage there",
        page,
    ));
    if key.disabled && replaced {
        steps.push(Step::new(
            StepKind::Unfreeze,
            "enable the key again",
            format!("ibyok keys enable {reference}"),
        ));
    }
    for version in key.versions.iter().filter(|version| leaked(&version.version)) {
        if version.role != Role::Current && version.state != VersionState::Destroyed {
            let how = format!("ibyok rotate destroy {reference} --version {}", version.version);
            steps.push(Step::new(
                StepKind::Destroy,
                format!("destroy version {}", version.version),
                how,
            ));
        }
    }
    let since = incident.since.unwrap_or(incident.opened.at);
    steps.push(Step::new(
        StepKind::Review,
        "review the readers of the key, and the other keys in their reach",
        format!("ibyok incident report {reference} && ibyok audit review --since {since:.0}"),
    ));
    steps.push(Step::new(
        StepKind::Close,
        "find the cause of the leak, fix it, and close the incident",
        format!("ibyok incident close {reference} --cause … --prevention …"),
    ));
    steps
}

/// The step for another key with the same value: it has its own incident, or still needs one.
fn same_value(copy: &LeakedCopy) -> Step {
    let reference = &copy.reference;
    if copy.marked {
        let how = format!("ibyok incident report {reference}");
        return Step::new(StepKind::Copy, format!("replace the same value of `{reference}`"), how);
    }
    Step::new(
        StepKind::Copy,
        format!("open an incident on `{reference}`, which serves the same value"),
        format!("ibyok incident open {reference} --reason …"),
    )
}
