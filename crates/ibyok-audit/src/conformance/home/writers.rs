//! The promises about several writers at once, and one after another.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretBox;

use super::HomeHarness;
use super::trial::{LINES, NOTES, Trial, bytes, log};
use crate::action::{Action, Outcome};
use crate::conformance::broken::{Broken, Promise};
use crate::event::Event;
use crate::home::Home;
use crate::key::SigningKey;
use crate::log::Log;
use crate::sink::AuditHome;

/// Of many writers that append at one place, one is acknowledged.
///
/// # Errors
/// Returns [`Broken`] if it is another number.
pub fn one_of_many_appends_wins<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "one_of_many_appends_wins",
            why: "two acknowledged writers have each released a value, and one line is lost",
        },
    )?;
    let mut expected = Vec::new();
    for round in 0..8 {
        let handles = (0..4).map(|_| trial.again()).collect::<Result<Vec<_>, _>>()?;
        let offset = expected.len() as u64;
        let won = std::thread::scope(|scope| {
            let append = |(writer, home): (usize, &Arc<dyn Home>)| {
                let (home, line) = (Arc::clone(home), format!("round {round} writer {writer}\n"));
                scope.spawn(move || {
                    home.append(&log('A'), LINES, offset, line.as_bytes())
                        .is_ok()
                        .then_some(line)
                })
            };
            let threads: Vec<_> = handles.iter().enumerate().map(append).collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().ok().flatten())
                .collect::<Vec<String>>()
        });
        let [line] = won.as_slice() else {
            return Err(trial
                .promise
                .broken(format!("{} of 4 appends at {offset} were acknowledged", won.len())));
        };
        expected.extend_from_slice(line.as_bytes());
        trial.holds(&*trial.home, &log('A'), LINES, &expected)?;
    }
    Ok(())
}

/// Lines and checkpoints are written from two threads at once, and each is kept.
///
/// # Errors
/// Returns [`Broken`] if one is lost.
pub fn two_threads_write_at_once<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "two_threads_write_at_once",
            why: "the log signs checkpoints on a second thread, while it appends lines",
        },
    )?;
    let write = |file: &str| {
        let mut written = Vec::new();
        for number in 0..100 {
            let line = format!("{file} {number}\n");
            trial.append(&log('A'), file, written.len() as u64, line.as_bytes())?;
            written.extend_from_slice(line.as_bytes());
            trial.replace(
                &log('A'),
                &format!("audit-0000000{}.start", file.len() % 8 + 1),
                line.as_bytes(),
            )?;
        }
        Ok(written)
    };
    let (lines, notes) = std::thread::scope(|scope| {
        let notes = scope.spawn(|| write(NOTES));
        (write(LINES), notes.join())
    });
    let notes = notes.map_err(|_| trial.promise.broken("a call panicked"))?;
    trial.holds(&*trial.home, &log('A'), LINES, &lines?)?;
    trial.holds(&*trial.home, &log('A'), NOTES, &notes?)
}

/// A log has one holder at a time, whichever handle asks, and is free when the hold is dropped.
///
/// # Errors
/// Returns [`Broken`] if two handles hold the log, or if none can.
pub fn a_log_has_one_holder<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "a_log_has_one_holder",
            why: "two processes that write one log give two lines the same number, and the chain forks",
        },
    )?;
    let other = trial.again()?;
    let take = |home: &dyn Home, id: char| trial.promise.ok("`take`", home.take(&log(id)));
    for round in 1..=3 {
        let hold = take(&*trial.home, 'A')?;
        trial.promise.that(hold.is_some(), || {
            format!("nobody holds the log in round {round}, and it was not given")
        })?;
        for (name, home) in [("the same handle", &trial.home), ("another handle", &other)] {
            let second = take(&**home, 'A')?;
            trial
                .promise
                .that(second.is_none(), || format!("{name} was given a log that is held"))?;
        }
        let another = take(&*other, 'a')?;
        trial
            .promise
            .that(another.is_some(), || "a second log was not given".to_owned())?;
        drop((hold, another));
    }
    let hold = take(&*other, 'A')?;
    trial.promise.that(hold.is_some(), || {
        "another handle was not given a log that is free".to_owned()
    })
}

/// Another handle has every log, every file and every byte, and goes on where the first one ended.
///
/// # Errors
/// Returns [`Broken`] if something is missing.
pub fn a_restart_loses_nothing<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let mut trial = Trial::new(
        harness,
        Promise {
            name: "a_restart_loses_nothing",
            why: "an acknowledged line proves that a value was released; the log must not lose it",
        },
    )?;
    let whole = bytes(1000);
    trial.append(&log('A'), LINES, 0, &whole)?;
    trial.replace(&log('A'), "state", b"{}")?;
    trial.home = trial.again()?;
    trial.holds(&*trial.home, &log('A'), LINES, &whole)?;
    trial.holds(&*trial.home, &log('A'), "state", b"{}")?;
    trial.has_files(&*trial.home, &log('A'), &[(LINES, 1004), ("state", 2)])?;
    trial.append(&log('A'), LINES, 1004, b"after\n")?;
    let again = trial.again()?;
    trial.holds(&*again, &log('A'), LINES, &[&whole[..], b"after\n"].concat())
}

/// A log that is written to the home is continued from it by a process that has nothing else.
///
/// # Errors
/// Returns [`Broken`] if a line is missing afterwards.
pub fn a_log_goes_on_after_a_restart<H: HomeHarness>(harness: &H) -> Result<(), Broken> {
    let trial = Trial::new(
        harness,
        Promise {
            name: "a_log_goes_on_after_a_restart",
            why: "this is the purpose of a home",
        },
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| {
        trial
            .promise
            .broken(format!("there is no runtime for the test: {error}"))
    })?;
    let mut ids = Vec::new();
    for session in 0..3_u64 {
        let (id, first) = runtime.block_on(session_of(&trial))?;
        // Each session is an opening, two events and a closing.
        trial.promise.that(first == session * 4 + 2, || {
            format!(
                "the first event of session {session} is line {first} and should be line {}",
                session * 4 + 2
            )
        })?;
        ids.push(id);
    }
    ids.dedup();
    trial.promise.that(ids.len() == 1, || {
        format!("sessions one after another wrote the logs {ids:?}")
    })?;
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(())
}

/// Writes a session of a log to the home, with a directory of its own. Gives the log's id and the number of its first event.
async fn session_of<H: HomeHarness>(trial: &Trial<'_, H>) -> Result<(String, u64), Broken> {
    let sink = trial
        .promise
        .ok("opening the log", AuditHome::from(trial.again()?).open().await)?;
    let key = SigningKey::from_seed(SecretBox::new(Box::new([7; 32])));
    let log = trial.promise.ok(
        "opening the log",
        Log::builder().home(sink).signing_key(key).open().await,
    )?;
    let event = || Event::new(Action::KeyRetrieve, Outcome::Allowed, Timestamp::UNIX_EPOCH);
    let first = trial.promise.ok("appending an event", log.append(event()).await)?.seq();
    trial
        .promise
        .ok("appending an event", log.append(event()).await.map(drop))?;
    let id = log.id().to_owned();
    trial.promise.ok("closing the log", log.close().await)?;
    Ok((id, first))
}
