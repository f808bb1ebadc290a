//! The suite over both KEKs of this crate, and over broken ones that it must fail.

mod broken;

use std::sync::Arc;

use ibyok_crypto::conformance::{self, KekHarness};
use ibyok_crypto::{Error, Kek, LocalKek, PassphraseCost, PassphraseKek, Secret};

struct Local;

impl KekHarness for Local {
    fn kek(&self) -> Result<Arc<dyn Kek>, Error> {
        Ok(Arc::new(LocalKek::copy_of(&[7; 32])))
    }

    fn other(&self) -> Result<Arc<dyn Kek>, Error> {
        Ok(Arc::new(LocalKek::copy_of(&[8; 32])))
    }
}

struct Passphrase;

impl Passphrase {
    fn of(passphrase: &str) -> Arc<dyn Kek> {
        let cost = PassphraseCost::cheap_for_tests();
        Arc::new(PassphraseKek::new(Secret::copy_of(passphrase.as_bytes()), cost))
    }
}

impl KekHarness for Passphrase {
    fn kek(&self) -> Result<Arc<dyn Kek>, Error> {
        Ok(Self::of("correct horse battery staple"))
    }

    fn other(&self) -> Result<Arc<dyn Kek>, Error> {
        Ok(Self::of("correct horse battery stapler"))
    }
}

mod local {
    ibyok_crypto::kek_conformance!(super::Local);
}

mod passphrase {
    ibyok_crypto::kek_conformance!(super::Passphrase);
}

/// A suite that has never failed proves nothing.
#[test]
fn each_broken_kek_fails_the_promise_that_it_breaks() {
    for fault in broken::FAULTS {
        let broken = conformance::block_on(conformance::promises(fault));
        let found = broken.iter().find(|broken| broken.promise() == fault.breaks());
        let found = found.unwrap_or_else(|| panic!("{fault:?} should break {}, but breaks {broken:?}", fault.breaks()));
        let shown = found.to_string();
        assert!(
            shown.contains("it matters because") && shown.contains(found.found()),
            "{shown}"
        );
    }
}

#[test]
fn without_a_fault_the_same_kek_keeps_every_promise() {
    assert!(conformance::block_on(conformance::promises(&broken::Fault::None)).is_empty());
}
