//! Checks the code: no keys in it, and ignore files that keep them out.

use std::path::Path;

use ibyok_scan::{Engine, ExcusedFiles, Progress};

use super::{Item, ignore, some};
use crate::access::Here;
use crate::commands::scan;
use crate::error::{Error, Result};
use crate::globals::Environment;
use crate::words::{counted, is_or_are};

pub(super) async fn items(here: &Here, path: &Path, environment: &Environment) -> Result<Vec<Item>> {
    let (root, environment) = (path.to_owned(), environment.clone());
    // The vault's own keys are looked for too, and are excused nowhere.
    let known = scan::known::of_session(&here.session).await?;
    let engine = Engine::new().excusing(ExcusedFiles::near(path)?).with_matcher(known);
    let looked = tokio::task::spawn_blocking(move || {
        let scanned = scan::tree(&root, false, &environment, &engine, &Progress::default())?;
        Ok::<_, Error>((scanned, ignore::missing(&root)?))
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
        let excused = match report.excused {
            0 => String::new(),
            count => format!(", but for {count} that {} excused", is_or_are(count)),
        };
        if report.unread > 0 {
            Item::open(
                "no-keys-in-code",
                format!("{} of the code cannot be read", counted(report.unread, "part")),
                "ibyok scan names them",
            )
        } else if report.files == 0 {
            Item::open(
                "no-keys-in-code",
                "no file was scanned",
                "give the directory of the code: ibyok checklist PATH",
            )
        } else {
            let hold = if report.files == 1 { "holds" } else { "hold" };
            let files = counted(report.files, "file");
            Item::ok("no-keys-in-code", format!("{files} {hold} none{excused}"))
        }
    } else {
        Item::open(
            "no-keys-in-code",
            format!("{}: {}", counted(found.len(), "finding"), some(&found)),
            "ibyok scan shows them: move the values into the vault, and rotate them; published test values are excused in .ibyokignore",
        )
    };
    let ignored = if open.is_empty() {
        Item::ok("ignore-files", "files with secrets are ignored")
    } else {
        Item::open(
            "ignore-files",
            format!("git would take {}", some(&open)),
            "ibyok checklist --fix adds .env, .env.local, .env.*.local, *.pem and credentials.json to .gitignore",
        )
    };
    Ok(vec![code, ignored])
}
