//! The lines that a log writes about itself.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::writer::Writer;
use crate::action::{Action, Outcome};
use crate::event::Event;
use crate::line::Prepared;
use crate::sink::{Gap, GapKind};

/// The shortest time between two lines about dropped events.
const GAP_TIME: Duration = Duration::from_secs(1);

impl Writer {
    /// Returns the events dropped since the last `log.gap` line, at most once a second.
    pub(super) fn dropped(&mut self) -> Vec<Gap> {
        if self.poisoned.is_some() || self.last_gap.is_some_and(|last| last.elapsed() < GAP_TIME) {
            return Vec::new();
        }
        let mut gaps = std::mem::take(&mut self.untold);
        let refused = std::mem::take(&mut self.refused);
        if refused > 0 {
            gaps.push(Gap::new(
                GapKind::Refused,
                refused,
                "a required sink lacked the lines before them",
            ));
        }
        let unwaited = self.shared.dropped.swap(0, Ordering::Relaxed);
        if unwaited > 0 {
            gaps.push(Gap::new(GapKind::Dropped, unwaited, "the queue was full"));
        }
        for sink in &self.best_effort {
            let dropped = sink.take_dropped();
            if dropped > 0 {
                gaps.push(Gap::new(
                    GapKind::Dropped,
                    dropped,
                    format!("`{}` did not take them", sink.description.name),
                ));
            }
        }
        if !gaps.is_empty() {
            self.last_gap = Some(Instant::now());
        }
        gaps
    }

    pub(super) fn own(&self, action: Action) -> Event<'_> {
        Event::new(action, Outcome::Allowed, (self.clock)())
            .principal(self.principal.clone())
            .target("log", self.shared.log.as_ref())
    }

    /// The first or last line of a session, with its statements.
    pub(super) fn session(&self, action: Action) -> Event<'_> {
        self.own(action).states((self.statement)())
    }

    pub(super) fn gap(&self, gap: &Gap) -> Prepared {
        Prepared::new(
            &self
                .own(Action::LogGap)
                .reason(format!("{}: {}", gap.kind.as_str(), gap.detail))
                .count(gap.count),
        )
    }
}
