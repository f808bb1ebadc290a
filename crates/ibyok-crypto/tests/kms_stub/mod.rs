//! A stand-in for AWS KMS on a free port of this machine: the three calls of the KEK, every refusal that KMS has for
//! them, and answers that no KMS should give. It checks no signatures. Other packages may use it by `#[path]`.

mod fault;
mod http;
mod service;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

pub(crate) use self::fault::Fault;
use self::http::{Reply, Request};
use self::service::Service;
pub(crate) use self::service::{ARN, StubKey};

/// The region of every key that is there from the start.
pub(crate) const REGION: &str = "eu-central-1";

/// A running stub. It stops when it is dropped.
pub(crate) struct KmsStub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: Option<JoinHandle<()>>,
}

/// One call, as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `Decrypt`, `DescribeKey`, `Encrypt`.
    pub(crate) operation: String,
    /// Its parameters.
    pub(crate) body: serde_json::Value,
    /// The access key that signed the call.
    pub(crate) access_key: String,
    /// The client's own description of itself.
    pub(crate) user_agent: String,
}

#[derive(Default)]
struct State {
    service: Service,
    faults: Vec<Planned>,
    expired: Vec<String>,
    calls: Vec<Call>,
    connections: Vec<TcpStream>,
    stopping: bool,
}

/// A fault that waits for its call.
struct Planned {
    operation: &'static str,
    fault: Fault,
    once: bool,
}

impl KmsStub {
    /// Starts one with the key [`ARN`], whose alias is `alias/ibyok`.
    pub(crate) fn start() -> Self {
        let mut stub = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: Arc::default(),
            listening: None,
        };
        stub.resume();
        stub
    }

    /// Stops listening and closes every connection, as a KMS that went away.
    pub(crate) fn stop(&mut self) {
        let mut state = self.state();
        state.stopping = true;
        for connection in state.connections.drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
        drop(state);
        if let Some(listening) = self.listening.take() {
            drop(TcpStream::connect(self.address));
            listening.join().unwrap();
        }
    }

    /// Listens (again), at the same address.
    pub(crate) fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.address = listener.local_addr().unwrap();
        self.state().stopping = false;
        let state = Arc::clone(&self.state);
        self.listening = Some(thread::spawn(move || accept(&listener, &state)));
    }

    /// For `AWS_ENDPOINT_URL_KMS`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, every call of this operation meets this fault.
    pub(crate) fn fails(&self, operation: &'static str, fault: Fault) {
        self.plan(operation, fault, false);
    }

    /// The next call of this operation meets this fault.
    pub(crate) fn fails_once(&self, operation: &'static str, fault: Fault) {
        self.plan(operation, fault, true);
    }

    /// No more faults.
    pub(crate) fn heals(&self) {
        self.state().faults.clear();
    }

    /// From now on, what this access key signs is answered with `ExpiredTokenException`.
    pub(crate) fn expires(&self, access_key: &str) {
        self.state().expired.push(access_key.to_owned());
    }

    /// One more key.
    pub(crate) fn add(&self, key: StubKey) {
        self.state().service.keys.push(key);
    }

    /// Moves an alias to another key.
    pub(crate) fn moves_alias(&self, alias: &str, arn: &str) {
        for key in &mut self.state().service.keys {
            key.alias = (key.arn == arn).then(|| alias.to_owned());
        }
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Returns the number of calls of this operation.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|call| call.operation == operation).count()
    }

    fn plan(&self, operation: &'static str, fault: Fault, once: bool) {
        self.state().faults.push(Planned { operation, fault, once });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for KmsStub {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    for connection in listener.incoming() {
        let Ok(connection) = connection else { continue };
        let mut locked = state.lock().unwrap();
        if locked.stopping {
            return;
        }
        locked.connections.push(connection.try_clone().unwrap());
        drop(locked);
        let state = Arc::clone(state);
        thread::spawn(move || serve(connection, &state));
    }
}

/// Answers one request after the other, until the client goes away or a fault ends it.
fn serve(mut connection: TcpStream, state: &Mutex<State>) {
    while let Some(request) = Request::read(&mut connection) {
        let reply = state.lock().unwrap().answer(&request);
        // The lock is not held here: a slow answer holds up nobody else.
        if !reply.send(&mut connection) {
            break;
        }
    }
    drop(connection.shutdown(Shutdown::Both));
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        let call = request.call();
        self.calls.push(call.clone());
        let planned = self
            .faults
            .iter()
            .position(|planned| planned.operation == call.operation);
        let fault = planned.map(|at| match self.faults[at].once {
            true => self.faults.remove(at).fault,
            false => self.faults[at].fault.clone(),
        });
        if self.expired.contains(&call.access_key) {
            return Reply::refusal(&Fault::EXPIRED_TOKEN);
        }
        match fault {
            Some(fault) => fault.reply(|| self.service.answer(&call)),
            None => self.service.answer(&call),
        }
    }
}
