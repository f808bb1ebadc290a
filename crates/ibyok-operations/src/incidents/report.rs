//! The report of an incident: the facts, the findings about the readers of the key, and the steps that remain.

use std::future::Future;

use ibyok_core::Result;
use ibyok_core::incidents::{IncidentFacts, IncidentOpened, IncidentVerbs, KeyReader};
use ibyok_core::jiff::Timestamp;
use ibyok_core::providers::Catalogue;
use serde::Serialize;

use super::steps::{Step, remaining};
use crate::reviews::{Examination, Finding, Review, ReviewHabits, ReviewRequest};

/// Everything that is known about an incident.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct IncidentReport {
    /// The facts that the records and the logs have.
    #[serde(flatten)]
    pub facts: IncidentFacts,
    /// The pages at the provider for revoking the value and for making a new one.
    pub provider: Option<ProviderPages>,
    /// The findings of a review of that time about the readers of the key; `None` while another review is going on.
    pub findings: Option<Vec<Finding>>,
    /// The steps that remain, in order.
    pub remaining: Vec<Step>,
}

/// The pages of a provider.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct ProviderPages {
    /// Its id in the catalogue.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The page on which keys are revoked.
    pub revoke_url: String,
    /// The page on which keys are made.
    pub create_url: String,
}

/// The result of opening an incident, and the steps that remain.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Opened {
    /// The result.
    #[serde(flatten)]
    pub opened: IncidentOpened,
    /// The steps that remain, in order.
    pub remaining: Vec<Step>,
}

impl From<IncidentOpened> for Opened {
    fn from(opened: IncidentOpened) -> Self {
        let remaining = remaining(&opened.incident, &opened.key, &opened.copies);
        Opened { opened, remaining }
    }
}

/// The report of an incident, as a verb of [`Session::incidents`](ibyok_core::Session::incidents).
pub trait IncidentReportExt {
    /// Returns the report of an incident, found by its id or its key's reference. It reads the audit logs of this
    /// place from `since` on, else from the time at which the key may have leaked, else from 90 days before the
    /// incident.
    ///
    /// # Errors
    /// As [`IncidentVerbs::facts`].
    fn report(
        self,
        which: &str,
        since: Option<Timestamp>,
        habits: &ReviewHabits,
    ) -> impl Future<Output = Result<IncidentReport>> + Send;
}

impl IncidentReportExt for IncidentVerbs<'_> {
    async fn report(self, which: &str, since: Option<Timestamp>, habits: &ReviewHabits) -> Result<IncidentReport> {
        let examiner = |since| Examination::of(ReviewRequest::since(since).habits(habits));
        let (facts, examined) = self.facts(which, since, examiner).await?;
        let findings = examined.map(|examined| about(Review::from(examined), &facts.readers));
        let key = facts.key.as_ref();
        let steps = key.map(|key| remaining(&facts.incident, key, &facts.copies));
        Ok(IncidentReport {
            provider: key.and_then(|key| key.provider.as_deref()).and_then(pages),
            findings,
            remaining: steps.unwrap_or_default(),
            facts,
        })
    }
}

/// Returns the findings of a review that are about one of the readers.
fn about(review: Review, readers: &[KeyReader]) -> Vec<Finding> {
    let mut findings = review.found.findings;
    findings.retain(|finding| readers.iter().any(|reader| reader.id == finding.subject.id));
    findings
}

fn pages(provider: &str) -> Option<ProviderPages> {
    let provider = Catalogue::builtin().get(provider)?;
    Some(ProviderPages {
        id: provider.id().to_owned(),
        name: provider.name().to_owned(),
        revoke_url: provider.revoke_url().to_owned(),
        create_url: provider.create_url().to_owned(),
    })
}
