//! The state of the floors, and verifying and acknowledging them.

use ibyok_audit::{Action, Outcome};
use serde::Serialize;

use super::{Floors, facts, unavailable};
use crate::authenticate::Principal;
use crate::environments::operators_only;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::vault::Inner;
use ibyok_audit::words::counted;

/// The state of the floors: the revisions below which this node refuses records.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct FloorsStatus {
    /// How many records have a floor.
    pub records: u64,
    /// Grows with every change of the floors.
    pub generation: u64,
    /// The time at which this node began without a history; `None` if it has one.
    pub no_history_before: Option<String>,
    /// Findings that no operator has acknowledged: the file was missing, damaged or set back, and was rebuilt.
    pub findings: Vec<String>,
    /// The reason why floors cannot be written: nothing can be taken away.
    pub failure: Option<String>,
}

/// The result of verifying the floors.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FloorsReport {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// How many records have a floor.
    pub records: u64,
    /// Grows with every change of the floors.
    pub generation: u64,
    /// Findings that no operator has acknowledged.
    pub findings: Vec<String>,
}

impl Floors {
    pub(crate) async fn status(&self) -> Result<FloorsStatus> {
        let failure = self.cannot_write().await;
        let summary = self.map().summary().await.map_err(unavailable)?;
        let facts = facts::read(&self.map()).await?;
        Ok(FloorsStatus {
            records: summary.numbers,
            generation: summary.generation,
            no_history_before: facts.no_history,
            findings: facts.findings,
            failure,
        })
    }
}

impl FloorsStatus {
    /// The warnings that follow from the state.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("floors: {finding}; `ibyok audit floors rebuild` acknowledges it"))
            .collect();
        if let Some(since) = &self.no_history_before {
            warnings.push(format!(
                "this node began without a history at {since}: it cannot notice an older record that was put back before it read \
                 the newer one; `ibyok audit floors import` gives it the floors of another node"
            ));
        }
        warnings.extend(
            self.failure
                .iter()
                .map(|why| format!("nothing can be taken away: {why}")),
        );
        warnings
    }
}

impl Session {
    /// Verifies the file of floors: that every floor is as it was written and none is missing. Floors that are not are rebuilt
    /// from the log, and stay a finding until [`Session::rebuild_floors`] acknowledges it.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`] if the file cannot be
    /// read.
    pub async fn verify_floors(&self) -> Result<FloorsReport> {
        self.operator_for(Action::AuditRead).await?;
        let inner = &self.inner;
        inner.floors.verify_items().await?;
        inner.tell_floors().await;
        let status = inner.floors.status().await?;
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
    /// As [`Session::verify_floors`].
    pub async fn rebuild_floors(&self) -> Result<FloorsReport> {
        self.operator_of_home(Action::LogFloorsRebuilt).await?;
        // The operator acknowledges the findings of the report, and none that is made later.
        self.inner.floors.verify_items().await?;
        let known = facts::read(&self.inner.floors.map()).await?;
        let mut report = self.verify_floors().await?;
        report.findings.clone_from(&known.findings);
        let mut attempt = self.attempt(Action::LogFloorsRebuilt);
        let outcome = async {
            self.inner.authenticate(&mut attempt, &self.asking).await?;
            attempt.because = Some(format!("acknowledged {}", counted(report.findings.len(), "finding")));
            Ok(())
        }
        .await;
        self.inner.answering(&attempt, outcome).await?;
        self.inner.floors.acknowledge(&known).await?;
        Ok(report)
    }

    /// Refuses everybody but an operator of the node's home namespace: floors are those of all tenants.
    pub(crate) async fn operator_of_home(&self, action: Action) -> Result<Principal> {
        let who = self.operator_for(action).await?;
        if *who.namespace() == self.inner.home.name.namespace {
            return Ok(who);
        }
        let attempt = self.attempt(action);
        let refused = Error::denied(
            "namespace",
            "floors are those of the whole vault, and not of one namespace",
        );
        self.inner.refusing(&attempt, Err(refused)).await
    }

    /// Refuses a token. Only refusals are on the log.
    pub(super) async fn operator_for(&self, action: Action) -> Result<Principal> {
        let mut attempt = self.attempt(action);
        let outcome = async {
            let who = self.inner.authenticate(&mut attempt, &self.asking).await?;
            operators_only(&who).map(|()| who)
        }
        .await;
        self.inner.refusing(&attempt, outcome).await
    }
}

impl Inner {
    /// Puts on the log that the floors were rebuilt, and into `status`.
    pub(crate) async fn tell_floors(&self) {
        for what in self.floors.untold() {
            self.say_floors(Action::LogFloorsRebuilt, &what).await;
        }
    }

    /// Puts a line about the floors on the log, and a warning into the program's own log.
    pub(crate) async fn say_floors(&self, action: Action, what: &str) {
        tracing::warn!("{what}");
        let event = ibyok_audit::Event::new(action, Outcome::Failed, self.now())
            .principal(ibyok_audit::Principal::new(ibyok_audit::PrincipalKind::Operator).id("ibyok"))
            .target("log", self.log.id())
            .reason(what);
        if let Err(error) = self.record(event).await {
            tracing::warn!(%error, "a finding about the floors is not on the log");
        }
    }

    /// Whether the store holds a record that a floor could be missing of.
    pub(crate) async fn holds_records(&self) -> Result<bool> {
        use crate::model::kind;
        for (tag, _) in self.tags().await?.iter() {
            for kind in [kind::KEY, kind::TOKEN, kind::SETTINGS, kind::INCIDENT] {
                let collection = ibyok_storage::Collection::new(ibyok_storage::Kind::new(kind), *tag.as_bytes())?;
                if !self.store.list(&collection, None, 1).await?.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
