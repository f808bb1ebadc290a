//! The security checklist: its items, and the checks of a vault, its code and its people.
//!
//! [`of_vault`] reads the vault. [`of_code`] judges the result of a scan. [`of_people`] judges attestations and the incident plan.

mod code;
mod never_committed;
mod people;
mod plan;
mod vault;

use serde::Serialize;

pub use code::{CodeFacts, of_code};
pub use never_committed::{NEVER_COMMITTED, lines_for};
pub use people::{PLANS, PlanFacts, of_people};
pub use plan::gaps_in;
pub use vault::{VaultFacts, of_vault};

/// One point of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Item {
    /// A word for the point that stays the same.
    pub id: &'static str,
    /// True if nothing is left to do.
    pub ok: bool,
    /// The facts that the judgement rests on.
    pub detail: String,
    /// The action that closes the point, as `ibyok` words it; `None` for a closed one.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Item {
    fn ok(id: &'static str, detail: impl Into<String>) -> Self {
        Item {
            id,
            ok: true,
            detail: detail.into(),
            remedy: None,
        }
    }

    fn open(id: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Item {
            id,
            ok: false,
            detail: detail.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// Names the first of many, and counts the rest.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ibyok_core::jiff::{SignedDuration, Timestamp};

    use super::people::{BACKUP_DAYS, TRAINING_DAYS};
    use super::vault::TOKEN_DAYS;
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/checklist.md");

    /// The row of an item on the page.
    fn row(id: &str) -> &'static str {
        let begins = format!("| `{id}` |");
        let found = PAGE.lines().find(|line| line.starts_with(&begins));
        found.unwrap_or_else(|| panic!("docs/checklist.md has no row of `{id}`"))
    }

    #[test]
    fn the_page_has_a_row_for_each_item_of_the_code_and_the_people() {
        let mut items = of_code(&CodeFacts::default());
        items.extend(of_people(&BTreeMap::new(), None, Timestamp::UNIX_EPOCH));
        assert_eq!(items.len(), 5);
        items.iter().for_each(|item| assert!(!row(item.id).is_empty()));
    }

    #[test]
    fn the_page_and_the_program_name_the_same_days() {
        let people = of_people(&BTreeMap::new(), None, Timestamp::UNIX_EPOCH);
        let program = |id: &str| people.iter().find(|item| item.id == id).unwrap().detail.as_str();
        for (id, days) in [
            ("incident-plan", TRAINING_DAYS),
            ("training", TRAINING_DAYS),
            ("backup", BACKUP_DAYS),
        ] {
            let days = format!("within {days} days");
            assert!(row(id).contains(&days), "{}", row(id));
            assert!(program(id).contains(&days), "{}", program(id));
        }
        let days = format!("more than {TOKEN_DAYS} days");
        assert!(row("token-expiry").contains(&days), "{}", row("token-expiry"));
    }

    #[test]
    fn an_attestation_holds_for_the_days_that_the_page_names() {
        let at = Timestamp::UNIX_EPOCH;
        let word = serde_json::from_value(serde_json::json!({ "at": at, "by": "os:ana@host" })).unwrap();
        let attested = BTreeMap::from([("backup".to_owned(), word)]);
        let ok = |hours: i64| {
            let now = at.checked_add(SignedDuration::from_hours(hours)).unwrap();
            let items = of_people(&attested, None, now);
            items.iter().find(|item| item.id == "backup").unwrap().ok
        };
        assert!(ok(BACKUP_DAYS * 24 - 1));
        assert!(!ok(BACKUP_DAYS * 24));
    }
}
