//! An event as bytes: canonical JSON, one event on one line.
//!
//! Printable ASCII is written as it is. `"` and `\` get a backslash, and everything else, in UTF-16 units, is
//! `\uxxxx` in lower-case hex, so that a line is safe on a terminal and has one encoding only.

use std::fmt::Write as _;

use crate::action::Action;
use crate::chain::Head;
use crate::event::Event;
use crate::line_key::LineKey;
use crate::receipt::EventTicket;
use crate::statement::{FloorsStatement, Statement, StoreMark};

/// The longest line of the format, in bytes: 17 texts of 256 characters, each escaped as two units of 6 bytes, fit
/// in.
pub(crate) const LINE_LIMIT: usize = 64 * 1024;

/// Returns true if a session of a log begins with this action: only such lines are on a log before a checkpoint
/// covers them.
pub(crate) fn begins_session(action: &str) -> bool {
    [Action::LogOpen.as_str(), Action::LogGap.as_str()].contains(&action)
}

/// Returns true if a session of a log ends with this action.
pub(crate) fn ends_session(action: &str) -> bool {
    action == Action::LogClose.as_str()
}

/// The part of a line that does not depend on its place in the chain, made on the caller's task.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) ticket: EventTicket,
    /// The mark of the store that the line states.
    pub(crate) stated: Option<StoreMark>,
    time: String,
    tail: String,
}

impl Prepared {
    pub(crate) fn new(event: &Event) -> Self {
        Self {
            ticket: event.ticket,
            stated: event.states.store_mark(),
            time: format!("{:.6}", event.at),
            tail: tail(event),
        }
    }

    /// Adds the whole line without its newline: the next one after `head` in `log`, with a MAC if there is a key.
    pub(crate) fn finish(&self, log: &str, head: &Head, key: Option<&LineKey>, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(br#"{"v":1,"seq":"#);
        out.extend_from_slice((head.size() + 1).to_string().as_bytes());
        out.extend_from_slice(br#","time":""#);
        out.extend_from_slice(self.time.as_bytes());
        out.extend_from_slice(br#"","log":""#);
        out.extend_from_slice(log.as_bytes());
        out.extend_from_slice(br#"","prev":""#);
        let mut hex = [0; 64];
        data_encoding::HEXLOWER.encode_mut(head.prev(), &mut hex);
        out.extend_from_slice(&hex);
        out.extend_from_slice(br#"","action":""#);
        out.extend_from_slice(self.tail.as_bytes());
        match key {
            Some(key) => key.seal(out, start),
            None => out.push(b'}'),
        }
    }
}

fn tail(event: &Event) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(event.action.as_str());
    out.push_str(r#"","phase":"#);
    text(&mut out, event.phase.map(|phase| phase.as_str()));
    out.push_str(r#","outcome":"#);
    text(&mut out, Some(event.outcome.as_str()));
    field(&mut out, "reason", event.reason.as_deref());
    out.push_str(r#","principal":{"kind":"#);
    text(&mut out, Some(event.principal.kind.as_str()));
    field(&mut out, "id", event.principal.id.as_deref());
    field(&mut out, "name", event.principal.name.as_deref());
    field(&mut out, "chain", event.principal.chain.as_deref());
    out.push('}');
    field(&mut out, "namespace", event.namespace.as_deref());
    field(&mut out, "environment", event.environment.as_deref());
    field(&mut out, "key", event.key.as_deref());
    field(&mut out, "key_id", event.key_id.as_deref());
    number(&mut out, "version", event.version);
    field(&mut out, "mode", event.mode.as_deref());
    field(&mut out, "mode_source", event.mode_source.as_deref());
    target(&mut out, event);
    field(&mut out, "record", event.record.as_deref());
    number(&mut out, "rev", event.rev);
    number(&mut out, "count", Some(event.count));
    out.push_str(r#","client":{"ip":"#);
    text(&mut out, event.ip.map(|ip| ip.to_string()).as_deref());
    field(&mut out, "user_agent", event.user_agent.as_deref());
    out.push('}');
    field(&mut out, "request_id", event.request_id.as_deref());
    field(&mut out, "trace_id", event.trace_id.as_deref());
    states(&mut out, &event.states);
    out
}

/// Writes the member that only lines with a statement have. Only the MAC follows it.
fn states(out: &mut String, statement: &Statement) {
    if statement.is_empty() {
        return;
    }
    out.push_str(r#","states":{"floors":"#);
    match &statement.floors {
        None => out.push_str("null"),
        Some(FloorsStatement {
            generation,
            count,
            digest,
        }) => {
            out.push_str(r#"{"generation":"#);
            out.push_str(&generation.to_string());
            number(out, "count", Some(*count));
            field(out, "digest", Some(digest));
            out.push('}');
        }
    }
    number(out, "store_change", statement.store_change);
    number(out, "store_epoch", statement.store_epoch);
    if let Some(seen) = statement.accepted {
        number(out, "accepted", Some(seen));
    }
    out.push('}');
}

fn target(out: &mut String, event: &Event) {
    out.push_str(r#","target":"#);
    match &event.target {
        None => out.push_str("null"),
        Some((kind, id)) => {
            out.push_str(r#"{"kind":"#);
            text(out, Some(kind));
            field(out, "id", Some(id));
            out.push('}');
        }
    }
}

fn number(out: &mut String, name: &str, value: Option<u64>) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    match value {
        None => out.push_str("null"),
        Some(value) => out.push_str(&value.to_string()),
    }
}

fn field(out: &mut String, name: &str, value: Option<&str>) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    text(out, value);
}

fn text(out: &mut String, value: Option<&str>) {
    let Some(value) = value else {
        return out.push_str("null");
    };
    out.push('"');
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if value.bytes().all(plain) {
        out.push_str(value);
    } else {
        value.chars().for_each(|c| escaped(out, c));
    }
    out.push('"');
}

fn escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        ' '..='~' => out.push(c),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                if write!(out, "\\u{unit:04x}").is_err() {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Outcome, PrincipalKind};
    use crate::event::Principal;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn line(event: &Event) -> Vec<u8> {
        let mut out = Vec::new();
        Prepared::new(event).finish("L", &Head::default(), None, &mut out);
        out
    }

    #[test]
    fn the_fields_stand_in_the_documented_order() {
        let event =
            Event::new(Action::KeyRetrieve, Outcome::Allowed, Timestamp::UNIX_EPOCH).key("a\"\\\u{1b}\u{2028}😀");
        let expected = concat!(
            r#"{"v":1,"seq":1,"time":"1970-01-01T00:00:00.000000Z","log":"L","prev":""#,
            "0000000000000000000000000000000000000000000000000000000000000000",
            r#"","action":"key.retrieve","phase":null,"outcome":"allowed","reason":null,"principal":{"kind":"anonymous","#,
            r#""id":null,"name":null,"chain":null},"namespace":null,"environment":null,"key":"a\"\\\u001b\u2028\ud83d\ude00","#,
            r#""key_id":null,"version":null,"mode":null,"mode_source":null,"target":null,"record":null,"rev":null,"count":1,"#,
            r#""client":{"ip":null,"user_agent":null},"request_id":null,"trace_id":null}"#
        );
        assert_eq!(String::from_utf8(line(&event)).unwrap(), expected);
    }

    #[test]
    fn a_statement_is_the_last_member_and_an_empty_one_leaves_the_line_as_it_was() {
        let event = || Event::new(Action::LogOpen, Outcome::Allowed, Timestamp::UNIX_EPOCH);
        let without = String::from_utf8(line(&event())).unwrap();
        assert!(without.ends_with(r#","trace_id":null}"#));
        assert_eq!(line(&event().states(Statement::default())), without.as_bytes());
        let floors = FloorsStatement::new(3, 12, "0\"f");
        for (statement, member) in [
            (
                Statement::default()
                    .with_floors(floors.clone())
                    .with_store_change(2, u64::MAX),
                r#""floors":{"generation":3,"count":12,"digest":"0\"f"},"store_change":18446744073709551615,"store_epoch":2"#,
            ),
            (
                Statement::default().with_floors(floors),
                r#""floors":{"generation":3,"count":12,"digest":"0\"f"},"store_change":null,"store_epoch":null"#,
            ),
            (
                Statement::default().with_store_change(0, 7).with_accepted(4),
                r#""floors":null,"store_change":7,"store_epoch":0,"accepted":4"#,
            ),
        ] {
            let text = String::from_utf8(line(&event().states(statement.clone()))).unwrap();
            let stem = without.strip_suffix('}').unwrap();
            assert_eq!(text.strip_prefix(stem).unwrap(), format!(r#","states":{{{member}}}}}"#));
            assert_eq!(crate::Line::parse(text).unwrap().entry().states, Some(statement));
        }
        assert_eq!(crate::Line::parse(without).unwrap().entry().states, None);
    }

    #[test]
    fn the_longest_event_is_within_the_limit() {
        let long = "😀".repeat(1000);
        let event = Event::new(Action::KeyRetrieve, Outcome::Denied, Timestamp::MAX)
            .reason(&long)
            .namespace(&long)
            .environment(&long)
            .key(&long)
            .key_id(&long)
            .mode(&long)
            .mode_source(&long)
            .record(&long)
            .request_id(&long)
            .trace_id(&long)
            .target(&long, &long)
            .states(
                Statement::default()
                    .with_floors(FloorsStatement::new(u64::MAX, u64::MAX, &long))
                    .with_store_change(u64::MAX, u64::MAX)
                    .with_accepted(u64::MAX),
            )
            .client(None, Some(&long))
            .principal(Principal::new(PrincipalKind::Token).id(&long).name(&long).chain(&long));
        assert!(line(&event).len() < LINE_LIMIT);
    }

    proptest! {
        #[test]
        fn any_text_is_one_printable_line_that_reads_back(key in any::<String>(), agent in any::<String>()) {
            let event = Event::new(Action::KeySet, Outcome::Failed, Timestamp::UNIX_EPOCH)
                .key(&key).client(None, Some(&agent));
            let bytes = line(&event);
            prop_assert!(bytes.iter().all(|byte| matches!(byte, b' '..=b'~')));
            let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(read["key"].as_str(), event.key.as_deref());
            prop_assert_eq!(read["client"]["user_agent"].as_str(), event.user_agent.as_deref());
        }
    }
}
