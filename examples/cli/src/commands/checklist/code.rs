//! What the code shows: no keys in it, and ignore files that keep them out.

use std::path::{Path, PathBuf};

use ibyok_scan::{Engine, Progress, TreeOptions, scan_tree};

use super::{Item, some};
use crate::error::{Error, Result};

/// What must never be committed.
const NEVER: [&str; 5] = [
    ".env",
    ".env.local",
    ".env.production.local",
    "key.pem",
    "credentials.json",
];

pub(super) async fn items(path: &Path) -> Result<Vec<Item>> {
    let root = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let scanned = scan_tree(&Engine::new(), &root, TreeOptions::default(), &Progress::default())?;
        Ok::<_, Error>((scanned, ibyok_scan::not_ignored(&top_of(&root), &NEVER)?))
    });
    let (report, open) = looked
        .await
        .map_err(|_| Error::failed("the scan came to no end", "this is a bug"))??;
    let found: Vec<String> = report
        .findings
        .iter()
        .map(|finding| format!("{}:{}", finding.path, finding.line))
        .collect();
    let code = if found.is_empty() {
        Item::ok("no-keys-in-code", format!("{} files hold none", report.files))
    } else {
        Item::open(
            "no-keys-in-code",
            format!("{} findings: {}", found.len(), some(&found)),
            "ibyok scan shows them: move the values into the vault, and rotate them",
        )
    };
    let ignored = if open.is_empty() {
        Item::ok("ignore-files", "files with secrets are ignored")
    } else {
        Item::open(
            "ignore-files",
            format!("git would take {}", some(&open)),
            "add .env, .env.local, .env.*.local, *.pem and credentials.json to .gitignore",
        )
    };
    Ok(vec![code, ignored])
}

/// The top of the repository that a path is in, else the path.
fn top_of(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let top = whole.ancestors().find(|above| above.join(".git").exists());
    top.map_or(whole.clone(), Path::to_owned)
}
