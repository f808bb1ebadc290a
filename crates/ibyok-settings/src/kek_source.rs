//! The KEKs of a running program, read again from the vault's file when the file changes.

use async_trait::async_trait;
use ibyok_core::{Result, kek::Keyring, keks::KekSource};
use tokio::sync::Mutex;

use crate::given::Given;
use crate::kek::{KekChoice, Place};
use crate::keks::{KekChoices, Slot, ring_of};
use crate::settings::{FILE, Settings};

/// Gives a running vault the KEKs that its settings choose now. A passphrase that a person typed is not asked for again.
#[derive(Debug)]
pub(crate) struct SettingsKeks {
    settings: Settings,
    vault: String,
    held: Mutex<Vec<Slot>>,
}

impl SettingsKeks {
    pub(crate) fn new(settings: &Settings, vault: &str, held: Vec<Slot>) -> Self {
        SettingsKeks {
            settings: settings.clone(),
            vault: vault.to_owned(),
            held: Mutex::new(held),
        }
    }

    /// The KEKs of the settings as they are now.
    async fn now(&self, held: &[Slot]) -> Result<Vec<Slot>> {
        let file = Given::from_file(&self.settings.directory.join(FILE))?;
        let choices = KekChoices::resolve(&self.settings.given.or(&file))?;
        let place = Place {
            config: &self.settings.config,
            vault: &self.vault,
        };
        let mut slots = choices.open(place, None, held).await?;
        // A passphrase file may have a new passphrase while some keys are still wrapped under the old one.
        let is_same_file = |old: &Slot| {
            let is_passphrase = matches!(old.choice, KekChoice::Passphrase(Some(_)));
            is_passphrase
                && slots
                    .iter()
                    .any(|new| new.whose == old.whose && new.choice == old.choice && new.key != old.key)
        };
        let earlier: Vec<Slot> = held.iter().filter(|old| is_same_file(old)).cloned().collect();
        slots.extend(earlier);
        Ok(slots)
    }
}

#[async_trait]
impl KekSource for SettingsKeks {
    async fn keyring(&self) -> Option<Keyring> {
        let mut held = self.held.lock().await;
        let slots = match self.now(&held).await {
            Ok(slots) => slots,
            Err(error) => {
                tracing::warn!(%error, "cannot read the KEKs of the settings again; the program goes on with those that it has");
                return None;
            }
        };
        let of = |slots: &[Slot]| -> Vec<_> {
            let parts = slots
                .iter()
                .map(|slot| (slot.whose.clone(), slot.key.clone(), slot.kek.is_some()));
            parts.collect()
        };
        if of(&slots) == of(&held) {
            return None;
        }
        let ring = ring_of(&slots);
        *held = slots;
        Some(ring)
    }
}
