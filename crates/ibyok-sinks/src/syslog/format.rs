//! The form of a message (RFC 5424, section 6).

use std::borrow::Cow;

use serde::Deserialize;

/// Facility 13, "log audit".
const FACILITY: u8 = 13;

/// The longest message id.
const MSGID: usize = 32;

/// Writes messages into one buffer.
pub(super) struct Writer {
    host: String,
    process: u32,
    buffer: Vec<u8>,
}

/// The fields of a line that its message repeats.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
}

impl Writer {
    pub(super) fn new() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            host: header_field(&host, 255),
            process: std::process::id(),
            buffer: Vec::new(),
        }
    }

    /// Returns the message of a line.
    pub(super) fn message(&mut self, line: &[u8]) -> &[u8] {
        let fields = serde_json::from_slice::<Fields<'_>>(line).ok();
        let (time, action, outcome) = match &fields {
            Some(fields) => (fields.time.as_ref(), fields.action.as_ref(), fields.outcome.as_ref()),
            None => ("-", "-", "-"),
        };
        let head = format!(
            "<{}>1 {} {} ibyok {} {} - ",
            FACILITY * 8 + severity(outcome),
            header_field(time, 32),
            self.host,
            self.process,
            header_field(action, MSGID),
        );
        self.buffer.clear();
        self.buffer.extend_from_slice(head.as_bytes());
        self.buffer.extend_from_slice(line);
        &self.buffer
    }
}

/// 3 is "error", 4 "warning", 5 "notice".
fn severity(outcome: &str) -> u8 {
    match outcome {
        "failed" => 3,
        "denied" => 4,
        _ => 5,
    }
}

/// A field of the header: printable ASCII without spaces, `-` if there is nothing.
fn header_field(text: &str, longest: usize) -> String {
    let field: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    match field.is_empty() {
        true => "-".to_owned(),
        false => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_parts_that_the_standard_asks_for() {
        let mut writer = Writer {
            host: "vault-1".to_owned(),
            process: 77,
            buffer: Vec::new(),
        };
        let line =
            br#"{"v":1,"seq":4,"time":"2026-11-24T10:15:00.123456Z","action":"key.retrieve","outcome":"denied"}"#;
        let message = String::from_utf8(writer.message(line).to_vec()).unwrap();
        let (head, text) = message.split_at(message.find('{').unwrap());
        assert_eq!(
            head,
            "<108>1 2026-11-24T10:15:00.123456Z vault-1 ibyok 77 key.retrieve - "
        );
        assert_eq!(text.as_bytes(), line);
        assert!(
            writer
                .message(b"no line")
                .starts_with(b"<109>1 - vault-1 ibyok 77 - - no line")
        );
    }

    #[test]
    fn a_header_holds_no_space_and_nothing_that_a_terminal_acts_on() {
        assert_eq!(header_field("a b\u{1b}[c\n", 255), "ab[c");
        assert_eq!(header_field("", 255), "-");
        assert_eq!(header_field("abcdef", 3), "abc");
    }
}
