//! `ibyok status`

use ibyok_core::Error as VaultError;
use serde_json::{Value, json};

use super::Cx;
use super::rotate::told;
use crate::access::{Here, document_of as document};
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{at, shown, text};

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_vault("status", async |here, cx| {
        let ready = here.vault.ready().await;
        let mut status = document(&here.vault.status().await?)?;
        if let Value::Object(map) = &mut status {
            map.insert("ready".to_owned(), json!(ready.is_ready()));
            map.insert("not_ready".to_owned(), document(&ready)?);
            map.insert("due".to_owned(), due(here, ready.is_ready(), cx).await?);
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
        for one in at(&status, "due").as_array().into_iter().flatten() {
            let (which, state) = told(one);
            cx.io
                .warn(&format!("warning: {which}: {state} ({})", shown(at(one, "at"))));
        }
        for part in ["store", "kek", "audit", "lease", "floors"] {
            if let Some(why) = at(&status, "not_ready").get(part).and_then(Value::as_str) {
                cx.io.warn(&format!("not ready: {part}: {why}"));
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
async fn due(here: &Here, ready: bool, cx: &mut Cx<'_>) -> Result<Value> {
    if !ready {
        return Ok(json!([]));
    }
    match here.session.rotations_due(None).await {
        Ok(due) => document(&due.items),
        Err(VaultError::Denied { .. }) => Ok(json!([])),
        Err(error) => {
            cx.io.warn(&format!("warning: what is due is not known: {error}"));
            Ok(json!([]))
        }
    }
}
