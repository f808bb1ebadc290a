//! References to keys, safe to commit: `prod/openai`, `ibyok://acme/prod/openai?version=3#org_id`.
//!
//! The text of a reference may come from a stranger: a path segment of a web request, a file of a repository. So nothing but the
//! form with the scheme names a namespace, and each part is a validated name.

use std::fmt;
use std::str::FromStr;

use super::name::{EnvironmentName, FieldName, KeyId, KeyName, Namespace};
use super::which_version::WhichVersion;
use crate::base::error::Error;

/// The scheme of a reference that may be written in a file.
pub(crate) const SCHEME: &str = "ibyok://";

/// The longest reference that is parsed, in bytes.
const MAX: usize = 512;

/// A reference to a key, and optionally to one of its versions and fields.
///
/// Parsed from `env/name` or `ibyok://[namespace/]env/name`, each with an optional `?version=N` (or `?version=pending`) and
/// `#field`. A key id (`key_…`) may take the place of the name. A reference without a namespace means the namespace of the session
/// that uses it; a session refuses a reference that names another namespace.
///
/// For parts that a stranger chose, such as the segments of a URL, use [`KeyRef::from_parts`] instead of `format!`
/// and `parse`: a part then never becomes two.
///
/// ```
/// use ibyok_core::KeyRef;
/// let key: KeyRef = "ibyok://acme/production/openai?version=3#org_id".parse()?;
/// assert_eq!(key.to_string(), "ibyok://acme/prod/openai?version=3#org_id");
/// assert_eq!("prod/openai".parse::<KeyRef>()?.to_string(), "prod/openai");
/// assert!("acme/prod/openai".parse::<KeyRef>().is_err());
///
/// assert_eq!(KeyRef::from_parts("prod", "openai")?.to_string(), "prod/openai");
/// assert!(KeyRef::from_parts("prod", "openai?version=1").is_err());
/// # Ok::<(), ibyok_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRef {
    namespace: Option<Namespace>,
    environment: EnvironmentName,
    key: KeyHandle,
    version: WhichVersion,
    field: Option<FieldName>,
}

/// The name or the id by which a reference names a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyHandle {
    Name(KeyName),
    Id(KeyId),
}

impl KeyRef {
    /// A reference by name, in the namespace of the caller, to the current version.
    #[must_use]
    pub fn new(environment: EnvironmentName, name: KeyName) -> Self {
        Self::from_handle(environment, KeyHandle::Name(name))
    }

    /// A reference by id, in the namespace of the caller, to the current version.
    #[must_use]
    pub fn by_id(environment: EnvironmentName, id: KeyId) -> Self {
        Self::from_handle(environment, KeyHandle::Id(id))
    }

    /// Makes a reference from the texts of an environment and of a name or id, to the current version in the caller's namespace.
    ///
    /// Each text is one part: a `/`, `?`, `#`, `%` or scheme in it is an error.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that is no environment, or neither a name nor an id.
    pub fn from_parts(environment: impl AsRef<str>, name_or_id: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self::from_handle(
            environment.as_ref().parse()?,
            handle(name_or_id.as_ref())?,
        ))
    }

    fn from_handle(environment: EnvironmentName, key: KeyHandle) -> Self {
        KeyRef {
            namespace: None,
            environment,
            key,
            version: WhichVersion::Current,
            field: None,
        }
    }

    /// Returns the reference with a namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Returns the reference with a version.
    #[must_use]
    pub fn at_version(mut self, version: impl Into<WhichVersion>) -> Self {
        self.version = version.into();
        self
    }

    /// Returns the reference with the field to read.
    #[must_use]
    pub fn with_field(mut self, field: Option<FieldName>) -> Self {
        self.field = field;
        self
    }

    /// The namespace, if one is named.
    #[must_use]
    pub fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// The environment.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentName {
        &self.environment
    }

    /// The version asked for.
    #[must_use]
    pub fn version(&self) -> WhichVersion {
        self.version
    }

    /// The field asked for; `None` is every field.
    #[must_use]
    pub fn field(&self) -> Option<&FieldName> {
        self.field.as_ref()
    }

    /// The name, unless the reference is by id.
    #[must_use]
    pub fn name(&self) -> Option<&KeyName> {
        match &self.key {
            KeyHandle::Name(name) => Some(name),
            KeyHandle::Id(_) => None,
        }
    }

    /// The key's name or id, for [`Scoped`](super::scoped::Scoped) alone.
    pub(super) fn handle(&self) -> &KeyHandle {
        &self.key
    }
}

impl FromStr for KeyRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let form = "`env/name` or `ibyok://[namespace/]env/name[?version=N|pending][#field]`";
        let wrong = || Error::invalid_name("reference", text, form);
        if text.len() > MAX {
            return Err(wrong());
        }
        let (rest, with_scheme) = match text.strip_prefix(SCHEME) {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (rest, field) = match rest.split_once('#') {
            Some((rest, field)) => (rest, Some(field.parse()?)),
            None => (rest, None),
        };
        let (path, version) = match rest.split_once('?') {
            Some((path, query)) => (path, version(query).ok_or_else(wrong)?),
            None => (rest, WhichVersion::Current),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (namespace, environment, name) = match parts.as_slice() {
            [environment, name] => (None, *environment, *name),
            [namespace, environment, name] if with_scheme => (Some(namespace.parse()?), *environment, *name),
            _ => return Err(wrong()),
        };
        Ok(KeyRef {
            namespace,
            environment: environment.parse()?,
            key: handle(name)?,
            version,
            field,
        })
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{SCHEME}{namespace}/")?;
        }
        write!(f, "{}/", self.environment)?;
        match &self.key {
            KeyHandle::Name(name) => write!(f, "{name}")?,
            KeyHandle::Id(id) => write!(f, "{id}")?,
        }
        if !self.version.is_current() {
            write!(f, "?version={}", self.version)?;
        }
        if let Some(field) = &self.field {
            write!(f, "#{field}")?;
        }
        Ok(())
    }
}

fn handle(text: &str) -> Result<KeyHandle, Error> {
    if KeyId::looks_like(text) {
        return text.parse().map(KeyHandle::Id);
    }
    text.parse().map(KeyHandle::Name)
}

fn version(query: &str) -> Option<WhichVersion> {
    query.strip_prefix("version=")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_reference_is_refused() {
        for bad in [
            "",
            "/",
            "prod",
            "prod/",
            "/openai",
            "a/b/c/d",
            "acme/prod/openai",
            "acme/prod/openai?version=2",
            "default/prod/openai#org",
            "IBYOK://acme/prod/openai",
            "ibyok:/acme/prod/openai",
            "ibyok:acme/prod/openai",
            "//acme/prod/openai",
            "ibyok://acme//openai",
            "ibyok://ibyok://prod/openai",
            "prod/../x",
            "prod/a b",
            "Prod/openai",
            "prod/op%65nai",
            "prod/openai?version=",
            "prod/openai?version=0",
            "prod/openai?version=-1",
            "prod/openai?version=01",
            "prod/openai?version=4294967296",
            "prod/openai?version=current",
            "prod/openai?version=Pending",
            "prod/openai?x=1",
            "prod/openai#",
            "prod/openai#1A",
            "http://prod/openai",
            "ibyok://prod",
            "self/openai",
            "prod/openai\n",
            "prod/*",
            "ibyok:///prod/openai",
        ] {
            assert!(bad.parse::<KeyRef>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_id_stands_where_a_name_may() {
        let id = KeyId([9; 16]);
        let key: KeyRef = format!("prod/{id}").parse().unwrap();
        assert_eq!(key.handle(), &KeyHandle::Id(id));
        assert!(key.name().is_none());
    }

    /// A part of a path as a hostile client sends it.
    fn part() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("acme"),
            Just("globex"),
            Just("prod"),
            Just("production"),
            Just("openai"),
            Just("/"),
            Just("%2F"),
            Just(".."),
            Just("ibyok:"),
            Just("ibyok://"),
            Just("?version=1"),
            Just("#value"),
            Just(" "),
            Just(""),
        ];
        proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_reference_prints_and_parses_back(
            namespace in proptest::option::of("[a-z0-9][a-z0-9-]{0,5}"),
            env in "[a-z0-9][a-z0-9-]{0,5}",
            name in "[A-Za-z0-9][A-Za-z0-9._-]{0,9}",
            version in proptest::option::of(prop_oneof![(1u32..).prop_map(|v| v.to_string()), Just("pending".to_owned())]),
            field in proptest::option::of("[a-z][a-z0-9_]{0,9}"),
        ) {
            let mut text = match &namespace { Some(n) => format!("ibyok://{n}/{env}/{name}"), None => format!("{env}/{name}") };
            if let Some(v) = &version { text += &format!("?version={v}"); }
            if let Some(f) = &field { text += &format!("#{f}"); }
            if let Ok(key) = text.parse::<KeyRef>() {
                prop_assert_eq!(key.to_string().parse::<KeyRef>().unwrap(), key);
            }
        }

        #[test]
        fn no_part_that_a_stranger_chose_reaches_another_namespace(environment in part(), name in part()) {
            let text = format!("{environment}/{name}");
            if let Ok(key) = text.parse::<KeyRef>() {
                let own: Namespace = "acme".parse().unwrap();
                prop_assert!(key.namespace().is_none() || text.starts_with(SCHEME));
                prop_assert!(key.scoped(&own).map_or(true, |_| key.namespace().is_none_or(|named| *named == own)));
            }
            if let Ok(key) = KeyRef::from_parts(&environment, &name) {
                prop_assert_eq!(key.namespace(), None);
                prop_assert!(key.version().is_current() && key.field().is_none());
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,600}") {
            let printed = text.parse::<KeyRef>().map(|key| key.to_string());
            prop_assert!(printed.map_or(true, |p| p.parse::<KeyRef>().is_ok()));
        }
    }
}
