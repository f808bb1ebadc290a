//! Incidents: a key may have leaked, and one command answers it, recorded and provable.

mod account;
mod close;
mod copies;
mod list;
mod mark;
mod open;
mod reach;
mod readers;
mod replace;
mod report;
mod revoke;
mod steps;

pub use self::copies::{LeakedCopy, ServesLeaked};
pub use self::open::IncidentOpened;
pub use self::reach::{DidRead, Reach};
pub use self::readers::{KeyReader, LineAt};
pub use self::report::{IncidentReport, ProviderPages, ReportLine};
pub use self::revoke::NotRevoked;
pub use self::steps::Step;
pub use crate::incident::request::IncidentRequest;
