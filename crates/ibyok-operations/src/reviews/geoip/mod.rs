//! The country of an address, by a MaxMind DB file on this machine.

#[cfg(not(feature = "geoip"))]
mod absent;
#[cfg(feature = "geoip")]
mod database;

#[cfg(not(feature = "geoip"))]
pub(crate) use absent::Database;
#[cfg(not(feature = "geoip"))]
pub use absent::GeoIp;
#[cfg(feature = "geoip")]
pub(crate) use database::Database;
#[cfg(feature = "geoip")]
pub use database::GeoIp;
