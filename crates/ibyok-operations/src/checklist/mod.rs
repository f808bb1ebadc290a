//! The security checklist: its items, and the judgement of what a vault, its code and its people show.
//!
//! [`of_vault`] reads the vault. [`of_code`] judges what a scan found, and [`of_people`] what people attested and the plan for incidents.

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
