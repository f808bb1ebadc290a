use std::sync::Arc;

use crate::error::{Error, Result};
use crate::memory::MemoryStore;
use crate::store::Store;

const FORMS: &str = "use `file:/path/to/the/store` or `memory:`, `postgres://host/database` or `redis://host`";

/// Opens the store that a URL names.
///
/// - `file:/path` (or `file:///path`): a `FileStore`, if the feature `file` is on. The path is taken as it is, without percent decoding; a relative one is
///   relative to the working directory.
/// - `memory:`: a new, empty [`MemoryStore`].
/// - `postgres://…` or `postgresql://…`: a `PostgresStore`, if the feature `postgres` is on.
/// - `redis://…` or `rediss://…`: a `RedisStore`, if the feature `redis` is on.
///
/// # Errors
///
/// [`Error::Invalid`] for anything else, naming the known forms; and the errors of each store's `open`. A password
/// in the URL is in no message.
pub async fn open(url: &str) -> Result<Arc<dyn Store>> {
    match parse(url)? {
        Named::Memory => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "file")]
        Named::File(path) => Ok(Arc::new(crate::file::FileStore::open(path).await?)),
        #[cfg(feature = "postgres")]
        Named::Postgres => Ok(Arc::new(crate::postgres::PostgresStore::open(url).await?)),
        #[cfg(feature = "redis")]
        Named::Redis => Ok(Arc::new(crate::redis::RedisStore::open(url).await?)),
    }
}

/// The store that a URL names.
pub(crate) enum Named {
    Memory,
    #[cfg(feature = "file")]
    File(String),
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "redis")]
    Redis,
}

/// Reads a URL, without connecting to anything.
pub(crate) fn parse(url: &str) -> Result<Named> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Named::Memory),
        Some(("memory", _)) => Err(Error::invalid("a `memory:` URL with something after the colon", FORMS)),
        #[cfg(feature = "file")]
        Some(("file", path)) => Ok(Named::File(file_path(path)?.to_owned())),
        #[cfg(not(feature = "file"))]
        Some((scheme @ "file", _)) => Err(not_built_in(scheme, "file")),
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => crate::postgres::check_url(url).map(|()| Named::Postgres),
        #[cfg(feature = "redis")]
        Some(("redis" | "rediss", _)) => crate::redis::check_url(url).map(|()| Named::Redis),
        #[cfg(not(feature = "postgres"))]
        Some((scheme @ ("postgres" | "postgresql"), _)) => Err(not_built_in(scheme, "postgres")),
        #[cfg(not(feature = "redis"))]
        Some((scheme @ ("redis" | "rediss"), _)) => Err(not_built_in(scheme, "redis")),
        Some((scheme, _)) if is_scheme(scheme) => Err(Error::invalid(format!("the store scheme `{scheme}`"), FORMS)),
        _ => Err(Error::invalid("a store URL without a scheme", FORMS)),
    }
}

#[cfg(feature = "file")]
fn file_path(rest: &str) -> Result<&str> {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err(Error::invalid("a `file:` URL that names a host", FORMS)),
        None => rest,
    };
    if path.is_empty() || path.contains('\0') {
        return Err(Error::invalid("a `file:` URL without a path", FORMS));
    }
    Ok(path)
}

#[cfg(not(all(feature = "file", feature = "postgres", feature = "redis")))]
fn not_built_in(scheme: &str, feature: &str) -> Error {
    let hint = format!("the `{feature}` backend (feature `{feature}`) is not part of this program: {FORMS}");
    Error::invalid(format!("the store scheme `{scheme}`"), hint)
}

/// Short and plain, so that it can be shown: `user:password@host` must not pass for a scheme and land in a message.
fn is_scheme(text: &str) -> bool {
    const KNOWN: [&str; 8] = ["http", "https", "mysql", "sqlite", "mongodb", "s3", "etcd", "mem"];
    KNOWN.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(url: &str) -> String {
        let error = open(url).await.err().unwrap();
        assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
        format!("{error} {error:?} {}", error.hint())
    }

    #[tokio::test]
    async fn known_schemes_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        for url in [
            "memory:".to_owned(),
            format!("file:{}", path.display()),
            format!("file://{}", path.display()),
        ]
        .into_iter()
        .filter(|url| cfg!(feature = "file") || !url.starts_with("file"))
        {
            assert!(open(&url).await.is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn other_schemes_are_refused_naming_the_known_ones() {
        for url in [
            "",
            "x",
            "/var/lib/store",
            "mysql://h/d",
            "memory:x",
            "file:",
            "file://host/path",
            "FILE:/x",
        ] {
            let said = refusal(url).await;
            assert!(
                said.contains("`file:/path/to/the/store` or `memory:`, `postgres://"),
                "{said}"
            );
        }
        #[cfg(not(feature = "file"))]
        assert!(refusal("file:/x").await.contains("feature `file`"));
        #[cfg(not(feature = "postgres"))]
        assert!(refusal("postgres://h/d").await.contains("feature `postgres`"));
        #[cfg(not(feature = "redis"))]
        assert!(refusal("rediss://h").await.contains("feature `redis`"));
    }

    #[tokio::test]
    async fn a_password_is_never_shown() {
        for url in [
            "postgres://me:hunter2@h/d?hunter2=x",
            "postgres://me:hunter2@h:x/d",
            "redis://me:hunter2@h/d",
            "rediss://:hunter2@h#insecure",
            "mysql://me:hunter2@h/d",
            "me:hunter2@h/d",
            "hunter2:x",
            "hunter2",
        ] {
            assert!(!refusal(url).await.contains("hunter2"), "{url}");
        }
    }
}
