//! Lists of keys: the keys that `decide` allows, and no others, on every path to a list.

use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::Scope;
use ibyok_storage::RecordId;

use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::gate::told::Told;
use crate::gate::verb_class::VerbClass;
use crate::model::key::KeyRecord;
use crate::model::key_info::KeyInfo;
use crate::model::key_ref::KeyRef;
use crate::model::kind;
use crate::model::name::{EnvironmentName, KeyId, base62, from_base62};
use crate::realm::Realm;
use crate::records::damage::DamagedRecord;
use crate::records::page::{Filling, Page, PageRequest};
use crate::uses::last::LastUses;
use crate::vault::handles::KeyVerbs;

impl KeyVerbs<'_> {
    /// Lists the keys that this session may see, of one environment or of all, in no order that means anything.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`] if nothing could ever be seen, [`Error::Invalid`] for a page that was
    /// never given out, [`Error::NotFound`] for an environment that does not exist, [`Error::Unavailable`].
    pub async fn list(self, environment: Option<&EnvironmentName>, page: &PageRequest) -> Result<Page<KeyInfo>> {
        let mut attempt = self.session.attempt(Action::KeyList);
        let outcome = self.try_list(&mut attempt, environment, page).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_list(
        self,
        attempt: &mut Attempt<'_>,
        environment: Option<&EnvironmentName>,
        page: &PageRequest,
    ) -> Result<Page<KeyInfo>> {
        let principal = self.session.authenticate(attempt).await?;
        let namespace = principal.namespace().clone();
        attempt.facts.environment = environment.map(Into::into);
        let environments = match environment {
            Some(environment) => {
                self.session.inner.gate.allowed_for_some_key(
                    attempt,
                    &principal,
                    Scope::KeysList,
                    &namespace,
                    environment,
                )?;
                Vec::new()
            }
            None => {
                self.session
                    .inner
                    .gate
                    .environments_allowed(attempt, &principal, Scope::KeysList, &namespace)
                    .await?
            }
        };
        let cursor = page.after.as_deref().map(Cursor::parse).transpose()?;
        let mut filling = Filling::new(page);
        let realms = match environment {
            Some(environment) => vec![
                self.session
                    .inner
                    .records
                    .environment_realm(&namespace, environment)
                    .await?,
            ],
            None => {
                let opened = self
                    .session
                    .inner
                    .gate
                    .open_environments(&principal, environments)
                    .await?;
                if cursor.is_none() {
                    opened.note(&mut filling);
                }
                opened.realms
            }
        };
        for realm in realms {
            let Some(environment) = realm.name.environment.clone() else {
                continue;
            };
            let after = match &cursor {
                Some(cursor) if environment < cursor.environment => continue,
                Some(cursor) if environment == cursor.environment => Some(cursor.id),
                _ => None,
            };
            let asked = Asked {
                scope: Scope::KeysList,
                attempt,
                principal: &principal,
                environment: &environment,
                last_use: page.last_use,
            };
            if let Some(last) = self.collect(&asked, &realm, after, &mut filling).await? {
                return Ok(filling.page(Some(Cursor { environment, id: last }.print())));
            }
        }
        Ok(filling.page(None))
    }

    /// Adds the keys of one environment that may be seen; returns the last id that was read if the page is full.
    async fn collect(
        self,
        asked: &Asked<'_>,
        realm: &Arc<Realm>,
        after: Option<[u8; 16]>,
        page: &mut Filling<KeyInfo>,
    ) -> Result<Option<[u8; 16]>> {
        if asked.last_use {
            self.session.inner.usage.flush_usage().await?;
        }
        let mut last_uses = self.session.inner.usage.last_uses(realm);
        let walk = self.session.inner.records.walk_records::<KeyRecord>(realm, after)?;
        let mut walk = walk.at_most(page.room());
        while let Some(met) = walk.next_live_keys().await? {
            for (id, record) in met {
                match record {
                    Ok(record) => {
                        if let Some(mut info) = self.shown(asked, realm, &id, &record).await {
                            self.add_last_use(asked, &mut last_uses, realm, &mut info).await?;
                            page.push(info);
                        }
                    }
                    Err(damage) => self.add_damaged(asked, realm, &id, damage, page),
                }
                if page.is_full() {
                    return Ok(Some(*id.id()));
                }
            }
        }
        Ok(None)
    }

    /// Adds when a key was last used, if that is asked for and may be known.
    async fn add_last_use(
        self,
        asked: &Asked<'_>,
        last_uses: &mut LastUses<'_>,
        realm: &Arc<Realm>,
        info: &mut KeyInfo,
    ) -> Result<()> {
        let may = |scope| {
            let (who, name) = (asked.principal, &realm.name);
            self.session
                .inner
                .gate
                .could(asked.attempt, who, scope, name, Some(&info.name))
        };
        if asked.last_use && (may(Scope::UsageRead) || may(Scope::KeysRotate)) {
            info.last_used = Some(last_uses.of_key(info.id).await?);
        }
        Ok(())
    }

    fn add_damaged(self, asked: &Asked<'_>, realm: &Realm, id: &RecordId, damage: Damage, page: &mut Filling<KeyInfo>) {
        match self
            .session
            .inner
            .gate
            .told_of_key(asked.attempt, asked.principal, asked.scope, realm, id)
        {
            Told::All => page.push_damaged(DamagedRecord::of::<KeyRecord>(realm, id, damage)),
            Told::MayBeIncomplete => page.may_be_incomplete(),
            Told::Nothing => {}
        }
    }

    /// Returns a key as a list shows it; `None` if the principal may not see it.
    async fn shown(self, asked: &Asked<'_>, realm: &Arc<Realm>, id: &RecordId, record: &KeyRecord) -> Option<KeyInfo> {
        let namespace = &realm.name.namespace;
        let key = Some(&record.name);
        let environment = Some(asked.environment);
        self.session
            .inner
            .gate
            .allowed(asked.attempt, asked.principal, asked.scope, namespace, environment, key)
            .ok()?;
        let mut info = record.summary(&realm.key_at(asked.environment, &record.name, KeyId(*id.id())));
        self.session.inner.modes.tell_mode(realm, &mut info).await;
        Some(info)
    }

    /// A key by its id, as a list shows it.
    ///
    /// # Errors
    /// [`Error::Integrity`] for a damaged record, if the caller may know of it.
    async fn visible(self, asked: &Asked<'_>, realm: &Arc<Realm>, id: &RecordId) -> Result<Option<KeyInfo>> {
        match self.session.inner.records.read_live_key(realm, id).await {
            Ok(Some(held)) => Ok(self.shown(asked, realm, id, &held.record).await),
            Ok(None) => Ok(None),
            Err(error @ Error::Integrity { .. }) => {
                let told = self
                    .session
                    .inner
                    .gate
                    .told_of_key(asked.attempt, asked.principal, asked.scope, realm, id);
                match told {
                    Told::All => Err(error),
                    Told::MayBeIncomplete | Told::Nothing => Ok(None),
                }
            }
            Err(error) => Err(error),
        }
    }
}

struct Asked<'a> {
    scope: Scope,
    attempt: &'a Attempt<'a>,
    principal: &'a Principal,
    environment: &'a EnvironmentName,
    last_use: bool,
}

/// The place where a list continues: opaque to callers.
struct Cursor {
    environment: EnvironmentName,
    id: [u8; 16],
}

impl Cursor {
    fn print(&self) -> String {
        format!("{}.{}", self.environment, base62(self.id))
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid_name("page", text, "the `next` of the previous page");
        let (environment, id) = text.split_once('.').ok_or_else(wrong)?;
        let environment = environment.parse().map_err(|_| wrong())?;
        Ok(Cursor {
            environment,
            id: from_base62(id).ok_or_else(wrong)?,
        })
    }
}

impl KeyVerbs<'_> {
    /// Finds the reference of a key by its id alone, in each environment in which this session may list or read it.
    ///
    /// # Errors
    /// [`Error::NotFound`] (to a token [`Error::Denied`]) if no environment has it; else as [`KeyVerbs::list`](crate::keys::KeyVerbs::list).
    pub async fn find(self, id: KeyId) -> Result<KeyRef> {
        let mut attempt = self.session.attempt(Action::KeyShow);
        attempt.facts.key_id = Some(id.into());
        attempt.limits.class = VerbClass::Lookup;
        let outcome = self.try_find(&mut attempt, id).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_find(self, attempt: &mut Attempt<'_>, id: KeyId) -> Result<KeyRef> {
        let principal = self.session.authenticate(attempt).await?;
        for scope in [Scope::KeysRead, Scope::KeysList] {
            match self.find_by(attempt, &principal, scope, id).await {
                Ok(Some(key)) => return Ok(key),
                // Under the other scope it may be found.
                Ok(None) | Err(Error::Denied { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match principal {
            Principal::Token(_) => Err(Error::denied("key", "the token's grant does not include the key")),
            Principal::Operator { .. } => Err(Error::NotFound {
                what: format!("key `{id}`"),
                hint: None,
            }),
        }
    }

    async fn find_by(
        self,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        id: KeyId,
    ) -> Result<Option<KeyRef>> {
        let namespace = principal.namespace().clone();
        let allowed = self
            .session
            .inner
            .gate
            .environments_allowed(attempt, principal, scope, &namespace)
            .await?;
        let opened = self.session.inner.gate.open_environments(principal, allowed).await?;
        for realm in &opened.realms {
            let Some(environment) = realm.name.environment.clone() else {
                continue;
            };
            let asked = Asked {
                scope,
                attempt,
                principal,
                environment: &environment,
                last_use: false,
            };
            if let Some(info) = self.visible(&asked, realm, &realm.record(kind::KEY, id.0)?).await? {
                attempt.facts.environment = Some((&environment).into());
                attempt.facts.key = Some((&info.name).into());
                return Ok(Some(KeyRef::new(environment, info.name)));
            }
        }
        opened.not_searched(&format!("key `{id}`")).map_or(Ok(None), Err)
    }
}
