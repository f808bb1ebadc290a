//! The limits that every token has on the verbs that release no value.
//!
//! A retrieval counts against the rates that an operator sets. Every other verb of a token counts here, so that no
//! token can keep the log, the store or the CPU of a node busy. These buckets are the node's own, even where the
//! store shares its buckets.

use std::num::NonZeroU32;

use ibyok_policy::{Per, Rate, TokenId};
use ibyok_storage::Draw;

use super::{Limit, Of};
use crate::base::clock::Clock;
use crate::base::error::{Code, Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::find_token::Found;
use crate::gate::principal::{Holder, Principal};
use crate::gate::verb_class::VerbClass;
use crate::limit::Limits;
use ibyok_policy::Scope;

/// A bucket's size and the time in which an empty one fills up.
struct Default {
    class: VerbClass,
    word: &'static str,
    count: u32,
    seconds: u32,
}

/// 6,000 at once, then 6,000 a minute.
const LOOKUPS: Default = of(VerbClass::Lookup, "lookups", 6000, 60);

/// 6,000 at once, then 600 a minute.
const READS: Default = of(VerbClass::Read, "reads", 6000, 600);

/// 5,000 at once, then 60 a minute: an import of thousands of keys passes.
const WRITES: Default = of(VerbClass::Write, "changes", 5000, 5000);

/// 60 at once, then 60 an hour: a service rotates its secret a few times a day.
const SELF_ROTATIONS: Default = of(VerbClass::RotateSelf, "rotations of itself", 60, 3600);

/// 60 at once, then 60 a minute are on the log one by one, also if they change nothing.
const TAKE_AWAYS: Default = of(VerbClass::TakeAway, "revocations and the like", 60, 60);

/// 600 at once, then 60 a minute: an honest revoker with a stale list of tokens stays far below.
const REFUSED_TAKE_AWAYS: Default = of(
    VerbClass::TakeAway,
    "refused revocations and refused disabling of keys",
    600,
    600,
);

/// 10 at once, then one a minute, are each token's own: no other token of its family can use them up.
const OWN_REFUSED_TAKE_AWAYS: Default = of(VerbClass::TakeAway, "its own refused revocations", 10, 600);

/// A token's own rate bounds its other verbs as well, but never below 60 an hour: it must be able to read its own
/// record.
const FLOOR: Rate = Rate {
    count: NonZeroU32::new(60).unwrap(),
    per: Per::Hour,
};

/// The limit of all children of a token together, as a multiple of the token's own.
const FAMILY: u32 = 10;

const fn of(class: VerbClass, word: &'static str, count: u32, seconds: u32) -> Default {
    Default {
        class,
        word,
        count,
        seconds,
    }
}

impl VerbClass {
    fn default(self) -> Option<Default> {
        match self {
            VerbClass::Retrieval => None,
            VerbClass::Lookup => Some(LOOKUPS),
            VerbClass::Read => Some(READS),
            VerbClass::Write => Some(WRITES),
            VerbClass::RotateSelf => Some(SELF_ROTATIONS),
            VerbClass::TakeAway => Some(TAKE_AWAYS),
        }
    }
}

impl Limits {
    /// Counts a verb that releases no value against the token's limits for such verbs and those of its ancestors.
    ///
    /// A verb that takes something away is never refused. Beyond its limit, only a line that says something new is written for it.
    ///
    /// # Errors
    /// [`Error::Limited`].
    pub(crate) async fn count_verb(&self, attempt: &mut Attempt<'_>, principal: &Principal) -> Result<()> {
        let class = attempt.limits.class;
        self.count_as(attempt, principal, class).await
    }

    /// Counts a rotation of the token that asks.
    ///
    /// # Errors
    /// [`Error::Limited`].
    pub(crate) async fn count_self_rotation(
        &self,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        rotated: TokenId,
    ) -> Result<()> {
        match principal.holder() {
            Some(holder) if holder.id() == rotated => self.count_as(attempt, principal, VerbClass::RotateSelf).await,
            _ => Ok(()),
        }
    }

    async fn count_as(&self, attempt: &mut Attempt<'_>, principal: &Principal, class: VerbClass) -> Result<()> {
        let (Some(holder), Some(default)) = (principal.holder(), class.default()) else {
            return Ok(());
        };
        let limits = verb_limits_of(holder, &default)?;
        match self.taken(
            &limits,
            self.buckets.take(&draws(&limits), self.records.clock.elapsed()),
        ) {
            // A thief must not be able to use up the limit and so keep the owner from revoking.
            Err(Error::Limited { .. }) if class == VerbClass::TakeAway => attempt.limits.over = true,
            taken => taken?,
        }
        Ok(())
    }

    /// Counts a refused verb that would have taken something away. Beyond the limit the refusal becomes [`Error::Limited`].
    ///
    /// Only refusals count here: a verb that takes something away is done regardless of this limit.
    pub(crate) fn count_refused(&self, attempt: &Attempt<'_>, error: Error) -> Error {
        let holder = attempt.caller.as_ref().and_then(Principal::holder);
        let (Some(holder), VerbClass::TakeAway, true) = (holder, attempt.limits.class, is_the_callers_fault(&error))
        else {
            return error;
        };
        let now = self.records.clock.elapsed();
        let share = [OWN_REFUSED_TAKE_AWAYS.limit(holder, holder.id(), 1)];
        // The own share comes first, so that the refusals of sibling tokens cannot make this token wait.
        if self.taken(&share, self.buckets.take(&draws(&share), now)).is_ok() {
            return error;
        }
        let limits = refused_limits_of(holder);
        let taken = self.buckets.take(&draws(&limits), now);
        self.taken(&limits, taken).err().unwrap_or(error)
    }

    /// Refuses a search that would read every token, once the refusals of a token have reached its own share and the limit of the token or its
    /// family. An id needs no search.
    ///
    /// # Errors
    /// [`Error::Limited`].
    fn may_search_to_take_away(&self, principal: &Principal) -> Result<()> {
        let Some(holder) = principal.holder() else {
            return Ok(());
        };
        let now = self.records.clock.elapsed();
        let share = [OWN_REFUSED_TAKE_AWAYS.limit(holder, holder.id(), 1)];
        if self.taken(&share, self.buckets.look(&draws(&share), now)).is_ok() {
            return Ok(());
        }
        let limits = refused_limits_of(holder);
        let there = self.buckets.look(&draws(&limits), now);
        self.taken(&limits, there)
    }

    /// Finds a token that is to be taken away, as [`Gate::find_token`](crate::gate::Gate::find_token) does. A search by name has the limit of refused revocations.
    ///
    /// # Errors
    /// [`Error::Limited`]; else as [`Gate::find_token`](crate::gate::Gate::find_token).
    pub(crate) async fn find_token_to_revoke(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        which: &str,
    ) -> Result<Found> {
        // Only a name needs a search of every token. An id is one read, and is never refused.
        if which != "self" && which.parse::<TokenId>().is_err() {
            self.may_search_to_take_away(principal)?;
        }
        self.gate
            .find_token(attempt, principal, Scope::TokensRevoke, which)
            .await
    }
}

fn verb_limits_of(holder: &Holder, default: &Default) -> Result<Vec<Limit>> {
    let own = &holder.held().record;
    let mut limits = vec![default.limit(holder, holder.id(), 1)];
    limits.extend(own.grant.rate.map(|rate| default.at_rate(holder, holder.id(), rate)));
    for parent in &own.parents {
        // The children of a token share its bucket. Otherwise a token would multiply its limits by issuing others.
        limits.push(default.limit(holder, *parent, FAMILY));
        let rate = holder.ancestor(parent)?.grant.rate;
        limits.extend(rate.map(|rate| default.at_rate(holder, *parent, rate)));
    }
    // A lookup is a step of a retrieval, which counts against the rate.
    limits.retain(|limit| default.class != VerbClass::Lookup || limit.is_default());
    Ok(limits)
}

impl Default {
    fn limit(&self, holder: &Holder, id: TokenId, factor: u32) -> Limit {
        let count = NonZeroU32::new(self.count.saturating_mul(factor)).unwrap_or(NonZeroU32::MIN);
        let seconds = NonZeroU32::new(self.seconds).unwrap_or(NonZeroU32::MIN);
        let of = Of::Verbs {
            word: self.word,
            own: factor == 1,
        };
        Limit::of_verbs(of, holder.realm(), id.bytes(), count, seconds)
    }

    fn at_rate(&self, holder: &Holder, id: TokenId, rate: Rate) -> Limit {
        let rate = if is_lower(rate, FLOOR) { FLOOR } else { rate };
        let of = Of::VerbsAtRate { word: self.word, rate };
        let seconds = NonZeroU32::new(rate.per.seconds()).unwrap_or(NonZeroU32::MIN);
        Limit::of_verbs(of, holder.realm(), id.bytes(), rate.count, seconds)
    }
}

/// The limits on refusals of verbs that take something away. No rate lowers them.
fn refused_limits_of(holder: &Holder) -> Vec<Limit> {
    let own = REFUSED_TAKE_AWAYS.limit(holder, holder.id(), 1);
    let parents = &holder.held().record.parents;
    let families = parents
        .iter()
        .map(|parent| REFUSED_TAKE_AWAYS.limit(holder, *parent, FAMILY));
    std::iter::once(own).chain(families).collect()
}

fn draws(limits: &[Limit]) -> Vec<Draw> {
    limits.iter().map(|limit| limit.draw).collect()
}

/// Returns true if the caller is at fault: no part of the vault failed, and no limit refused it.
fn is_the_callers_fault(error: &Error) -> bool {
    !matches!(
        error.code(),
        Code::Unauthenticated | Code::Limited | Code::Integrity | Code::Unavailable | Code::Kek | Code::Closed
    )
}

/// Returns true if a rate admits less than another in the long run.
fn is_lower(rate: Rate, than: Rate) -> bool {
    let of = |rate: Rate, per: Per| u64::from(rate.count.get()) * u64::from(per.seconds());
    of(rate, than.per) < of(than, rate.per)
}

#[cfg(test)]
mod tests {
    use ibyok_audit::Action;

    use super::*;

    #[test]
    fn every_action_but_a_retrieval_has_a_bucket() {
        for action in Action::ALL {
            let releases = matches!(action, Action::KeyRetrieve | Action::KeyExport);
            assert_eq!(VerbClass::of(*action).default().is_none(), releases, "{action}");
        }
    }

    #[test]
    fn rates_compare_over_the_long_run() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        assert!(is_lower(rate("1/day"), FLOOR) && is_lower(rate("1439/day"), FLOOR));
        assert!(!is_lower(rate("1440/day"), FLOOR) && !is_lower(rate("1/min"), FLOOR));
        assert!(!is_lower(rate("4294967295/sec"), FLOOR));
    }
}
