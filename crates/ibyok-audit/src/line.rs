//! An event as bytes: canonical JSON, one event on one line.
//!
//! Printable ASCII is written as it is. `"` and `\` get a backslash, and everything else, in UTF-16 units, is
//! `\uxxxx` in lower-case hex, so that a line is safe on a terminal and has one encoding only.

use std::cell::RefCell;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::action::Action;
use crate::event::Event;
use crate::line_key::LineKey;
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

/// The part of a line that does not depend on its place in the chain.
#[derive(Debug)]
pub(crate) struct Prepared {
    text: String,
    time: usize,
    /// The mark of the store that the line states.
    pub(crate) stated: Option<StoreMark>,
}

impl Prepared {
    pub(crate) fn new(event: &Event<'_>) -> Self {
        let mut text = String::with_capacity(512);
        let time = write(event, &mut text);
        Self {
            text,
            time,
            stated: event.states.store_mark(),
        }
    }

    /// Adds the whole line without its newline: the next one after `head` in `log`, with a MAC if there is a key.
    #[cfg(any(test, feature = "conformance"))]
    pub(crate) fn finish(&self, log: &str, head: &crate::chain::Head, key: Option<&LineKey>, out: &mut Vec<u8>) {
        let place = Place {
            log,
            seq: head.size() + 1,
            prev: head.prev(),
        };
        self.text().finish(&place, key, out);
    }

    pub(crate) fn text(&self) -> Text<'_> {
        Text {
            text: &self.text,
            time: self.time,
        }
    }
}

/// Adds the part of a line that does not depend on its place in the chain: its time, then all that follows the place. Returns the length
/// of the time.
pub(crate) fn write(event: &Event<'_>, out: &mut String) -> usize {
    let before = out.len();
    time(out, event.at);
    let length = out.len() - before;
    tail(event, out);
    length
}

/// The text that [`write()`] made of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    /// The length of the time at its beginning.
    pub(crate) time: usize,
}

/// The place of a line in the chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) log: &'a str,
    pub(crate) seq: u64,
    pub(crate) prev: &'a [u8; 32],
}

impl Text<'_> {
    /// Adds the whole line without its newline, with a MAC if there is a key.
    pub(crate) fn finish(self, place: &Place<'_>, key: Option<&LineKey>, out: &mut Vec<u8>) {
        let (time, tail) = self.text.split_at_checked(self.time).unwrap_or_default();
        let start = out.len();
        // The parts that every line has take less than 256 bytes: at most one growth for a line.
        out.reserve(self.text.len() + 256);
        out.extend_from_slice(br#"{"v":1,"seq":"#);
        out.extend_from_slice(decimal(place.seq, &mut [0; 20]).as_bytes());
        out.extend_from_slice(br#","time":""#);
        out.extend_from_slice(time.as_bytes());
        out.extend_from_slice(br#"","log":""#);
        out.extend_from_slice(place.log.as_bytes());
        out.extend_from_slice(br#"","prev":""#);
        let mut hex = [0; 64];
        data_encoding::HEXLOWER.encode_mut(place.prev, &mut hex);
        out.extend_from_slice(&hex);
        out.extend_from_slice(br#"","action":""#);
        out.extend_from_slice(tail.as_bytes());
        match key {
            Some(key) => key.seal(out, start),
            None => out.push(b'}'),
        }
    }
}

thread_local! {
    /// The last whole second that this thread printed, and its text. All lines of a second share it.
    static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Adds a time with microseconds.
fn time(out: &mut String, at: Timestamp) {
    let Ok(nanos) = u32::try_from(at.subsec_nanosecond()) else {
        // A time before 1970 counts its fraction backwards, and no clock gives one.
        return display(out, format_args!("{at:.6}"));
    };
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != at.as_second() {
            *second = at.as_second();
            text.clear();
            display(text, format_args!("{at:.0}"));
            // Without its `Z`.
            text.pop();
        }
        out.push_str(text);
    });
    let mut micros = *b".000000Z";
    let mut rest = nanos / 1000;
    for digit in micros.iter_mut().skip(1).take(6).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    out.push_str(std::str::from_utf8(&micros).unwrap_or_default());
}

/// Adds the text of something that displays itself.
fn display(out: &mut String, shown: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    if out.write_fmt(shown).is_err() {}
}

/// Returns a number in decimal digits, without an allocation.
fn decimal(number: u64, digits: &mut [u8; 20]) -> &str {
    let (mut rest, mut from) = (number, digits.len());
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        from = at;
        if rest == 0 {
            break;
        }
    }
    let used = digits.get(from..).unwrap_or_default();
    std::str::from_utf8(used).unwrap_or_default()
}

fn tail(event: &Event<'_>, out: &mut String) {
    out.push_str(event.action.as_str());
    out.push_str(r#"","phase":"#);
    text(out, event.phase.map(|phase| phase.as_str()));
    out.push_str(r#","outcome":"#);
    text(out, Some(event.outcome.as_str()));
    field(out, r#","reason":"#, event.reason.as_deref());
    out.push_str(r#","principal":{"kind":"#);
    text(out, Some(event.principal.kind.as_str()));
    field(out, r#","id":"#, event.principal.id.as_deref());
    field(out, r#","name":"#, event.principal.name.as_deref());
    field(out, r#","chain":"#, event.principal.chain.as_deref());
    out.push('}');
    field(out, r#","namespace":"#, event.namespace.as_deref());
    field(out, r#","environment":"#, event.environment.as_deref());
    field(out, r#","key":"#, event.key.as_deref());
    field(out, r#","key_id":"#, event.key_id.as_deref());
    number(out, r#","version":"#, event.version);
    field(out, r#","mode":"#, event.mode.as_deref());
    field(out, r#","mode_source":"#, event.mode_source.as_deref());
    target(out, event);
    field(out, r#","record":"#, event.record.as_deref());
    number(out, r#","rev":"#, event.rev);
    number(out, r#","count":"#, Some(event.count));
    out.push_str(r#","client":{"ip":"#);
    match event.ip {
        // An address has no character that is escaped.
        Some(ip) => display(out, format_args!("\"{ip}\"")),
        None => out.push_str("null"),
    }
    field(out, r#","user_agent":"#, event.user_agent.as_deref());
    out.push('}');
    field(out, r#","request_id":"#, event.request_id.as_deref());
    field(out, r#","trace_id":"#, event.trace_id.as_deref());
    states(out, &event.states);
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
            number(out, r#"{"generation":"#, Some(*generation));
            number(out, r#","count":"#, Some(*count));
            field(out, r#","digest":"#, Some(digest));
            out.push('}');
        }
    }
    number(out, r#","store_change":"#, statement.store_change);
    number(out, r#","store_epoch":"#, statement.store_epoch);
    if let Some(seen) = statement.accepted {
        number(out, r#","accepted":"#, Some(seen));
    }
    out.push('}');
}

fn target(out: &mut String, event: &Event<'_>) {
    out.push_str(r#","target":"#);
    match &event.target {
        None => out.push_str("null"),
        Some((kind, id)) => {
            field(out, r#"{"kind":"#, Some(kind));
            field(out, r#","id":"#, Some(id));
            out.push('}');
        }
    }
}

/// Adds a member. Its name comes with everything around it, so that it is copied at once.
fn number(out: &mut String, name: &str, value: Option<u64>) {
    out.push_str(name);
    match value {
        None => out.push_str("null"),
        Some(value) => out.push_str(decimal(value, &mut [0; 20])),
    }
}

/// Adds a member, as [`number`] does.
fn field(out: &mut String, name: &str, value: Option<&str>) {
    out.push_str(name);
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
    use crate::chain::Head;
    use crate::event::Principal;
    use proptest::prelude::*;

    fn line(event: &Event<'_>) -> Vec<u8> {
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

    #[test]
    fn numbers_are_printed_in_full() {
        for number in [0, 7, 10, 99, 1_000_000, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn a_time_is_printed_with_six_digits_whatever_was_printed_before(
            second in -1_000_000_000..200_000_000_000i64, fractions in prop::collection::vec(0..1_000_000_000i32, 1..4),
        ) {
            for fraction in fractions {
                let at = Timestamp::new(second, fraction).unwrap();
                let mut text = String::new();
                time(&mut text, at);
                prop_assert_eq!(text, format!("{at:.6}"));
            }
        }

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
