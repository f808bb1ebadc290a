//! The promises about files and their bytes.

use super::HomeHarness;
use super::trial::{LINES, NOTES, Trial, bytes, log};
use crate::conformance::broken::{Broken, Promise};
use crate::error::Error;

/// A new home has no logs, and a log that it does not hold has no files.
///
/// # Errors
/// Returns [`Broken`] if the home invents something.
pub fn a_home_begins_empty<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "a_home_begins_empty",
            why: "the program refuses to make a vault in a home with the logs of another vault",
        },
    )?;
    let logs = trial.promise.ok("`logs`", trial.home.logs())?;
    trial
        .promise
        .that(logs.is_empty(), || format!("`logs` gives {logs:?}"))?;
    trial.has_files(&*trial.home, &log('A'), &[])?;
    let read = trial.home.read(&log('A'), LINES, 0, 1);
    trial
        .promise
        .that(read.is_err(), || "a file that does not exist was read".to_owned())
}

/// Appended bytes are read back exactly, from any place and in pieces of any size.
///
/// # Errors
/// Returns [`Broken`] if they are not.
pub fn appended_bytes_are_read_back<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "appended_bytes_are_read_back",
            why: "a changed, trimmed or missing byte breaks the chain of hashes and looks like tampering",
        },
    )?;
    let mut expected = Vec::new();
    for length in [1, 300, 0, 5000, 2] {
        let part = bytes(length);
        trial.append(&log('A'), LINES, expected.len() as u64, &part)?;
        expected.extend_from_slice(&part);
        trial.holds(&*trial.home, &log('A'), LINES, &expected)?;
    }
    Ok(())
}

/// Every file is listed with its length, and its log is listed.
///
/// # Errors
/// Returns [`Broken`] if a file or a log is missing or has another length.
pub fn files_have_their_lengths<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "files_have_their_lengths",
            why: "opening a log copies the files of this list: lines of an unlisted file are lost",
        },
    )?;
    trial.append(&log('A'), LINES, 0, &bytes(10))?;
    trial.append(&log('A'), "audit-00000002.log", 0, &bytes(20))?;
    trial.replace(&log('A'), "log.pub", b"key\n")?;
    trial.has_files(
        &*trial.home,
        &log('A'),
        &[(LINES, 14), ("audit-00000002.log", 24), ("log.pub", 4)],
    )?;
    let logs = trial.promise.ok("`logs`", trial.home.logs())?;
    trial.promise.that(logs == [log('A')], || {
        format!("`logs` gives {logs:?} and should give {:?}", [log('A')])
    })
}

/// An append is refused if the file does not end where the writer says, and then changes nothing.
///
/// # Errors
/// Returns [`Broken`] if one is taken.
pub fn an_append_elsewhere_is_refused<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "an_append_elsewhere_is_refused",
            why: "it stops a writer that lost its hold from overwriting lines that another writer acknowledged",
        },
    )?;
    let whole = bytes(100);
    trial.append(&log('A'), LINES, 0, &whole)?;
    for offset in [0, 1, 50, 103, 105, 1 << 40] {
        match trial.home.append(&log('A'), LINES, offset, b"elsewhere\n") {
            Err(Error::OutOfPlace { .. }) => {}
            Err(error) => {
                let found = format!(
                    "an append at {offset} of 104 failed with another error: {}",
                    error.chain()
                );
                return Err(trial.promise.broken(found));
            }
            Ok(()) => return Err(trial.promise.broken(format!("an append at {offset} of 104 was taken"))),
        }
        trial.holds(&*trial.home, &log('A'), LINES, &whole)?;
    }
    let missing = trial.home.append(&log('A'), "audit-00000002.log", 1, b"x");
    trial
        .promise
        .that(missing.is_err(), || "an append at 1 made a new file".to_owned())?;
    trial.append(&log('A'), LINES, whole.len() as u64, b"behind\n")
}

/// A replaced file holds the new bytes and no other, also if it grew by appends before or grows after.
///
/// # Errors
/// Returns [`Broken`] if it holds others.
pub fn a_replaced_file_is_new<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "a_replaced_file_is_new",
            why: "the log replaces its state every second, and opening begins with the state",
        },
    )?;
    for contents in [bytes(2000), bytes(3), Vec::new(), bytes(70)] {
        trial.replace(&log('A'), "state", &contents)?;
        trial.holds(&*trial.home, &log('A'), "state", &contents)?;
    }
    trial.append(&log('A'), NOTES, 0, &bytes(500))?;
    trial.append(&log('A'), NOTES, 504, &bytes(500))?;
    trial.replace(&log('A'), NOTES, b"thinned out\n")?;
    trial.append(&log('A'), NOTES, 12, b"and more\n")?;
    trial.holds(&*trial.home, &log('A'), NOTES, b"thinned out\nand more\n")?;
    trial.has_files(&*trial.home, &log('A'), &[(NOTES, 21), ("state", 74)])
}

/// Logs whose ids differ in one letter, or in its case, have files of their own.
///
/// # Errors
/// Returns [`Broken`] if they share one.
pub fn logs_are_kept_apart<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "logs_are_kept_apart",
            why: "each process writes its own log, and ids of logs are case-sensitive",
        },
    )?;
    let logs = [log('a'), log('A'), log('b'), format!("{}0", "a".repeat(21))];
    for (number, id) in (1..).zip(&logs) {
        trial.append(id, LINES, 0, &bytes(number))?;
        trial.replace(id, "log.pub", id.as_bytes())?;
    }
    for (number, id) in (1..).zip(&logs) {
        trial.holds(&*trial.home, id, LINES, &bytes(number))?;
        trial.holds(&*trial.home, id, "log.pub", id.as_bytes())?;
    }
    let mut found = trial.promise.ok("`logs`", trial.home.logs())?;
    found.sort();
    let mut expected = logs.to_vec();
    expected.sort();
    trial.promise.that(found == expected, || {
        format!("`logs` gives {found:?} and should give {expected:?}")
    })
}

/// Appends of 1 MiB are taken whole, and a file of 8 MiB is read back.
///
/// # Errors
/// Returns [`Broken`] if something is cut.
pub fn large_files_are_kept<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "large_files_are_kept",
            why: "all waiting lines are one append, and a segment grows to 64 MiB",
        },
    )?;
    let part = bytes((1 << 20) - 4);
    let mut expected = Vec::new();
    for _ in 0..8 {
        trial.append(&log('A'), LINES, expected.len() as u64, &part)?;
        expected.extend_from_slice(&part);
    }
    trial.holds(&*trial.home, &log('A'), LINES, &expected)
}
