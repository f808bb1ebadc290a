//! What whoever embeds the server may choose.

use std::time::Duration;

use ibyok_core::EnvironmentName;
use ipnet::IpNet;

/// How requests are answered: for [`router`](crate::router()).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The server's own environment: where the published interface looks if neither request nor token names one.
    pub environment: Option<EnvironmentName>,
    /// The peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest body that is read, in bytes; 1 MiB.
    pub body_limit: usize,
    /// How long a body may take to arrive; 10 seconds.
    pub body_timeout: Duration,
    /// How long an answer may take in all; 30 seconds.
    pub request_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            environment: None,
            trusted_proxies: Vec::new(),
            body_limit: 1 << 20,
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// What a connection may cost: for [`serve`](crate::serve()).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How many connections are open at once; those beyond wait to be accepted. 1,024.
    pub connections: usize,
    /// How long a request's head may take to arrive, and a connection be idle between requests; 10 seconds, and a quarter of it
    /// where fewer than a quarter of the connections are free.
    pub header_timeout: Duration,
    /// How long a client may let an answer wait before it takes more of it; 10 seconds.
    pub write_timeout: Duration,
    /// The largest head of a request, in bytes; 32 KiB. It has 100 fields at most.
    pub header_bytes: usize,
    /// How long answers under way are waited for when the server is to stop; 30 seconds.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1024,
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            header_bytes: 32 << 10,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}
