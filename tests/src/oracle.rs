//! The one checker of what must hold after every fault.

use std::collections::{BTreeMap, BTreeSet};

use crate::home::Home;
use crate::http::Answer;
use crate::log::audit_lines;
use crate::sentinel::{Finding, Sentinel};

/// The codes that an error may have.
const CODES: [&str; 22] = [
    "invalid",
    "unauthenticated",
    "denied",
    "not_found",
    "key_disabled",
    "version_disabled",
    "version_destroyed",
    "exists",
    "conflict",
    "in_use",
    "precondition",
    "too_large",
    "unsupported_media",
    "method",
    "timeout",
    "limited",
    "integrity",
    "unavailable",
    "failed",
    "not_executable",
    "no_program",
    "usage",
];

/// Remembers what clients were given and told, and holds log and store against it.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Requests whose answer held a value.
    received: BTreeSet<String>,
    /// The last value of each reference whose storing was acknowledged.
    acknowledged: BTreeMap<String, String>,
    /// The values sent after that and never acknowledged. Each may be stored or not.
    attempted: BTreeMap<String, Vec<String>>,
    writes: usize,
    secrets: Vec<Sentinel>,
    errors: usize,
}

impl Oracle {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a value is about to be sent.
    pub fn attempt(&mut self, reference: &str, value: &str) {
        self.attempted
            .entry(reference.to_owned())
            .or_default()
            .push(value.to_owned());
    }

    /// Notes that the storing of a value was acknowledged.
    pub fn acknowledge(&mut self, reference: &str, value: &str) {
        self.acknowledged.insert(reference.to_owned(), value.to_owned());
        self.attempted.remove(reference);
        self.writes += 1;
    }

    /// Returns the number of acknowledged writes.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.writes
    }

    /// Returns the number of keys that the writes made.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.acknowledged.len()
    }

    /// Returns the number of values received.
    #[must_use]
    pub fn values(&self) -> usize {
        self.received.len()
    }

    /// Returns the number of errors answered.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// A client got an answer to a retrieval or a write. Notes a value, and checks an error's form (O6).
    ///
    /// # Panics
    /// If it is neither an answer nor a documented error.
    #[track_caller]
    pub fn answered(&mut self, answer: &Answer) {
        if answer.status < 300 {
            if answer.json().get("value").is_some() {
                self.received.insert(answer.request_id().to_owned());
            }
            return;
        }
        let problem = answer.json();
        let code = problem["code"].as_str().unwrap_or("");
        assert!(CODES.contains(&code), "an undocumented code: {problem}");
        assert_eq!(problem["request_id"], answer.request_id(), "{problem}");
        self.errors += 1;
    }

    /// A secret that is to be found nowhere.
    pub fn secret(&mut self, secret: Sentinel) {
        self.secrets.push(secret);
    }

    /// Takes over what another oracle saw.
    pub fn merge(&mut self, other: Oracle) {
        self.received.extend(other.received);
        self.acknowledged.extend(other.acknowledged);
        for (reference, values) in other.attempted {
            self.attempted.entry(reference).or_default().extend(values);
        }
        self.secrets.extend(other.secrets);
        self.writes += other.writes;
        self.errors += other.errors;
    }

    /// Checks all of it, on a home whose fault is over.
    ///
    /// # Panics
    /// With the first promise that does not hold.
    #[track_caller]
    pub fn check(&self, home: &Home) {
        // A command opens the vault first, and puts in order what a fault left.
        match self.acknowledged.is_empty() {
            true => self.serves_again(home),
            false => self.nothing_acknowledged_is_lost(home),
        }
        self.nothing_released_without_its_line(home);
        self.the_log_verifies(home);
        self.no_secret_anywhere(home);
    }

    /// O5: opens and works without repair.
    #[track_caller]
    pub fn serves_again(&self, home: &Home) {
        home.ibyok(["--json", "status"]).run().done();
    }

    /// O1: each value that a client received has its request on the log, as allowed.
    #[track_caller]
    pub fn nothing_released_without_its_line(&self, home: &Home) {
        let lines = audit_lines(&home.vault().join("audit"));
        let allowed: BTreeSet<&str> = lines
            .iter()
            .filter(|line| line.text("action") == "key.retrieve" && line.text("outcome") == "allowed")
            .map(|line| line.text("request_id"))
            .collect();
        let missing: Vec<&String> = self
            .received
            .iter()
            .filter(|id| !allowed.contains(id.as_str()))
            .collect();
        assert!(missing.is_empty(), "released without a line: {missing:?}");
    }

    /// O2: each write that was acknowledged is there, unless a later one, answered or not, took its place.
    #[track_caller]
    pub fn nothing_acknowledged_is_lost(&self, home: &Home) {
        if self.acknowledged.is_empty() {
            return;
        }
        let mut exports = BTreeMap::new();
        for (reference, value) in &self.acknowledged {
            let (environment, _) = reference.split_once('/').expect("a reference");
            let export = exports.entry(environment).or_insert_with(|| {
                let args = ["export", "--env", environment, "--format", "json"];
                home.ibyok(args).run().done().json()
            });
            // One command reads all keys but those that have another variable, or none that is handed out.
            let there = match export[usual_variable(reference)].as_str() {
                Some(there) => Some(there.to_owned()),
                None => read(home, reference),
            };
            let later = self.attempted.get(reference);
            let fine = there
                .as_ref()
                .is_some_and(|there| there == value || later.is_some_and(|later| later.contains(there)));
            assert!(fine, "lost: {reference} was acknowledged as {value}, and is {there:?}");
        }
    }

    /// O3: the log verifies.
    #[track_caller]
    pub fn the_log_verifies(&self, home: &Home) {
        let report = home.ibyok(["--json", "audit", "verify"]).run().done().json();
        assert_eq!(report["ok"], true, "{report}");
    }

    /// O4: no secret is in clear, in any form.
    #[track_caller]
    pub fn no_secret_anywhere(&self, home: &Home) {
        let mut findings: Vec<Finding> = Vec::new();
        for secret in &self.secrets {
            findings.extend(secret.find_below(&home.path("home")));
            findings.extend(secret.find_below(&home.path("logs")));
        }
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

/// The variable of a key in an export, unless another was set or no person vouched for it: its name in capitals.
fn usual_variable(reference: &str) -> String {
    let (_, name) = reference.split_once('/').expect("a reference");
    name.to_ascii_uppercase().replace(['-', '.'], "_")
}

/// The value of a key, if there is one.
fn read(home: &Home, reference: &str) -> Option<String> {
    let got = home.ibyok(["get", "-n", reference]).run();
    (got.code() == 0).then(|| String::from_utf8_lossy(&got.stdout).into_owned())
}
