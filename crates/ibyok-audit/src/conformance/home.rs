//! The promises of a home.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretBox;

use super::broken::{Broken, Promise};
use crate::action::{Action, Outcome};
use crate::error::Error;
use crate::event::Event;
use crate::home::{Home, HomeFile};
use crate::key::SigningKey;
use crate::log::Log;
use crate::sink::AuditHome;

/// Gives the suite homes of your kind.
pub trait HomeHarness: Sync {
    /// Opens the home that is called `place`. At the first time it is new and empty, and no other test sees it. At the next times it is
    /// another handle on the same data, as another process or a restarted one would have; earlier handles may still be open. A place is
    /// at most 32 lower-case ASCII letters and digits, and begins with a letter.
    ///
    /// # Errors
    /// An error fails the test.
    fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error>;
}

/// The lines of a log's first segment.
const LINES: &str = "audit-00000001.log";

/// The file that grows beside the lines.
const NOTES: &str = "checkpoints";

/// A place that no other call gives.
fn new_place() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("p{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The id of a log, of the right form.
fn log(letter: char) -> String {
    std::iter::repeat_n(letter, 22).collect()
}

/// Bytes with every value, and with ends that a careless home would trim.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    bytes.extend_from_slice(b" \0\r\n");
    bytes
}

/// A promise with the home that it is tested on.
struct Trial<'a, H> {
    promise: Promise,
    harness: &'a H,
    place: String,
    home: Arc<dyn Home>,
}

impl<'a, H: HomeHarness> Trial<'a, H> {
    fn new(harness: &'a H, promise: Promise) -> Result<Self, Broken> {
        let place = new_place();
        let home = promise.ok("opening the home", harness.open(&place))?;
        Ok(Self {
            promise,
            harness,
            place,
            home,
        })
    }

    fn again(&self) -> Result<Arc<dyn Home>, Broken> {
        self.promise
            .ok("opening the home again", self.harness.open(&self.place))
    }

    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Broken> {
        let call = format!("`append` of {} bytes to `{file}` at {offset}", bytes.len());
        self.promise.ok(&call, self.home.append(log, file, offset, bytes))
    }

    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Broken> {
        self.promise
            .ok(&format!("`replace` of `{file}`"), self.home.replace(log, file, bytes))
    }

    /// Checks that a handle reads exactly these bytes, as a whole and in parts.
    fn holds(&self, home: &dyn Home, log: &str, file: &str, expected: &[u8]) -> Result<(), Broken> {
        let length = expected.len();
        let parts = [
            (0, length + 1),
            (0, length),
            (0, 1),
            (length / 2, 7),
            (length.saturating_sub(1), 7),
            (length, 7),
        ];
        for (from, limit) in parts {
            let call = format!("`read` of {limit} bytes of `{file}` from {from} on");
            let found = self.promise.ok(&call, home.read(log, file, from as u64, limit))?;
            let rest = expected.get(from..).unwrap_or_default();
            let part = rest.get(..limit).unwrap_or(rest);
            self.promise.same(&call, part, &found)?;
        }
        Ok(())
    }

    fn files(&self, home: &dyn Home, log: &str) -> Result<Vec<(String, u64)>, Broken> {
        let files = self.promise.ok("`files`", home.files(log))?;
        let mut files: Vec<_> = files
            .into_iter()
            .map(|HomeFile { name, length }| (name, length))
            .collect();
        files.sort();
        Ok(files)
    }

    fn has_files(&self, home: &dyn Home, log: &str, expected: &[(&str, u64)]) -> Result<(), Broken> {
        let found = self.files(home, log)?;
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, length)| ((*name).to_owned(), *length))
            .collect();
        self.promise.that(found == expected, || {
            format!("`files` gives {found:?} and should give {expected:?}")
        })
    }
}

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

/// Tests every promise, and returns those that were not kept.
pub fn home_promises<H: HomeHarness>(harness: &H) -> Vec<Broken> {
    let mut broken = Vec::new();
    macro_rules! keep {
        ($promise:ident) => {
            broken.extend($promise(harness).err());
        };
    }
    crate::for_each_home_promise!(keep);
    broken
}
