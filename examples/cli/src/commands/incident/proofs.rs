//! `ibyok incident report --proofs`

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;

use ibyok_core::jiff::Timestamp;
use ibyok_reports::incident;

use super::Report;
use crate::access::Access;
use crate::commands::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use ibyok_core::audit::words::{counted, is_or_are};
use ibyok_operations::file::write_private;

/// The largest number of lines that are proved. The log is read once for each.
const PROOFS_MAX: usize = 200;

pub(super) async fn run(args: &Report, since: Option<Timestamp>, cx: &mut Cx<'_>) -> Result<Exit> {
    let Some(directory) = &args.proofs else {
        return Ok(Exit::Done);
    };
    cx.with_vault("incident report --proofs", async |here, cx| {
        let report = here.incident_report(&args.which, since).await?;
        let made = DirBuilder::new().mode(0o700).create(directory);
        made.map_err(|error| Error::writing(directory, &error))?;
        let lines = incident::evidence(&report);
        for (log, seq) in lines.iter().take(PROOFS_MAX) {
            let proof = here.audit().prove(Some(log), *seq).await?;
            write_private(&directory.join(format!("{log}-{seq}.proof")), proof.text().as_bytes())?;
        }
        let text = serde_json::to_string_pretty(&report).unwrap_or_default();
        write_private(&directory.join("report.json"), text.as_bytes())?;
        if let Some(file) = &args.html {
            write_private(file, incident::page(&report).as_bytes())?;
        }
        cx.io.say(&format!(
            "wrote the report and {} to `{}`; `ibyok audit verify --proof FILE --key PUB` checks a proof on any machine",
            counted(lines.len().min(PROOFS_MAX), "proof"),
            directory.display()
        ));
        if lines.len() > PROOFS_MAX {
            cx.io.warn(&format!(
                "{} {} not proved; `ibyok audit prove` proves a single line",
                counted(lines.len() - PROOFS_MAX, "further line"),
                is_or_are(lines.len() - PROOFS_MAX)
            ));
        }
        Ok(Exit::Done)
    })
    .await
}
