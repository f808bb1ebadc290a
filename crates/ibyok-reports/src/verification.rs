//! Verifications of the audit log.

use ibyok_core::audit::VerifyReport;
use ibyok_core::audit::words::counted;
use ibyok_operations::Note;

/// Describes a verification: its notes, and its result. `ok` is true if neither the report nor the floors have a finding; `floors` are the
/// findings about the floors, in words.
#[must_use]
pub fn described(report: &VerifyReport, ok: bool, floors: &[String]) -> Vec<Note> {
    let mut notes: Vec<Note> = report.notes.iter().cloned().map(Note::Info).collect();
    if ok {
        notes.push(Note::Info(format!(
            "verified {}: no line was changed, removed, inserted or moved",
            counted(report.events, "line")
        )));
        return notes;
    }
    notes.extend(report.findings.iter().map(|finding| {
        let log = finding.log.as_ref().map(|log| format!("log {log}, "));
        let (what, log, detail) = (finding.what.as_str(), log.unwrap_or_default(), &finding.detail);
        Note::Warning(format!("{what}: {log}{detail}"))
    }));
    let rebuild = |finding| format!("{finding}; `ibyok audit floors rebuild` acknowledges it");
    notes.extend(floors.iter().map(rebuild).map(Note::Warning));
    notes
}
