//! The state of the floors, and verifying and acknowledging them.

mod older;
pub(crate) mod rollback;

use std::io::{BufRead, Write};

use ibyok_audit::{Action, Outcome};
use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::floor::facts;
use crate::gate::principal::Principal;
use crate::vault::Inner;
use crate::vault::handles::FloorVerbs;
use crate::vault::session::Session;
use crate::verbs::environments::operators_only;
use ibyok_audit::words::counted;

/// The result of verifying the floors.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FloorsReport {
    /// True if no finding is open.
    pub ok: bool,
    /// The number of records that have a floor.
    pub records: u64,
    /// Grows with every change of the floors.
    pub generation: u64,
    /// Findings that no operator has acknowledged.
    pub findings: Vec<String>,
}

impl FloorVerbs<'_> {
    /// Verifies the file of floors: that every floor is as it was written and none is missing. Floors that are not are rebuilt
    /// from the log, and stay a finding until [`FloorVerbs::rebuild`](crate::floors::FloorVerbs::rebuild) acknowledges it.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`] if the file cannot be
    /// read.
    pub async fn verify(self) -> Result<FloorsReport> {
        self.session.operator_for(Action::AuditRead).await?;
        let inner = &self.session.inner;
        inner.records.floors.verify_items().await?;
        inner.tell_floors().await;
        let status = inner.records.floors.status().await?;
        Ok(FloorsReport {
            ok: status.findings.is_empty(),
            records: status.records,
            generation: status.generation,
            findings: status.findings,
        })
    }

    /// Verifies the floors, rebuilds them from the log where they are not as they were written, and acknowledges every finding.
    /// Returns the findings that were acknowledged. The acknowledgement is on the log before it counts.
    ///
    /// # Errors
    /// As [`FloorVerbs::verify`](crate::floors::FloorVerbs::verify).
    pub async fn rebuild(self) -> Result<FloorsReport> {
        self.session.operator_of_home(Action::LogFloorsRebuilt).await?;
        // The operator acknowledges the findings of the report, and none that is made later.
        self.session.inner.records.floors.verify_items().await?;
        let known = facts::read(&self.session.inner.records.floors.map()).await?;
        let mut report = self.verify().await?;
        report.findings.clone_from(&known.findings);
        let mut attempt = self.session.attempt(Action::LogFloorsRebuilt);
        let outcome = async {
            self.session.authenticate(&mut attempt).await?;
            report.findings.extend(self.session.inner.logs.accept_ends().await?);
            attempt.facts.because = Some(format!("acknowledged {}", counted(report.findings.len(), "finding")));
            Ok(())
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await?;
        self.session.inner.records.floors.acknowledge(&known).await?;
        Ok(report)
    }

    /// Writes every floor of this node as a text with a MAC, for [`FloorVerbs::import`](crate::floors::FloorVerbs::import) on another. Returns how many.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`] if the floors cannot be read or the text cannot be written.
    pub async fn export(self, out: &mut (dyn Write + Send)) -> Result<u64> {
        self.session.operator_of_home(Action::LogFloorsExported).await?;
        let mut attempt = self.session.attempt(Action::LogFloorsExported);
        let outcome = async {
            self.session.authenticate(&mut attempt).await?;
            self.session.inner.records.floors.flush(None).await?;
            let count = self.session.inner.records.floors.export(out).await?;
            attempt.facts.count = count;
            Ok(count)
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// Raises floors by those of another node of this vault, as [`FloorVerbs::export`](crate::floors::FloorVerbs::export) wrote them. Nothing is lowered, and
    /// nothing is taken over unless the whole text is as it was written. Returns how many floors the text has.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token; [`Error::Invalid`] for a text that was cut, changed, made by another vault, or has a newer
    /// format; [`Error::Unavailable`] if the floors cannot be written.
    pub async fn import(self, text: &mut (dyn BufRead + Send)) -> Result<u64> {
        self.session.operator_of_home(Action::LogFloorsImported).await?;
        let mut attempt = self.session.attempt(Action::LogFloorsImported);
        let outcome = async {
            self.session.authenticate(&mut attempt).await?;
            let floors = self.session.inner.records.floors.read_export(text)?;
            attempt.facts.count = u64::try_from(floors.len()).unwrap_or(u64::MAX);
            self.session.inner.records.floors.import(&floors).await?;
            // Records that are below their new floors must not be served from memory.
            self.session.inner.records.cache.clear();
            self.session.inner.records.forget_realms();
            Ok(attempt.facts.count)
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }
}

impl Session {
    /// Refuses every caller but an operator of the node's home namespace: floors are those of all tenants.
    pub(crate) async fn operator_of_home(&self, action: Action) -> Result<Principal> {
        let who = self.operator_for(action).await?;
        if *who.namespace() == self.inner.records.home.name.namespace {
            return Ok(who);
        }
        let attempt = self.attempt(action);
        let refused = Error::denied("namespace", "floors belong to the whole vault, not to one namespace");
        self.inner.recorder.refusing(&attempt, Err(refused)).await
    }

    /// Refuses a token. Only refusals are on the log.
    pub(crate) async fn operator_for(&self, action: Action) -> Result<Principal> {
        let mut attempt = self.attempt(action);
        let outcome = async {
            let who = self.authenticate(&mut attempt).await?;
            operators_only(&who).map(|()| who)
        }
        .await;
        self.inner.recorder.refusing(&attempt, outcome).await
    }
}

impl Inner {
    /// Puts on the log that the floors were rebuilt, and into `status`.
    pub(crate) async fn tell_floors(&self) {
        for what in self.records.floors.untold() {
            self.say_floors(Action::LogFloorsRebuilt, &what).await;
        }
    }

    /// Puts a line about the floors on the log, and a warning into the program's own log.
    pub(crate) async fn say_floors(&self, action: Action, what: &str) {
        tracing::warn!("{what}");
        let event = ibyok_audit::Event::new(action, Outcome::Failed, self.records.now())
            .principal(ibyok_audit::Principal::new(ibyok_audit::PrincipalKind::Operator).id("ibyok"))
            .target("log", self.recorder.log.id())
            .reason(what);
        if let Err(error) = self.recorder.record(event).await {
            tracing::warn!(%error, "cannot record a finding about the floors on the log");
        }
    }

    /// True if the store holds a record for which a floor could be missing.
    pub(crate) async fn holds_records(&self) -> Result<bool> {
        use crate::model::kind;
        for (tag, _) in self.records.tags().await?.iter() {
            for kind in [kind::KEY, kind::TOKEN, kind::SETTINGS, kind::INCIDENT] {
                let collection = ibyok_storage::Collection::new(ibyok_storage::Kind::new(kind), *tag.as_bytes())?;
                if !self.records.store.list(&collection, None, 1).await?.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
