//! Scans that know the vault's own keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ibyok_core::Session;
use ibyok_core::known_values::KnownValues;
use ibyok_scan::{Engine, ExcusedFiles, KnownKey, Matcher, Progress, not_ignored, scan_checkout, top_of};

use crate::checklist::{CodeFacts, NEVER_COMMITTED};

/// The length of the shortest value that a scan searches for: shorter values are common words.
const SHORTEST: usize = 8;

/// The values of a vault, as a scan asks for them.
#[derive(Debug)]
pub struct KnownMatcher {
    values: KnownValues,
    shortest: usize,
}

impl KnownMatcher {
    /// Matches the values of an open vault.
    #[must_use]
    pub fn of_vault(values: KnownValues) -> Arc<dyn Matcher> {
        Arc::new(KnownMatcher {
            values,
            shortest: SHORTEST,
        })
    }

    /// Matches the values of a bundle of fingerprints.
    ///
    /// # Errors
    /// Those of [`KnownValues::from_bundle`].
    pub fn of_bundle(text: &str) -> ibyok_core::Result<Arc<dyn Matcher>> {
        Ok(Arc::new(KnownMatcher {
            values: KnownValues::from_bundle(text)?,
            shortest: KnownValues::shortest_in_bundle(),
        }))
    }
}

impl Matcher for KnownMatcher {
    fn find(&self, candidate: &[u8]) -> Option<KnownKey> {
        let known = self.values.find(candidate)?;
        Some(KnownKey::new(known.reference.clone(), Some(known.version)))
    }

    fn shortest(&self) -> usize {
        self.shortest
    }
}

/// The reason why the code was not scanned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The vault did not give its values.
    #[error(transparent)]
    Vault(#[from] ibyok_core::Error),
    /// The scan failed.
    #[error(transparent)]
    Scan(#[from] ibyok_scan::Error),
    /// The thread of the scan panicked.
    #[error("the scan stopped early")]
    Stopped,
}

/// Scans the code below `path` for keys by shape and for the vault's own keys, and finds the files of [`NEVER_COMMITTED`] that git would take.
/// `environment` is the environment for git.
///
/// # Errors
/// The variants of [`CodeError`].
pub async fn code_facts(
    session: &Session,
    path: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<CodeFacts, CodeError> {
    let (root, environment) = (path.to_owned(), environment.clone());
    // The scan also finds the vault's own keys, and no comment excuses them.
    let known = KnownMatcher::of_vault(session.known_values().collect().await?);
    let engine = Engine::new().excusing(ExcusedFiles::near(path)?).with_matcher(known);
    let looked = tokio::task::spawn_blocking(move || {
        let report = scan_checkout(&engine, &root, false, &environment, &Progress::default())?;
        Ok::<_, ibyok_scan::Error>((report, missing(&root)?))
    });
    let (report, not_ignored) = looked.await.map_err(|_| CodeError::Stopped)??;
    let places = report.findings.iter();
    Ok(CodeFacts {
        findings: places
            .map(|finding| format!("{}:{}", finding.path, finding.line))
            .collect(),
        excused: report.excused,
        files: report.files,
        unread: report.unread,
        not_ignored,
    })
}

/// Returns the files of [`NEVER_COMMITTED`] that git would take, in the repository that `root` is in.
///
/// # Errors
/// Those of [`not_ignored`].
pub fn missing(root: &Path) -> Result<Vec<String>, ibyok_scan::Error> {
    not_ignored(&top_of(root), &NEVER_COMMITTED.map(|(name, _)| name))
}
