//! The environments of a namespace, by name.

use std::sync::Arc;

use super::Records;
use super::damage::DamagedRecord;
use super::tags::Tags;
use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::model::name::{EnvironmentName, Namespace};
use crate::realm::tags::{TagBody, list_tags, tag_record};
use crate::realm::{Realm, RealmName};
use ibyok_crypto::RealmTag;
use std::sync::PoisonError;

impl Records {
    /// Returns the realm of a tag, if this store gave that tag out. Reads the store only while its tags are not known
    /// yet.
    pub(crate) async fn realm_by_tag(&self, tag: RealmTag) -> Result<Option<Arc<RealmName>>> {
        let tags = self.tags().await?;
        if tags.damaged.contains(&tag_record(tag)) {
            return tags.damage().map_or(Ok(None), Err);
        }
        Ok(tags.by_tag.get(&tag).cloned())
    }

    /// Returns every realm of the store. They are read once, and again after the feed reported a new one.
    pub(crate) async fn tags(&self) -> Result<Arc<Tags>> {
        if let Some(tags) = self.realms.tags.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Ok(Arc::clone(tags));
        }
        Box::pin(self.read_tags()).await
    }

    async fn read_tags(&self) -> Result<Arc<Tags>> {
        let epoch = self.cache.epoch();
        let listed = list_tags(self.vault, self.store.as_ref()).await?;
        self.remember_damaged_tags(&listed.damaged);
        let lost = self.lost_realms(&listed).await?;
        self.remember_lost(lost.keys());
        let tags = Arc::new(Tags::of(listed, lost));
        let mut kept = self.realms.tags.write().unwrap_or_else(PoisonError::into_inner);
        if self.cache.epoch() == epoch {
            *kept = Some(Arc::clone(&tags));
        }
        Ok(tags)
    }

    /// True if the store has a finished tag of the realm now, so that the record of the realm has to be there.
    pub(crate) async fn is_made(&self, name: &RealmName) -> Result<bool> {
        for (tag, of) in self.tags().await?.iter() {
            if **of != *name {
                continue;
            }
            let stored = self.store.get(&tag_record(tag)).await?;
            let body = stored.and_then(|stored| TagBody::parse(&stored.bytes));
            if body.is_some_and(|body| !body.unfinished && body.name() == *name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The realm of an environment, or an error that suggests the nearest name.
    pub(crate) async fn environment_realm(
        &self,
        namespace: &Namespace,
        environment: &EnvironmentName,
    ) -> Result<Arc<Realm>> {
        let name = RealmName {
            namespace: namespace.clone(),
            environment: Some(environment.clone()),
        };
        if let Some(realm) = self.realm(&name).await? {
            return Ok(realm);
        }
        Err(Box::pin(self.no_environment(namespace, environment)).await)
    }

    /// A namespace, as results name it: not at all where it is the home.
    pub(crate) fn not_home(&self, namespace: &Namespace) -> Option<Namespace> {
        (*namespace != self.home.name.namespace).then(|| namespace.clone())
    }

    /// Something of a namespace, as errors name it: with the namespace where it is not the home.
    pub(crate) fn named_in(&self, namespace: &Namespace, what: String) -> String {
        match self.not_home(namespace) {
            None => what,
            Some(namespace) => format!("{what} of namespace `{namespace}`"),
        }
    }

    async fn no_environment(&self, namespace: &Namespace, environment: &EnvironmentName) -> Error {
        let known = match self.environment_names(namespace).await {
            Ok(names) => names,
            Err(error) => return error,
        };
        // The wanted environment may be the one with the damaged record.
        match self.tags().await.map(|tags| tags.damage()) {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return error,
        }
        let known: Vec<&str> = known.iter().map(EnvironmentName::as_str).collect();
        let nearest = known
            .iter()
            .map(|name| (strsim::damerau_levenshtein(name, environment.as_str()), *name))
            .filter(|(distance, _)| *distance <= 2)
            .min();
        let hint = match nearest {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None if known.is_empty() => format!("namespace `{namespace}` has no environments"),
            None => format!("the environments are: {}", known.join(", ")),
        };
        Error::NotFound {
            what: self.named_in(namespace, format!("environment `{environment}`")),
            hint: Some(hint.into()),
        }
    }

    /// The record of a realm that does not open, for a list.
    ///
    /// # Errors
    /// The error itself, unless it is the record's own.
    pub(crate) fn damaged_realm(&self, name: &RealmName, error: Error) -> Result<DamagedRecord> {
        let damage = match error {
            Error::Integrity { damage, .. } => damage,
            Error::Kek { .. } => Damage::Kek,
            error => return Err(error),
        };
        Ok(DamagedRecord::of_realm(name, &name.record_id(self.vault), damage))
    }

    /// The environments of a namespace, in order.
    pub(crate) async fn environment_names(&self, namespace: &Namespace) -> Result<Vec<EnvironmentName>> {
        let realms = self.realms_of(namespace).await?;
        Ok(realms.iter().filter_map(|realm| realm.environment.clone()).collect())
    }

    /// Every realm of a namespace in order, the whole one first.
    pub(crate) async fn realms_of(&self, namespace: &Namespace) -> Result<Vec<Arc<RealmName>>> {
        let tags = self.tags().await?;
        let expected = tags.expected().into_iter();
        Ok(expected.filter(|realm| &realm.namespace == namespace).collect())
    }

    /// The realm that spans a namespace's environments.
    pub(crate) async fn whole_realm(&self, namespace: &Namespace) -> Result<Arc<Realm>> {
        let name = RealmName {
            namespace: namespace.clone(),
            environment: None,
        };
        if let Some(realm) = self.realm(&name).await? {
            return Ok(realm);
        }
        // The record that names the namespace may be the one that is damaged.
        Err(self.tags().await?.damage().unwrap_or_else(|| no_namespace(namespace)))
    }
}

pub(crate) fn no_namespace(name: &Namespace) -> Error {
    Error::NotFound {
        what: format!("namespace `{name}`"),
        hint: Some(Remedy::ListNamespaces),
    }
}
