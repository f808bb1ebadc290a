//! Texts about an incident: whose are compared with the key's values, and whose are not.
//!
//! A text is kept for good, so it must not contain a value. But a refusal reveals that a guess was right, so a text
//! is compared only with values that its author may read. The texts of all other authors are checked by their shape
//! alone; they are kept in the incident, sealed, and not written to the log.

use std::sync::Arc;

use crate::base::error::Result;
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::incident::NOT_ON_THE_LOG;
use crate::leaked::check_not_of;
use crate::model::key::KeyRecord;
use crate::realm::Realm;
use crate::vault::Inner;

impl Inner {
    /// Refuses texts that contain a value of the key that their author may read. Returns the first text for the log:
    /// the text itself only if its author may read every version.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid).
    pub(super) async fn check_texts(
        &self,
        attempt: &Attempt<'_>,
        who: &Principal,
        (realm, key): (&Arc<Realm>, Option<&KeyRecord>),
        texts: &[(&str, &str)],
    ) -> Result<String> {
        let mut all = who.holder().is_none();
        if let Some(key) = key {
            all = true;
            for version in &key.versions {
                if !self
                    .leaks
                    .reads_version(attempt, (who, realm), key, version.number.into())
                    .await?
                {
                    all = false;
                    continue;
                }
                texts
                    .iter()
                    .try_for_each(|(what, text)| check_not_of(realm, version, what, text))?;
            }
            all &= !key.versions.is_empty() || who.holder().is_none();
        }
        let first = texts.first().map(|(_, text)| *text).unwrap_or_default();
        Ok(if all { first } else { NOT_ON_THE_LOG }.to_owned())
    }
}
