//! Homes with one fault each, which the suite must find.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ibyok_audit::conformance::{HomeHarness, home_promises};
use ibyok_audit::{Error, Hold, Home, HomeFile, MemoryHome, SinkDescription};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    InventsALog,
    ReadsMissingFiles,
    TrimsBytes,
    ReadsOneMore,
    ListsShort,
    HidesFiles,
    TakesAnyOffset,
    ChecksThenWrites,
    KeepsTheTail,
    AppendsReplacements,
    IgnoresCase,
    CutsLargeAppends,
    ForgetsTheOtherFile,
    LetsAnyoneHold,
    NeverFrees,
    SharesOneHold,
    ForgetsAtRestart,
    DropsTheKey,
}

const FAULTS: [(Fault, &str); 18] = [
    (Fault::InventsALog, "a_home_begins_empty"),
    (Fault::ReadsMissingFiles, "a_home_begins_empty"),
    (Fault::TrimsBytes, "appended_bytes_are_read_back"),
    (Fault::ReadsOneMore, "appended_bytes_are_read_back"),
    (Fault::ListsShort, "files_have_their_lengths"),
    (Fault::HidesFiles, "files_have_their_lengths"),
    (Fault::TakesAnyOffset, "an_append_elsewhere_is_refused"),
    (Fault::ChecksThenWrites, "one_of_many_appends_wins"),
    (Fault::KeepsTheTail, "a_replaced_file_is_new"),
    (Fault::AppendsReplacements, "a_replaced_file_is_new"),
    (Fault::IgnoresCase, "logs_are_kept_apart"),
    (Fault::CutsLargeAppends, "large_files_are_kept"),
    (Fault::ForgetsTheOtherFile, "two_threads_write_at_once"),
    (Fault::LetsAnyoneHold, "a_log_has_one_holder"),
    (Fault::NeverFrees, "a_log_has_one_holder"),
    (Fault::SharesOneHold, "a_log_has_one_holder"),
    (Fault::ForgetsAtRestart, "a_restart_loses_nothing"),
    (Fault::DropsTheKey, "a_log_goes_on_after_a_restart"),
];

type Files = BTreeMap<(String, String), Vec<u8>>;

/// A home over a map, with one fault. The holds are those of a home that is right.
#[derive(Debug, Clone)]
struct Faulty {
    fault: Fault,
    files: Arc<Mutex<Files>>,
    holds: MemoryHome,
}

impl Faulty {
    fn name(&self, log: &str, file: &str) -> (String, String) {
        let log = match self.fault {
            Fault::IgnoresCase => log.to_lowercase(),
            _ => log.to_owned(),
        };
        (log, file.to_owned())
    }

    /// Changes a file; the fault decides what else happens.
    fn change(&self, log: &str, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let name = self.name(log, file);
        if self.fault != Fault::ForgetsTheOtherFile {
            change(self.files.lock().unwrap().entry(name).or_default());
            return;
        }
        // A home that reads a log as one document, and writes it back as a whole.
        let mut files = self.files.lock().unwrap().clone();
        change(files.entry(name).or_default());
        std::thread::sleep(Duration::from_micros(100));
        *self.files.lock().unwrap() = files;
    }

    fn length(&self, log: &str, file: &str) -> u64 {
        let name = self.name(log, file);
        self.files.lock().unwrap().get(&name).map_or(0, Vec::len) as u64
    }
}

impl Home for Faulty {
    fn describe(&self) -> SinkDescription {
        self.holds.describe()
    }

    fn logs(&self) -> Result<Vec<String>, Error> {
        let mut logs: Vec<String> = self.files.lock().unwrap().keys().map(|(log, _)| log.clone()).collect();
        logs.dedup();
        if self.fault == Fault::InventsALog {
            logs.push("x".repeat(22));
        }
        Ok(logs)
    }

    fn take(&self, log: &str) -> Result<Option<Hold>, Error> {
        match self.fault {
            Fault::LetsAnyoneHold => Ok(Some(Hold::new(()))),
            Fault::NeverFrees => self
                .holds
                .take(log)
                .map(|hold| hold.map(|hold| Hold::new(Box::leak(Box::new(hold))))),
            Fault::SharesOneHold => self.holds.take("one for all"),
            _ => self.holds.take(log),
        }
    }

    fn files(&self, log: &str) -> Result<Vec<HomeFile>, Error> {
        let files = self.files.lock().unwrap();
        let short = u64::from(self.fault == Fault::ListsShort);
        let files = files.iter().filter(|((of, _), _)| *of == self.name(log, "").0);
        let mut files: Vec<_> = files
            .map(|((_, file), bytes)| HomeFile::new(file, bytes.len() as u64 - short))
            .collect();
        if self.fault == Fault::HidesFiles {
            files.truncate(1);
        }
        Ok(files)
    }

    fn read(&self, log: &str, file: &str, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        let files = self.files.lock().unwrap();
        let limit = limit + usize::from(self.fault == Fault::ReadsOneMore);
        match files.get(&self.name(log, file)) {
            Some(bytes) => {
                let rest = bytes.get(offset as usize..).unwrap_or_default();
                Ok(rest.get(..limit).unwrap_or(rest).to_vec())
            }
            None if self.fault == Fault::ReadsMissingFiles => Ok(Vec::new()),
            None => Err(Error::other("there is no such file")),
        }
    }

    fn append(&self, log: &str, file: &str, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let refused = |found| Error::OutOfPlace {
            file: file.to_owned(),
            expected: offset,
            found,
        };
        let bytes = match self.fault {
            Fault::TrimsBytes => bytes.trim_ascii_end(),
            Fault::CutsLargeAppends => bytes.get(..bytes.len().min(1 << 19)).unwrap(),
            _ => bytes,
        };
        if self.fault == Fault::ChecksThenWrites {
            let found = self.length(log, file);
            if found != offset {
                return Err(refused(found));
            }
            std::thread::sleep(Duration::from_millis(1));
            self.change(log, file, |there| there.extend_from_slice(bytes));
            return Ok(());
        }
        let mut result = Ok(());
        self.change(log, file, |there| {
            let found = there.len() as u64;
            if found == offset || self.fault == Fault::TakesAnyOffset {
                there.extend_from_slice(bytes);
            } else {
                result = Err(refused(found));
            }
        });
        result
    }

    fn replace(&self, log: &str, file: &str, bytes: &[u8]) -> Result<(), Error> {
        if self.fault == Fault::DropsTheKey && file == "log.pub" {
            return Ok(());
        }
        self.change(log, file, |there| match self.fault {
            Fault::KeepsTheTail if there.len() > bytes.len() => {
                there.splice(..bytes.len(), bytes.iter().copied());
            }
            Fault::AppendsReplacements => there.extend_from_slice(bytes),
            _ => *there = bytes.to_vec(),
        });
        Ok(())
    }
}

struct Harness {
    fault: Fault,
    places: Mutex<BTreeMap<String, Faulty>>,
}

impl Harness {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            places: Mutex::default(),
        }
    }
}

impl HomeHarness for Harness {
    fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error> {
        let mut places = self.places.lock().unwrap();
        if self.fault == Fault::ForgetsAtRestart {
            places.remove(place);
        }
        let new = || Faulty {
            fault: self.fault,
            files: Arc::default(),
            holds: MemoryHome::new(),
        };
        Ok(Arc::new(places.entry(place.to_owned()).or_insert_with(new).clone()))
    }
}

#[test]
fn a_home_with_one_fault_breaks_its_promise() {
    let broken = home_promises(&Harness::new(Fault::None));
    assert!(broken.is_empty(), "{broken:?}");
    for (fault, promise) in FAULTS {
        let broken = home_promises(&Harness::new(fault));
        let found = broken.iter().find(|broken| broken.promise() == promise);
        let found = found.unwrap_or_else(|| panic!("{fault:?} should break {promise}, and breaks {broken:?}"));
        assert!(!found.why().is_empty() && !found.found().is_empty());
    }
}

#[test]
fn the_suite_shows_the_first_byte_that_differs() {
    let broken = home_promises(&Harness::new(Fault::TrimsBytes));
    let shown = broken
        .iter()
        .find(|broken| broken.promise() == "appended_bytes_are_read_back")
        .unwrap()
        .to_string();
    assert!(
        shown.contains("differ from byte") && shown.contains("it matters because"),
        "{shown}"
    );
}
