//! Writing the lines of folded refusals, once their time is over.

use std::sync::Arc;

use ibyok_audit::{Action, Event, Outcome};
use tokio::task::JoinSet;

use super::Recorder;
use super::folded::Common;
use super::token_refusals::Sort;
use crate::base::clock::Clock;
use crate::base::context::RequestContext;
use crate::base::error::Code;

impl Recorder {
    /// Writes the lines of the tokens whose minute is over, or of all.
    pub(crate) async fn fold_token_refusals(self: &Arc<Self>, all: bool) {
        let mut lines = JoinSet::new();
        for (sort, common, count) in self.token_refusals.over(self.records.clock.elapsed(), all) {
            let this = Arc::clone(self);
            // All at once, so that they share a sync of the log.
            lines.spawn(async move { this.say_folded(sort, common, count).await });
        }
        while lines.join_next().await.is_some() {}
    }

    async fn say_folded(&self, sort: Sort, common: Common, count: u64) {
        let context = common.context();
        let attempt = common.attempt(count, self.records.now(), &context);
        // Usage counts refused retrievals, so their folded line takes the way that counts.
        let said = match sort.is_use {
            true => self.append_ended_use(&attempt, (sort.outcome, sort.reason)).await,
            false => self.record(attempt.ended(sort.outcome, sort.reason)).await,
        };
        if let Err(error) = said {
            tracing::warn!(count, %error, "cannot record the folded refusals of a token on the log");
        }
    }

    /// Writes a line for each token whose second is over, or for all.
    pub(crate) async fn fold_limited(self: &Arc<Self>, all: bool) {
        let mut lines = JoinSet::new();
        for (shared, count) in self.limit_refusals.over(self.records.clock.elapsed(), all) {
            let this = Arc::clone(self);
            // Side by side, so that they share a sync of the log.
            lines.spawn(async move { this.say_limited(shared, count).await });
        }
        while lines.join_next().await.is_some() {}
    }

    async fn say_limited(&self, shared: Common, count: u64) {
        let context = shared.context();
        let attempt = shared.attempt(count, self.records.now(), &context);
        let ended = (Outcome::Denied, Code::Limited.as_str());
        if let Err(error) = self.append_ended_use(&attempt, ended).await {
            tracing::warn!(count, %error, "cannot record refusals by a limit on the log");
        }
    }

    /// Writes a line for each address whose minute is over.
    pub(crate) fn fold_refusals(&self, all: bool) {
        for (source, count) in self.refusals.over(self.records.clock.elapsed(), all) {
            let context = source
                .map(|ip| RequestContext::default().from_address(ip))
                .unwrap_or_default();
            let event = Event::new(Action::TokenUseFailed, Outcome::Denied, self.records.now())
                .reason("folded")
                .count(count)
                .client(context.source, None);
            self.log.append_unwaited(event);
        }
    }
}
