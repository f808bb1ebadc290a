//! A vault behind a server.

use async_trait::async_trait;
use ibyok_api as api;
use ibyok_api::{Document, Incident, ModeOverride, Role};
use ibyok_client::{Client, Listing};
use ibyok_core::{
    AccessToken, EnvironmentName, KeyRef, Namespace, Secret, TokenRequest,
    incidents::IncidentRequest,
    jiff::Timestamp,
    keys::{FieldName, KeyEdit, KeyId, KeyWrite, WhichVersion},
    modes::Mode,
    policy::Rate,
    secrecy::ExposeSecret,
    tokens::TokenRotation,
    usage::UsageRequest,
};
use ibyok_operations::reviews::ReviewRequest;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::local::read;
use crate::{Access, Drain, Fetched, IssuedToken, Listed, Step, sent};

/// Stands for the environment in a request that has the id of a key.
const ANYWHERE: &str = "_";

/// A vault behind a server, as the holder of an access token sees it.
pub struct Remote {
    client: Client,
    source: String,
    /// The namespace that the caller asked for, if there is one: it must be the token's own.
    namespace: Option<String>,
}

impl Remote {
    /// Sends requests by a client. `source` names the flag or variable that named the server, for [`Access::whoami`]. Every verb refuses
    /// a `namespace` that is not the token's.
    #[must_use]
    pub fn new(client: Client, source: impl Into<String>, namespace: Option<String>) -> Self {
        Remote {
            client,
            source: source.into(),
            namespace,
        }
    }

    /// Returns environment and name of a key. Refuses a key of another namespace than the token's, which must not pass for one of it.
    async fn path(&self, key: &KeyRef) -> Result<(String, String)> {
        self.own_namespace(key.namespace()).await?;
        let text = key
            .clone()
            .at_version(WhichVersion::Current)
            .with_field(None)
            .to_string();
        let name = text.rsplit('/').next().unwrap_or_default().to_owned();
        Ok((key.environment().to_string(), name))
    }

    /// Returns an incident's id, from the id itself or from the key's reference: the newest incident of that key.
    async fn incident_id(&self, which: &str) -> Result<String> {
        if let Ok(id) = which.parse::<ibyok_core::incidents::IncidentId>() {
            return Ok(id.to_string());
        }
        let (environment, name) = self.path(&which.parse()?).await?;
        let reference = format!("{environment}/{name}");
        let of_key = |incident: &Document<Incident>| incident.reference == reference;
        let found = self.client.incidents(true).await?.into_iter().find(of_key);
        let found = found.map(|incident| incident.id.clone());
        Ok(found.ok_or_else(|| ibyok_core::Error::Denied {
            limit: "incident",
            reason: "the incident is not among those that the token may see".to_owned(),
        })?)
    }

    /// Refuses where another namespace than the token's own is meant.
    async fn own_namespace(&self, named: Option<&Namespace>) -> Result<()> {
        match named.map(Namespace::as_str).or(self.namespace.as_deref()) {
            Some(asked) => crate::same_namespace(&self.client.whoami().await?.namespace, asked),
            None => Ok(()),
        }
    }

    async fn value(
        &self,
        environment: &str,
        name: &str,
        version: WhichVersion,
        field: Option<&FieldName>,
    ) -> Result<Fetched> {
        let field = field.map(FieldName::as_str);
        let found = match version {
            WhichVersion::Pending => self.client.retrieve_pending(environment, name, field).await,
            which => self.client.retrieve(environment, name, which.number(), field).await,
        }?;
        let bytes = match field.and_then(|field| found.fields().get(field)) {
            Some(field) => field.expose_secret(),
            None => found.bytes()?,
        };
        Ok(Fetched {
            value: Secret::copy_of(bytes),
            reference: found.reference,
            version: found.version,
            mode: found.mode.as_str().to_owned(),
        })
    }

    /// The number of the version that a reference names; `None` for the whole key.
    async fn number(&self, key: &KeyRef, (environment, name): (&str, &str)) -> Result<Option<u32>> {
        match key.version() {
            WhichVersion::Pending => self.pending(environment, name).await.map(Some),
            which => Ok(which.number()),
        }
    }

    /// The number of the version that is staged.
    async fn pending(&self, environment: &str, name: &str) -> Result<u32> {
        let info = self.client.show_key(environment, name).await?;
        let pending = info.versions.iter().find(|version| version.role == Role::Pending);
        let number = pending.map(|version| version.version);
        Ok(number.ok_or_else(|| ibyok_core::Error::NotFound {
            what: format!("pending version of key `{environment}/{name}`"),
            hint: Some("`ibyok keys show` lists the versions".into()),
        })?)
    }
}

#[async_trait]
impl Access for Remote {
    fn only_if_version(&mut self, version: u32) {
        self.client = self.client.clone().only_if_version(version);
    }

    async fn whoami(&self) -> Result<Document<api::WhoAmI>> {
        let mut whoami = self.client.whoami().await?.into_json();
        if let Value::Object(map) = &mut whoami {
            map.insert("url".to_owned(), json!(self.client.url()));
            map.insert("why".to_owned(), json!(format!("{} names the server", self.source)));
        }
        read(&whoami)
    }

    async fn find(&self, id: &KeyId) -> Result<KeyRef> {
        self.own_namespace(None).await?;
        let found = self.client.show_key(ANYWHERE, &id.to_string()).await?;
        Ok(found.reference.parse::<KeyRef>()?)
    }

    async fn retrieve(&self, key: &KeyRef) -> Result<Fetched> {
        let (environment, name) = self.path(key).await?;
        self.value(&environment, &name, key.version(), key.field()).await
    }

    async fn retrieve_by_id(&self, id: &KeyId, version: WhichVersion, field: Option<FieldName>) -> Result<Fetched> {
        self.own_namespace(None).await?;
        self.value(ANYWHERE, &id.to_string(), version, field.as_ref()).await
    }

    async fn write(&self, key: &KeyRef, write: KeyWrite, new: bool) -> Result<Document<api::Written>> {
        whole(key)?;
        let (environment, name) = self.path(key).await?;
        let sent = sent::write(write)?;
        let written = match new {
            true => self.client.add_key(&environment, &name, &sent).await,
            false => self.client.set_key(&environment, &name, &sent).await,
        };
        Ok(written?)
    }

    async fn show(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>> {
        let (environment, name) = self.path(key).await?;
        if let Some(field) = key.field() {
            // As the vault itself says it.
            return Err(Error::Vault(ibyok_core::Error::invalid(
                format!("the field `{field}` is not shown by itself"),
                "leave out `#field`: every version is shown with the names of its fields",
            )));
        }
        let shown = match key.version() {
            WhichVersion::Current => self.client.show_key(&environment, &name).await,
            which => self.client.show_version(&environment, &name, &which.to_string()).await,
        };
        Ok(shown?)
    }

    async fn list(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::KeyInfo>> {
        let keys = self.client.keys(environment.map(EnvironmentName::as_str)).await?;
        Ok(keys.into())
    }

    async fn key_page(
        &self,
        environment: Option<&EnvironmentName>,
        after: Option<String>,
    ) -> Result<(Listed<api::KeyInfo>, Option<String>)> {
        let environment = environment.map(EnvironmentName::as_str);
        let mut page = self.client.keys_page(environment, after.as_deref()).await?;
        // A server that returns the same place again would be asked for ever.
        let next = page.next.take().filter(|next| Some(next) != after.as_ref());
        Ok((Listing::from(page).into(), next))
    }

    async fn edit(&self, key: &KeyRef, edit: KeyEdit) -> Result<Document<api::KeyInfo>> {
        whole(key)?;
        let (environment, name) = self.path(key).await?;
        let sent = sent::edit(edit)?;
        Ok(self.client.edit_key(&environment, &name, &sent).await?)
    }

    async fn switch(&self, key: &KeyRef, on: bool) -> Result<Document<api::KeyInfo>> {
        let (environment, name) = self.path(key).await?;
        let version = self.number(key, (&environment, &name)).await?;
        let info = match on {
            true => self.client.enable_key(&environment, &name, version).await,
            false => self.client.disable_key(&environment, &name, version).await,
        };
        Ok(info?)
    }

    async fn enable_by_force(&self, key: &KeyRef, reason: &str) -> Result<Document<api::KeyInfo>> {
        let (environment, name) = self.path(key).await?;
        let version = self.number(key, (&environment, &name)).await?;
        let enabled = self.client.enable_key_by_force(&environment, &name, (version, reason));
        Ok(enabled.await?)
    }

    async fn key_mode(&self, key: &KeyRef, mode: Option<Mode>) -> Result<Document<api::KeyInfo>> {
        whole(key)?;
        let (environment, name) = self.path(key).await?;
        let mode = mode.map_or(ModeOverride::Inherit, |mode| mode.as_str().into());
        Ok(self.client.set_key_mode(&environment, &name, mode).await?)
    }

    async fn modes(&self) -> Result<Listed<api::EnvironmentMode>> {
        self.own_namespace(None).await?;
        Ok(self.client.modes().await?.into())
    }

    async fn set_mode(&self, environment: &EnvironmentName, mode: Mode) -> Result<Document<api::EnvironmentMode>> {
        self.own_namespace(None).await?;
        let set = self
            .client
            .set_environment_mode(environment.as_str(), mode.as_str().into());
        Ok(set.await?)
    }

    async fn copy(&self, from: &KeyRef, to: &KeyRef, replace: bool) -> Result<Document<api::Written>> {
        whole(from)?;
        let (environment, name) = self.path(from).await?;
        let (to_environment, to_name) = self.path(to).await?;
        let to = format!("{to_environment}/{to_name}");
        Ok(self.client.copy_key(&environment, &name, &to, replace).await?)
    }

    async fn remove(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>> {
        whole(key)?;
        let (environment, name) = self.path(key).await?;
        Ok(self.client.remove_key(&environment, &name).await?)
    }

    async fn stage(&self, key: &KeyRef, write: KeyWrite) -> Result<Document<api::Written>> {
        whole(key)?;
        let (environment, name) = self.path(key).await?;
        Ok(self.client.stage_key(&environment, &name, &sent::write(write)?).await?)
    }

    async fn destroy(&self, key: &KeyRef, drain: Drain) -> Result<Document<api::Destroyed>> {
        if key.field().is_some() {
            whole(key)?;
        }
        let (environment, name) = self.path(key).await?;
        let drain = sent::drain(key, &drain);
        Ok(self.client.destroy_version(&environment, &name, &drain).await?)
    }

    async fn rotate(&self, key: &KeyRef, step: Step) -> Result<Document<api::KeyInfo>> {
        if matches!(step, Step::Promote(_) | Step::Rollback(_)) || key.field().is_some() {
            whole(key)?;
        }
        let (environment, name) = self.path(key).await?;
        let (client, environment, name) = (&self.client, environment.as_str(), name.as_str());
        match step {
            Step::Promote(None) => Ok(client.promote_key(environment, name).await?),
            Step::Promote(Some(why)) => Ok(client.promote_key_by_force(environment, name, &why).await?),
            Step::Rollback(None) => Ok(client.rollback_key(environment, name).await?),
            Step::Rollback(Some(why)) => Ok(client.rollback_key_by_force(environment, name, &why).await?),
            Step::Retire(drain) => {
                let drain = sent::drain(key, &drain);
                Ok(client.retire_key(environment, name, &drain).await?)
            }
        }
    }

    async fn limits(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::EnvironmentLimit>> {
        Ok(self
            .client
            .limits(environment.map(EnvironmentName::as_str))
            .await?
            .into())
    }

    async fn set_limit(
        &self,
        environment: &EnvironmentName,
        limit: Option<Rate>,
    ) -> Result<Document<api::EnvironmentLimit>> {
        let set = self.client.set_limit(environment.as_str(), limit.map(sent::rate));
        Ok(set.await?)
    }

    async fn rotation(&self, key: &KeyRef) -> Result<Document<api::RotationStatus>> {
        whole(key)?;
        let (environment, name) = self.path(key).await?;
        Ok(self.client.rotation_status(&environment, &name).await?)
    }

    async fn due(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::Due>> {
        let due = self.client.rotations_due(environment.map(EnvironmentName::as_str));
        Ok(due.await?.into())
    }

    async fn issue(&self, request: TokenRequest) -> Result<(Document<IssuedToken>, AccessToken)> {
        let sent = sent::token_request(request);
        with_secret(self.client.issue_token(&sent).await?)
    }

    async fn rotate_token(
        &self,
        which: &str,
        rotation: &TokenRotation,
    ) -> Result<(Document<IssuedToken>, AccessToken)> {
        let sent = ibyok_client::TokenRotation {
            grace_seconds: rotation.grace.map(|grace| grace.as_secs()),
            revoke_children: rotation.revoke_children,
        };
        with_secret(self.client.rotate_token_with(which, &sent).await?)
    }

    async fn review_tokens(&self) -> Result<Listed<api::TokenFinding>> {
        Ok(self.client.review_tokens().await?.into())
    }

    async fn tokens(&self) -> Result<Listed<api::TokenInfo>> {
        Ok(self.client.tokens().await?.into())
    }

    async fn tokens_with_last_use(&self) -> Result<Listed<api::TokenInfo>> {
        Ok(self.client.tokens_with_last_use().await?.into())
    }

    async fn token(&self, which: &str) -> Result<Document<api::TokenInfo>> {
        match which {
            "self" => {
                let id = self.client.whoami().await?.id.clone();
                Ok(self.client.show_token(&id).await?)
            }
            which => Ok(self.client.show_token(which).await?),
        }
    }

    async fn revoke(&self, which: &str, keep_children: bool) -> Result<Document<api::RevokedToken>> {
        Ok(self.client.revoke_token(which, keep_children).await?)
    }

    async fn open_incident(&self, key: &KeyRef, request: IncidentRequest) -> Result<Document<api::IncidentOpened>> {
        let (environment, name) = self.path(key).await?;
        let version = match key.version() {
            WhichVersion::Current => String::new(),
            other => format!("?version={other}"),
        };
        let mut sent = ibyok_client::IncidentRequest::new(format!("{environment}/{name}{version}"), request.reason);
        sent.since = request.since;
        sent.freeze = request.freeze;
        sent.revoke_readers = request.revoke_readers;
        sent.replace = request.replace.map(sent::write).transpose()?;
        Ok(self.client.open_incident(&sent).await?)
    }

    async fn incidents(&self, all: bool) -> Result<Listed<api::Incident>> {
        Ok(self.client.incidents(all).await?.into())
    }

    async fn incident_report(&self, which: &str, since: Option<Timestamp>) -> Result<Document<api::IncidentReport>> {
        let id = self.incident_id(which).await?;
        Ok(self.client.incident_report(&id, since).await?)
    }

    async fn close_incident(
        &self,
        which: &str,
        cause: &str,
        prevention: &str,
        force: bool,
    ) -> Result<Document<api::Incident>> {
        let id = self.incident_id(which).await?;
        Ok(self.client.close_incident(&id, cause, prevention, force).await?)
    }

    async fn note_incident(&self, which: &str, text: &str) -> Result<Document<api::Incident>> {
        let id = self.incident_id(which).await?;
        Ok(self.client.note_incident(&id, text).await?)
    }

    async fn usage(&self, request: UsageRequest) -> Result<Document<api::UsageReport>> {
        let mut asked = ibyok_client::UsageRequest::default();
        asked.by = Some(request.by.as_str().into());
        (asked.since, asked.until) = (request.since, request.until);
        asked.environment = request.environment.map(|name| name.to_string());
        asked.key = match &request.key {
            Some(key) => {
                let (environment, name) = self.path(key).await?;
                Some(format!("{environment}/{name}"))
            }
            None => None,
        };
        Ok(self.client.usage(&asked).await?)
    }

    async fn review(&self, request: &ReviewRequest) -> Result<Document<api::Review>> {
        Ok(self.client.review(request.since).await?)
    }

    async fn acknowledge(
        &self,
        request: &ReviewRequest,
        finding: &str,
        reason: &str,
    ) -> Result<Document<api::Finding>> {
        let acknowledged = self.client.acknowledge_finding(request.since, finding, reason);
        Ok(acknowledged.await?)
    }

    async fn review_done(&self, request: &ReviewRequest, reason: Option<&str>) -> Result<Document<api::Review>> {
        Ok(self.client.review_done(request.since, reason).await?)
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn with_secret(issued: ibyok_client::Issued) -> Result<(Document<IssuedToken>, AccessToken)> {
    let info = json!({
        "id": issued.id,
        "name": issued.name,
        "expires_at": issued.expires_at,
        "grant": issued.grant,
        "epoch": issued.epoch,
        "older_secret_until": issued.older_secret_until,
        "children": issued.children,
        "revoked_children": issued.revoked_children,
    });
    Ok((read(&info)?, AccessToken::new(issued.token)))
}

fn whole(key: &KeyRef) -> Result<()> {
    if !key.version().is_current() || key.field().is_some() {
        return Err(Error::invalid(
            "this is about the whole key",
            "leave out `?version=` and `#field`",
        ));
    }
    Ok(())
}
