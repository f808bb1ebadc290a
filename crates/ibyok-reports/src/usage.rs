//! Reports of usage.

use ibyok_api::{DamagedRecord, UsageItem, UsageReport};
use ibyok_core::audit::words::{counted, is_or_are};
use ibyok_core::usage::UsageBy;
use ibyok_operations::Note;

use crate::cell::{Cell, NONE};

/// Describes the time of a report, and warns of counts that it lacks.
#[must_use]
pub fn summary(report: &UsageReport) -> Vec<Note> {
    let (since, until) = (report.since, report.until);
    let mut notes = vec![Note::Info(match report.items.is_empty() {
        true => format!("no key was used from {since} to {until}"),
        false => format!("from {since} to {until}, days in UTC"),
    })];
    if report.damaged > 0 {
        notes.push(Note::Warning(format!(
            "{} of counts {} damaged; the report lacks those counts",
            counted(report.damaged, "record"),
            is_or_are(report.damaged)
        )));
    }
    notes
}

/// Warns of environments whose usage a report lacks.
#[must_use]
pub fn missing(report: &UsageReport) -> Vec<Note> {
    if report.damaged_environments.is_empty() && report.incomplete {
        let text = "warning: the report may lack usage, because the record of an environment is damaged";
        return vec![Note::Warning(text.to_owned())];
    }
    let warning = |record: &DamagedRecord| Note::Warning(format!("warning: the report lacks usage, because {record}"));
    report.damaged_environments.iter().map(warning).collect()
}

/// Returns the head of the column with the subjects of items.
#[must_use]
pub fn head(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Token => "TOKEN",
        UsageBy::Env => "ENVIRONMENT",
        UsageBy::Day => "DAY",
        UsageBy::Version => "VERSION",
        _ => "REF",
    }
}

/// Names the subject of an item.
#[must_use]
pub fn label(item: &UsageItem, by: UsageBy) -> String {
    let or = |member: &Option<String>, other: &str| member.clone().unwrap_or_else(|| other.to_owned());
    match by {
        UsageBy::Token => match (&item.name, &item.token) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (None, Some(id)) => id.clone(),
            _ => "others".to_owned(),
        },
        UsageBy::Env => or(&item.environment, "several environments"),
        UsageBy::Day => item.day.map_or_else(|| NONE.to_owned(), |day| day.to_string()),
        UsageBy::Version => {
            let version = item.version.map_or("none".to_owned(), |number| number.to_string());
            format!("{} version {version}", or(&item.reference, "no key"))
        }
        _ => or(&item.reference, "no key"),
    }
}

/// Names the subject of an item in little room: a token that has a name by the name alone.
#[must_use]
pub fn short(item: &UsageItem, by: UsageBy) -> String {
    let name = item.name.clone().filter(|_| by == UsageBy::Token);
    name.unwrap_or_else(|| label(item, by))
}

/// Counts the requests of an item: released, refused and failed.
#[must_use]
pub fn count(item: &UsageItem) -> u64 {
    item.allowed.saturating_add(item.denied).saturating_add(item.failed)
}

/// Describes the refused and failed requests of an item and its last use. Leaves out counts that are zero.
#[must_use]
pub fn detail(item: &UsageItem) -> String {
    let mut said = Vec::new();
    for (count, word) in [
        (item.mocked, "mocked"),
        (item.denied, "denied"),
        (item.failed, "failed"),
    ] {
        if count > 0 {
            said.push(format!("{count} {word}"));
        }
    }
    if let Some(last) = item.last_used {
        said.push(format!("last {}", last.cell()));
    }
    said.join(", ")
}
