//! A vault that is open in this process.

use async_trait::async_trait;
use ibyok_api as api;
use ibyok_api::Document;
use ibyok_core::{
    AccessToken, EnvironmentName, KeyRef, Namespace, Released, Session, TokenRequest, Vault,
    audit::{AuditFollow, AuditVerbs, Filter, WholeLog},
    incidents::{IfStillServed, IncidentRequest, IncidentsShown},
    jiff::Timestamp,
    keys::{Condition, FieldName, IfExists, KeyEdit, KeyId, KeyWrite, WhichVersion},
    modes::Mode,
    namespaces::Namespaces,
    pages::{Page, PageRequest},
    policy::Rate,
    secrecy::ExposeSecret,
    tokens::{Descendants, TokenRotation},
    usage::UsageRequest,
};
use ibyok_documents::Documented;
use ibyok_operations::incidents::{IncidentReportExt as _, Opened};
use ibyok_operations::reviews::{ReviewExt as _, ReviewHabits, ReviewRequest, ReviewVerbs};
use ibyok_operations::rotation::DueExt as _;
use ibyok_operations::tokens::TokenReviewExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::{Access, Drain, Fetched, IssuedToken, Listed, Step};

/// The number of items in a page of a list.
const PAGE: usize = 1000;

/// A vault that is open in this process, as its operator or the holder of an access token sees it.
///
/// ```
/// use ibyok_access::{Access, Local};
/// use ibyok_core::{FileSink, LocalKek, MemoryStore, Namespace, Secret, Vault, keys::KeyWrite};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = tempfile::tempdir()?;
/// # let builder = Vault::builder().store(MemoryStore::new()).kek(LocalKek::generate()?);
/// # let vault = builder.audit(FileSink::open(place.path()).await?).create().await?;
/// let local = Local::operator(vault, "os:me@here", Namespace::default())?;
/// local.write(&"dev/openai".parse()?, KeyWrite::from(Secret::copy_of(b"sk-1")), false).await?;
/// assert_eq!(local.list(None).await?.whole()?[0].name, "openai");
/// local.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct Local {
    vault: Vault,
    session: Session,
    /// The whole audit log, for an operator whose namespace is the vault's home.
    whole_log: Option<WholeLog>,
    /// The operator's name; `None` for the holder of a token.
    operator: Option<String>,
    namespace: Namespace,
    why: String,
    review: ReviewHabits,
}

impl Local {
    /// Acts as an operator of this name, in a namespace.
    ///
    /// # Errors
    /// Those of [`Session::in_namespace`].
    pub fn operator(vault: Vault, name: impl Into<String>, namespace: Namespace) -> Result<Self> {
        let name = name.into();
        let is_home = namespace == Namespace::default();
        Ok(Local {
            whole_log: is_home.then(|| vault.whole_log(name.clone())),
            session: vault.operator(name.clone()).in_namespace(namespace.clone())?,
            operator: Some(name),
            why: "you can open the vault, so you are its operator".to_owned(),
            vault,
            namespace,
            review: ReviewHabits::default(),
        })
    }

    /// Acts as the holder of an access token. `source` names the place that the token came from, for [`Access::whoami`].
    ///
    /// # Errors
    /// The vault's `denied` if another namespace than the default one is given, and it is not the token's. The vault's
    /// `unauthenticated` for a token that is not valid, if it looked at the token for this.
    pub async fn holder(vault: Vault, token: &AccessToken, source: &str, namespace: Namespace) -> Result<Self> {
        let session = vault.as_token(token);
        // A token stays in its own namespace: a namespace that the caller asked for must not pass for it.
        if namespace != Namespace::default() {
            crate::same_namespace(session.whoami().await?.namespace.as_str(), namespace.as_str())?;
        }
        Ok(Local {
            whole_log: None,
            session,
            operator: None,
            why: format!("{source} holds an access token"),
            vault,
            namespace,
            review: ReviewHabits::default(),
        })
    }

    /// Sets the way in which the caller reviews the log: its thresholds, and its source of countries.
    #[must_use]
    pub fn with_review_habits(mut self, habits: ReviewHabits) -> Self {
        self.review = habits;
        self
    }

    /// Returns the way in which the caller reviews the log.
    #[must_use]
    pub fn review_habits(&self) -> &ReviewHabits {
        &self.review
    }

    /// Returns the vault.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Returns the caller's session, for the verbs that only a vault in this process has.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the whole audit log, for an operator whose namespace is the vault's home.
    #[must_use]
    pub fn whole_log(&self) -> Option<&WholeLog> {
        self.whole_log.as_ref()
    }

    /// Returns the verbs on the vault's namespaces, for an operator.
    ///
    /// # Errors
    /// The vault's `unauthenticated` for a token that is not valid, and its `denied` for one that is.
    pub async fn namespaces(&self) -> Result<Namespaces> {
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

    /// Returns the verbs on reviews: of the whole log, or of the caller's namespace.
    fn reviews(&self) -> ReviewVerbs<'_> {
        match &self.whole_log {
            Some(log) => log.reviews(),
            None => self.session.reviews(),
        }
    }

    /// Returns the verbs on the audit log: on the whole log, or on the lines of the caller's namespace.
    #[must_use]
    pub fn audit(&self) -> AuditVerbs<'_> {
        match &self.whole_log {
            Some(log) => log.audit(),
            None => self.session.audit(),
        }
    }

    /// Follows the lines that a filter includes, from now on.
    ///
    /// # Errors
    /// Those of the log.
    pub async fn follow_audit(&self, filter: &Filter) -> Result<AuditFollow> {
        Ok(match &self.whole_log {
            Some(log) => log.follow(filter).await?,
            None => self.session.audit().follow(filter).await?,
        })
    }

    /// Returns the text before `env/name` in a written reference: nothing in the default namespace.
    #[must_use]
    pub fn namespace_part(&self) -> String {
        if self.namespace == Namespace::default() {
            String::new()
        } else {
            format!("{}/", self.namespace)
        }
    }
}

#[async_trait]
impl Access for Local {
    fn only_if_version(&mut self, version: u32) {
        self.session = self.session.clone().only_if(Condition::Version(version));
    }

    async fn whoami(&self) -> Result<Document<api::WhoAmI>> {
        let mut whoami = document_of(&self.session.whoami().await?.document())?;
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
        read(&written?.document())
    }

    async fn show(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().show(key).await?.document())
    }

    async fn list(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::KeyInfo>> {
        let mut all = Pages::new();
        while let Some(request) = all.request() {
            all.add(self.session.keys().list(environment, &request).await?)?;
        }
        Ok(all.listed)
    }

    async fn key_page(
        &self,
        environment: Option<&EnvironmentName>,
        after: Option<String>,
    ) -> Result<(Listed<api::KeyInfo>, Option<String>)> {
        let request = PageRequest::after(after).limit(PAGE).last_use(true);
        let mut page = self.session.keys().list(environment, &request).await?;
        let next = page.next.take();
        Ok((Listed::page(page)?, next))
    }

    async fn edit(&self, key: &KeyRef, edit: KeyEdit) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().edit(key, &edit).await?.document())
    }

    async fn switch(&self, key: &KeyRef, on: bool) -> Result<Document<api::KeyInfo>> {
        let info = if on {
            self.session.keys().enable(key).await
        } else {
            self.session.keys().disable(key).await
        };
        read(&info?.document())
    }

    async fn enable_by_force(&self, key: &KeyRef, reason: &str) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().enable_by_force(key, reason).await?.document())
    }

    async fn key_mode(&self, key: &KeyRef, mode: Option<Mode>) -> Result<Document<api::KeyInfo>> {
        read(&self.session.modes().set_of_key(key, mode).await?.document())
    }

    async fn modes(&self) -> Result<Listed<api::EnvironmentMode>> {
        Listed::page(self.session.modes().list().await?)
    }

    async fn set_mode(&self, environment: &EnvironmentName, mode: Mode) -> Result<Document<api::EnvironmentMode>> {
        read(&self.session.modes().set(environment, mode).await?.document())
    }

    async fn copy(&self, from: &KeyRef, to: &KeyRef, replace: bool) -> Result<Document<api::Written>> {
        let existing = match replace {
            true => IfExists::Replace,
            false => IfExists::Keep,
        };
        read(&self.session.keys().copy(from, to, existing).await?.document())
    }

    async fn remove(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>> {
        read(&self.session.keys().remove(key).await?.document())
    }

    async fn stage(&self, key: &KeyRef, write: KeyWrite) -> Result<Document<api::Written>> {
        read(&self.session.rotation().stage(key, write).await?.document())
    }

    async fn destroy(&self, key: &KeyRef, drain: Drain) -> Result<Document<api::Destroyed>> {
        read(&self.session.rotation().destroy(key, &drain.request()).await?.document())
    }

    async fn rotate(&self, key: &KeyRef, step: Step) -> Result<Document<api::KeyInfo>> {
        match step {
            Step::Promote(None) => read(&self.session.rotation().promote(key).await?.document()),
            Step::Promote(Some(reason)) => {
                read(&self.session.rotation().promote_by_force(key, &reason).await?.document())
            }
            Step::Rollback(None) => read(&self.session.rotation().roll_back(key).await?.document()),
            Step::Rollback(Some(reason)) => read(
                &self
                    .session
                    .rotation()
                    .roll_back_by_force(key, &reason)
                    .await?
                    .document(),
            ),
            Step::Retire(drain) => read(&self.session.rotation().retire(key, &drain.request()).await?.document()),
        }
    }

    async fn limits(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::EnvironmentLimit>> {
        Listed::page(self.session.limits().list(environment).await?)
    }

    async fn set_limit(
        &self,
        environment: &EnvironmentName,
        limit: Option<Rate>,
    ) -> Result<Document<api::EnvironmentLimit>> {
        read(&self.session.limits().set(environment, limit).await?.document())
    }

    async fn rotation(&self, key: &KeyRef) -> Result<Document<api::RotationStatus>> {
        read(&self.session.rotation().status(key).await?.document())
    }

    async fn due(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::Due>> {
        Listed::page(self.session.rotation().due(environment).await?)
    }

    async fn issue(&self, request: TokenRequest) -> Result<(Document<IssuedToken>, AccessToken)> {
        let issued = self.session.tokens().issue(request).await?;
        Ok((read(&issued.info.document())?, issued.token))
    }

    async fn rotate_token(
        &self,
        which: &str,
        rotation: &TokenRotation,
    ) -> Result<(Document<IssuedToken>, AccessToken)> {
        let rotated = self.session.tokens().rotate_with(which, rotation).await?;
        let mut info = document_of(&rotated.info.document())?;
        if let Value::Object(map) = &mut info {
            map.insert("children".to_owned(), json!(rotated.children.document()));
            map.insert("revoked_children".to_owned(), json!(rotated.revoked_children));
        }
        Ok((read(&info)?, rotated.token))
    }

    async fn review_tokens(&self) -> Result<Listed<api::TokenFinding>> {
        Listed::page(self.session.tokens().review().await?)
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
        read(&self.session.tokens().show(which).await?.document())
    }

    async fn revoke(&self, which: &str, keep_children: bool) -> Result<Document<api::RevokedToken>> {
        let descendants = match keep_children {
            true => Descendants::Keep,
            false => Descendants::Revoke,
        };
        read(&self.session.tokens().revoke(which, descendants).await?.document())
    }

    async fn open_incident(&self, key: &KeyRef, request: IncidentRequest) -> Result<Document<api::IncidentOpened>> {
        let opened = Opened::from(self.session.incidents().open(key, request).await?);
        read(&opened.document())
    }

    async fn incidents(&self, all: bool) -> Result<Listed<api::Incident>> {
        let shown = match all {
            true => IncidentsShown::All,
            false => IncidentsShown::Open,
        };
        Listed::page(self.session.incidents().list(shown).await?)
    }

    async fn incident_report(&self, which: &str, since: Option<Timestamp>) -> Result<Document<api::IncidentReport>> {
        let incidents = self.session.incidents();
        read(&incidents.report(which, since, &self.review).await?.document())
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
        read(
            &incidents
                .close(which, cause, prevention, still_served)
                .await?
                .document(),
        )
    }

    async fn note_incident(&self, which: &str, text: &str) -> Result<Document<api::Incident>> {
        read(&self.session.incidents().note(which, text).await?.document())
    }

    async fn usage(&self, request: UsageRequest) -> Result<Document<api::UsageReport>> {
        read(&self.session.usage().report(&request).await?.document())
    }

    async fn review(&self, request: &ReviewRequest) -> Result<Document<api::Review>> {
        let request = request.clone().habits(&self.review);
        read(&self.reviews().run(&request).await?.document())
    }

    async fn acknowledge(
        &self,
        request: &ReviewRequest,
        finding: &str,
        reason: &str,
    ) -> Result<Document<api::Finding>> {
        let request = request.clone().habits(&self.review);
        read(&self.reviews().acknowledge(&request, finding, reason).await?.document())
    }

    async fn review_done(&self, request: &ReviewRequest, reason: Option<&str>) -> Result<Document<api::Review>> {
        let request = request.clone().habits(&self.review);
        read(&self.reviews().record(&request, reason).await?.document())
    }

    async fn close(&self) -> Result<()> {
        Ok(self.vault.close().await?)
    }
}

/// Returns the value of one field of a released key, with its description; without a field, the key itself.
///
/// # Errors
/// The vault's `not_found` for a field that the version does not have.
pub fn fetched(released: Released, field: Option<&FieldName>) -> Result<Fetched> {
    let info = released.info().clone();
    let value = match field {
        Some(field) => released.fields().get(field).map_or_else(|| released.secret(), Ok),
        None => released.secret(),
    }?;
    Ok(Fetched {
        reference: format!("{}/{}", info.environment, info.name),
        version: info.version,
        mode: info.mode.as_str().to_owned(),
        value: ibyok_core::Secret::copy_of(value.expose_secret()),
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

    fn add<P: Documented<Document: Serialize>>(&mut self, page: Page<P>) -> Result<()> {
        let page = page.document();
        self.listed.add(page.items, page.damaged, page.incomplete)?;
        self.next = page.next.map(|next| PageRequest::after(Some(next)).limit(PAGE));
        Ok(())
    }
}

/// Makes a document of a thing of the vault.
///
/// # Errors
/// [`Error::Failed`] if the thing does not have the document's members.
pub(crate) fn read<T: DeserializeOwned>(thing: &impl Serialize) -> Result<Document<T>> {
    Document::of(thing).map_err(|error| Error::Failed {
        what: format!("the vault's answer is not the expected document: {error}"),
        hint: "this is a bug".to_owned(),
    })
}

/// Returns a thing of the vault as JSON.
///
/// # Errors
/// [`Error::Failed`] if it cannot be written as JSON.
pub fn document_of(thing: &impl Serialize) -> Result<Value> {
    serde_json::to_value(thing).map_err(|error| Error::Failed {
        what: format!("cannot write the answer as JSON: {error}"),
        hint: "this is a bug".to_owned(),
    })
}
