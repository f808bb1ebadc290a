//! The logs as sources of floors: whether there are any, and whether a rebuild may trust them.

use ibyok_audit::{Known, Reader, VerifyingKey, has_other_logs, verify_against};

use super::opening::Setup;
use crate::base::error::{Error, Part, Result};

/// True if no log of the place has a line, and the place holds no log for which no key vouches: then there is nothing that the floors could
/// lack. Somebody may have made a log unreadable, so that it looks like a stranger's.
pub(super) fn is_fresh(setup: &Setup) -> Result<bool> {
    if setup.last_seq > 0 {
        return Ok(false);
    }
    let vouched = setup.logs.iter().filter_map(VerifyingKey::log);
    let known: Vec<&str> = vouched.chain([setup.log.as_str()]).collect();
    if has_other_logs(&setup.place, &known)? {
        return Ok(false);
    }
    let reader = Reader::vouched(&setup.place, setup.logs.clone())?;
    for log in setup.logs.iter().filter_map(VerifyingKey::log) {
        if reader.has_lines(log)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Refuses to rebuild from logs that are not as they were written, or in the presence of a log that no key vouches
/// for. An older store does not know the logs that began after it, and a rebuild would forget the changes on them
/// that took something away. An operator may force the rebuild.
pub(super) async fn check_logs(setup: &Setup) -> Result<()> {
    let what = |fault| format!("the file of floors is missing, damaged or set back, and {fault}");
    match fault_of_logs(setup).await? {
        None => Ok(()),
        Some(fault) => Err(Error::Floors { what: what(fault) }),
    }
}

/// Returns in words why a rebuild from the logs may lack floors; `None` if they are as they were written, or if an operator forces it.
pub(super) async fn fault_of_logs(setup: &Setup) -> Result<Option<String>> {
    if setup.by_force {
        return Ok(None);
    }
    let (place, mut known) = (setup.place.clone(), Known::default());
    known.keys.clone_from(&setup.logs);
    let report = tokio::task::spawn_blocking(move || verify_against(&place, &known)).await;
    let report = report.map_err(|error| Error::unavailable(Part::AuditLog, error))??;
    let ours = |log: &&ibyok_audit::LogReport| log.trusted_key;
    // Faults of foreign logs do not matter here, because a rebuild reads none of their lines.
    let bad = report.logs.iter().filter(ours).find_map(|log| log.first_bad.as_ref());
    let unknown = report.logs.iter().find(|log| log.is_foreign() && log.id != setup.log);
    let archived = report.logs.iter().filter(ours).find(|log| log.archived > 0);
    Ok(match (bad, unknown) {
        (None, None) => archived.map(|log| {
            format!(
                "lines 1 to {} of the log `{}`, which the rebuild reads, are archived: copy the archived segments back into the log's \
                 directory first",
                log.archived, log.id
            )
        }),
        (None, Some(unknown)) => Some(format!(
            "the store does not know the log `{}`: it is another vault's log, or it began after the copy of this store was made and \
             has changes that the store lost",
            unknown.id
        )),
        (Some(bad), _) => Some(format!(
            "the log `{}`, which the rebuild reads, was changed after it was written (line {})",
            bad.log, bad.seq
        )),
    })
}
