//! Reviews of the audit log: their findings, and the page of a review.

mod page;

use ibyok_api::{Finding, FindingSubject, Review};
use ibyok_core::audit::words::counted;
use ibyok_operations::Note;
use jiff::Timestamp;

use crate::cell::NONE;

pub use page::page;

/// Summarises a review: the findings that it counts without listing them, the sums, and the last review. `recorded` is true if this review
/// was recorded as done.
#[must_use]
pub fn summary(review: &Review, recorded: bool) -> Vec<Note> {
    let more = review.more.iter();
    let more =
        more.map(|(detector, count)| Note::Warning(format!("{} of {detector}", counted(*count, "more finding"))));
    let mut notes: Vec<Note> = more.collect();
    notes.push(Note::Info(format!(
        "{} found, {} of them open, in {} since {}; {} of history",
        review.findings.len(),
        review.open,
        counted(review.lines, "line"),
        second(review.since),
        counted(review.history, "line"),
    )));
    notes.push(Note::Info(match &review.last_done {
        Some(last) => {
            let was = if recorded {
                "recorded: reviewed"
            } else {
                "last reviewed"
            };
            format!("{was} on {} by {}", second(last.at), last.by)
        }
        None => "no review is recorded yet; `ibyok audit review --done` records one".to_owned(),
    }));
    notes
}

/// Describes a finding in a few lines. The first begins with its severity.
#[must_use]
pub fn finding(finding: &Finding) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{:<6} {:<20} {}  {}",
            finding.severity,
            finding.detector,
            finding.id,
            subject(&finding.subject)
        ),
        format!("       {}", finding.explanation),
    ];
    // `LOG:NUMBER`, as `audit prove` takes it.
    let places = finding.lines.iter().map(|line| format!("{}:{}", line.log, line.seq));
    let places: Vec<String> = places.collect();
    let (count, first, last) = (finding.count, second(finding.first), second(finding.last));
    let when = if first == last {
        first
    } else {
        format!("{first} to {last}")
    };
    lines.push(format!("       {count}×, {when}; lines {}", places.join(" ")));
    if let Some(acknowledged) = &finding.acknowledged {
        lines.push(format!(
            "       acknowledged on {} by {}: {}",
            second(acknowledged.at),
            acknowledged.by,
            acknowledged.reason
        ));
    }
    lines
}

/// A time without its fractions. The fractions are cut and not rounded, as the page cuts them.
fn second(time: Timestamp) -> String {
    let time = time.to_string();
    time.split_once('.')
        .map_or(time.clone(), |(second, _)| format!("{second}Z"))
}

/// Describes the subject of a finding: its kind, its name and its id.
#[must_use]
pub fn subject(subject: &FindingSubject) -> String {
    let (kind, id) = (&subject.kind, &subject.id);
    match subject.name.as_deref().unwrap_or(NONE) {
        name if name.is_empty() || name == id => format!("{kind} {id}"),
        name => format!("{kind} {name} ({id})"),
    }
}
