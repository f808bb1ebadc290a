//! The times of a key: the interval for rotation, and the end at the provider.

use jiff::Timestamp;

use crate::base::error::{Error, Result};
use crate::model::interval::Interval;
use crate::model::key::KeyRecord;

/// Sets or removes the interval for rotation and the end at the provider. `None` leaves a thing as it is.
pub(crate) fn reschedule(
    record: &mut KeyRecord,
    rotate_every: Option<Option<Interval>>,
    expires: Option<Option<Timestamp>>,
    now: Timestamp,
) -> Result<()> {
    if let Some(Some(expires)) = expires
        && expires <= now
    {
        return Err(Error::invalid(
            "the key would already have expired",
            "give a time in the future",
        ));
    }
    if let Some(every) = rotate_every {
        record.rotate_every = every.map(Interval::duration);
    }
    if let Some(expires) = expires {
        record.expires = expires;
    }
    Ok(())
}
