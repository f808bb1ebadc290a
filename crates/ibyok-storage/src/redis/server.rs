//! The properties of a Redis server, which decide whether the store may use it and what the store promises.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;

use super::error::{Failure, is_refusal, public};
use crate::error::{Error, Result};
use crate::health::Durability;

/// The weaknesses that an operator has accepted, by name in the URL.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowed {
    /// A policy by which Redis may forget records when memory is short.
    pub(super) evicting: bool,
    /// A server that does not sync each write.
    pub(super) unsynced: bool,
    /// A server that does not let us look.
    pub(super) unchecked: bool,
}

/// The result of one inspection of the server.
#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    version: Option<String>,
    replica: bool,
    history: String,
    /// `None` where `CONFIG` is forbidden.
    settings: Option<Settings>,
}

#[derive(Debug, Clone)]
struct Settings {
    policy: String,
    append_only: bool,
    append_sync: String,
}

impl Server {
    /// Reads the server's settings, and refuses those that are not allowed.
    pub(super) async fn inspect(connection: &mut MultiplexedConnection, allowed: Allowed) -> Result<Self> {
        let server = Self::look(connection).await?;
        server.check(allowed)?;
        Ok(server)
    }

    async fn look(connection: &mut MultiplexedConnection) -> Result<Self> {
        let info = match redis::cmd("INFO").query_async::<String>(connection).await {
            Ok(info) => info,
            Err(error) if is_refusal(&error) => String::new(),
            Err(error) => return Err(public(error)),
        };
        let mut settings = HashMap::new();
        for name in ["maxmemory-policy", "appendonly", "appendfsync"] {
            let mut ask = redis::cmd("CONFIG");
            ask.arg("GET").arg(name);
            match ask.query_async::<HashMap<String, String>>(connection).await {
                Ok(found) => settings.extend(found),
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(public(error)),
            }
        }
        Ok(Self::of(&info, &settings))
    }

    fn of(info: &str, settings: &HashMap<String, String>) -> Self {
        let field = |name: &str| {
            let mut lines = info.lines().filter_map(|line| line.split_once(':'));
            lines
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value.trim().to_owned())
        };
        let setting = |name: &str| settings.get(name).cloned();
        let settings = setting("maxmemory-policy")
            .zip(setting("appendonly"))
            .zip(setting("appendfsync"));
        Server {
            version: field("redis_version"),
            replica: field("role").is_some_and(|role| role != "master"),
            history: field("master_replid").unwrap_or_default(),
            settings: settings.map(|((policy, append_only), append_sync)| Settings {
                policy,
                append_only: append_only == "yes",
                append_sync,
            }),
        }
    }

    fn check(&self, allowed: Allowed) -> Result<()> {
        if self.replica {
            // It tells of changes late, so caches that rest on it would too.
            return Err(Failure::Replica.into());
        }
        let Some(settings) = &self.settings else {
            return refuse(
                allowed.unchecked,
                "cannot check whether the Redis server evicts records: it forbids `CONFIG GET`",
                "permit `config|get`, or accept the risk with `allow_unchecked=yes` in the URL",
            );
        };
        if settings.policy != "noeviction" {
            refuse(
                allowed.evicting,
                &format!(
                    "the Redis server evicts records when memory is short (`maxmemory-policy` is `{}`)",
                    settings.policy
                ),
                "set `maxmemory-policy noeviction`, or accept the risk with `allow_evicting=yes` in the URL",
            )?;
        }
        if self.durability() != Durability::PowerLoss {
            refuse(
                allowed.unsynced,
                "the Redis server may lose acknowledged writes, because it does not sync each write",
                "set `appendonly yes` and `appendfsync always`, or accept the risk with `allow_unsynced=yes` in the URL",
            )?;
        }
        Ok(())
    }

    /// Returns the worst event that an acknowledged write survives. With `everysec`, Redis may hold writes back for
    /// two seconds while a sync is under way, so even the end of its process may lose some.
    pub(super) fn durability(&self) -> Durability {
        match &self.settings {
            Some(settings) if settings.append_only => match settings.append_sync.as_str() {
                "always" => Durability::PowerLoss,
                "no" => Durability::ProcessExit,
                _ => Durability::None,
            },
            _ => Durability::None,
        }
    }

    /// Names the server's past, or nothing if it does not let us see it.
    pub(super) fn history(&self) -> &str {
        &self.history
    }

    /// Returns the details for an operator.
    pub(super) fn detail(&self) -> Vec<(&'static str, String)> {
        let version = self.version.clone().unwrap_or_else(|| "unknown".to_owned());
        let mut detail = vec![("server", version)];
        match &self.settings {
            Some(settings) => {
                let append_only = if settings.append_only { "yes" } else { "no" };
                detail.push(("maxmemory-policy", settings.policy.clone()));
                detail.push(("appendonly", append_only.to_owned()));
                detail.push(("appendfsync", settings.append_sync.clone()));
            }
            None => detail.push(("settings", "not checked: the server forbids `CONFIG GET`".to_owned())),
        }
        detail
    }
}

fn refuse(allowed: bool, what: &str, hint: &str) -> Result<()> {
    if allowed {
        Ok(())
    } else {
        Err(Error::refused(what, hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n# Replication\r\nrole:master\r\nmaster_replid:abc\r\n";

    fn server(settings: &[(&str, &str)]) -> Server {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Server::of(INFO, &settings.collect())
    }

    fn with(policy: &str, append_only: &str, append_sync: &str) -> Server {
        server(&[
            ("maxmemory-policy", policy),
            ("appendonly", append_only),
            ("appendfsync", append_sync),
        ])
    }

    fn refusal(server: &Server, allowed: Allowed) -> Option<String> {
        server.check(allowed).err().map(|error| error.hint().to_owned())
    }

    #[test]
    fn only_what_syncs_and_never_forgets_is_taken_without_a_word() {
        let nothing = Allowed::default();
        assert_eq!(refusal(&with("noeviction", "yes", "always"), nothing), None);
        for (server, word) in [
            (with("allkeys-lru", "yes", "always"), "allow_evicting=yes"),
            (with("volatile-ttl", "yes", "always"), "allow_evicting=yes"),
            (with("noeviction", "no", "always"), "allow_unsynced=yes"),
            (with("noeviction", "yes", "everysec"), "allow_unsynced=yes"),
            (server(&[]), "allow_unchecked=yes"),
            (server(&[("maxmemory-policy", "noeviction")]), "allow_unchecked=yes"),
        ] {
            assert!(refusal(&server, nothing).unwrap().contains(word), "{server:?}");
            let allowed = Allowed {
                evicting: word.contains("evicting"),
                unsynced: word.contains("unsynced"),
                unchecked: word.contains("unchecked"),
            };
            assert_eq!(refusal(&server, allowed), None, "{server:?}");
        }
    }

    #[test]
    fn accepting_one_thing_is_not_accepting_another() {
        let evicting = Allowed {
            evicting: true,
            ..Allowed::default()
        };
        assert!(refusal(&with("allkeys-lru", "no", "no"), evicting).is_some());
    }

    #[test]
    fn durability_is_what_survives_for_sure() {
        assert_eq!(with("noeviction", "yes", "always").durability(), Durability::PowerLoss);
        assert_eq!(with("noeviction", "yes", "no").durability(), Durability::ProcessExit);
        assert_eq!(with("noeviction", "yes", "everysec").durability(), Durability::None);
        assert_eq!(with("noeviction", "no", "always").durability(), Durability::None);
        assert_eq!(server(&[]).durability(), Durability::None);
    }

    #[test]
    fn a_replica_is_refused_whatever_is_allowed() {
        let mut replica = with("noeviction", "yes", "always");
        replica.replica = true;
        let all = Allowed {
            evicting: true,
            unsynced: true,
            unchecked: true,
        };
        assert!(matches!(replica.check(all), Err(Error::Unavailable { .. })));
    }
}
