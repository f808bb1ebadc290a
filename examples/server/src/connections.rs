//! The open connections: bounded in all and per address, and the longest idle one makes room for a newcomer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::address::is_trusted;
use crate::options::Limits;
use crate::own_log::network;

/// The state of one connection, shared by all parts of the server that work on it.
#[derive(Debug)]
pub(crate) struct Life {
    born: Instant,
    /// Since when no request is answered on it, in nanoseconds since `born`, plus one; 0 while one is.
    idle_since: AtomicU64,
    /// True while the client has not read the bytes sent to it.
    pub(crate) writing: AtomicBool,
    /// True once a request head can be read in two ways.
    pub(crate) ambiguous: AtomicBool,
    /// True once the connection is closed although a part of a request was not read.
    pub(crate) unread: AtomicBool,
    /// True for a client that took too long for its request; it gets little time to read the answer.
    pub(crate) hurried: AtomicBool,
    /// Rings when the connection is to make room.
    pub(crate) makes_room: Notify,
}

impl Life {
    pub(crate) fn new() -> Self {
        Life {
            born: Instant::now(),
            idle_since: AtomicU64::new(1),
            writing: AtomicBool::new(false),
            ambiguous: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            hurried: AtomicBool::new(false),
            makes_room: Notify::new(),
        }
    }

    pub(crate) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.idle_since.load(Ordering::Acquire) != 0 && !self.writing.load(Ordering::Acquire)
    }

    fn idle_for(&self) -> Option<Duration> {
        let since = self.idle_since.load(Ordering::Acquire).checked_sub(1)?;
        self.is_idle()
            .then(|| self.age().saturating_sub(Duration::from_nanos(since)))
    }

    fn set_busy(&self) {
        self.idle_since.store(0, Ordering::Release);
    }

    /// Returns the age at which it became idle.
    fn set_idle(&self) -> Duration {
        let age = self.age();
        let nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX - 1);
        self.idle_since.store(nanos + 1, Ordering::Release);
        age
    }
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    lives: HashMap<u64, (Option<IpAddr>, Arc<Life>)>,
    of_address: HashMap<IpAddr, usize>,
    /// Tasks that have not ended, those of connections that make room among them.
    tasks: usize,
}

/// All connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    open: Mutex<Open>,
    limits: Arc<Limits>,
    /// Rings when a connection becomes idle or ends.
    changed: Notify,
}

/// The place of one connection; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
    pub(crate) life: Arc<Life>,
    all: Arc<Connections>,
}

impl Connections {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Connections {
            open: Mutex::default(),
            limits,
            changed: Notify::new(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if fewer than one in `part` of the places are free.
    pub(crate) fn are_short(&self, part: usize) -> bool {
        let free = self.limits.connections.saturating_sub(self.open().lives.len());
        free < self.limits.connections / part
    }

    /// Returns a place for a newcomer once there is one, or `None` if every connection that its address may have is busy.
    pub(crate) async fn place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let exempt = is_trusted(peer.to_canonical(), &self.limits.trusted_proxies);
        let source = (!exempt).then(|| network(peer));
        loop {
            // Before looking, so that no change after the look is missed.
            let changed = self.changed.notified();
            {
                let mut open = self.open();
                let of_source = source.and_then(|source| open.of_address.get(&source)).copied();
                let crowded = of_source.is_some_and(|count| count >= self.limits.connections_per_address);
                if crowded && !open.evict(|of| *of == source) {
                    return None;
                }
                if open.lives.len() < self.limits.connections || open.evict(|_| true) {
                    return Some(self.enter(&mut open, source));
                }
            }
            changed.await;
        }
    }

    fn enter(self: &Arc<Self>, open: &mut Open, source: Option<IpAddr>) -> Place {
        let (id, life) = (open.next, Arc::new(Life::new()));
        open.next += 1;
        open.tasks += 1;
        open.lives.insert(id, (source, Arc::clone(&life)));
        if let Some(source) = source {
            *open.of_address.entry(source).or_default() += 1;
        }
        Place {
            id,
            life,
            all: Arc::clone(self),
        }
    }

    /// Resolves once no connection is open.
    pub(crate) async fn ended(&self) {
        loop {
            let changed = self.changed.notified();
            if self.tasks() == 0 {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn tasks(&self) -> usize {
        self.open().tasks
    }
}

impl Open {
    /// Asks the longest idle connection among some to make room; whether there was one. It counts no longer.
    fn evict(&mut self, among: impl Fn(&Option<IpAddr>) -> bool) -> bool {
        let idle = self.lives.iter().filter(|(_, (source, _))| among(source));
        let longest = idle.filter_map(|(id, (_, life))| Some((life.idle_for()?, *id))).max();
        let Some((_, id)) = longest else { return false };
        if let Some(life) = self.leave(id) {
            life.makes_room.notify_one();
        }
        true
    }

    fn leave(&mut self, id: u64) -> Option<Arc<Life>> {
        let (source, life) = self.lives.remove(&id)?;
        if let Some(source) = source
            && let Some(count) = self.of_address.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&source);
            }
        }
        Some(life)
    }
}

impl Place {
    /// Notes that a request is answered from now on.
    pub(crate) fn is_busy(&self) {
        self.life.set_busy();
    }

    /// Notes that the request is answered. Returns the connection's age.
    pub(crate) fn is_idle(&self) -> Duration {
        let age = self.life.set_idle();
        self.all.changed.notify_waiters();
        age
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.all.open();
        open.leave(self.id);
        open.tasks -= 1;
        drop(open);
        self.all.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(all: usize, per_address: usize) -> Arc<Connections> {
        let mut limits = Limits::default();
        (limits.connections, limits.connections_per_address) = (all, per_address);
        limits.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        Arc::new(Connections::new(Arc::new(limits)))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn enters(all: &Arc<Connections>, from: &str) -> Place {
        all.place(ip(from)).await.unwrap()
    }

    #[tokio::test]
    async fn an_address_gets_its_share_and_the_longest_idle_makes_room() {
        let all = connections(100, 2);
        let (one, two) = (enters(&all, "192.0.2.1").await, enters(&all, "192.0.2.1").await);
        one.is_busy();
        let three = enters(&all, "192.0.2.1").await;
        two.life.makes_room.notified().await;
        three.is_busy();
        assert!(all.place(ip("192.0.2.1")).await.is_none(), "both are at work");
        drop(enters(&all, "192.0.2.2").await);
        three.is_idle();
        drop(enters(&all, "192.0.2.1").await);
        three.life.makes_room.notified().await;
        drop((one, two, three));
        let open = all.open();
        assert_eq!((open.tasks, open.lives.len(), open.of_address.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn a_whole_ipv6_network_is_one_address_and_a_proxy_none() {
        let all = connections(100, 1);
        let held = enters(&all, "2001:db8::1").await;
        held.is_busy();
        assert!(all.place(ip("2001:db8::2")).await.is_none());
        let other = enters(&all, "2001:db8:0:1::1").await;
        let proxied = [enters(&all, "10.0.0.1").await, enters(&all, "::ffff:10.0.0.1").await];
        proxied.iter().for_each(Place::is_busy);
        drop((enters(&all, "10.0.0.1").await, other));
    }

    #[tokio::test]
    async fn when_all_are_at_work_a_newcomer_waits() {
        let all = connections(2, 2);
        let held = [enters(&all, "192.0.2.1").await, enters(&all, "192.0.2.2").await];
        held.iter().for_each(Place::is_busy);
        let waiting = tokio::spawn({
            let all = Arc::clone(&all);
            async move { all.place(ip("192.0.2.3")).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        held[1].is_idle();
        assert!(waiting.await.unwrap().is_some());
        held[1].life.makes_room.notified().await;
    }
}
