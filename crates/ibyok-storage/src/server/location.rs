use std::fmt::{self, Debug, Display};

use url::Url;

use crate::error::{Error, Result};

/// The URL of a database server: its address, the user, and parameters of the store and of the driver. It may hold a
/// password, so only [`Display`] shows any of it.
pub(crate) struct Location {
    url: Url,
    parameters: Vec<(String, String)>,
    /// The form of a URL of this kind, for hints.
    form: &'static str,
}

impl Location {
    /// Parses a URL without repeating any of it in an error.
    pub(crate) fn parse(text: &str, form: &'static str) -> Result<Self> {
        let invalid = |what: &str| Error::invalid(what.to_owned(), form);
        let url = Url::parse(text).map_err(|error| invalid(&format!("a store URL ({error})")))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("a store URL without a host"));
        }
        if url.fragment().is_some() {
            return Err(invalid("a store URL with a `#` (in a password it is written `%23`)"));
        }
        let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut names: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(invalid("a store URL that gives a parameter twice"));
        }
        Ok(Location { url, parameters, form })
    }

    /// Takes out a parameter of the store.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.parameters.iter().position(|(found, _)| found == name)?;
        Some(self.parameters.remove(at).1)
    }

    /// Takes a parameter out that may only be `yes`.
    #[cfg(feature = "redis")]
    pub(crate) fn take_yes(&mut self, name: &str) -> Result<bool> {
        match self.take(name).as_deref() {
            None => Ok(false),
            Some("yes") => Ok(true),
            Some(_) => Err(Error::invalid(
                format!("the parameter `{name}` of the store URL"),
                format!("write `{name}=yes`, or remove the parameter"),
            )),
        }
    }

    /// Takes a name out: a lower-case ASCII letter, then letters, digits and underscores, at most 40 in all.
    pub(crate) fn take_name(&mut self, parameter: &str, default: &str) -> Result<String> {
        let name = self.take(parameter).unwrap_or_else(|| default.to_owned());
        let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.len() <= 40 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(right) {
            return Ok(name);
        }
        Err(Error::invalid(
            format!("the parameter `{parameter}` of the store URL"),
            "use a lower-case letter, then up to 39 lower-case letters, digits and underscores",
        ))
    }

    /// Returns the URL for the driver, with the remaining parameters, all of which must be `known`: a driver would
    /// ignore or log the others.
    pub(crate) fn into_driver_url(self, known: &[&str]) -> Result<Url> {
        if self.parameters.iter().any(|(name, _)| !known.contains(&name.as_str())) {
            return Err(Error::invalid("an unknown parameter of the store URL", self.form));
        }
        let mut url = self.url;
        url.set_query(None);
        if !self.parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(self.parameters);
        }
        Ok(url)
    }
}

/// Host, port and path, which an operator may see.
impl Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.host_str().unwrap_or_default())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.url.path().trim_end_matches('/'))
    }
}

impl Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&format_args!("`{self}`")).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "use `x://host`";

    #[test]
    fn neither_debug_nor_display_nor_an_error_shows_a_password() {
        let location = Location::parse("x://me:hunter2@h:5/d?password=hunter2", FORM).unwrap();
        assert_eq!(format!("{location:?} {location}"), "Location(`h:5/d`) h:5/d");
        let error = location.into_driver_url(&["user"]).unwrap_err();
        assert_eq!(error.to_string(), "an unknown parameter of the store URL is not valid");
        for url in [
            "x://me:hunter2@h:port/d",
            "x://me:hunter2@/d",
            "x://me:hunter2#x@h",
            "x://h?a=hunter2&a=hunter2",
        ] {
            let error = Location::parse(url, FORM).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }

    #[test]
    fn parameters_of_ours_are_not_handed_on() {
        let mut location = Location::parse("x://h/d?schema=a_1&sslmode=require", FORM).unwrap();
        assert_eq!(location.take_name("schema", "ibyok").unwrap(), "a_1");
        assert_eq!(
            location.into_driver_url(&["sslmode"]).unwrap().as_str(),
            "x://h/d?sslmode=require"
        );
    }

    #[test]
    fn a_name_is_plain() {
        for wrong in ["", "A", "1a", "a-b", "a\"b", "ä", &"a".repeat(41)] {
            let mut location = Location::parse("x://h", FORM).unwrap();
            location.parameters.push(("schema".to_owned(), wrong.to_owned()));
            assert!(location.take_name("schema", "ibyok").is_err(), "{wrong}");
        }
    }
}
