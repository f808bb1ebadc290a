//! `ibyok status`

use serde_json::{Value, json};

use super::Cx;
use crate::access::document_of as document;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{at, text};

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_vault("status", async |here, cx| {
        let ready = here.vault.ready().await;
        let mut status = document(&here.vault.status().await?)?;
        if let Value::Object(map) = &mut status {
            map.insert("ready".to_owned(), json!(ready.is_ready()));
            map.insert("not_ready".to_owned(), document(&ready)?);
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
                ("environments", "environments"),
                ("separation", "separation"),
                ("guardrails", "guardrails"),
                ("ready", "ready"),
            ],
        )?;
        for warning in at(&status, "warnings").as_array().into_iter().flatten() {
            cx.io.warn(&format!("warning: {}", text(warning)));
        }
        for part in ["store", "kek", "audit", "lease"] {
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
