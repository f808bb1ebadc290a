//! No database of countries: this crate was built without the feature `geoip`.

use std::net::IpAddr;

use ibyok_core::Result;
use ibyok_core::audit::review::{Countries, Country};

/// A type without values: this crate was built without the feature `geoip`, so that no review asks a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "nothing makes a value of it")]
pub enum GeoIp {}

impl GeoIp {
    pub(crate) fn load(&self) -> Result<Database> {
        match *self {}
    }
}

/// A database that knows no country. Nothing makes one.
#[derive(Clone, Debug)]
pub(crate) struct Database;

impl Database {
    pub(crate) fn was_sound(&self) -> Result<()> {
        Ok(())
    }
}

impl Countries for Database {
    fn country(&self, _: IpAddr) -> Option<Country> {
        None
    }
}
