//! A proxy on loopback that does to replies what networks, drivers and other proxies do.
//!
//! Only the standard library is needed, so other packages can take this in by `#[path]`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::exhaustive_enums,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it, and whatever goes wrong is a panic"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The fault in the replies from now on. Bytes are counted over all connections since the fault was
/// [set](Proxy::set).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// Each byte is sent alone.
    Split,
    /// Each piece comes later by this much.
    Delay(Duration),
    /// The connection ends after so many bytes. Once: those after it are well.
    Cut(usize),
    /// Nothing comes after so many bytes, and the connection stays.
    Hang(usize),
    /// The lowest bit of this byte is wrong.
    Flip(usize),
    /// Each piece comes one late: in its place comes the one before.
    Stale,
    /// New connections are taken and closed at once; open ones are cut.
    Refuse,
}

/// A running proxy. Its threads end with its connections.
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    fault: Fault,
    /// Reply bytes since the fault was set.
    bytes: usize,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// Listens on a free port, for a server on `target`.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has no free port");
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            fault: Fault::Pass,
            bytes: 0,
            open: Vec::new(),
        }));
        let shared = Arc::downgrade(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Gone with the proxy.
                let Some(state) = shared.upgrade() else { break };
                if state.lock().unwrap().fault == Fault::Refuse {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    join(client, server, &state);
                }
            }
        });
        Proxy { port, state }
    }

    /// The port on which the proxy listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what happens to replies.
    pub fn set(&self, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        state.fault = fault;
        state.bytes = 0;
        if fault == Fault::Refuse {
            end(&mut state.open);
        }
    }

    /// The number of bytes of replies since the fault was set.
    pub fn bytes(&self) -> usize {
        self.state.lock().unwrap().bytes
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        end(&mut self.state.lock().unwrap().open);
        let (state, port) = (Arc::downgrade(&self.state), self.port);
        // Wakes the listener once this is the last that holds the state.
        std::thread::spawn(move || {
            while state.upgrade().is_some() {
                std::thread::sleep(Duration::from_millis(10));
            }
            TcpStream::connect(("127.0.0.1", port)).ok();
        });
    }
}

fn end(open: &mut Vec<TcpStream>) {
    for stream in open.drain(..) {
        stream.shutdown(Shutdown::Both).ok();
    }
}

fn join(client: TcpStream, server: TcpStream, state: &Arc<Mutex<State>>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
        state.lock().unwrap().open.push(stream.try_clone().unwrap());
    }
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        std::io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Both).ok();
    });
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        reply(&server, &client, &state);
        client.shutdown(Shutdown::Both).ok();
        server.shutdown(Shutdown::Both).ok();
    });
}

/// Carries replies until either side or a fault ends it.
fn reply(mut server: &TcpStream, mut client: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut buffer = vec![0; 65_536];
    let mut before = b"+OK\r\n".to_vec();
    loop {
        let length = server.read(&mut buffer).ok().filter(|length| *length > 0)?;
        let mut piece = buffer[..length].to_vec();
        let (fault, counted) = {
            let mut state = state.lock().unwrap();
            let counted = state.bytes;
            state.bytes += length;
            (state.fault, counted)
        };
        let reaches = |at: usize| (counted..counted + length).contains(&at);
        let last = std::mem::replace(&mut before, piece.clone());
        match fault {
            Fault::Pass | Fault::Split => {}
            Fault::Delay(delay) => std::thread::sleep(delay),
            Fault::Stale => piece = last,
            Fault::Flip(at) if reaches(at) => piece[at - counted] ^= 1,
            Fault::Cut(at) if reaches(at) => {
                state.lock().unwrap().fault = Fault::Pass;
                client.write_all(&piece[..at - counted]).ok();
                return None;
            }
            Fault::Hang(at) if counted + length > at => piece.truncate(at.saturating_sub(counted)),
            Fault::Cut(_) | Fault::Hang(_) | Fault::Flip(_) => {}
            Fault::Refuse => return None,
        }
        let size = if fault == Fault::Split { 1 } else { piece.len().max(1) };
        for part in piece.chunks(size) {
            client.write_all(part).ok()?;
        }
    }
}
