//! A KEK with one fault, over one that is right.

use std::sync::Arc;

use async_trait::async_trait;
use ibyok_crypto::conformance::KekHarness;
use ibyok_crypto::{EnvironmentKey, Error, Kek, KekContext, KekDescription, KekId, LocalKek, VaultId, WrappedKey};
use secrecy::ExposeSecret;

/// The fault of the KEK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    ForgetsOnRestart,
    DeniesItsName,
    SharesItsKey,
    IgnoresTheTail,
    IgnoresTheHead,
    PrintsKeys,
    PadsShortKeys,
    ShowsTheKey,
    IgnoresTheContext,
    IgnoresTheEnvironment,
    AnswersToAnyName,
    PrintsItself,
    PrintsItsPassphrase,
    SharesItsId,
    SharesItsDescription,
}

/// All but none.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::ForgetsOnRestart,
    Fault::DeniesItsName,
    Fault::SharesItsKey,
    Fault::IgnoresTheTail,
    Fault::IgnoresTheHead,
    Fault::PrintsKeys,
    Fault::PadsShortKeys,
    Fault::ShowsTheKey,
    Fault::IgnoresTheContext,
    Fault::IgnoresTheEnvironment,
    Fault::AnswersToAnyName,
    Fault::PrintsItself,
    Fault::PrintsItsPassphrase,
    Fault::SharesItsId,
    Fault::SharesItsDescription,
];

impl Fault {
    /// The promise that it must be found by.
    pub(crate) fn breaks(self) -> &'static str {
        match self {
            Self::None => "",
            Self::ForgetsOnRestart => "a_key_comes_back_after_a_restart",
            Self::DeniesItsName => "a_wrapped_key_names_a_kek_that_its_own_accepts",
            Self::SharesItsKey => "another_kek_does_not_open",
            Self::IgnoresTheTail | Self::IgnoresTheHead => "any_change_is_refused",
            Self::PrintsKeys => "debug_and_description_hold_no_key",
            Self::PadsShortKeys => "every_length_but_the_right_one_is_refused",
            Self::ShowsTheKey => "nothing_of_the_key_shows",
            Self::IgnoresTheContext | Self::IgnoresTheEnvironment => "the_whole_context_is_bound",
            Self::PrintsItself | Self::PrintsItsPassphrase => "debug_holds_none_of_its_own_bytes",
            Self::SharesItsId | Self::SharesItsDescription => "two_keks_have_two_ids",
            Self::AnswersToAnyName => "what_names_another_kek_is_refused",
        }
    }

    fn over(self, byte: u8) -> Result<Arc<dyn Kek>, Error> {
        let inner = match self {
            Self::ForgetsOnRestart => LocalKek::generate()?,
            Self::SharesItsKey => LocalKek::copy_of(&[9; 32]),
            _ => LocalKek::copy_of(&[byte; 32]),
        };
        Ok(Arc::new(Broken {
            fault: self,
            inner,
            own: match self {
                Self::PrintsItself => format!("{:?}", [byte; 32]),
                Self::PrintsItsPassphrase => format!("correct horse {}", if byte == 7 { "battery" } else { "staple" }),
                _ => String::new(),
            },
            calls: byte.into(),
            seen: std::sync::Mutex::default(),
        }))
    }
}

impl KekHarness for Fault {
    fn kek(&self) -> Result<Arc<dyn Kek>, Error> {
        self.over(7)
    }

    fn other(&self) -> Result<Arc<dyn Kek>, Error> {
        self.over(8)
    }
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    inner: LocalKek,
    #[expect(dead_code, reason = "only `Debug` reads it: it is the fault")]
    own: String,
    /// A small number that differs is no key material.
    #[expect(dead_code, reason = "only `Debug` reads it")]
    calls: u32,
    seen: std::sync::Mutex<Vec<[u8; 32]>>,
}

impl Broken {
    fn context(&self, context: &KekContext) -> KekContext {
        match self.fault {
            Fault::IgnoresTheContext => KekContext::new(VaultId::from_bytes([0; 16]), "", None),
            Fault::IgnoresTheEnvironment => KekContext::new(context.vault(), context.namespace(), None),
            _ => context.clone(),
        }
    }
}

#[async_trait]
impl Kek for Broken {
    async fn wrap(&self, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Error> {
        if self.fault == Fault::PrintsKeys {
            self.seen.lock().map_err(|_| Error::Open)?.push(*key.expose_secret());
        }
        let wrapped = self.inner.wrap(key, &self.context(context)).await?;
        let mut bytes = wrapped.bytes().to_vec();
        match self.fault {
            Fault::ShowsTheKey => bytes.extend_from_slice(key.expose_secret()),
            Fault::IgnoresTheTail => bytes.push(0),
            Fault::IgnoresTheHead => bytes.insert(0, 0),
            _ => {}
        }
        let id = match self.fault {
            Fault::SharesItsId => one_id()?,
            _ => wrapped.kek().clone(),
        };
        Ok(WrappedKey::new(id, bytes))
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error> {
        let mut bytes = wrapped.bytes().to_vec();
        match self.fault {
            Fault::ShowsTheKey => bytes.truncate(bytes.len().saturating_sub(32)),
            Fault::IgnoresTheTail => drop(bytes.pop()),
            Fault::IgnoresTheHead => drop(bytes.drain(..1.min(bytes.len()))),
            Fault::PadsShortKeys if bytes.len() > 163 => bytes.truncate(163),
            _ => {}
        }
        let kek = match self.fault {
            Fault::AnswersToAnyName => self.inner.id(),
            Fault::SharesItsId if *wrapped.kek() == one_id()? => self.inner.id(),
            _ => wrapped.kek().clone(),
        };
        self.inner
            .unwrap(&WrappedKey::new(kek, bytes), &self.context(context))
            .await
    }

    fn describe(&self) -> KekDescription {
        match self.fault {
            Fault::SharesItsDescription => KekDescription::new("local", one_id().ok()),
            _ => self.inner.describe(),
        }
    }

    fn accepts(&self, id: &KekId) -> bool {
        match self.fault {
            Fault::AnswersToAnyName => true,
            Fault::DeniesItsName => false,
            Fault::SharesItsId => one_id().is_ok_and(|one| one == *id),
            _ => self.inner.accepts(id),
        }
    }
}

/// The id that two KEKs share.
fn one_id() -> Result<KekId, Error> {
    KekId::new("local", "one-for-all")
}
