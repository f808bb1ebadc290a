//! The route that a path names.

/// A route of this door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'p> {
    Kv(Kv, Place<'p>),
    Config,
    Token(TokenRoute),
    System(SystemRoute),
    /// The pre-flight of `vault kv`, for a path of this mount or of another.
    Mounts(Mount),
}

/// A route of the mount that is about a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kv {
    Data,
    Delete,
    Undelete,
    Destroy,
    Metadata,
    Subkeys,
}

/// The path of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'p> {
    Root,
    Environment(&'p str),
    /// A key, and true if the path ends with `/`.
    Key(&'p str, &'p str, bool),
    /// A path with more parts than a key has.
    Deeper,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenRoute {
    Lookup,
    LookupSelf,
    LookupAccessor,
    Renew,
    RenewSelf,
    RenewAccessor,
    Revoke,
    RevokeOrphan,
    RevokeSelf,
    RevokeAccessor,
    Accessors,
    Create,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemRoute {
    Health,
    Init,
    SealStatus,
    Leader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mount {
    Ours,
    Other,
}

impl<'p> Target<'p> {
    /// Finds the route of a path that begins with `/v1`. Empty parts of a path count as none, as Vault has it.
    pub(super) fn parse(path: &'p str, mount: &str) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        if parts.next() != Some("v1") {
            return None;
        }
        match parts.next()? {
            "auth" => match parts.next()? {
                "token" => TokenRoute::parse(parts.next()?)
                    .filter(|_| parts.next().is_none())
                    .map(Target::Token),
                _ => None,
            },
            "sys" => Self::system(parts, mount),
            first if first == mount => {
                let kv = match parts.next()? {
                    "config" => return parts.next().is_none().then_some(Target::Config),
                    "data" => Kv::Data,
                    "delete" => Kv::Delete,
                    "undelete" => Kv::Undelete,
                    "destroy" => Kv::Destroy,
                    "metadata" => Kv::Metadata,
                    "subkeys" => Kv::Subkeys,
                    _ => return None,
                };
                Some(Target::Kv(kv, Place::of(parts, path.ends_with('/'))))
            }
            _ => None,
        }
    }

    fn system(mut parts: impl Iterator<Item = &'p str>, mount: &str) -> Option<Self> {
        let route = match parts.next()? {
            "health" => SystemRoute::Health,
            "init" => SystemRoute::Init,
            "seal-status" => SystemRoute::SealStatus,
            "leader" => SystemRoute::Leader,
            "internal" => {
                let is_preflight = (parts.next(), parts.next()) == (Some("ui"), Some("mounts"));
                let asked = parts.next().filter(|_| is_preflight)?;
                return Some(Target::Mounts(match asked == mount {
                    true => Mount::Ours,
                    false => Mount::Other,
                }));
            }
            _ => return None,
        };
        parts.next().is_none().then_some(Target::System(route))
    }

    /// The template of the route, for the server's log: a path may hold what a client mistyped.
    pub(super) fn route(&self) -> &'static str {
        match self {
            Target::Kv(Kv::Data, _) => "/v1/{mount}/data/{env}/{name}",
            Target::Kv(Kv::Delete, _) => "/v1/{mount}/delete/{env}/{name}",
            Target::Kv(Kv::Undelete, _) => "/v1/{mount}/undelete/{env}/{name}",
            Target::Kv(Kv::Destroy, _) => "/v1/{mount}/destroy/{env}/{name}",
            Target::Kv(Kv::Metadata, _) => "/v1/{mount}/metadata/{env}/{name}",
            Target::Kv(Kv::Subkeys, _) => "/v1/{mount}/subkeys/{env}/{name}",
            Target::Config => "/v1/{mount}/config",
            Target::Token(route) => route.route(),
            Target::System(SystemRoute::Health) => "/v1/sys/health",
            Target::System(SystemRoute::Init) => "/v1/sys/init",
            Target::System(SystemRoute::SealStatus) => "/v1/sys/seal-status",
            Target::System(SystemRoute::Leader) => "/v1/sys/leader",
            Target::Mounts(_) => "/v1/sys/internal/ui/mounts/{path}",
        }
    }
}

impl<'p> Place<'p> {
    fn of(mut parts: impl Iterator<Item = &'p str>, ends_with_slash: bool) -> Self {
        match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => Place::Root,
            (Some(environment), None, _) => Place::Environment(environment),
            (Some(environment), Some(name), None) => Place::Key(environment, name, ends_with_slash),
            _ => Place::Deeper,
        }
    }
}

impl TokenRoute {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "lookup" => TokenRoute::Lookup,
            "lookup-self" => TokenRoute::LookupSelf,
            "lookup-accessor" => TokenRoute::LookupAccessor,
            "renew" => TokenRoute::Renew,
            "renew-self" => TokenRoute::RenewSelf,
            "renew-accessor" => TokenRoute::RenewAccessor,
            "revoke" => TokenRoute::Revoke,
            "revoke-orphan" => TokenRoute::RevokeOrphan,
            "revoke-self" => TokenRoute::RevokeSelf,
            "revoke-accessor" => TokenRoute::RevokeAccessor,
            "accessors" => TokenRoute::Accessors,
            "create" => TokenRoute::Create,
            _ => return None,
        })
    }

    fn route(self) -> &'static str {
        match self {
            TokenRoute::Lookup => "/v1/auth/token/lookup",
            TokenRoute::LookupSelf => "/v1/auth/token/lookup-self",
            TokenRoute::LookupAccessor => "/v1/auth/token/lookup-accessor",
            TokenRoute::Renew => "/v1/auth/token/renew",
            TokenRoute::RenewSelf => "/v1/auth/token/renew-self",
            TokenRoute::RenewAccessor => "/v1/auth/token/renew-accessor",
            TokenRoute::Revoke => "/v1/auth/token/revoke",
            TokenRoute::RevokeOrphan => "/v1/auth/token/revoke-orphan",
            TokenRoute::RevokeSelf => "/v1/auth/token/revoke-self",
            TokenRoute::RevokeAccessor => "/v1/auth/token/revoke-accessor",
            TokenRoute::Accessors => "/v1/auth/token/accessors",
            TokenRoute::Create => "/v1/auth/token/create",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<Target<'_>> {
        Target::parse(path, "secret")
    }

    #[test]
    fn a_path_names_one_route_and_empty_parts_do_not_count() {
        let key = Target::Kv(Kv::Data, Place::Key("prod", "openai", false));
        for same in [
            "/v1/secret/data/prod/openai",
            "/v1//secret/data//prod/openai",
            "//v1/secret/data/prod/openai",
        ] {
            assert_eq!(of(same), Some(key), "{same}");
        }
        assert_eq!(
            of("/v1/secret/data/prod/openai/"),
            Some(Target::Kv(Kv::Data, Place::Key("prod", "openai", true)))
        );
        for root in ["/v1/secret/metadata", "/v1/secret/metadata/"] {
            assert_eq!(of(root), Some(Target::Kv(Kv::Metadata, Place::Root)), "{root}");
        }
        for environment in ["/v1/secret/metadata/dev", "/v1/secret/metadata/dev/"] {
            let place = Place::Environment("dev");
            assert_eq!(of(environment), Some(Target::Kv(Kv::Metadata, place)), "{environment}");
        }
        assert_eq!(of("/v1/secret/data/a/b/c"), Some(Target::Kv(Kv::Data, Place::Deeper)));
        assert_eq!(of("/v1/secret/config"), Some(Target::Config));
        assert_eq!(
            of("/v1/auth/token/lookup-self"),
            Some(Target::Token(TokenRoute::LookupSelf))
        );
        assert_eq!(of("/v1/sys/health"), Some(Target::System(SystemRoute::Health)));
        for (path, mount) in [
            ("/v1/sys/internal/ui/mounts/secret/prod/openai", Mount::Ours),
            ("/v1/sys/internal/ui/mounts/secret", Mount::Ours),
            ("/v1/sys/internal/ui/mounts/kv/prod", Mount::Other),
        ] {
            assert_eq!(of(path), Some(Target::Mounts(mount)), "{path}");
        }
    }

    #[test]
    fn other_paths_are_no_route() {
        for path in [
            "/v1/",
            "/v1/secret",
            "/v1/secret/prod/openai",
            "/v1/secrets/data/prod/openai",
            "/v1/kv/data/prod/openai",
            "/v1/secret/config/x",
            "/v1/auth/token/lookup/x",
            "/v1/auth/approle/login",
            "/v1/sys/health/x",
            "/v1/sys/internal/ui/mounts",
            "/v1/sys/internal/ui/resultant-acl",
            "/v2/secret/data/a/b",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
