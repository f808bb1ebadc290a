//! Profiles of operators: their usual hours, and their changes of settings.

use std::collections::HashMap;

use jiff::SignedDuration;

use super::finding::{Detector, Severity, Shown, Subject};
use super::findings::{Findings, Hit};
use super::profile::Hour;
use super::thresholds::Checked;
use crate::action::{Outcome, Phase};
use crate::read::Entry;

/// The largest number of operators whose hours are known. The rest count as strangers.
const OPERATORS: usize = 1000;

/// On how many earlier days an operator must have worked at an hour for it to be usual.
const USUAL: u16 = 3;

#[derive(Debug, Default)]
pub(super) struct Operators(HashMap<String, Habits>);

#[derive(Debug, Default)]
struct Habits {
    day: i64,
    today: u32,
    hours: [u16; 24],
}

impl Operators {
    /// Takes in a line of an operator.
    pub(super) fn take(&mut self, entry: &Entry, line: &Shown, at: Hour, limits: &Checked, found: &mut Findings) {
        let Some(id) = &entry.principal.id else { return };
        let known = self.0.len() < OPERATORS || self.0.contains_key(id);
        let usual = known && self.0.entry(id.clone()).or_default().meets(at);
        if usual || limits.is_worked(at.hour) || entry.outcome != Outcome::Allowed {
            return;
        }
        found.hit(Hit {
            detector: Detector::OddHours,
            severity: Severity::Medium,
            subject: Subject {
                kind: "operator",
                id: id.clone(),
                name: entry.principal.name.clone(),
            },
            about: String::new(),
            explanation: format!(
                "acted at {:02}:00 and after, outside the hours {} ({}); the last was {}",
                at.hour, limits.given.operator_hours, limits.given.time_zone, entry.action
            ),
            line: line.clone(),
            count: entry.count,
            within: SignedDuration::from_hours(6),
        });
    }
}

impl Habits {
    /// Learns an hour, and returns whether it was usual before.
    fn meets(&mut self, at: Hour) -> bool {
        if at.day > self.day {
            for (hour, days) in self.hours.iter_mut().enumerate() {
                *days = days.saturating_add(u16::from(self.today & (1 << hour) != 0));
            }
            (self.day, self.today) = (at.day, 0);
        }
        self.today |= 1 << at.hour;
        [23, 0, 1].iter().any(|beside| {
            self.hours
                .get((at.hour + beside) % 24)
                .is_some_and(|days| *days >= USUAL)
        })
    }
}

/// A change of settings, by whomever.
pub(super) fn settings(entry: &Entry, line: &Shown, found: &mut Findings) {
    let severity = match entry.action.as_str() {
        "settings.change" | "env.create" | "key.mode" | "vault.backup" | "vault.copy" => Severity::Low,
        "kek.rotate" | "kek.reseal" | "kek.drop" | "token.rekey" | "kek.import" | "vault.moved" => Severity::Medium,
        "kek.export" | "vault.restore" | "vault.rollback_accepted" | "env.remove" => Severity::High,
        _ => return,
    };
    if entry.outcome != Outcome::Allowed || matches!(entry.phase, Some(Phase::Intended | Phase::NotDone)) {
        return;
    }
    let kind = match entry.principal.kind.as_str() {
        "token" => "token",
        "operator" => "operator",
        _ => "unknown",
    };
    let id = entry.principal.id.clone().unwrap_or_default();
    // Each record that is written again after an acceptance belongs to the acceptance.
    let is_part = entry.action == "vault.restore" && entry.record.is_some();
    if is_part && found.again(Detector::SettingsChanged, (kind, &id), "vault.rollback_accepted", line) {
        return;
    }
    let whose = entry
        .environment
        .as_deref()
        .map_or_else(String::new, |name| format!(" in `{name}`"));
    found.hit(Hit {
        detector: Detector::SettingsChanged,
        severity,
        subject: Subject {
            kind,
            id,
            name: entry.principal.name.clone(),
        },
        about: entry.action.clone(),
        explanation: format!("{}{whose}", entry.action),
        line: line.clone(),
        count: 1,
        within: SignedDuration::from_hours(1),
    });
}
