//! Recovery after a crash: completes the changes that were about to take something away.
//!
//! A crash between log and store leaves a note without an end. Nobody learned that the change was done, but somebody
//! asked for it. Recovery reads the record of the note as it is now. If it has not changed since, the change is made.
//! If the change is there already, its floor is raised. If others have changed the record further, it is left alone.

use std::sync::Arc;

use ibyok_audit::{Action, is_written};

use crate::base::context::RequestContext;
use crate::base::error::Result;
use crate::changes::{Changes, Edit};
use crate::floor::Note;
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::key::{KeyRecord, Stamp};
use crate::model::settings::SettingsRecord;
use crate::model::take_away::{KeyTakeAway, TakeAway, TokenTakeAway};
use crate::model::token::TokenRecord;
use crate::realm::Realm;
use crate::records::record::Record;

impl Changes {
    /// Ends every note of a process that is gone. One that cannot be ended now stays, and is a warning.
    pub(crate) async fn finish_interrupted(self: &Arc<Self>, actor: &str) {
        let place = self.recorder.log.status().place;
        let notes = match self.records.floors.notes().await {
            Ok(notes) => notes,
            Err(error) => {
                return self
                    .recorder
                    .warn(format!("cannot finish interrupted changes: {error}"));
            }
        };
        for note in notes {
            let ours = note.log() == self.recorder.log.id();
            if !ours && is_written(&place, note.log()).unwrap_or(true) {
                // Its process lives, and is in the middle of it.
                continue;
            }
            if let Err(error) = self.finish(&note, actor).await {
                self.recorder.warn(format!(
                    "cannot finish an interrupted change of record {}: {error}",
                    note.record()
                ));
            }
        }
    }

    async fn finish(self: &Arc<Self>, note: &Note, actor: &str) -> Result<()> {
        let tag = ibyok_crypto::RealmTag::from_bytes(*note.record().collection().realm()).ok();
        let realm = match tag {
            Some(tag) => self.records.realm_by_tag(tag).await?,
            None => None,
        };
        let Some(name) = realm else {
            return self.records.floors.not_done(note.id()).await;
        };
        let Some(realm) = self.records.realm(&name).await? else {
            return self.records.floors.not_done(note.id()).await;
        };
        match note.what() {
            TakeAway::Key(what) => {
                let apply = |record: &mut KeyRecord, stamp: &Stamp| record.take_away(what, stamp);
                self.finish_record(note, &realm, actor, action_on_key(what), apply)
                    .await
            }
            TakeAway::Settings(what) => {
                let apply = |record: &mut SettingsRecord, _: &Stamp| record.take_away(what);
                self.finish_record(note, &realm, actor, Action::SettingsChange, apply)
                    .await
            }
            TakeAway::Token(what) => {
                let apply = |record: &mut TokenRecord, stamp: &Stamp| record.take_away(what, stamp);
                self.finish_record(note, &realm, actor, action_on_token(what), apply)
                    .await
            }
        }
    }

    async fn finish_record<R: Record + Clone>(
        self: &Arc<Self>,
        note: &Note,
        realm: &Realm,
        actor: &str,
        action: Action,
        apply: impl Fn(&mut R, &Stamp) -> bool + Send + Sync,
    ) -> Result<()> {
        let who = Principal::of_recovery(actor, &realm.name.namespace);
        let nowhere = RequestContext::default();
        let mut attempt = Attempt::new(action, self.records.now(), &nowhere);
        attempt.facts.principal = Some(who.who().into_owned());
        attempt.facts.namespace = Some((&realm.name.namespace).into());
        attempt.facts.environment = realm.name.environment.as_ref().map(Into::into);
        attempt.facts.reason = Some("interrupted");
        attempt.facts.version = note.what().version();
        let stamp = Stamp {
            at: attempt.at,
            by: actor.to_owned(),
        };
        let edit = |_: &mut Attempt<'_>, record: Option<R>| {
            let Some(mut record) = record.or_else(R::absent) else {
                return Ok(Edit::Unchanged(()));
            };
            let rev = record.rev();
            Ok(match apply(&mut record, &stamp) {
                false if rev >= note.rev() => Edit::IsAway(()),
                // The record has the noted revision without the noted change: another writer's change won it.
                true if rev <= note.rev() => Edit::TakesAway(record, (), note.what()),
                _ => Edit::Unchanged(()),
            })
        };
        self.change(&mut attempt, &who, realm, *note.record().id(), edit)
            .await?;
        if note.what().destroys() {
            self.records.store.scrub().await?;
        }
        self.records.floors.not_done(note.id()).await
    }
}

/// Returns the action that the change of a key is on the log.
fn action_on_key(what: KeyTakeAway) -> Action {
    match what {
        KeyTakeAway::Disable | KeyTakeAway::DisableVersion(_) => Action::KeyDisable,
        KeyTakeAway::RetireVersion(_) => Action::KeyRetire,
        KeyTakeAway::DestroyVersion(_) => Action::KeyDestroy,
        KeyTakeAway::Remove => Action::KeyRemove,
        KeyTakeAway::Live(_) => Action::KeyMode,
        KeyTakeAway::Compromise { .. } => Action::IncidentOpen,
    }
}

/// Returns the action that the change of a token is on the log.
fn action_on_token(what: TokenTakeAway) -> Action {
    match what {
        TokenTakeAway::Revoke { .. } => Action::TokenRevoke,
        TokenTakeAway::Supersede { .. } => Action::TokenRotate,
    }
}

#[cfg(test)]
mod tests {
    use ibyok_audit::FileSink;
    use ibyok_crypto::{LocalKek, Secret};
    use ibyok_storage::{MemoryStore, RecordId};

    use super::*;
    use crate::model::kind;
    use crate::realm::RealmName;
    use crate::{Code, KeyRef, Vault};

    struct Scene {
        store: MemoryStore,
        scratch: tempfile::TempDir,
        key: KeyRef,
    }

    impl Scene {
        async fn new() -> (Self, Vault) {
            let scratch = tempfile::tempdir().unwrap();
            let kek = LocalKek::create_file(&scratch.path().join("kek")).unwrap();
            let store = MemoryStore::new();
            let sink = FileSink::open(scratch.path().join("audit")).await.unwrap();
            let vault = Vault::builder()
                .store(store.clone())
                .kek(kek)
                .audit(sink)
                .create()
                .await
                .unwrap();
            let scene = Scene {
                store,
                scratch,
                key: "prod/openai".parse().unwrap(),
            };
            vault
                .operator("test")
                .keys()
                .set(&scene.key, Secret::copy_of(b"sk"))
                .await
                .unwrap();
            (scene, vault)
        }

        /// The same after a crash: the process that wrote the notes is gone.
        async fn restart(&self, vault: Vault) -> Vault {
            vault.close().await.unwrap();
            drop(vault);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let kek = LocalKek::from_file(&self.scratch.path().join("kek")).unwrap();
            let sink = FileSink::open(self.scratch.path().join("audit")).await.unwrap();
            Vault::builder()
                .store(self.store.clone())
                .kek(kek)
                .audit(sink)
                .open()
                .await
                .unwrap()
        }

        async fn record(&self, vault: &Vault) -> RecordId {
            let name = RealmName {
                namespace: Default::default(),
                environment: Some(self.key.environment().clone()),
            };
            let realm = vault.inner.records.realm(&name).await.unwrap().unwrap();
            realm.record(kind::KEY, realm.keys.record_id("openai")).unwrap()
        }

        async fn read(&self, vault: &Vault) -> Result<(), Code> {
            vault
                .operator("test")
                .retrieve(&self.key)
                .await
                .map(|_| ())
                .map_err(|error| error.code())
        }
    }

    #[tokio::test]
    async fn what_was_noted_and_not_put_is_put_at_the_next_start() {
        let (scene, vault) = Scene::new().await;
        let record = scene.record(&vault).await;
        vault
            .inner
            .records
            .floors
            .note(&record, 2, KeyTakeAway::Disable.into())
            .await
            .unwrap();
        assert_eq!(scene.read(&vault).await, Ok(()));
        let vault = scene.restart(vault).await;
        assert_eq!(scene.read(&vault).await, Err(Code::KeyDisabled));
        assert_eq!(vault.inner.records.floors.of(&record).await.unwrap(), Some(2));
        assert!(vault.inner.records.floors.notes().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_was_put_and_not_ended_gets_its_floor() {
        let (scene, vault) = Scene::new().await;
        let record = scene.record(&vault).await;
        let note = vault
            .inner
            .records
            .floors
            .note(&record, 2, KeyTakeAway::Disable.into())
            .await
            .unwrap();
        vault.inner.records.floors.not_done(&note).await.unwrap();
        let stale = vault
            .inner
            .records
            .floors
            .note(&record, 2, KeyTakeAway::Disable.into())
            .await
            .unwrap();
        vault.operator("test").keys().disable(&scene.key).await.unwrap();
        assert!(
            vault
                .inner
                .records
                .floors
                .notes()
                .await
                .unwrap()
                .iter()
                .any(|note| note.id() == &stale)
        );
        let vault = scene.restart(vault).await;
        assert_eq!(vault.inner.records.floors.of(&record).await.unwrap(), Some(2));
        assert!(vault.inner.records.floors.notes().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_others_made_of_it_since_is_left_alone() {
        let (scene, vault) = Scene::new().await;
        let record = scene.record(&vault).await;
        vault
            .inner
            .records
            .floors
            .note(&record, 2, KeyTakeAway::Remove.into())
            .await
            .unwrap();
        let operator = vault.operator("test");
        operator.keys().remove(&scene.key).await.unwrap();
        operator
            .keys()
            .set(&scene.key, Secret::copy_of(b"made anew"))
            .await
            .unwrap();
        let vault = scene.restart(vault).await;
        assert_eq!(scene.read(&vault).await, Ok(()), "the key that was made later stands");
        assert!(vault.inner.records.floors.notes().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_note_that_cannot_be_finished_is_a_warning_and_no_obstacle() {
        let (scene, vault) = Scene::new().await;
        let record = scene.record(&vault).await;
        vault
            .inner
            .records
            .floors
            .note(&record, 2, KeyTakeAway::Disable.into())
            .await
            .unwrap();
        vault.inner.records.floors.raise(&record, 9).await.unwrap();
        let vault = scene.restart(vault).await;
        let warnings = vault.status().await.unwrap().warnings;
        assert!(
            warnings.iter().any(|warning| warning.contains(&record.to_string())),
            "{warnings:?}"
        );
        assert_eq!(vault.inner.records.floors.notes().await.unwrap().len(), 1);
    }
}
