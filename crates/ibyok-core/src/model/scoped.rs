//! References within a namespace: the only way from a reference to the key that it names.

use super::key_ref::{KeyHandle, KeyRef};
use super::name::{EnvironmentName, Namespace};
use crate::base::error::{Error, Result};

/// A reference that names a key of the caller's own namespace.
///
/// [`KeyRef::scoped`] is its only maker, and only this type gives out the name or id under which a record is read. A
/// verb therefore cannot reach a key without the comparison of namespaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoped<'r> {
    namespace: &'r Namespace,
    key: &'r KeyRef,
}

impl<'r> Scoped<'r> {
    /// The caller's namespace, which is also the key's.
    pub(crate) fn namespace(self) -> &'r Namespace {
        self.namespace
    }

    /// The environment.
    pub(crate) fn environment(self) -> &'r EnvironmentName {
        self.key.environment()
    }

    /// The key's name or id.
    pub(crate) fn handle(self) -> &'r KeyHandle {
        self.key.handle()
    }
}

impl KeyRef {
    /// The reference as a caller in the namespace `own` means it.
    ///
    /// # Errors
    /// [`Error::Denied`] for a reference that names another namespace, whether or not that namespace exists.
    pub(crate) fn scoped<'r>(&'r self, own: &'r Namespace) -> Result<Scoped<'r>> {
        match self.namespace() {
            Some(named) if named != own => Err(Error::other_namespace(own)),
            _ => Ok(Scoped {
                namespace: own,
                key: self,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn a_reference_reaches_the_callers_own_namespace_and_no_other() {
        let acme: Namespace = "acme".parse().unwrap();
        for own in ["prod/openai", "ibyok://prod/openai", "ibyok://acme/prod/openai"] {
            let key: KeyRef = own.parse().unwrap();
            assert_eq!(key.scoped(&acme).unwrap().namespace(), &acme, "{own}");
        }
        for other in [
            "ibyok://globex/prod/openai",
            "ibyok://default/prod/openai?version=2#org",
        ] {
            let key: KeyRef = other.parse().unwrap();
            let refused = key.scoped(&acme).unwrap_err();
            assert_eq!(refused.code(), Code::Denied, "{other}");
            assert!(!refused.to_string().contains("globex"), "{refused}");
        }
    }
}
