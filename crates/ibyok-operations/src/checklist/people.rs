//! Checks the items that people attest: an incident plan, training, backups.

use std::collections::BTreeMap;

use ibyok_core::audit::words::plural;
use ibyok_core::{
    attestations::Attestation,
    jiff::{SignedDuration, Timestamp},
};

use super::{Item, some};

/// The files in which teams keep their plan. `incident plan -o` writes it anywhere.
pub const PLANS: [&str; 5] = [
    "INCIDENTS.md",
    "INCIDENT_PLAN.md",
    "docs/incidents.md",
    "docs/incident-plan.md",
    ".github/INCIDENTS.md",
];

/// The number of days for which an attestation of training or of a plan holds. `docs/checklist.md` repeats the number.
pub(super) const TRAINING_DAYS: i64 = 365;
/// The number of days for which an attestation of backups holds. `docs/checklist.md` repeats the number.
pub(super) const BACKUP_DAYS: i64 = 7;

const TRAINING_HOLDS: SignedDuration = SignedDuration::from_hours(TRAINING_DAYS * 24);
const BACKUP_HOLDS: SignedDuration = SignedDuration::from_hours(BACKUP_DAYS * 24);

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

/// Judges the attestations of people and the plan in the code. `attested` are [`AttestationVerbs::list`](ibyok_core::Session::attestations).
#[must_use]
pub fn of_people(attested: &BTreeMap<String, Attestation>, plan: Option<&PlanFacts>, now: Timestamp) -> Vec<Item> {
    let word = |item: &str, holds: SignedDuration| attested.get(item).filter(|a| now.duration_since(a.at) < holds);
    let mut items = Vec::new();
    let plan = plan.map(|plan| (plan.file, &plan.gaps));
    items.push(match (plan, word("incident-plan", TRAINING_HOLDS)) {
        (Some((plan, gaps)), _) if gaps.is_empty() => {
            Item::ok("incident-plan", format!("{plan} exists and is filled in"))
        }
        (_, Some(word)) => Item::ok("incident-plan", said(word)),
        (Some((plan, gaps)), None) => Item::open(
            "incident-plan",
            format!(
                "{plan} is not filled in: see {} {}",
                plural(gaps.len(), "line"),
                some(gaps)
            ),
            format!("fill in the missing parts of {plan}"),
        ),
        (None, None) => Item::open(
            "incident-plan",
            format!("the code has no incident plan, and nobody attested one within {TRAINING_DAYS} days"),
            "run `ibyok incident plan -o INCIDENTS.md`, or `ibyok checklist attest incident-plan --note PLACE`",
        ),
    });
    items.push(match word("training", TRAINING_HOLDS) {
        Some(word) => Item::ok("training", said(word)),
        None => Item::open(
            "training",
            format!("nobody attested within {TRAINING_DAYS} days that the team knows the rules for keys"),
            "train the team, then run `ibyok checklist attest training`",
        ),
    });
    items.push(match word("backup", BACKUP_HOLDS) {
        Some(word) => Item::ok("backup", said(word)),
        None => Item::open(
            "backup",
            format!("there is no backup within {BACKUP_DAYS} days, and nobody attested one"),
            "run `ibyok backup FILE` on a schedule; if you back up the vault by other means, run `ibyok checklist attest backup`",
        ),
    });
    items
}

fn said(word: &Attestation) -> String {
    if let Some(sha256) = &word.backup {
        return format!(
            "the vault was backed up by {} on {:.0} (SHA-256 {sha256})",
            word.by, word.at
        );
    }
    let note = word.note.as_deref().map_or(String::new(), |note| format!(": {note}"));
    format!("attested by {} on {:.0}{note}", word.by, word.at)
}
