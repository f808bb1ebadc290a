//! Incidents over time: the report, and the steps that remain.

mod report;
mod steps;

pub use self::report::{IncidentReport, IncidentReportExt, Opened, ProviderPages};
pub use self::steps::{Step, StepKind, remaining};
