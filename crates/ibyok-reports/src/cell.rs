//! Members of documents as a person reads them.

use std::collections::BTreeMap;
use std::fmt::Display;

use ibyok_api::{
    DueKind, EnvironmentClass, IncidentState, Interval, LastUse, LimitScope, Mark, Mode, ModeSource, PrincipalKind,
    Rate, Scope, TokenFindingKind, TokenState, VersionState,
};
use jiff::Timestamp;

/// The text for a member without a value.
pub const NONE: &str = "-";

/// A member of a document that a person can read.
pub trait Cell {
    /// Returns the text: `-` for nothing, `yes` and `no`, lists joined by commas, times to the second.
    fn cell(&self) -> String;
}

/// Cells that are their own text.
macro_rules! texts {
    ($($type:ty),+ $(,)?) => {$(
        impl Cell for $type {
            fn cell(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

texts! {
    str, String, u32, u64, i64, Rate, Interval,
    DueKind, EnvironmentClass, IncidentState, LimitScope, Mark, Mode, ModeSource, PrincipalKind, Scope, TokenFindingKind, TokenState,
    VersionState,
}

impl Cell for bool {
    fn cell(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Cell for Timestamp {
    fn cell(&self) -> String {
        format!("{self:.0}")
    }
}

impl Cell for LastUse {
    fn cell(&self) -> String {
        self.time().cell()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn cell(&self) -> String {
        self.as_ref().map_or_else(|| NONE.to_owned(), Cell::cell)
    }
}

impl<T: Cell> Cell for Vec<T> {
    fn cell(&self) -> String {
        joined(self.iter().map(Cell::cell))
    }
}

impl Cell for BTreeMap<String, String> {
    fn cell(&self) -> String {
        joined(self.iter().map(|(name, value)| format!("{name}={value}")))
    }
}

/// Joins texts by commas.
pub fn joined<T: Display>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| text.to_string()).collect();
    if texts.is_empty() {
        return NONE.to_owned();
    }
    texts.join(", ")
}

/// Returns the text of a flag that documents leave out if it is not set: `yes` or `-`.
#[must_use]
pub fn if_set(flag: bool) -> String {
    flag.then_some(flag).cell()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_reads_as_its_member() {
        let time: Timestamp = "2026-12-24T17:33:49.049547612Z".parse().unwrap();
        assert_eq!(Some(time).cell(), "2026-12-24T17:33:49Z");
        assert_eq!(LastUse::Never.cell(), "-");
        assert_eq!((true.cell(), if_set(false)), ("yes".to_owned(), "-".to_owned()));
        assert_eq!(vec![Mark::Disabled, Mark::Compromised].cell(), "disabled, compromised");
        assert_eq!(Vec::<String>::new().cell(), "-");
        assert_eq!(BTreeMap::from([("a".to_owned(), "b".to_owned())]).cell(), "a=b");
    }
}
