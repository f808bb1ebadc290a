//! Incidents: a key may have leaked, and one command answers it, recorded and provable.

mod account;
mod close;
mod copies;
mod facts;
mod list;
mod mark;
mod open;
mod reach;
mod readers;
mod replace;
mod revoke;

pub use self::copies::{LeakedCopy, ServesLeaked};
pub use self::facts::{IncidentFacts, ReportLine};
pub use self::open::IncidentOpened;
pub use self::reach::{DidRead, Reach};
pub use self::readers::{KeyReader, LineAt, ReaderSource};
pub use self::revoke::NotRevoked;
pub use crate::incident::request::IncidentRequest;
