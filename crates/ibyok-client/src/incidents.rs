//! The verbs on incidents.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::write::{KeyWrite, Sent, wiped};

/// An incident, as the server tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Incident {
    /// The public id.
    pub id: String,
    /// The key: `environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// `open` or `closed`.
    pub state: String,
    /// Why it was opened.
    pub reason: String,
    /// Everything else that the server says of it.
    #[serde(flatten)]
    pub further: BTreeMap<String, Value>,
}

/// What is to be done about a key that may have leaked.
#[derive(Debug)]
#[non_exhaustive]
pub struct IncidentRequest {
    /// The key: `environment/name`, with `?version=N` for one version.
    pub reference: String,
    /// What happened: 1 to 4,096 bytes.
    pub reason: String,
    /// Since when the key may have been in other hands.
    pub since: Option<Timestamp>,
    /// Whether the key is disabled at once.
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
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "ref")]
            reference: &'a str,
            reason: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            since: Option<Timestamp>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            freeze: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            revoke_readers: Option<Timestamp>,
            #[serde(skip_serializing_if = "Option::is_none")]
            replace: Option<Sent<'a>>,
        }
        let body = Body {
            reference: &self.reference,
            reason: &self.reason,
            since: self.since,
            freeze: self.freeze,
            revoke_readers: self.revoke_readers,
            replace: self.replace.as_ref().map(KeyWrite::sent),
        };
        let words = (self.reference.len() + self.reason.len()) * 6 + 256;
        wiped(&body, words + self.replace.as_ref().map_or(0, KeyWrite::size))
    }
}

#[derive(Serialize)]
struct Close<'a> {
    cause: &'a str,
    prevention: &'a str,
    force: bool,
}

#[derive(Serialize)]
struct Note<'a> {
    text: &'a str,
}

fn body(thing: &impl Serialize) -> Result<Bytes> {
    let body = serde_json::to_vec(thing).map_err(|_| Error::invalid("the request cannot be sent", "say less"))?;
    Ok(body.into())
}

impl Client {
    /// Opens an incident on a key that may have leaked, or adds to the one that is open.
    ///
    /// # Errors
    /// [`Error::Refused`] with `denied` without the scope `incidents:write`, and for a new value `keys:write` or `keys:rotate`;
    /// `not_found` for a key that is not there; `conflict` for a new value that leaked; `invalid`.
    pub async fn open_incident(&self, request: &IncidentRequest) -> Result<Incident> {
        let ask = self.ask(Method::POST, &["incidents"]);
        ask.body(request.body()?).json().await
    }

    /// The incidents that the token may see, newest first; those that are closed as well if `all` is set.
    ///
    /// # Errors
    /// As [`Client::open_incident`].
    pub async fn incidents(&self, all: bool) -> Result<Listing<Incident>> {
        Listing::follow(async |_| {
            let ask = self.ask(Method::GET, &["incidents"]).query("all", all.then_some(true));
            ask.json().await
        })
        .await
    }

    /// What is known about an incident, found by its id; the document that the server gives, as it is.
    ///
    /// # Errors
    /// As [`Client::open_incident`]; the token needs `audit:read` as well.
    pub async fn incident_report(&self, id: &str, since: Option<Timestamp>) -> Result<Value> {
        let ask = self.ask(Method::GET, &["incidents", id]).query("since", since);
        ask.json().await
    }

    /// Closes an incident, found by its id, with its cause and what keeps it from happening again.
    ///
    /// # Errors
    /// As [`Client::open_incident`]; `conflict` if it is closed, or the key still served and `force` is not set.
    pub async fn close_incident(&self, id: &str, cause: &str, prevention: &str, force: bool) -> Result<Incident> {
        let close = Close {
            cause,
            prevention,
            force,
        };
        let ask = self.ask(Method::POST, &["incidents", id, "close"]);
        ask.body(body(&close)?).json().await
    }

    /// Adds a note to an open incident, found by its id.
    ///
    /// # Errors
    /// As [`Client::open_incident`]; `conflict` if it is closed.
    pub async fn note_incident(&self, id: &str, text: &str) -> Result<Incident> {
        let ask = self.ask(Method::POST, &["incidents", id, "notes"]);
        ask.body(body(&Note { text })?).json().await
    }
}
