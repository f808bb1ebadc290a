//! `ibyok status`

use std::time::Duration;

use ibyok_api::Due;
use ibyok_core::Error as VaultError;
use ibyok_operations::rotation::DueExt as _;
use serde_json::{Value, json};

use super::Cx;
use crate::access::{Here, Listed, document_of as document};
use crate::error::Result;
use crate::exit::Exit;
use crate::remedy::{About, of_warning};
use crate::table::{at, text};
use ibyok_core::audit::words::counted;
use ibyok_reports::cell::Cell;
use ibyok_reports::rotation;

/// The time for which the command looks for due tasks: it is the first command in an incident, and must answer soon.
const LOOK: Duration = Duration::from_millis(800);

/// The number of due tasks that are listed. `rotate due` lists all of them.
const LISTED: usize = 50;

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_vault("status", async |here, cx| {
        let ready = here.vault().ready().await;
        let found = here.vault().status().await?;
        let about = About {
            findings: &found.floors.findings,
            no_history_before: found.floors.no_history_before.as_deref(),
            behind: ready.behind.as_deref(),
        };
        let warnings: Vec<String> = found
            .warnings
            .iter()
            .map(|warning| of_warning(warning, &about))
            .collect();
        let mut status = document(&found)?;
        if let Value::Object(map) = &mut status {
            map.insert("warnings".to_owned(), json!(warnings));
            map.insert("ready".to_owned(), json!(ready.is_ready()));
            map.insert("not_ready".to_owned(), document(&ready)?);
        }
        let due = due(here, ready.is_ready(), cx).await?;
        if let Value::Object(map) = &mut status {
            map.insert("due".to_owned(), json!(due.list.items));
            map.insert("due_checked".to_owned(), json!(due.checked));
            map.insert("due_complete".to_owned(), json!(due.complete));
        }
        cx.answer_one(
            &status,
            &[
                ("vault", "vault"),
                ("format", "format"),
                ("store", "store.backend"),
                ("  survives", "store.survives"),
                ("  settings", "store.detail"),
                ("KEK", "keks"),
                ("audit log", "audit.place"),
                ("  durability", "audit.durability"),
                ("  lines", "audit.seq"),
                ("  sinks", "audit.sinks"),
                ("floors", "floors.records"),
                ("environments", "environments"),
                ("separation", "separation"),
                ("  each", "separations"),
                ("guardrails", "guardrails"),
                ("records", "records.checked"),
                ("  damaged", "records.damaged"),
                ("ready", "ready"),
            ],
        )?;
        for warning in at(&status, "warnings").as_array().into_iter().flatten() {
            cx.io.warn(&format!("warning: {}", text(warning)));
        }
        for one in due.list.items.iter().take(LISTED) {
            let (which, state) = rotation::due(one);
            cx.io.warn(&format!("warning: {which}: {state} ({})", one.at.cell()));
        }
        let unlisted = due.list.items.len().saturating_sub(LISTED);
        if unlisted > 0 {
            let more = counted(unlisted, "more task");
            cx.io
                .warn(&format!("warning: {more} due; `ibyok rotate due` lists all of them"));
        }
        if !due.complete && ready.is_ready() {
            let checked = due.checked;
            let all = "`ibyok rotate due` checks all of them";
            cx.io.warn(&format!(
                "warning: checked only {checked} keys and tokens for due tasks; {all}"
            ));
        }
        for part in ["store", "kek", "audit", "lease", "floors"] {
            if let Some(why) = at(&status, "not_ready").get(part).and_then(Value::as_str) {
                cx.io.warn(&format!("not ready: {part}: {}", of_warning(why, &about)));
            }
        }
        Ok(if ready.is_ready() {
            Exit::Done
        } else {
            Exit::Unavailable
        })
    })
    .await
}

/// The due tasks among the keys and tokens that were checked.
struct Found {
    list: Listed<Due>,
    checked: u64,
    complete: bool,
}

/// Returns the tasks that are due and the keys and tokens that end soon, as far as the caller may see them. Empty
/// while the vault cannot serve.
async fn due(here: &Here, ready: bool, cx: &mut Cx<'_>) -> Result<Found> {
    let nothing = |complete| Found {
        list: Listed::default(),
        checked: 0,
        complete,
    };
    if !ready {
        return Ok(nothing(false));
    }
    match here.session().rotation().due_within(None, LOOK).await {
        Ok(found) => Ok(Found {
            list: Listed::page(found.due)?,
            checked: found.checked,
            complete: found.complete,
        }),
        Err(VaultError::Denied { .. }) => Ok(nothing(true)),
        Err(error) => {
            cx.io.warn(&format!("warning: cannot list the due tasks: {error}"));
            Ok(nothing(false))
        }
    }
}
