//! Checks the items that people attest: an incident plan, training, backups.

use std::collections::BTreeMap;

use ibyok_core::words::plural;
use ibyok_core::{Attestation, SignedDuration, Timestamp};

use super::{Item, some};

/// The files in which teams keep their plan. `incident plan -o` writes it anywhere.
pub const PLANS: [&str; 5] = [
    "INCIDENTS.md",
    "INCIDENT_PLAN.md",
    "docs/incidents.md",
    "docs/incident-plan.md",
    ".github/INCIDENTS.md",
];

/// The time for which an attestation holds: a year for training and plans, a week for backups.
const A_YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);
const A_WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The plan for incidents that is in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller builds it from the file that it found"
)]
pub struct PlanFacts {
    /// The plan's file, one of [`PLANS`].
    pub file: &'static str,
    /// The lines that are still to be filled in, as [`gaps_in`](super::gaps_in) lists them.
    pub gaps: Vec<String>,
}

/// Judges what people attested and the plan that is in the code. `attested` are [`Session::attestations`](ibyok_core::Session::attestations).
#[must_use]
pub fn of_people(attested: &BTreeMap<String, Attestation>, plan: Option<&PlanFacts>, now: Timestamp) -> Vec<Item> {
    let word = |item: &str, holds: SignedDuration| attested.get(item).filter(|a| now.duration_since(a.at) < holds);
    let mut items = Vec::new();
    let plan = plan.map(|plan| (plan.file, &plan.gaps));
    items.push(match (plan, word("incident-plan", A_YEAR)) {
        (Some((plan, gaps)), _) if gaps.is_empty() => Item::ok("incident-plan", format!("{plan} is there")),
        (_, Some(word)) => Item::ok("incident-plan", said(word)),
        (Some((plan, gaps)), None) => Item::open(
            "incident-plan",
            format!(
                "{plan} is not filled in: see {} {}",
                plural(gaps.len(), "line"),
                some(gaps)
            ),
            format!("write into {plan} what is still missing there"),
        ),
        (None, None) => Item::open(
            "incident-plan",
            "no plan for incidents is in the code, and none was attested within a year",
            "ibyok incident plan -o INCIDENTS.md, or ibyok checklist attest incident-plan --note WHERE",
        ),
    });
    items.push(match word("training", A_YEAR) {
        Some(word) => Item::ok("training", said(word)),
        None => Item::open(
            "training",
            "nobody attested within a year that the team knows what to do with keys",
            "ibyok checklist attest training, once it does",
        ),
    });
    items.push(match word("backup", A_WEEK) {
        Some(word) => Item::ok("backup", said(word)),
        None => Item::open(
            "backup",
            "nobody attested within a week that store, audit log and KEK are backed up, apart from each other",
            "see docs/operations.md, then ibyok checklist attest backup",
        ),
    });
    items
}

fn said(word: &Attestation) -> String {
    let note = word.note.as_deref().map_or(String::new(), |note| format!(": {note}"));
    format!("attested by {} on {:.0}{note}", word.by, word.at)
}
