//! The circumstances of a request: its source, its client and its ids.

use std::net::IpAddr;

/// The longest request or trace id that is kept, in bytes.
const ID_MAX: usize = 128;

/// The circumstances of a request. They go to the audit log, and the source address also into the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestContext {
    /// The client's address, as far as it can be trusted.
    pub source: Option<IpAddr>,
    /// The name that the client gives itself.
    pub user_agent: Option<String>,
    /// The id that joins the answer and its line on the log.
    pub request_id: Option<String>,
    /// The W3C trace id, 32 hex digits.
    pub trace_id: Option<String>,
}

impl RequestContext {
    /// Returns the context with this source address.
    #[must_use]
    pub fn from_address(mut self, source: IpAddr) -> Self {
        self.source = Some(source.to_canonical());
        self
    }

    /// Returns the context with the name that the client gives itself.
    #[must_use]
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = Some(text.into());
        self
    }

    /// Returns the context with a request id (at most 128 bytes are kept).
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(short(id.into()));
        self
    }

    /// Returns the context with a trace id (at most 128 bytes are kept).
    #[must_use]
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.trace_id = Some(short(id.into()));
        self
    }
}

fn short(mut text: String) -> String {
    if text.len() > ID_MAX {
        let mut end = ID_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}
