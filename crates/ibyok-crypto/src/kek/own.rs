//! The one construction by which the KEKs whose bytes this program holds wrap keys.

use secrecy::ExposeSecret;

use super::context::KekContext;
use crate::format::Purpose;
use crate::place::ENVIRONMENT_KEY_RECORD;
use crate::place::{SealedPlace, WHOLE};
use crate::seal::{self, Slot};
use crate::{EnvironmentKey, Error, RealmTag};

/// Wraps under the 32 bytes of a KEK, by the one construction.
pub(super) fn wrap_under(
    kek: &[u8; 32],
    id: [u8; 16],
    key: &EnvironmentKey,
    context: &KekContext,
) -> Result<Vec<u8>, Error> {
    let place = place(context, id);
    seal::seal(kek, &Slot::new(Purpose::EnvironmentKey, 0, &place), key.expose_secret())
}

/// Opens the result of [`wrap_under`].
pub(super) fn unwrap_under(
    kek: &[u8; 32],
    id: [u8; 16],
    wrapped: &[u8],
    context: &KekContext,
) -> Result<EnvironmentKey, Error> {
    let place = place(context, id);
    let opened = seal::open(kek, &Slot::new(Purpose::EnvironmentKey, 0, &place), wrapped)?;
    let bytes: &[u8; 32] = opened.expose_secret().try_into().map_err(|_| Error::Open)?;
    Ok(EnvironmentKey::init_with_mut(|key| key.copy_from_slice(bytes)))
}

/// Returns the place at which such a KEK wraps for a context: the record id is the KEK's own id.
fn place(context: &KekContext, kek: [u8; 16]) -> SealedPlace<'_> {
    let environment = context.environment().unwrap_or(WHOLE);
    SealedPlace::new(
        context.vault(),
        RealmTag::NONE,
        ENVIRONMENT_KEY_RECORD,
        kek,
        context.namespace(),
        environment,
    )
}
