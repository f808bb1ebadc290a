//! The meter of the core, by which this module counts.

use std::sync::Arc;

use ibyok_policy::Scope;
use jiff::Timestamp;

use super::caller::Caller;
use super::count::{Counting, Once, UseKey, Whereto};
use super::day_of;
use crate::gate::meter::{Meter, Ticket, Use};
use crate::gate::principal::Holder;

impl Meter for Counting {
    fn take_off(&self) -> Ticket {
        Counting::take_off(self)
    }

    fn count(&self, ticket: Ticket, seq: u64, used: &Use<'_>) {
        let key = UseKey {
            caller: Caller::of(used.caller),
            key: used.key.map(|(realm, id, _)| (realm.tag(), *id)),
            version: used.version,
            day: day_of(used.at),
        };
        let once = Once {
            ended: used.ended,
            count: used.count,
            at: used.at,
            source: used.source,
        };
        self.note(ticket, seq, key, once, || Whereto {
            key_realm: used.key.map(|(realm, ..)| realm.clone()),
            key_name: used.key.map(|(.., name)| name.clone()),
            token_realm: used.caller.holder().map(|holder| holder.realm().clone()),
            token_name: used.caller.holder().map(|holder| holder.held().record.name.clone()),
        });
    }

    fn land(&self, ticket: Ticket) {
        Counting::land(self, ticket);
    }

    fn scope(&self, holder: &Arc<Holder>, scope: Scope, environment: Option<&str>, at: Timestamp) {
        Counting::scope(self, holder, scope, environment, day_of(at));
    }
}
