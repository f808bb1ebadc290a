//! No database of countries: this crate was built without the feature `geoip`.

use std::net::IpAddr;

use ibyok_audit::review::{Countries, Country};

use crate::base::error::Result;

/// A type without values, so that a review without the feature is the same code with no database to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GeoIp {}

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
