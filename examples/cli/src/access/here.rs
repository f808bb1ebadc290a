//! The vault of this machine.

use std::path::PathBuf;

use async_trait::async_trait;
use ibyok_api as api;
use ibyok_api::Document;
use ibyok_core::{
    AccessToken, EnvironmentName, KeyRef, Namespace, Released, Session, TokenRequest, Vault,
    audit::{AuditFollow, Filter, Lines, Proof, WholeLog},
    incidents::IncidentRequest,
    jiff::Timestamp,
    keys::{Condition, FieldName, KeyEdit, KeyId, KeyWrite, WhichVersion},
    modes::Mode,
    namespaces::Namespaces,
    pages::{Page, PageRequest},
    policy::Rate,
    tokens::TokenRotation,
    usage::UsageRequest,
};
use ibyok_core::{
    incidents::{IfStillServed, IncidentsShown},
    keys::IfExists,
    tokens::Descendants,
};
use ibyok_operations::incidents::{IncidentReportExt as _, Opened};
use ibyok_operations::reviews::{ReviewExt as _, ReviewHabits, ReviewRequest, ReviewVerbs};
use ibyok_operations::rotation::DueExt as _;
use ibyok_operations::tokens::TokenReviewExt as _;
use ibyok_settings::Passphrase;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Access, Drain, Fetched, IssuedToken, Listed, Step};
use crate::error::{Error, Result};
use crate::globals::{Environment, Globals};
use crate::identity::{Who, operator_name};

/// The number of items in a page of a list.
const PAGE: usize = 1000;

/// The vault of this machine, as its operator or a token's holder sees it.
pub(crate) struct Here {
    /// The vault.
    pub(crate) vault: Vault,
    /// The vault as who it is.
    pub(crate) session: Session,
    /// The whole audit log, for an operator who chose no other namespace than the vault's home.
    whole_log: Option<WholeLog>,
    /// The operator's name; `None` for a token.
    operator: Option<String>,
    /// The namespace that references are in unless they name one.
    namespace: Namespace,
    /// Why it is who it is, for `whoami`.
    why: String,
    /// The file of the KEK, where that is one.
    pub(crate) kek_file: Option<PathBuf>,
    /// The way in which the log is reviewed.
    pub(crate) review: ReviewHabits,
}

impl Here {
    /// Returns the whole audit log, for an operator who chose no other namespace than the vault's home.
    pub(crate) fn whole_log(&self) -> Option<&WholeLog> {
        self.whole_log.as_ref()
    }

    /// Opens the vault that the settings name.
    ///
    /// # Errors
    /// The errors of the settings and the vault.
    pub(crate) async fn open(globals: &Globals, environment: &Environment, who: Who) -> Result<Self> {
        Here::open_as(globals, environment, who, false).await
    }

    /// Opens the vault that the settings name, and with `rebuild` rebuilds its floors from the records that are
    /// there.
    ///
    /// # Errors
    /// As [`Here::open`].
    pub(crate) async fn open_as(globals: &Globals, environment: &Environment, who: Who, rebuild: bool) -> Result<Self> {
        let mut settings = crate::settings::resolve(globals, environment)?;
        settings.one_command = true;
        let ask = crate::settings::ask();
        let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
        let vault = match rebuild {
            true => settings.open_rebuilding_floors(&operator_name(), ask).await?,
            false => settings.open(&operator_name(), ask).await?,
        };
        let namespace = settings.namespace.clone();
        let kek_file = settings.kek_place(&vault.id());
        let is_token = matches!(&who, Who::Token(..));
        let operator = match &who {
            Who::Operator(name) => Some(name.clone()),
            Who::Token(..) => None,
        };
        let whole_log = match &who {
            Who::Operator(name) if namespace == Namespace::default() => Some(vault.whole_log(name.clone())),
            Who::Operator(_) | Who::Token(..) => None,
        };
        let (session, why) = match who {
            Who::Operator(name) => (
                vault.operator(name).in_namespace(namespace.clone())?,
                "you can open the vault, so you are its operator".to_owned(),
            ),
            Who::Token(token, why) => (vault.as_token(&token), format!("{why} holds an access token")),
        };
        // A token stays in its own namespace: another one that was asked for is not to be mistaken for it.
        if is_token && namespace != Namespace::default() {
            super::same_namespace(session.whoami().await?.namespace.as_str(), namespace.as_str())?;
        }
        Ok(Here {
            vault,
            session,
            whole_log,
            operator,
            namespace,
            why,
            kek_file,
            review: settings.review,
        })
    }

    /// The namespaces of the vault, for an operator.
    pub(crate) async fn namespaces(&self) -> Result<Namespaces> {
        if let Some(name) = &self.operator {
            return Ok(self.vault.namespaces(name.clone()));
        }
        // The error for an invalid token comes first.
        self.session.whoami().await?;
        Err(Error::Vault(ibyok_core::Error::Denied {
            limit: "operator",
            reason: "only an operator may do this".to_owned(),
        }))
    }

    /// Returns the verbs on reviews: of the whole log, or of the namespace that was chosen.
    fn reviews(&self) -> ReviewVerbs<'_> {
        match &self.whole_log {
            Some(log) => log.reviews(),
            None => self.session.reviews(),
        }
    }

    /// The lines of the audit log that a filter wants: of the whole log, or of the namespace that was chosen.
    pub(crate) async fn audit_lines(&self, filter: &Filter) -> Result<Lines> {
        Ok(match &self.whole_log {
            Some(log) => log.lines(filter).await?,
            None => self.session.audit().lines(filter).await?,
        })
    }

    /// The same lines from now on.
    pub(crate) async fn follow_audit(&self, filter: &Filter) -> Result<AuditFollow> {
        Ok(match &self.whole_log {
            Some(log) => log.follow(filter).await?,
            None => self.session.audit().follow(filter).await?,
        })
    }

    /// The proof of one of those lines.
    pub(crate) async fn prove_line(&self, log: Option<&str>, seq: u64) -> Result<Proof> {
        Ok(match &self.whole_log {
            Some(whole) => whole.prove(log, seq).await?,
            None => self.session.audit().prove(log, seq).await?,
        })
    }

    /// Returns the text before `env/name` in a written reference: nothing in the default namespace.
    pub(crate) fn namespace_part(&self) -> String {
        if self.namespace == Namespace::default() {
            String::new()
        } else {
            format!("{}/", self.namespace)
        }
    }
}

#[async_trait(?Send)]
impl Access for Here {
    fn only_if_version(&mut self, version: u32) {
        self.session = self.session.clone().only_if(Condition::Version(version));
    }

    async fn whoami(&self) -> Result<Document<api::WhoAmI>> {
        let mut whoami = document(&self.session.whoami().await?)?;
        if let Value::Object(map) = &mut whoami {
            map.insert("vault".to_owned(), json!(self.vault.id()));
            map.insert("why".to_owned(), json!(self.why));
        }
        read(&whoami)
    }

    async fn find(&self, id: &KeyId) -> Result<KeyRef> {
        Ok(self.session.keys().find(*id).await?)
    }

    async fn retrieve(&self, key: &KeyRef) -> Result<Fetched> {
        fetched(self.session.retrieve(key).await?, key.field())
    }

    async fn retrieve_by_id(&self, id: &KeyId, version: WhichVersion, field: Option<FieldName>) -> Result<Fetched> {
        let key = self.find(id).await?.at_version(version).with_field(field);
        self.retrieve(&key).await
    }

    async fn write(&self, key: &KeyRef, write: KeyWrite, new: bool) -> Result<Document<api::Written>> {
        let written = if new {
            self.session.keys().add(key, write).await
        } else {
            self.session.keys().set(key, write).await
        };
        read(&written?)
    }

    async fn show(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().show(key).await?)
    }

    async fn list(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::KeyInfo>> {
        let mut all = Pages::new();
        while let Some(request) = all.request() {
            all.add(self.session.keys().list(environment, &request).await?)?;
        }
        Ok(all.listed)
    }

    async fn list_with_last_use(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::KeyInfo>> {
        let mut all = Pages::new();
        while let Some(request) = all.request() {
            let request = request.last_use(true);
            all.add(self.session.keys().list(environment, &request).await?)?;
        }
        Ok(all.listed)
    }

    async fn edit(&self, key: &KeyRef, edit: KeyEdit) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().edit(key, &edit).await?)
    }

    async fn switch(&self, key: &KeyRef, on: bool) -> Result<Document<api::KeyInfo>> {
        let info = if on {
            self.session.keys().enable(key).await
        } else {
            self.session.keys().disable(key).await
        };
        read(&info?)
    }

    async fn enable_by_force(&self, key: &KeyRef, reason: &str) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().enable_by_force(key, reason).await?)
    }

    async fn key_mode(&self, key: &KeyRef, mode: Option<Mode>) -> Result<Document<api::KeyInfo>> {
        read(&self.session.modes().set_of_key(key, mode).await?)
    }

    async fn modes(&self) -> Result<Listed<api::EnvironmentMode>> {
        Listed::page(&self.session.modes().list().await?)
    }

    async fn set_mode(&self, environment: &EnvironmentName, mode: Mode) -> Result<Document<api::EnvironmentMode>> {
        read(&self.session.modes().set(environment, mode).await?)
    }

    async fn copy(&self, from: &KeyRef, to: &KeyRef, replace: bool) -> Result<Document<api::Written>> {
        let existing = match replace {
            true => IfExists::Replace,
            false => IfExists::Keep,
        };
        read(&self.session.keys().copy(from, to, existing).await?)
    }

    async fn remove(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().remove(key).await?)
    }

    async fn stage(&self, key: &KeyRef, write: KeyWrite) -> Result<Document<api::Written>> {
        read(&self.session.rotation().stage(key, write).await?)
    }

    async fn destroy(&self, key: &KeyRef, drain: Drain) -> Result<Document<api::Destroyed>> {
        read(&self.session.rotation().destroy(key, &drain.request()).await?)
    }

    async fn rotate(&self, key: &KeyRef, step: Step) -> Result<Document<api::KeyInfo>> {
        match step {
            Step::Promote(None) => read(&self.session.rotation().promote(key).await?),
            Step::Promote(Some(reason)) => read(&self.session.rotation().promote_by_force(key, &reason).await?),
            Step::Rollback(None) => read(&self.session.rotation().roll_back(key).await?),
            Step::Rollback(Some(reason)) => read(&self.session.rotation().roll_back_by_force(key, &reason).await?),
            Step::Retire(drain) => read(&self.session.rotation().retire(key, &drain.request()).await?),
        }
    }

    async fn limits(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::EnvironmentLimit>> {
        Listed::page(&self.session.limits().list(environment).await?)
    }

    async fn set_limit(
        &self,
        environment: &EnvironmentName,
        limit: Option<Rate>,
    ) -> Result<Document<api::EnvironmentLimit>> {
        read(&self.session.limits().set(environment, limit).await?)
    }

    async fn rotation(&self, key: &KeyRef) -> Result<Document<api::RotationStatus>> {
        read(&self.session.rotation().status(key).await?)
    }

    async fn due(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::Due>> {
        Listed::page(&self.session.rotation().due(environment).await?)
    }

    async fn issue(&self, request: TokenRequest) -> Result<(Document<IssuedToken>, AccessToken)> {
        let issued = self.session.tokens().issue(request).await?;
        Ok((read(&issued.info)?, issued.token))
    }

    async fn rotate_token(
        &self,
        which: &str,
        rotation: &TokenRotation,
    ) -> Result<(Document<IssuedToken>, AccessToken)> {
        let rotated = self.session.tokens().rotate_with(which, rotation).await?;
        let mut info = document(&rotated.info)?;
        if let Value::Object(map) = &mut info {
            map.insert("children".to_owned(), json!(rotated.children));
            map.insert("revoked_children".to_owned(), json!(rotated.revoked_children));
        }
        Ok((read(&info)?, rotated.token))
    }

    async fn review_tokens(&self) -> Result<Listed<api::TokenFinding>> {
        Listed::page(&self.session.tokens().review().await?)
    }

    async fn tokens(&self) -> Result<Listed<api::TokenInfo>> {
        let mut all = Pages::new();
        while let Some(request) = all.request() {
            all.add(self.session.tokens().list(&request).await?)?;
        }
        Ok(all.listed)
    }

    async fn tokens_with_last_use(&self) -> Result<Listed<api::TokenInfo>> {
        let mut all = Pages::new();
        while let Some(request) = all.request() {
            all.add(self.session.tokens().list(&request.last_use(true)).await?)?;
        }
        Ok(all.listed)
    }

    async fn token(&self, which: &str) -> Result<Document<api::TokenInfo>> {
        read(&self.session.tokens().show(which).await?)
    }

    async fn revoke(&self, which: &str, keep_children: bool) -> Result<Document<api::RevokedToken>> {
        let descendants = match keep_children {
            true => Descendants::Keep,
            false => Descendants::Revoke,
        };
        read(&self.session.tokens().revoke(which, descendants).await?)
    }

    async fn open_incident(&self, key: &KeyRef, request: IncidentRequest) -> Result<Document<api::IncidentOpened>> {
        read(&Opened::from(self.session.incidents().open(key, request).await?))
    }

    async fn incidents(&self, all: bool) -> Result<Listed<api::Incident>> {
        let shown = match all {
            true => IncidentsShown::All,
            false => IncidentsShown::Open,
        };
        Listed::page(&self.session.incidents().list(shown).await?)
    }

    async fn incident_report(&self, which: &str, since: Option<Timestamp>) -> Result<Document<api::IncidentReport>> {
        let incidents = self.session.incidents();
        read(&incidents.report(which, since, &self.review).await?)
    }

    async fn close_incident(
        &self,
        which: &str,
        cause: &str,
        prevention: &str,
        force: bool,
    ) -> Result<Document<api::Incident>> {
        let still_served = match force {
            true => IfStillServed::Close,
            false => IfStillServed::Refuse,
        };
        let incidents = self.session.incidents();
        read(&incidents.close(which, cause, prevention, still_served).await?)
    }

    async fn note_incident(&self, which: &str, text: &str) -> Result<Document<api::Incident>> {
        read(&self.session.incidents().note(which, text).await?)
    }

    async fn usage(&self, request: UsageRequest) -> Result<Document<api::UsageReport>> {
        read(&self.session.usage().report(&request).await?)
    }

    async fn review(&self, request: &ReviewRequest) -> Result<Document<api::Review>> {
        let request = request.clone().habits(&self.review);
        read(&self.reviews().run(&request).await?)
    }

    async fn acknowledge(
        &self,
        request: &ReviewRequest,
        finding: &str,
        reason: &str,
    ) -> Result<Document<api::Finding>> {
        let request = request.clone().habits(&self.review);
        read(&self.reviews().acknowledge(&request, finding, reason).await?)
    }

    async fn review_done(&self, request: &ReviewRequest, reason: Option<&str>) -> Result<Document<api::Review>> {
        let request = request.clone().habits(&self.review);
        read(&self.reviews().record(&request, reason).await?)
    }

    async fn close(&self) -> Result<()> {
        Ok(self.vault.close().await?)
    }
}

/// Returns a released value with its description.
pub(crate) fn fetched(released: Released, field: Option<&FieldName>) -> Result<Fetched> {
    let info = released.info().clone();
    let value = match field {
        Some(field) => released.fields().get(field).map_or_else(|| released.secret(), Ok),
        None => released.secret(),
    }?;
    Ok(Fetched {
        reference: format!("{}/{}", info.environment, info.name),
        version: info.version,
        mode: info.mode.as_str().to_owned(),
        value: ibyok_core::Secret::copy_of(ibyok_core::secrecy::ExposeSecret::expose_secret(value)),
    })
}

/// The pages of a list, followed to the last.
struct Pages<T> {
    listed: Listed<T>,
    next: Option<PageRequest>,
}

impl<T: DeserializeOwned> Pages<T> {
    fn new() -> Self {
        Pages {
            listed: Listed::default(),
            next: Some(PageRequest::default().limit(PAGE)),
        }
    }

    fn request(&mut self) -> Option<PageRequest> {
        self.next.take()
    }

    fn add<P: Serialize>(&mut self, page: Page<P>) -> Result<()> {
        self.listed.add(&page.items, &page.damaged, page.incomplete)?;
        self.next = page.next.map(|next| PageRequest::after(Some(next)).limit(PAGE));
        Ok(())
    }
}

/// A thing of the vault as its document.
pub(crate) fn read<T: DeserializeOwned>(thing: &impl Serialize) -> Result<Document<T>> {
    Document::of(thing).map_err(|error| {
        Error::failed(
            format!("the vault's answer is not the expected document: {error}"),
            "this is a bug",
        )
    })
}

/// Returns the JSON document that `--json` prints for a thing.
pub(crate) fn document(thing: &impl Serialize) -> Result<Value> {
    serde_json::to_value(thing)
        .map_err(|error| Error::failed(format!("cannot write the answer as JSON: {error}"), "this is a bug"))
}
