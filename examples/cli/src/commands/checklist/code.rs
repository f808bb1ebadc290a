//! Checks the code: no keys in it, and ignore files that keep them out.

use std::path::Path;

use ibyok_operations::checklist::CodeFacts;
use ibyok_scan::{Engine, ExcusedFiles, Progress};

use super::ignore;
use crate::access::Here;
use crate::commands::scan;
use crate::error::{Error, Result};
use crate::globals::Environment;

pub(super) async fn facts(here: &Here, path: &Path, environment: &Environment) -> Result<CodeFacts> {
    let (root, environment) = (path.to_owned(), environment.clone());
    // The scan also finds the vault's own keys, and no comment excuses them.
    let known = scan::known::of_session(&here.session).await?;
    let engine = Engine::new().excusing(ExcusedFiles::near(path)?).with_matcher(known);
    let looked = tokio::task::spawn_blocking(move || {
        let scanned = scan::tree(&root, false, &environment, &engine, &Progress::default())?;
        Ok::<_, Error>((scanned, ignore::missing(&root)?))
    });
    let (report, not_ignored) = looked
        .await
        .map_err(|_| Error::failed("the scan stopped early", "this is a bug"))??;
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
