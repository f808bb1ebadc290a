//! The realms of a list over environments: one that is damaged hides none of the others.

use std::sync::Arc;

use ibyok_policy::Environments;
use serde::Serialize;

use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, Result};
use crate::gate::Gate;
use crate::gate::principal::Principal;
use crate::model::name::EnvironmentName;
use crate::realm::{Realm, RealmName};
use crate::records::damage::DamagedRecord;
use crate::records::page::{Filling, Page};

/// The realms of a list, as far as they open.
#[derive(Debug, Default)]
pub(crate) struct OpenRealms {
    /// The realms that open, in order.
    pub(crate) realms: Vec<Arc<Realm>>,
    /// The records of the others, as far as the caller may know of them.
    pub(crate) damaged: Vec<DamagedRecord>,
    /// True if the list may lack something because of a damaged record.
    pub(crate) incomplete: bool,
}

impl OpenRealms {
    /// The one realm that is asked for.
    pub(crate) fn one(realm: Arc<Realm>) -> Self {
        OpenRealms {
            realms: vec![realm],
            ..OpenRealms::default()
        }
    }

    /// Adds a damaged record that hides an item of the list.
    pub(crate) fn push(&mut self, record: DamagedRecord) {
        self.damaged.push(record);
        self.incomplete = true;
    }

    /// Adds the damaged records to the first page of a list.
    pub(crate) fn note<T: Serialize>(&self, page: &mut Filling<T>) {
        self.damaged
            .iter()
            .cloned()
            .for_each(|record| page.push_damaged(record));
        if self.incomplete {
            page.may_be_incomplete();
        }
    }

    /// A list in one page, with the damaged records of these realms.
    pub(crate) fn page<T>(self, items: Vec<T>) -> Page<T> {
        Page {
            items,
            next: None,
            damaged: self.damaged,
            incomplete: self.incomplete,
        }
    }

    /// The gaps that the damaged records make, in words.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let named = self
            .damaged
            .iter()
            .map(|record| format!("{} {}", record.place(), record.damaged));
        let mut unseen: Vec<String> = named.collect();
        if unseen.is_empty() && self.incomplete {
            unseen.push("the record of an environment is damaged".to_owned());
        }
        unseen
    }

    /// The error for a search without a result that a damaged environment may hold. It names the environments that
    /// the caller may know of.
    pub(crate) fn not_searched(&self, what: &str) -> Option<Error> {
        let Some(first) = self.damaged.first() else {
            let text = format!(
                "{what} is not in the environments that open, and the search was incomplete: the record of an environment"
            );
            let error = Error::damaged(text, Damage::DoesNotOpen).about(Affected::Environment);
            return self.incomplete.then_some(error);
        };
        let places: Vec<String> = self.damaged.iter().map(DamagedRecord::place).collect();
        let (were, record) = match places.len() {
            1 => ("was", "the record"),
            _ => ("were", "the first record"),
        };
        let places = places.join(", ");
        let text = format!("{what} is not in the environments that open, and {places} {were} not searched: {record}");
        Some(Error::damaged(text, first.damaged).about(first.affected()))
    }
}

/// Returns true if a principal may know of a damaged realm: a token only of an environment that it reaches.
fn may_know(principal: &Principal, name: &RealmName) -> bool {
    match (principal, &name.environment) {
        (Principal::Operator(_), _) | (Principal::Token(_), None) => true,
        (Principal::Token(holder), Some(environment)) => holder.reaches(environment),
    }
}

impl Gate {
    /// Opens the realms of some environments for a list. Names the damaged ones with the others.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store or the KEK does not answer.
    pub(crate) async fn open_environments(
        &self,
        principal: &Principal,
        environments: Vec<EnvironmentName>,
    ) -> Result<OpenRealms> {
        let namespace = principal.namespace();
        let mut names = Vec::with_capacity(environments.len());
        for environment in environments {
            names.push(RealmName {
                namespace: namespace.clone(),
                environment: Some(environment),
            });
        }
        self.open_each(principal, names).await
    }

    /// Opens every realm of a principal's namespace in which it may see tokens: for a token of one environment that one alone.
    ///
    /// # Errors
    /// As [`Gate::open_environments`].
    pub(crate) async fn realms_for(&self, principal: &Principal) -> Result<OpenRealms> {
        if let Principal::Token(holder) = principal
            && holder.realm().name.environment.is_some()
        {
            return Ok(OpenRealms::one(Arc::clone(holder.realm())));
        }
        let names = self.records.realms_of(principal.namespace()).await?;
        let names: Vec<RealmName> = names.iter().map(|name| RealmName::clone(name)).collect();
        self.open_each(principal, names).await
    }

    async fn open_each(&self, principal: &Principal, names: Vec<RealmName>) -> Result<OpenRealms> {
        let mut opened = OpenRealms::default();
        for name in names {
            match self.records.realm(&name).await {
                // One that was removed meanwhile is no part of the list.
                Ok(realm) => opened.realms.extend(realm),
                Err(error) => {
                    let damaged = self.records.damaged_realm(&name, error)?;
                    if may_know(principal, &name) {
                        opened.damaged.push(damaged);
                    }
                }
            }
        }
        opened.incomplete = !opened.damaged.is_empty();
        self.add_unnamed(principal, &mut opened).await?;
        Ok(opened)
    }

    /// Adds records of realms whose names are lost. A token learns that something may be missing, if that can be one
    /// of its own.
    async fn add_unnamed(&self, principal: &Principal, opened: &mut OpenRealms) -> Result<()> {
        let tags = self.records.tags().await?;
        let lost = tags.lost().filter(|(_, name)| name.is_none());
        let lost = lost.map(|(id, _)| DamagedRecord::unnamed(id, Damage::Missing));
        let unnamed = tags
            .damaged()
            .iter()
            .map(|id| DamagedRecord::unnamed(id, Damage::DoesNotOpen));
        let unnamed: Vec<DamagedRecord> = unnamed.chain(lost).collect();
        if unnamed.is_empty() {
            return Ok(());
        }
        let holder = match principal {
            Principal::Operator(_) => {
                opened.damaged.extend(unnamed);
                opened.incomplete = true;
                return Ok(());
            }
            Principal::Token(holder) => holder,
        };
        let known = self.records.environment_names(principal.namespace()).await?;
        let is_known = |name: &String| known.iter().any(|known| known.as_str() == name);
        opened.incomplete |= holder.realm().name.environment.is_none()
            && match &holder.held().record.grant.environments {
                Environments::All => true,
                Environments::Named(names) => !names.iter().all(is_known),
            };
        Ok(())
    }
}
