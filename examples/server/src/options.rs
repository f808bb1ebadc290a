//! Options of the server for programs that embed it.

use std::time::Duration;

use ibyok_core::EnvironmentName;
use ibyok_operations::reviews::ReviewHabits;
use ipnet::IpNet;

#[cfg(feature = "tls")]
use crate::tls::Tls;

/// Options for requests: for [`router`](crate::router()).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The server's own environment: where the published interface looks if neither request nor token names one.
    pub environment: Option<EnvironmentName>,
    /// The peers whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The mount under which Vault's clients find the keys: `secret`, at `/v1/secret/`.
    pub vault_mount: String,
    /// The way in which the server reviews the audit log.
    pub review: ReviewHabits,
    /// The largest body that is read where a value is written, in bytes; 1 MiB.
    pub body_limit: usize,
    /// The largest body that is read elsewhere, in bytes; 16 KiB.
    pub small_body_limit: usize,
    /// The memory for the bodies of all requests together, in bytes; 64 MiB. A body beyond it is answered 503 with `Retry-After`.
    ///
    /// One token has a quarter of it, and together with the tokens that descend from it one half; either is one whole body at least.
    /// A body beyond that is answered 429 with `Retry-After`.
    pub body_budget: usize,
    /// The time that a body may take to arrive; 10 seconds.
    pub body_timeout: Duration,
    /// The time that an answer may take in all; 30 seconds.
    pub request_timeout: Duration,
    /// True if a server that [`start`](crate::start()) starts answers retrievals past its router; true. The answers are the same.
    pub past_the_router: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            environment: None,
            trusted_proxies: Vec::new(),
            vault_mount: "secret".to_owned(),
            review: ReviewHabits::default(),
            body_limit: 1 << 20,
            small_body_limit: 16 << 10,
            body_budget: 64 << 20,
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            past_the_router: true,
        }
    }
}

/// Limits of connections: for [`serve`](crate::serve()).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The number of connections that are open at once; 1,024. When all are open, the one that was idle longest makes room for a
    /// newcomer; when none is idle, newcomers wait to be accepted.
    pub connections: usize,
    /// The number of connections that one address has open at once, of IPv6 a /64; 512. When all are open, its longest idle one makes room
    /// for its newcomer; when none is idle, the newcomer is closed.
    pub connections_per_address: usize,
    /// The age from which a connection is closed after the answer under way; 5 minutes.
    pub connection_age: Duration,
    /// The networks of proxies, which carry the connections of many: `connections_per_address` does not hold for them.
    /// [`start`](crate::start()) takes them from [`Options::trusted_proxies`].
    pub trusted_proxies: Vec<IpNet>,
    /// The networks that are served; `None` serves all. Connections from elsewhere are closed before anything is read
    /// from them.
    pub only_from: Option<Vec<IpNet>>,
    /// The TLS of each connection; `None` is plain HTTP.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
    /// The time for a request's head to arrive, and for a connection to be idle between requests; 10 seconds, and a quarter of it
    /// where fewer than a quarter of the connections are free.
    pub header_timeout: Duration,
    /// The time that a client may let an answer wait before it reads more of it; 10 seconds.
    pub write_timeout: Duration,
    /// The time that a connection closed in the middle of a request is still read from, so that its client reads the answer (RFC
    /// 9112, 9.6); 10 seconds.
    pub linger: Duration,
    /// The largest head of a request, in bytes; 32 KiB. It has 100 fields at most.
    pub header_bytes: usize,
    /// The time that a stopping server waits for answers under way; 30 seconds.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1024,
            connections_per_address: 512,
            connection_age: Duration::from_secs(300),
            trusted_proxies: Vec::new(),
            only_from: None,
            #[cfg(feature = "tls")]
            tls: None,
            linger: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            header_bytes: 32 << 10,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}
