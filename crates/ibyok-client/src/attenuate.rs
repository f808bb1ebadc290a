//! Narrowing a token without asking anybody.

use ibyok_policy::{Restriction, Token};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// Makes a narrower token: its holder has the rights of the old one, except for those that the
/// restriction removes.
///
/// It needs neither server nor key, and no call gives such rights back.
///
/// # Errors
/// [`Error::Invalid`] for a text that is not a token, and if the token cannot carry another restriction.
pub fn attenuate(token: &SecretString, restriction: &Restriction) -> Result<SecretString> {
    let parsed = Token::parse(token.expose_secret())
        .map_err(|_| Error::invalid("the access token is not valid", "check that you copied the whole token"))?;
    let narrower = parsed
        .attenuate(restriction)
        .map_err(|error| Error::invalid(error.to_string(), "restrict less, or issue a separate token"))?;
    Ok(SecretString::from(narrower.expose().expose_secret().as_str()))
}
