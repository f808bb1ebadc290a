//! The suite over the stub.

use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};

use super::kms_stub::StubKey;
use super::*;
use crate::conformance::{self, KekHarness};

const OTHER: &str = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000002";

/// Two keys of one KMS.
pub(super) struct TwoKeys {
    pub(super) options: AwsKmsOptions,
    pub(super) keys: [String; 2],
}

impl TwoKeys {
    /// Connects again, on a thread of its own, since the suite waits for it within the runtime.
    fn connect(&self, key: &str) -> Result<Arc<dyn Kek>, Error> {
        let runtime = Handle::current();
        let connect = || runtime.block_on(AwsKms::connect(key, self.options.clone()));
        let connected = thread::scope(|scope| scope.spawn(connect).join().unwrap());
        connected.map(|kek| Arc::new(kek) as Arc<dyn Kek>)
    }
}

impl KekHarness for TwoKeys {
    fn kek(&self) -> Result<Arc<dyn Kek>, Error> {
        self.connect(&self.keys[0])
    }

    fn other(&self) -> Result<Arc<dyn Kek>, Error> {
        self.connect(&self.keys[1])
    }
}

/// Runs a promise on a runtime that goes on while the test waits.
pub(super) fn run_on_workers<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.unwrap().block_on(test)
}

fn keeps<T>(promise: impl AsyncFnOnce(&TwoKeys) -> T) -> T {
    let stub = KmsStub::start();
    stub.add(StubKey::symmetric(OTHER));
    let keys = TwoKeys {
        options: options(&stub.endpoint()),
        keys: [ARN.to_owned(), OTHER.to_owned()],
    };
    run_on_workers(promise(&keys))
}

macro_rules! promise {
    ($promise:ident) => {
        #[test]
        fn $promise() {
            if let Err(broken) = keeps(async |keys| conformance::$promise(keys).await) {
                panic!("{broken}");
            }
        }
    };
}

crate::for_each_kek_promise!(promise);
