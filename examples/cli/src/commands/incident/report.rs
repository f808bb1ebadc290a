//! `ibyok incident report`

use ibyok_operations::file::write_private;
use ibyok_reports::incident;

use super::{Report, past};
use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;

pub(super) async fn run(args: &Report, cx: &mut Cx<'_>) -> Result<Exit> {
    let since = past(args.since.as_deref())?;
    if args.proofs.is_some() {
        return super::proofs::run(args, since, cx).await;
    }
    cx.with_access(async |access, cx| {
        let report = access.incident_report(&args.which, since).await?;
        if let Some(file) = &args.html {
            write_private(file, incident::page(&report).as_bytes())?;
            cx.io.say(&format!("wrote the page to `{}`", file.display()));
            return Ok(Exit::Done);
        }
        if cx.globals.json {
            cx.io.answer_json(&report)?;
        } else {
            cx.io.answer(incident::text(&report).as_bytes())?;
        }
        Ok(Exit::Done)
    })
    .await
}
