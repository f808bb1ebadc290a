//! The verbs on incidents.

use bytes::Bytes;
use ibyok_api as api;
use ibyok_api::{Document, Incident, IncidentOpened, IncidentReport};
use jiff::Timestamp;
use reqwest::Method;

use crate::client::Client;
use crate::error::Result;
use crate::listing::Listing;
use crate::send::json;
use crate::write::{KeyWrite, wiped};

/// A request to respond to a key that may have leaked.
#[derive(Debug)]
#[non_exhaustive]
pub struct IncidentRequest {
    /// The key: `environment/name`, with `?version=N` for one version.
    pub reference: String,
    /// The reason for the incident: 1 to 4,096 bytes.
    pub reason: String,
    /// Since when the key may have been in other hands.
    pub since: Option<Timestamp>,
    /// True to disable the key at once.
    pub freeze: bool,
    /// Revoke the tokens that read the key from then on.
    pub revoke_readers: Option<Timestamp>,
    /// The new value, which becomes current once the old version is marked.
    pub replace: Option<KeyWrite>,
}

impl IncidentRequest {
    /// An incident on a key, for a reason.
    pub fn new(reference: impl Into<String>, reason: impl Into<String>) -> Self {
        IncidentRequest {
            reference: reference.into(),
            reason: reason.into(),
            since: None,
            freeze: false,
            revoke_readers: None,
            replace: None,
        }
    }

    /// The body of the request, in a buffer that is wiped: it may hold a value.
    fn body(&self) -> Result<Bytes> {
        let body = api::IncidentRequest {
            reference: self.reference.clone(),
            reason: self.reason.clone(),
            since: self.since,
            freeze: self.freeze,
            revoke_readers: self.revoke_readers,
            replace: self.replace.as_ref().map(KeyWrite::sent).transpose()?,
        };
        let words = (self.reference.len() + self.reason.len()) * 6 + 256;
        wiped(&body, words + self.replace.as_ref().map_or(0, KeyWrite::size))
    }
}

impl Client {
    /// Opens an incident on a key that may have leaked, or adds to the one that is open.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) with `denied` without the scope `incidents:write`, and for a new value `keys:write` or `keys:rotate`;
    /// `not_found` for a key that is not there; `conflict` for a new value that leaked; `invalid`.
    pub async fn open_incident(&self, request: &IncidentRequest) -> Result<Document<IncidentOpened>> {
        let ask = self.ask(Method::POST, &["incidents"]);
        ask.body(request.body()?).json().await
    }

    /// The incidents that the token may see, newest first; those that are closed as well if `all` is set.
    ///
    /// # Errors
    /// As [`Client::open_incident`].
    pub async fn incidents(&self, all: bool) -> Result<Listing<Document<Incident>>> {
        let ask = self.ask(Method::GET, &["incidents"]);
        Listing::follow(ask.query("all", all.then_some(true))).await
    }

    /// Returns the report of an incident, found by its id.
    ///
    /// # Errors
    /// As [`Client::open_incident`]; the token needs `audit:read` as well.
    pub async fn incident_report(&self, id: &str, since: Option<Timestamp>) -> Result<Document<IncidentReport>> {
        let ask = self.ask(Method::GET, &["incidents", id]).query("since", since);
        ask.json().await
    }

    /// Closes an incident, found by its id, with its cause and the measure that prevents another one.
    ///
    /// # Errors
    /// As [`Client::open_incident`]; `conflict` if it is closed, or the key still served and `force` is not set.
    pub async fn close_incident(
        &self,
        id: &str,
        cause: &str,
        prevention: &str,
        force: bool,
    ) -> Result<Document<Incident>> {
        let close = api::IncidentClosing {
            cause: cause.to_owned(),
            prevention: prevention.to_owned(),
            force,
        };
        let ask = self.ask(Method::POST, &["incidents", id, "close"]);
        ask.body(json(&close)?).json().await
    }

    /// Adds a note to an open incident, found by its id.
    ///
    /// # Errors
    /// As [`Client::open_incident`]; `conflict` if it is closed.
    pub async fn note_incident(&self, id: &str, text: &str) -> Result<Document<Incident>> {
        let ask = self.ask(Method::POST, &["incidents", id, "notes"]);
        let note = api::IncidentNoteRequest { text: text.to_owned() };
        ask.body(json(&note)?).json().await
    }
}
