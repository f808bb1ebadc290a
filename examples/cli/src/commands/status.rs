//! `ibyok status`

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
use ibyok_reports::cell::Cell;
use ibyok_reports::rotation;

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
            map.insert("due".to_owned(), json!(due.items));
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
                ("floors", "floors.records"),
                ("environments", "environments"),
                ("separation", "separation"),
                ("guardrails", "guardrails"),
                ("records", "records.checked"),
                ("  damaged", "records.damaged"),
                ("ready", "ready"),
            ],
        )?;
        for warning in at(&status, "warnings").as_array().into_iter().flatten() {
            cx.io.warn(&format!("warning: {}", text(warning)));
        }
        for one in &due.items {
            let (which, state) = rotation::due(one);
            cx.io.warn(&format!("warning: {which}: {state} ({})", one.at.cell()));
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

/// Returns the tasks that are due and the keys and tokens that end soon, as far as the caller may see them. Empty
/// while the vault cannot serve.
async fn due(here: &Here, ready: bool, cx: &mut Cx<'_>) -> Result<Listed<Due>> {
    if !ready {
        return Ok(Listed::default());
    }
    match here.session().rotation().due(None).await {
        Ok(due) => Ok(Listed::page(due)?),
        Err(VaultError::Denied { .. }) => Ok(Listed::default()),
        Err(error) => {
            cx.io.warn(&format!("warning: cannot list the due tasks: {error}"));
            Ok(Listed::default())
        }
    }
}
